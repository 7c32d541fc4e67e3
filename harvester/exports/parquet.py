"""Write Parquet: typed tables of sounds and edges.

A table is one file or a folder of parts, for DuckDB, polars, Dask and Spark.

Invariant: a column has the same type in every part; stamps and upload times are timestamps in UTC. At most one group
of rows is in memory. Only this module needs `pyarrow`, which the extra `parquet` installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harvester.exports.table import Column, plan_columns, rows
from harvester.graph import STAMPS, Selected
from harvester.json_text import without_lone_surrogates

ROWS_A_GROUP = 20_000

_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
_STAMP = pa.timestamp("us", tz="UTC")
EDGE_SCHEMA = pa.schema(
    [("source", pa.int64()), ("target", pa.int64()), ("score", pa.float64()), ("relation", pa.string())]
)


class SoundTable:
    """The selected sounds as a typed table."""

    def __init__(self, selected: Selected) -> None:
        self._selected = selected
        self._columns = plan_columns(selected)
        self._times = {column.name for column in self._columns if _is_time(column)}
        self.schema = pa.schema([(column.name, _type(column)) for column in self._columns])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as values that pyarrow accepts."""
        for row in rows(self._selected, self._columns):
            yield {name: _stamp(value) if name in self._times else value for name, value in row.items()}


def edge_rows(selected: Selected) -> Iterator[dict[str, Any]]:
    """Yield the edges as rows of `EDGE_SCHEMA`."""
    for edge in selected.edges():
        relation = None if edge.relation is None else without_lone_surrogates(edge.relation)
        yield {"source": edge.source, "target": edge.target, "score": edge.score, "relation": relation}


def encode_parquet(schema: pa.Schema, table_rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the bytes of one Parquet file, with columns even if empty."""
    pieces = _Pieces()
    remaining = iter(table_rows)
    with pq.ParquetWriter(pa.PythonFile(pieces, mode="w"), schema, compression="zstd") as writer:
        while group := list(islice(remaining, ROWS_A_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            yield pieces.take()
    yield pieces.take()


def encode_parts(
    schema: pa.Schema, table_rows: Iterable[dict[str, Any]], part_rows: int
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield (file name, bytes) of each part of `part_rows` rows.

    There is at least one part, so that readers find the columns. Consume a part's bytes before you ask for the next
    part.
    """
    remaining = iter(table_rows)
    number = 0
    first = next(remaining, None)
    while first is not None or number == 0:
        head = [] if first is None else [first]
        yield f"part-{number:05}.parquet", encode_parquet(schema, chain(head, islice(remaining, part_rows - 1)))
        first, number = next(remaining, None), number + 1


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


def _is_time(column: Column) -> bool:
    return column.name in STAMPS or column.name == "created"


def _type(column: Column) -> pa.DataType:
    if _is_time(column):
        return _STAMP
    return pa.list_(pa.string()) if column.kind == "texts" else _TYPES[column.kind]


def _stamp(value: int | str) -> datetime:
    if isinstance(value, int):
        seconds, microseconds = divmod(value, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
    instant = datetime.fromisoformat(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
