"""Write a selection as parts of Parquet, each of them a task.

Invariant: the parts have the same bytes, whichever process writes them. The rows of a part are made where it is
written: the sounds that it needs are smaller than its rows. Where this process writes them one by one, the sounds stay
where they are. Needs `pyarrow`, as `exports.parquet` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from harvester.errors import ClusterFailed
from harvester.exports.arrow import EDGE_SCHEMA, SoundRows, edge_rows
from harvester.exports.parquet import encode_parquet
from harvester.exports.table import Column
from harvester.graph import Excerpt, Selected, take_excerpt
from harvester.jobs import Team

_Take: TypeAlias = "Callable[[Selected, Sequence[int]], Excerpt | _Here]"


@dataclass(frozen=True, slots=True)
class _Here:
    """Some sounds of a selection, for a part that this process writes."""

    whole: Selected
    sound_ids: Sequence[int]

    def selected(self) -> Selected:
        """Return the sounds, with their edges in the whole selection."""
        whole = self.whole
        return Selected(whole.state, self.sound_ids, whole.edge_rule, is_whole=whole.is_whole, others=whole.members)


@dataclass(frozen=True, slots=True)
class _PartTask:
    """A task: write a part.

    It has the rows number `first` to `last` that the sounds of the excerpt give. `columns` and `libraries`: the columns
    of all sounds, and the texts beside these; a part of edges has none.
    """

    name: str
    excerpt: Excerpt | _Here
    first: int
    last: int
    columns: tuple[Column, ...] | None = None
    libraries: tuple[str, ...] = ()

    def rows(self) -> SoundRows | None:
        """Return the sounds as rows, or None for edges."""
        if self.columns is None:
            return None
        return SoundRows(self.excerpt.selected(), whole=True, columns=self.columns, libraries=self.libraries)

    def schema(self, rows: SoundRows | None) -> pa.Schema:
        """Return the columns of the part."""
        return EDGE_SCHEMA if rows is None else rows.schema


def encode_parts(selected: Selected, part_rows: int, team: Team) -> Iterator[tuple[str, list[bytes]]]:
    """Yield (path, pieces) of each part of `part_rows` rows, sounds first.

    There is at least one part of each, so that readers find the columns. Raises `ClusterFailed` for bytes from another
    machine that are no such part.
    """
    known: list[tuple[str, int, pa.Schema]] = []
    sounds: _Take = _Here
    edges: _Take = _Here
    if team.is_remote or team.size > 1:
        sounds, edges = take_excerpt, partial(take_excerpt, attributes=False)

    def tasks() -> Iterator[_PartTask]:
        for part in chain(_sound_parts(selected, part_rows, sounds), _edge_parts(selected, part_rows, edges)):
            if team.is_remote:
                known.append((part.name, part.last - part.first, part.schema(part.rows())))
            yield part

    for place, (name, pieces) in enumerate(team.each(_encode, tasks())):
        if team.is_remote:
            _check(known[place], name, pieces)
        yield name, pieces


def _sound_parts(selected: Selected, part_rows: int, take: _Take) -> Iterator[_PartTask]:
    rows = SoundRows(selected, whole=True)
    for number, start in enumerate(range(0, max(len(selected), 1), part_rows)):
        ids = selected.sound_ids[start : start + part_rows]
        libraries = tuple(rows.library(start + place) for place in range(max(len(ids), 1)))
        count = len(ids) or int(any(libraries))
        yield _PartTask(_path("sounds", number), take(selected, ids), 0, count, rows.columns, libraries)


def _edge_parts(selected: Selected, part_rows: int, take: _Take) -> Iterator[_PartTask]:
    """Yield the parts of the edges, each with the sounds that have them."""
    number, kept, count_kept, skipped = 0, list[int](), 0, 0
    for sound_id in selected.sound_ids:
        count = selected.count_edges_of(sound_id)
        if not count:
            continue
        kept.append(sound_id)
        count_kept += count
        while count_kept - skipped >= part_rows:
            yield _edge_part(take(selected, tuple(kept)), number, skipped, skipped + part_rows)
            number += 1
            # Only the last sound may have edges left.
            skipped += part_rows - (count_kept - count)
            kept, count_kept = [sound_id], count
            if skipped == count_kept:
                kept, count_kept, skipped = [], 0, 0
    if count_kept > skipped or number == 0:
        yield _edge_part(take(selected, tuple(kept)), number, skipped, count_kept)


def _edge_part(excerpt: Excerpt | _Here, number: int, first: int, last: int) -> _PartTask:
    return _PartTask(_path("edges", number), excerpt, first, last)


def _path(table: str, number: int) -> str:
    return f"{table}/part-{number:05}.parquet"


def _encode(part: _PartTask) -> tuple[str, list[bytes]]:
    """Return the name and the bytes of a part."""
    rows = part.rows()
    found = edge_rows(part.excerpt.selected()) if rows is None else rows.rows()
    return part.name, list(encode_parquet(part.schema(rows), islice(found, part.first, part.last)))


def _check(expected: tuple[str, int, pa.Schema], name: object, pieces: object) -> None:
    wanted, count, schema = expected
    table = None
    if name == wanted and isinstance(pieces, list) and all(isinstance(one, bytes) for one in pieces):
        with suppress(OSError, pa.ArrowException):
            table = pq.read_table(pa.BufferReader(b"".join(pieces)))
    if table is None or table.num_rows != count or not table.schema.equals(schema):
        raise ClusterFailed(f"a worker returned something else than {wanted}; nothing was changed: export without it")
