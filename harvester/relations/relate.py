"""Find the relations that the records of some sounds tell.

They are edges like those that an older tool brings: of the kinds `user`, `pack` and `tags`, the last with a weight. A
sound gets a bounded number of each kind, chosen by ids and tags alone, so that the same records give the same
relations. Relations only grow, as everything in a state does: a merge could not tell a dropped one from one that it
never had. So a later run with other bounds adds what is new and drops nothing, and it says how many are beyond its
bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from harvester.graph import Selected, SoundGraph
from harvester.model import Related
from harvester.records import value_of
from harvester.relations.groups import same_group
from harvester.relations.tags import TagIndex

BY = ("user", "pack", "tags")
"""The kinds of relations that records tell: the same user, the same pack, alike tags."""

Targets = list[tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class RelationBounds:
    """How many relations to make.

    At most `most` from a sound, for each kind; those of tags from an index of `min_jaccard` on.
    """

    min_jaccard: float = 0.15
    most: int = 25


@dataclass(frozen=True, slots=True)
class KindReport:
    """The relations of one kind between some sounds.

    `found`: what the records tell within the bounds; `new`: those of them that the library lacks; `stronger`: those
    whose weight it has lower; `beyond`: those that it has and that are not among the found. `cut` sounds are related to
    more than a sound may be. `sounds`: those with a relation.
    """

    found: int
    new: int
    stronger: int
    beyond: int
    sounds: int
    cut: int


@dataclass(frozen=True, slots=True)
class Relations:
    """What was found: a report for each kind, and the events to apply."""

    kinds: Mapping[str, KindReport]
    events: tuple[Related, ...]


def find_relations(selected: Selected, by: Iterable[str], bounds: RelationBounds) -> Relations:
    """Return the relations between the selected sounds, by the given kinds.

    `by` are some of BY. Changes nothing; the events are those that add something to the state.
    """
    events: list[Related] = []
    kinds = {}
    for kind in by:
        kinds[kind], added = _compare(selected, kind, _FINDERS[kind](selected, bounds))
        events += added
    return Relations(kinds, tuple(events))


def _compare(
    selected: Selected, kind: str, found: Iterable[tuple[int, Targets, bool]]
) -> tuple[KindReport, list[Related]]:
    state = selected.state
    events: list[Related] = []
    told = new = cut = sounds = known = 0
    for sound_id, targets, has_more in found:
        told += len(targets)
        sounds += bool(targets)
        cut += has_more
        edges = state.graph.succ[sound_id]
        for target, weight in targets:
            edge = edges.get(target)
            there = edge is not None and kind in edge.get("relation", ())
            known += there
            new += not there
            known_weight = None if edge is None else edge.get("weights", {}).get(kind)
            if not there or (weight is not None and (known_weight is None or weight > known_weight)):
                events.append(Related(sound_id, target, kind, _known_at(state, sound_id, target), weight))
    here = sum(
        kind in edge.get("relation", ())
        for sound_id in selected.sound_ids
        for target, edge in state.graph.succ[sound_id].items()
        if target in selected
    )
    return KindReport(told, new, len(events) - new, here - known, sounds, cut), events


def _known_at(state: SoundGraph, sound_id: int, target: int) -> int:
    return max(int(state.attributes(one)["added_at"]) for one in (sound_id, target))


def _grouped(field: str) -> Callable[[Selected, RelationBounds], Iterator[tuple[int, Targets, bool]]]:
    """Return the finder of the sounds with the same text in a field."""

    def find(selected: Selected, bounds: RelationBounds) -> Iterator[tuple[int, Targets, bool]]:
        groups = {
            sound_id: text
            for sound_id in selected.sound_ids
            if (text := value_of(selected.state.attributes(sound_id), field))
        }
        for sound_id, others, has_more in same_group(groups, bounds.most):
            yield sound_id, [(other, None) for other in others], has_more

    return find


def _by_tags(selected: Selected, bounds: RelationBounds) -> Iterator[tuple[int, Targets, bool]]:
    tags = {
        sound_id: frozenset(tag.casefold() for tag in value_of(selected.state.attributes(sound_id), "tags") or ())
        for sound_id in selected.sound_ids
    }
    return TagIndex(tags).most_alike(bounds.min_jaccard, bounds.most)


_FINDERS: Mapping[str, Callable[[Selected, RelationBounds], Iterator[tuple[int, Targets, bool]]]] = {
    "user": _grouped("username"),
    "pack": _grouped("pack"),
    "tags": _by_tags,
}
