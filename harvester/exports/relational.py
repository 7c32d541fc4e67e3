"""Edges and tags as rows of relational tables, for SQL.

An edge of a similar list and each relation of an edge is a row of its own, with its kind as `--edges` names it: so a
kind is a condition in SQL, and every score and weight is a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from harvester.graph import Selected
from harvester.json_text import without_lone_surrogates
from harvester.records import value_of


class EdgeRow(NamedTuple):
    """An edge of one kind; `score` is that of a similar list."""

    source: int
    target: int
    kind: str
    score: float | None
    weight: float | None


class TagRow(NamedTuple):
    """One tag of a sound."""

    sound_id: int
    tag: str


def edges_by_kind(selected: Selected) -> Iterator[EdgeRow]:
    """Yield the edges by source, target and kind; each kind once."""
    for sound_id in selected.sound_ids:
        for edge in sorted(selected.edges_of(sound_id), key=lambda edge: edge.target):
            values: list[tuple[float | None, float | None]] = [] if edge.score is None else [(edge.score, None)]
            values += [(None, weight) for weight in edge.relations.values()]
            rows = dict(zip(map(without_lone_surrogates, edge.kinds), values, strict=True))
            for kind in sorted(rows):
                yield EdgeRow(edge.source, edge.target, kind, *rows[kind])


def tag_rows(selected: Selected) -> Iterator[TagRow]:
    """Yield the tags by sound and name; each tag of a sound once."""
    for sound_id in selected.sound_ids:
        tags = value_of(selected.state.attributes(sound_id), "tags") or ()
        for tag in sorted(set(map(without_lone_surrogates, tags))):
            yield TagRow(sound_id, tag)
