"""The columns of Arrow tables of sounds and edges, and their rows.

Invariant: a column has the same type in every batch; stamps and upload times are timestamps in UTC. Only this module
and `exports.parquet` need `pyarrow`, which the extra `parquet` installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from harvester.exports.table import Column, is_time, moment_of, plan_columns, rows
from harvester.exports.whole import WHOLE_KEYS, WholeTexts
from harvester.graph import Selected
from harvester.json_text import without_lone_surrogates

ROWS_A_BATCH = 20_000

_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
_STAMP = pa.timestamp("us", tz="UTC")
EDGE_SCHEMA = pa.schema(
    [
        ("source", pa.int64()),
        ("target", pa.int64()),
        ("score", pa.float64()),
        ("relation", pa.string()),
        ("weights", pa.string()),
    ]
)


class SoundRows:
    """The selected sounds as rows of `schema`.

    With `whole`, there are two more columns, `record` and `library`, with the texts of `WholeTexts`. Of a part of a
    larger selection, `columns` and `libraries` are those that this one gives its sounds.
    """

    def __init__(
        self,
        selected: Selected,
        *,
        whole: bool = False,
        columns: Sequence[Column] | None = None,
        libraries: Sequence[str] | None = None,
    ) -> None:
        self._selected = selected
        self._whole = WholeTexts(selected) if whole else None
        self._libraries = libraries
        self.columns = tuple(plan_columns(selected) if columns is None else columns)
        texts = WHOLE_KEYS if whole else ()
        # A field with the name of a text is in the canonical text alone.
        self._shown = [column for column in self.columns if column.name not in texts]
        self.schema = pa.schema([*schema_of(self._shown), *((name, pa.string()) for name in texts)])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as values that pyarrow accepts."""
        typed = with_times(self._shown, rows(self._selected, self.columns))
        if self._whole is None:
            yield from typed
            return
        for place, row in enumerate(typed):
            row["record"], row["library"] = self._whole.text(row["id"]), self.library(place) or None
            yield row
        if not len(self._selected) and (library := self.library(0)):
            yield {"library": library}

    def library(self, place: int) -> str:
        """Return the library's facts at the sound number `place`, or no text."""
        if self._libraries is not None:
            return self._libraries[place]
        return "" if self._whole is None else self._whole.library(place)


def edge_rows(selected: Selected) -> Iterator[dict[str, Any]]:
    """Yield the edges as rows of `EDGE_SCHEMA`."""
    for edge in selected.edges():
        relation, weights = (
            None if text is None else without_lone_surrogates(text) for text in (edge.relation, edge.weights)
        )
        yield {
            "source": edge.source,
            "target": edge.target,
            "score": edge.score,
            "relation": relation,
            "weights": weights,
        }


def batches(
    schema: pa.Schema, table_rows: Iterable[dict[str, Any]], batch_rows: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows as record batches of `batch_rows`, by default 20,000.

    The rows of one batch at most are dicts at the same time.
    """
    remaining = iter(table_rows)
    while group := list(islice(remaining, batch_rows or ROWS_A_BATCH)):
        yield pa.RecordBatch.from_pylist(group, schema=schema)


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Return the schema of these columns."""
    return pa.schema([(column.name, _type(column)) for column in columns])


def with_times(columns: Iterable[Column], table_rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the same rows, with times that pyarrow accepts."""
    times = {column.name for column in columns if is_time(column)}
    for row in table_rows:
        for name in times & row.keys():
            row[name] = moment_of(row[name])
        yield row


def _type(column: Column) -> pa.DataType:
    if is_time(column):
        return _STAMP
    return pa.list_(pa.string()) if column.kind == "texts" else _TYPES[column.kind]
