"""Relations from records: who is near, whose tags are alike, and what a state lacks of it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.graph import SoundGraph, select
from harvester.model import Gone, Seen, Withdrawn
from harvester.relations import BY, RelationBounds, find_relations, tags
from harvester.relations.groups import nearest, same_group
from harvester.relations.tags import TagIndex

NOW_US = 1_790_000_000_000_000


def state_of(*sounds: tuple[int, dict[str, Any]]) -> SoundGraph:
    """Return a state with these records."""
    state = SoundGraph()
    for sound_id, record in sounds:
        state.apply(Seen(sound_id, {"id": sound_id, **record}, NOW_US))
    return state


@pytest.mark.parametrize(
    ("ids", "sound_id", "most", "expected"),
    [
        ([1, 2, 3], 2, 5, [1, 3]), ([1, 2, 3, 4, 5], 3, 2, [2, 4]), ([1, 2, 3, 4, 5], 3, 3, [2, 4, 5]),
        ([1, 2, 3, 4, 5], 1, 2, [2, 3]), ([1, 2, 3, 4, 5], 5, 2, [3, 4]), ([1, 2, 3, 4, 5], 5, 1, [4]),
        ([7], 7, 3, []), ([1, 2, 8, 9], 5, 2, [2, 8]), ([1, 2], 5, 3, [1, 2]), ([1, 2, 3], 5, 2, [2, 3]),
    ],
)  # fmt: skip
def test_the_nearest_ids_stand_on_both_sides(ids: list[int], sound_id: int, most: int, expected: list[int]) -> None:
    assert nearest(ids, sound_id, most) == expected


def test_a_huge_group_is_bounded_for_each_sound_and_stays_connected() -> None:
    found = {sound_id: others for sound_id, others, _ in same_group(dict.fromkeys(range(1, 9_001), "one"), 25)}
    assert {len(others) for others in found.values()} == {25}
    assert all(sound_id + 1 in found[sound_id] for sound_id in range(1, 9_000))
    received = [0] * 9_001
    for others in found.values():
        for other in others:
            received[other] += 1
    assert max(received) <= 2 * 25, "no sound is the end of many more edges than the others"


SETS = st.dictionaries(
    st.integers(1, 60), st.frozensets(st.sampled_from("abcdefghij"), max_size=6), min_size=2, max_size=25
)


@settings(max_examples=150)
@given(SETS, st.sampled_from([0.05, 0.15, 0.34, 0.5, 1.0]), st.integers(1, 6))
def test_the_index_finds_what_comparing_every_pair_finds(
    tags_of: dict[int, frozenset[str]], least: float, most: int
) -> None:
    tags_of = dict(sorted(tags_of.items()))
    found = {sound_id: (alike, more) for sound_id, alike, more in TagIndex(tags_of).most_alike(least, most)}
    assert found.keys() == {sound_id for sound_id, own in tags_of.items() if own}
    for sound_id, (alike, has_more) in found.items():
        own = tags_of[sound_id]
        every = {
            other: len(own & its) / len(own | its)
            for other, its in tags_of.items()
            if other != sound_id and its and len(own & its) / len(own | its) >= least
        }
        assert dict(alike).items() <= every.items()
        # Of equally alike sounds any may be left out; the rest is the best of all pairs, in order.
        assert [one for _, one in alike] == sorted(every.values(), reverse=True)[:most]
        assert has_more is (len(every) > most)


def one_by_one(tags_of: Mapping[int, frozenset[str]], least: float, most: int, most_visited: int) -> Any:
    """Return what the index must find, by comparing each sound with its candidates one by one."""
    rows: dict[frozenset[str], list[int]] = {}
    for sound_id, own in tags_of.items():
        rows.setdefault(own, []).append(sound_id)
    del rows[frozenset()]
    frequency = Counter(chain.from_iterable(rows))
    having = {tag: [number for number, row in enumerate(rows) if tag in row] for tag in frequency}
    found = {}
    for number, (own, members) in enumerate(rows.items()):
        unseen = max(1, math.ceil(least * len(own) - 1e-9)) - 1
        seen, room = Counter[int](), most_visited
        for tag in sorted(own, key=lambda tag: (frequency[tag], tag))[: len(own) - unseen]:
            near = having[tag]
            first = max(0, min(bisect_left(near, number) - room // 2, len(near) - room))
            seen.update(near[first : first + room])
            if len(near) > room:
                break
            room -= len(near)
        alike: dict[int, float] = {}
        for other, (its, ids) in enumerate(rows.items()):
            fits = len(its) <= (seen[other] + unseen) * (1 + least) / least - len(own) + 1e-9
            jaccard = len(own & its) / len(own | its)
            if other != number and seen[other] and fits and jaccard >= least:
                alike.update(dict.fromkeys(ids, jaccard))
        for sound_id in members:
            best: list[tuple[int, float]] = [(one, 1.0) for one in nearest(members, sound_id, most)]
            for level in sorted({*alike.values()}, reverse=True):
                ids = sorted(one for one, jaccard in alike.items() if jaccard == level)
                best += [(one, level) for one in nearest(ids, sound_id, most - len(best))]
            found[sound_id] = best, len(members) - 1 + len(alike) > most
    return found


@settings(max_examples=100)
@given(SETS, st.sampled_from([0.05, 0.15, 0.34, 0.5, 1.0]), st.integers(1, 6), st.sampled_from([1, 2, 3, 5, 8, 13, 99]))
def test_the_index_finds_what_visiting_its_entries_one_by_one_finds(
    tags_of: dict[int, frozenset[str]], least: float, most: int, most_visited: int
) -> None:
    tags_of = {0: frozenset(), **dict(sorted(tags_of.items()))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tags, "MOST_VISITED", most_visited)
        found = {one: (alike, has_more) for one, alike, has_more in TagIndex(tags_of).most_alike(least, most)}
    assert found == one_by_one(tags_of, least, most, most_visited)


def test_a_sound_with_too_many_candidates_is_compared_with_those_of_the_nearest_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = {sound_id: frozenset(("common", f"own {sound_id}")) for sound_id in range(1, 400)}
    monkeypatch.setattr(tags, "MOST_VISITED", 20)
    found = {sound_id: (dict(alike), has_more) for sound_id, alike, has_more in TagIndex(many).most_alike(0.2, 4)}
    assert found[200] == (dict.fromkeys((198, 199, 201, 202), 1 / 3), True)
    assert {len(alike) for alike, _ in found.values()} == {4}
    found = {sound_id: (dict(alike), has_more) for sound_id, alike, has_more in TagIndex(many).most_alike(0.2, 18)}
    # Of 20 entries one is the sound's own tag, and one its own row.
    assert sorted(found[200][0]) == [*range(191, 200), *range(201, 210)]
    assert {has_more for _, has_more in found.values()} == {False}


def test_records_tell_relations_once_and_only_what_is_new_is_applied() -> None:
    pack = "https://freesound.org/apiv2/packs/7/"
    state = state_of(
        (1, {"username": "Anna", "pack": pack, "tags": ["Rain", "wind"]}),
        (2, {"username": "Anna", "pack": pack, "tags": ["rain", "storm", "wind"]}),
        (3, {"username": "anna", "pack": None, "tags": []}),
        (4, {"username": "Anna", "pack": pack, "tags": ["rain"]}),
        (5, {"username": "Anna", "pack": pack, "tags": ["rain"]}),
        (6, {"tags": ["sea"]}),
    )
    state.apply(Gone(4, NOW_US + 1))
    state.apply(Withdrawn(5, NOW_US + 1))
    found = find_relations(select(state), BY, RelationBounds(min_jaccard=0.5))
    assert {(one.sound_id, one.target_id, one.relation, one.weight) for one in found.events} == {
        (1, 2, "user", None), (2, 1, "user", None), (1, 2, "pack", None), (2, 1, "pack", None),
        (1, 2, "tags", 2 / 3), (2, 1, "tags", 2 / 3),
    }  # fmt: skip
    for event in found.events:
        state.apply(event)
    assert state.edge_count == 2
    again = find_relations(select(state), BY, RelationBounds(min_jaccard=0.5))
    assert again.events == ()
    assert {(one.found, one.new, one.beyond) for one in again.kinds.values()} == {(2, 0, 0)}
    # Stricter bounds drop nothing: they tell what is beyond them.
    strict = find_relations(select(state), ["tags"], RelationBounds(min_jaccard=0.9))
    assert strict.events == ()
    assert (strict.kinds["tags"].found, strict.kinds["tags"].beyond) == (0, 2)


def test_of_a_weight_the_larger_one_counts_as_new() -> None:
    state = state_of((1, {"tags": ["a", "b"]}), (2, {"tags": ["a", "c"]}))
    for event in find_relations(select(state), ["tags"], RelationBounds()).events:
        state.apply(event)
    state.apply(Seen(2, {"id": 2, "tags": ["a", "b"]}, NOW_US + 1))
    found = find_relations(select(state), ["tags"], RelationBounds())
    assert (found.kinds["tags"].new, found.kinds["tags"].stronger) == (0, 2)
    assert {one.weight for one in found.events} == {1.0}
