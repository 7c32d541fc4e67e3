"""Write Parquet: typed tables of sounds and edges.

A table is one file, or a folder of parts (`exports.parts`), for DuckDB, polars, Dask and Spark.

Invariant: a column has the same type in every part. At most one group of rows is in memory, as pyarrow holds it. Needs
`pyarrow`, which the extra `parquet` installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harvester.exports.arrow import ROWS_A_BATCH, batches

_ROWS_AT_ONCE = 1_024
"""How many rows are dicts at the same time. Parquet encodes so many values at once, so the bytes are those of a whole
group; a dict takes five times the memory of the row in Arrow."""

_PINNED: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": True,
    "write_statistics": True,
    "write_page_index": False,
    "write_page_checksum": False,
    "store_schema": True,
}
"""Every option that changes the bytes, so that they do not follow the defaults of a version of pyarrow."""


def encode_parquet(schema: pa.Schema, table_rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the bytes of one Parquet file, with columns even if empty."""
    pieces = _Pieces()
    with pq.ParquetWriter(pa.PythonFile(pieces, mode="w"), schema, **_PINNED) as writer:
        remaining = iter(table_rows)
        while _write_group(writer, schema, islice(remaining, ROWS_A_BATCH)):
            yield from pieces.take()
    yield from pieces.take()


def _write_group(writer: pq.ParquetWriter, schema: pa.Schema, table_rows: Iterable[dict[str, Any]]) -> bool:
    """Write the rows as a group; return False if there are none.

    Nothing refers to the group on return, so it is never beside the next one.
    """
    group = list(batches(schema, table_rows, _ROWS_AT_ONCE))
    if group:
        writer.write_table(pa.Table.from_batches(group))
    return bool(group)


class _Pieces:
    """File object for pyarrow: keeps written bytes until `take`."""

    closed = False

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._kept.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> list[bytes]:
        kept, self._kept = self._kept, []
        return kept
