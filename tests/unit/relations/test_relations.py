"""Relations from records: who is near, whose tags are alike, and what a state lacks of it."""

from __future__ import annotations

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


def test_a_sound_with_too_many_candidates_is_compared_with_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {sound_id: frozenset(("common", f"own {sound_id}")) for sound_id in range(1, 400)}
    visited: list[int] = []
    monkeypatch.setattr(tags, "MOST_VISITED", 20)
    one = TagIndex(many)
    read = one._visited

    def counted(*at: Any) -> list[Any]:
        rows = list(read(*at))
        visited.append(sum(map(len, rows)))
        return rows

    monkeypatch.setattr(one, "_visited", counted)
    found = {sound_id: dict(alike) for sound_id, alike, _ in one.most_alike(0.2, 4)}
    assert max(visited) <= 20
    assert found[200] == {198: 1 / 3, 199: 1 / 3, 201: 1 / 3, 202: 1 / 3}
    assert {len(alike) for alike in found.values()} == {4}


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
