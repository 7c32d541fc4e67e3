"""Select the sounds and edges that `export` and `map` show.

Invariant: sounds that are gone are never selected, and an edge is selected only if both its ends are. The order is
stable: sounds by id, edges by source, then best score first. Reads the state, no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harvester.graph.attributes import RELATION_FIELDS, canonical_bytes, is_gone
from harvester.graph.sound import Sound
from harvester.graph.state import SoundGraph
from harvester.records import license_name, value_of


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions for a sound.

    One of `licenses`, `categories` and `users` each (where any are given), all `tags`. A license is `CC0`, `BY`,
    `BY-NC`, `Sampling+`, or one version such as `BY 4.0`; case is ignored. Durations are in seconds, scores in [0, 1].
    A sound without a record matches only a selection without conditions on the record.
    """

    licenses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    processed_only: bool = False
    min_score: float | None = None
    largest_component: bool = False

    def matches(self, attributes: dict[str, Any]) -> bool:
        """Tell whether a sound's attributes meet all conditions on its record."""
        if self.licenses:
            names = license_names(license_name(value_of(attributes, "license")))
            if not names & set(map(typed_license, self.licenses)):
                return False
        places = {(value_of(attributes, name) or "").casefold() for name in ("category", "subcategory")}
        if self.categories and not places & _folded(self.categories):
            return False
        if self.users and (value_of(attributes, "username") or "").casefold() not in _folded(self.users):
            return False
        if self.tags and not _folded(self.tags) <= _folded(value_of(attributes, "tags") or ()):
            return False
        return self._lasts(value_of(attributes, "duration"))

    def _lasts(self, duration_s: float | None) -> bool:
        if self.min_duration_s is None and self.max_duration_s is None:
            return True
        if duration_s is None:
            return False
        return (
            (self.min_duration_s or 0)
            <= duration_s
            <= (float("inf") if self.max_duration_s is None else self.max_duration_s)
        )


@dataclass(frozen=True)
class Edge:
    """One edge.

    `source` and `target` are ids of sounds. It has a `score`, from 0 to 1, when the target is in the source's similar
    list, and a `relation` when it was imported: a JSON list of its kinds. `weights` is then a JSON object with the
    weights of some kinds, None without any.
    """

    source: int
    target: int
    score: float | None
    relation: str | None
    weights: str | None = None


class Selected:
    """The sounds and edges of one library that a view shows.

    `is_whole`: nothing was selected, so only gone sounds and the edges from and to them are left out.
    """

    def __init__(
        self, state: SoundGraph, sound_ids: Iterable[int], min_score: float | None = None, *, is_whole: bool = False
    ) -> None:
        self.state = state
        self.is_whole = is_whole
        self.sound_ids: list[int] = sorted(sound_ids)
        self.min_score = min_score
        self._members = frozenset(self.sound_ids)

    def __len__(self) -> int:
        return len(self.sound_ids)

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self._members

    def sounds(self) -> Iterator[Sound]:
        """Yield the selected sounds, in order of id."""
        return map(self.state.sound, self.sound_ids)

    def edges_of(self, sound_id: int) -> list[Edge]:
        """Return selected out-edges, best score first, without a score last."""
        edges = []
        for target, attributes in self.state.graph.succ[sound_id].items():
            score = attributes.get("score")
            if target not in self._members or (
                self.min_score is not None and (score is None or score < self.min_score)
            ):
                continue
            relation, weights = map(_json, map(attributes.get, RELATION_FIELDS))
            edges.append(Edge(sound_id, target, score, relation, weights))
        edges.sort(key=lambda edge: (edge.score is None, -(edge.score or 0.0), edge.target))
        return edges

    def edges(self) -> Iterator[Edge]:
        """Yield all selected edges in their stable order."""
        for sound_id in self.sound_ids:
            yield from self.edges_of(sound_id)

    @cached_property
    def edge_count(self) -> int:
        """Return the number of selected edges."""
        return sum(1 for _ in self.edges())


def select(state: SoundGraph, selection: Selection | None = None) -> Selected:
    """Return the selected part of a state, or every sound not gone."""
    return _select(state, state.graph, selection or Selection())


def narrow(selected: Selected, selection: Selection) -> Selected:
    """Return the part of `selected` that `selection` selects too.

    The higher of the two `min_score` holds.
    """
    if selection == Selection():
        return selected
    scores = [score for score in (selected.min_score, selection.min_score) if score is not None]
    return _select(selected.state, selected.sound_ids, replace(selection, min_score=max(scores, default=None)))


def _select(state: SoundGraph, among: Iterable[int], selection: Selection) -> Selected:
    kept = []
    for sound_id in among:
        attributes = state.attributes(sound_id)
        if is_gone(attributes) or (selection.processed_only and sound_id not in state.processed):
            continue
        if selection.matches(attributes):
            kept.append(sound_id)
    selected = Selected(state, kept, selection.min_score, is_whole=among is state.graph and selection == Selection())
    if selection.largest_component and kept:
        # Components are ordered by their smallest id, and `max` returns the first of equally large ones.
        largest: list[int] = max(components(selected), key=len)
        return Selected(state, largest, selection.min_score)
    return selected


def components(selected: Selected) -> list[list[int]]:
    """Return the weakly connected components.

    Each has ascending ids; they are ordered by their smallest id.
    """
    parent = {sound_id: sound_id for sound_id in selected.sound_ids}

    def root(sound_id: int) -> int:
        while parent[sound_id] != sound_id:
            parent[sound_id] = sound_id = parent[parent[sound_id]]
        return sound_id

    for edge in selected.edges():
        one, other = root(edge.source), root(edge.target)
        parent[max(one, other)] = min(one, other)
    found: dict[int, list[int]] = {}
    for sound_id in selected.sound_ids:
        found.setdefault(root(sound_id), []).append(sound_id)
    return list(found.values())


def around(selected: Selected, sound_id: int, depth: int) -> Selected:
    """Return the sounds within `depth` edges of one, in either direction.

    The edges among them are included.
    """
    graph, reached, ring = selected.state.graph, {sound_id}, {sound_id}
    for _ in range(depth):
        near = {edge.target for one in ring for edge in selected.edges_of(one)}
        for one in ring:
            for source in graph.pred[one]:
                if source in selected and any(edge.target == one for edge in selected.edges_of(source)):
                    near.add(source)
        ring = near - reached
        reached |= near
    return Selected(selected.state, reached, selected.min_score)


def typed_license(name: str) -> str:
    """Return a typed license in the form of `license_names`.

    `CC-BY-NC 4.0` becomes `by-nc 4.0`.
    """
    text = name.strip().casefold()
    return text.removeprefix("cc-").removeprefix("cc ") if text not in ("cc0", "cc-0", "cc 0") else "cc0"


def license_names(name: str) -> set[str]:
    """Return what may be typed for a license, in folded case.

    Those are its short name with its version, and without.
    """
    folded = name.casefold()
    return {folded, folded.split(" ")[0]}


def _folded(texts: Iterable[str]) -> set[str]:
    return {text.casefold() for text in texts}


def _json(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return canonical_bytes(value).decode()
