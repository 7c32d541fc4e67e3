"""Write Parquet: typed tables of sounds and edges.

A table is one file, or a folder of parts (`exports.parts`), for DuckDB, polars, Dask and Spark.

Invariant: a column has the same type in every part. At most one group of rows is in memory. Needs `pyarrow`, which the
extra `parquet` installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harvester.exports.arrow import batches

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
        for batch in batches(schema, table_rows):
            writer.write_batch(batch)
            yield pieces.take()
    yield pieces.take()


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

    def take(self) -> bytes:
        kept, self._kept = b"".join(self._kept), []
        return kept
