"""Encode rows as one file: Parquet or CSV.

For exports that choose their columns and rows themselves. Parquet needs `pyarrow`, which the extra `parquet` installs;
it is imported with the first table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harvester.errors import SettingsError
from harvester.exports.formats import encode_pieces
from harvester.exports.table import Column, is_time, moment_of
from harvester.exports.text import encode_csv_rows
from harvester.extras import missing

TABLE_FORMATS = ("parquet", "csv")


def encode_table(
    format: str, columns: Sequence[Column], table_rows: Iterable[dict[str, Any]], *, faithful: bool = False
) -> Iterator[bytes]:
    """Return the bytes of one file, in pieces, with columns even if empty.

    `format` is one of `TABLE_FORMATS`, and the rows are those of `table.rows`. Times are timestamps in Parquet and ISO
    8601 in CSV. `faithful`: texts in CSV that a spreadsheet would run as formulas stay unchanged. Raises
    `SettingsError` without pyarrow.
    """
    if format == "csv":
        plain = (plain_row(columns, row) for row in table_rows)
        return encode_pieces(encode_csv_rows([column.name for column in columns], plain, faithful=faithful))
    try:
        from harvester.exports.arrow import schema_of, with_times
        from harvester.exports.parquet import encode_parquet
    except ImportError as error:
        raise SettingsError(missing("parquet", "pyarrow", "parquet")) from error
    return encode_parquet(schema_of(columns), with_times(columns, table_rows))


def plain_row(columns: Iterable[Column], row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `table.rows` with its times as ISO 8601 in UTC."""
    times = {column.name for column in columns if is_time(column)} & row.keys()
    return row | {name: moment_of(row[name]).isoformat().replace("+00:00", "Z") for name in times}
