"""The result of a SQL statement, as an Arrow table and as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from harvester.errors import SettingsError
from harvester.exports.sql_text import ResultFormat, encode_csv, encode_json

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class SqlResult:
    """The rows that a SQL statement gives.

    Iterate for each row as a tuple of Python's values: lists, dicts, datetimes in UTC, None for a null. `to_arrow()`
    gives a `pyarrow.Table`; `pandas.DataFrame.from_arrow`, `polars.DataFrame` and DuckDB take the result as it is.
    `types` are DuckDB's types of the columns. `notices`: lines that need attention.
    """

    _table: pa.Table
    types: tuple[str, ...]
    notices: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; a second `a` is `a_2`."""
        seen: Counter[str] = Counter()
        names: list[str] = []
        for name in self._table.schema.names:
            seen[name] += 1
            names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
        return tuple(names)

    def to_arrow(self) -> pa.Table:
        """Return a `pyarrow.Table`."""
        return self._table.rename_columns(list(self.columns))

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a PyCapsule."""
        return self.to_arrow().schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as a PyCapsule of a new Arrow stream."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def text(self, format: ResultFormat = "csv") -> Iterator[str]:
        """Yield the rows as CSV with a header, or as JSON: a list of objects.

        In CSV a null is an empty cell, and a text that a spreadsheet would run as a formula gets an apostrophe. Times
        are ISO text in UTC.
        """
        return encode_csv(self.columns, self) if format == "csv" else encode_json(self.columns, self)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for batch in self._table.to_batches():
            try:
                columns = [column.to_pylist() for column in batch.columns]
            except (OverflowError, ValueError) as error:
                raise SettingsError(
                    f"the result has a value that Python cannot hold ({error}); CAST its column to VARCHAR"
                ) from error
            for row in zip(*columns, strict=True):
                yield tuple(map(_plain, row))

    def __repr__(self) -> str:
        return f"<SqlResult {len(self):,} rows × {len(self.types)} columns>"


def _plain(value: Any) -> Any:
    # DuckDB's sums of whole numbers come as decimals of 128 bits without digits after the point.
    if isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent == 0:
        return int(value)
    return value
