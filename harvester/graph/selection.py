"""Select the sounds and edges that `export` and `map` show.

Invariant: sounds that are gone are never selected, and an edge is selected only if both its ends are; `edges` has the
rule for its kinds. The order is stable: sounds by id, edges by source, then best score first. Reads the state, no file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from harvester.graph.edges import EVERY_EDGE, SIMILAR, Edge, EdgeRule
from harvester.graph.measures import Measures
from harvester.graph.sound import Sound
from harvester.graph.state import SoundGraph
from harvester.graph.words import has_words
from harvester.records import CreatedRange, created_us, gen_ai_wish, license_name, value_of

_VERSION = re.compile(r"[\s-]+(\d\.\d)$")


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions for a sound.

    One of `licenses`, `categories`, `users`, `gen_ai_wishes` and `communities` each (where any are given), all `tags`
    and `words`, none of `excluded_tags` and `excluded_users`, one of `ids` (None: any id). A license is `CC0`, `BY`,
    `BY-NC`, `Sampling+`, or one version such as `BY 4.0`; case is ignored. Words are in folded case, as `split_words`
    gives them, communities those of the state's `measures`. Durations are in seconds, scores in [0, 1]. `edges` and
    `min_score` choose the edges. A sound without a record meets no condition on the record, but its id is known, its
    wish about generative AI is unknown, and nothing excludes it. `notices`: lines about how the conditions were read.
    """

    licenses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    processed_only: bool = False
    min_score: float | None = None
    edges: EdgeRule = EVERY_EDGE
    largest_component: bool = False
    words: tuple[str, ...] = ()
    ids: frozenset[int] | None = None
    created: CreatedRange | None = None
    min_downloads: int | None = None
    excluded_tags: tuple[str, ...] = ()
    excluded_users: tuple[str, ...] = ()
    gen_ai_wishes: tuple[str, ...] = ()
    communities: tuple[int, ...] = ()
    notices: tuple[str, ...] = field(default=(), compare=False)

    @property
    def edge_rule(self) -> EdgeRule:
        """The rule for the edges, with the least score."""
        return self.edges & EdgeRule(min_score=self.min_score)

    @property
    def reads_records(self) -> bool:
        """Tell whether a condition is on the sound's record."""
        others = {"processed_only", "min_score", "edges", "largest_component", "ids", "communities", "notices"}
        return any(getattr(self, one.name) != one.default for one in fields(self) if one.name not in others)

    def matches(self, sound_id: int, attributes: Mapping[str, Any]) -> bool:
        """Tell whether a sound meets all conditions on its id and record."""
        if self.ids is not None and sound_id not in self.ids:
            return False
        if self.licenses:
            names = license_names(license_name(value_of(attributes, "license")))
            if not names & set(map(typed_license, self.licenses)):
                return False
        if self.categories:
            places = {(value_of(attributes, name) or "").casefold() for name in ("category", "subcategory")}
            if not places & _folded(self.categories):
                return False
        if self.gen_ai_wishes and gen_ai_wish(value_of(attributes, "gen_ai_preference")) not in self.gen_ai_wishes:
            return False
        if not (self._is_of_users(attributes) and self._has_tags(attributes)):
            return False
        return self._is_within_bounds(attributes) and (
            not self.words or has_words(Sound(sound_id, attributes), self.words)
        )

    def _is_of_users(self, attributes: Mapping[str, Any]) -> bool:
        if not (self.users or self.excluded_users):
            return True
        user = (value_of(attributes, "username") or "").casefold()
        return (not self.users or user in _folded(self.users)) and user not in _folded(self.excluded_users)

    def _has_tags(self, attributes: Mapping[str, Any]) -> bool:
        if not (self.tags or self.excluded_tags):
            return True
        tags = _folded(value_of(attributes, "tags") or ())
        return _folded(self.tags) <= tags and not _folded(self.excluded_tags) & tags

    def _is_within_bounds(self, attributes: Mapping[str, Any]) -> bool:
        for name, least, most in (
            ("duration", self.min_duration_s, self.max_duration_s),
            ("num_downloads", self.min_downloads, None),
        ):
            if least is not None or most is not None:
                value = value_of(attributes, name)
                if value is None or not (least or 0) <= value <= (float("inf") if most is None else most):
                    return False
        return self.created is None or self.created.holds(created_us(attributes))


class Selected:
    """The sounds and edges of one library that a view shows.

    `sound_ids` are in order of id; `members` has them too, to look one up. `is_whole`: nothing was selected, so only
    gone sounds and the edges from and to them are left out.
    """

    def __init__(
        self,
        state: SoundGraph,
        sound_ids: Iterable[int],
        edge_rule: EdgeRule = EVERY_EDGE,
        *,
        is_whole: bool = False,
        others: Iterable[int] = (),
    ) -> None:
        """`others` are selected too, but only as ends of edges."""
        self.state = state
        self.is_whole = is_whole
        self.sound_ids: list[int] = sorted(sound_ids)
        self.edge_rule = edge_rule
        self.members = frozenset(self.sound_ids).union(others)

    def __len__(self) -> int:
        return len(self.sound_ids)

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self.members

    def led_by(self, sound_ids: Iterable[int]) -> Selected:
        """Return the same sounds and edges, with `sound_ids` first.

        They come in the order given, the others by id after them. Ids that are not selected are left out.
        """
        led = Selected(self.state, self.sound_ids, self.edge_rule, is_whole=self.is_whole)
        first = dict.fromkeys(one for one in sound_ids if one in self.members)
        led.sound_ids = [*first, *(one for one in self.sound_ids if one not in first)]
        return led

    def sounds(self) -> Iterator[Sound]:
        """Yield the selected sounds, in the order of `sound_ids`."""
        return map(self.state.sound, self.sound_ids)

    def edges_of(self, sound_id: int) -> list[Edge]:
        """Return selected out-edges, best score first, without a score last."""
        rule, members = self.edge_rule, self.members
        edges = [
            edge
            for target, attributes in self.state.graph.succ[sound_id].items()
            if target in members and (edge := rule.edge(sound_id, target, attributes)) is not None
        ]
        edges.sort(key=lambda edge: (edge.score is None, -(edge.score or 0.0), edge.target))
        return edges

    def count_edges_of(self, sound_id: int) -> int:
        """Return how many edges `edges_of` has."""
        edges = self.state.graph._adj[sound_id]
        if self.edge_rule == EVERY_EDGE:
            return sum(map(self.members.__contains__, edges))
        return sum(
            target in self.members and self.edge_rule.wanted(found) is not None for target, found in edges.items()
        )

    def edges_to(self, sound_id: int) -> list[Edge]:
        """Return selected in-edges, best score first, without a score last."""
        rule, members = self.edge_rule, self.members
        edges = [
            edge
            for source, attributes in self.state.graph.pred[sound_id].items()
            if source in members and (edge := rule.edge(source, sound_id, attributes)) is not None
        ]
        edges.sort(key=lambda edge: (edge.score is None, -(edge.score or 0.0), edge.source))
        return edges

    def edges(self) -> Iterator[Edge]:
        """Yield all selected edges in their stable order."""
        for sound_id in self.sound_ids:
            yield from self.edges_of(sound_id)

    @property
    def edge_count(self) -> int:
        """Return the number of selected edges."""
        return self._counted[0]

    @property
    def edge_kinds(self) -> dict[str, int]:
        """Return the number of selected edges of each kind.

        `similar` comes first, then the most frequent. An edge with several kinds is counted for each.
        """
        return self._counted[1]

    @cached_property
    def _counted(self) -> tuple[int, dict[str, int]]:
        tally: Counter[tuple[str, ...]] = Counter()
        for sound_id in self.sound_ids:
            for target, attributes in self.state.graph.succ[sound_id].items():
                if target in self.members:
                    tally[self.edge_rule.kinds_of(attributes)] += 1
        del tally[()]
        kinds: Counter[str] = Counter()
        for names, count in tally.items():
            kinds.update(dict.fromkeys(names, count))
        ordered = sorted(kinds.items(), key=lambda pair: (pair[0] != SIMILAR, -pair[1], pair[0]))
        return tally.total(), dict(ordered)


def select(state: SoundGraph, selection: Selection | None = None) -> Selected:
    """Return the selected part of a state, or every sound not gone."""
    return _select(state, state.graph, selection or Selection())


def narrow(selected: Selected, selection: Selection) -> Selected:
    """Return the part of `selected` that `selection` selects too.

    It has the edges that both have; the higher of two least scores holds.
    """
    if selection == Selection():
        return selected
    both = replace(selection, edges=selected.edge_rule & selection.edges)
    return _select(selected.state, selected.sound_ids, both)


def _select(state: SoundGraph, among: Iterable[int], selection: Selection) -> Selected:
    kept, reads_records = [], selection.reads_records
    for sound_id in among:
        if state.is_gone(sound_id) or (selection.processed_only and sound_id not in state.processed):
            continue
        if selection.communities and not _is_in(selection.communities, state.measures.get(sound_id)):
            continue
        if selection.ids is not None and sound_id not in selection.ids:
            continue
        # Reading a sound may mean reading a file, so do it last.
        if not reads_records or selection.matches(sound_id, state.attributes(sound_id)):
            kept.append(sound_id)
    is_whole = among is state.graph and selection == Selection()
    selected = Selected(state, kept, selection.edge_rule, is_whole=is_whole)
    if selection.largest_component and kept:
        # Components are ordered by their smallest id, and `max` returns the first of equally large ones.
        largest: list[int] = max(components(selected), key=len)
        return Selected(state, largest, selection.edge_rule)
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
    reached, ring = {sound_id}, {sound_id}
    for _ in range(depth):
        near = {edge.target for one in ring for edge in selected.edges_of(one)}
        near |= {edge.source for one in ring for edge in selected.edges_to(one)}
        ring = near - reached
        reached |= near
    return Selected(selected.state, reached, selected.edge_rule)


def typed_license(name: str) -> str:
    """Return a typed license in the form of `license_names`.

    `CC-BY-NC 4.0` and the SPDX identifier `CC-BY-NC-4.0` become `by-nc 4.0`.
    """
    text = _VERSION.sub(r" \1", name.strip().casefold())
    return text.removeprefix("cc-").removeprefix("cc ") if text not in ("cc0", "cc-0", "cc 0", "cc0 1.0") else "cc0"


def license_names(name: str) -> set[str]:
    """Return what may be typed for a license, in folded case.

    Those are its short name with its version, and without.
    """
    folded = name.casefold()
    return {folded, folded.split(" ")[0]}


def _is_in(communities: Container[int], measures: Measures | None) -> bool:
    return measures is not None and measures.community in communities


def _folded(texts: Iterable[str]) -> set[str]:
    return {text.casefold() for text in texts}
