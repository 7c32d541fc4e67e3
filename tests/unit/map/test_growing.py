"""The map that grows: known sounds stay where they are, new ones come near their neighbours, a new layout fits."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pytest

from harvester.graph import select
from harvester.graph.state import SoundGraph
from harvester.map.communities import Clarity
from harvester.map.data import MapData
from harvester.map.growing import GrowingMap, fitted
from harvester.map.layout import SPAN
from harvester.model import Gone, Linked, Seen, SimilarList
from tests.support.view_samples import NOW_US, make_record, make_state

CIRCLE = 40


def circle(count: int = CIRCLE) -> SoundGraph:
    lists = {i: [(i % count + 1, 0.9), ((i + 1) % count + 1, 0.6)] for i in range(1, count + 1)}
    return make_state([make_record(i, id=i * 10) for i in range(1, count + 1)], _by_ten(lists))


def _by_ten(lists: dict[int, list[tuple[int, float]]]) -> dict[int, list[tuple[int, float]]]:
    return {source * 10: [(target * 10, score) for target, score in pairs] for source, pairs in lists.items()}


def add(state: SoundGraph, sound_id: int, neighbours: Iterable[tuple[int, float]]) -> None:
    state.apply(Seen(sound_id, make_record(sound_id), NOW_US))
    state.apply(Linked(sound_id, SimilarList(tuple(neighbours), NOW_US + 1, 25)))


def places_of(data: MapData) -> dict[int, tuple[float, float]]:
    places = np.frombuffer(base64.b64decode(data.arrays["places"]), "<u2").reshape(-1, 2)
    return {one: (float(x), float(y)) for one, (x, y) in zip(data.sounds["ids"], places.tolist(), strict=True)}


def test_known_sounds_keep_number_and_place_and_a_new_one_comes_near_its_neighbours() -> None:
    state, growing = circle(), GrowingMap("a map")
    first = growing.lay_out(select(state))
    add(state, 5, [(100, 0.9), (110, 0.9)])
    add(state, 6, [(5, 0.9)])
    second = growing.show(select(state))
    before, now = places_of(first), places_of(second)
    assert second.sounds["ids"] == [*first.sounds["ids"], 5, 6]
    assert {one: now[one] for one in before} == before
    step = SPAN * 0.6 / math.sqrt(len(now))
    middle = [(one + other) / 2 for one, other in zip(before[100], before[110], strict=True)]
    assert math.dist(now[5], middle) <= step * 1.01
    # The second is a neighbour of the first alone, which had no place before.
    assert math.dist(now[6], now[5]) <= step * 1.01
    assert now[5] != now[6]
    community = np.frombuffer(base64.b64decode(second.arrays["community"]), np.uint8)
    ids = second.sounds["ids"]
    assert community[ids.index(5)] in (community[ids.index(100)], community[ids.index(110)])


def test_sounds_with_the_same_neighbour_do_not_cover_each_other() -> None:
    state, growing = circle(), GrowingMap("a map")
    growing.lay_out(select(state))
    for sound_id in range(1, 8):
        add(state, sound_id, [(200, 0.9)])
    now = places_of(growing.show(select(state)))
    spots = [now[one] for one in range(1, 8)]
    least = min(math.dist(one, other) for at, one in enumerate(spots) for other in spots[:at])
    assert least > 0.5 * SPAN * 0.6 / math.sqrt(len(now))


def test_a_sound_without_a_neighbour_lies_at_the_edge_and_moves_in_with_its_list() -> None:
    state, growing = circle(), GrowingMap("a map")
    growing.lay_out(select(state))
    state.apply(Seen(5, make_record(5), NOW_US))
    outside = places_of(growing.show(select(state)))
    assert outside[5][1] == SPAN
    state.apply(Linked(5, SimilarList(((100, 0.9),), NOW_US + 1, 25)))
    inside = places_of(growing.show(select(state)))
    assert math.dist(inside[5], inside[100]) <= SPAN * 0.6 / math.sqrt(len(inside)) * 1.01


def test_a_sound_that_leaves_takes_no_other_away() -> None:
    state, growing = circle(), GrowingMap("a map")
    before = places_of(growing.lay_out(select(state)))
    state.apply(Gone(200, NOW_US + 9))
    now = places_of(growing.show(select(state)))
    assert now == {one: place for one, place in before.items() if one != 200}


@pytest.mark.parametrize("start", [0, CIRCLE])
def test_a_layout_is_due_after_a_growth_by_a_fifth(start: int) -> None:
    state = circle(start) if start else make_state([])
    growing = GrowingMap("a map")
    growing.lay_out(select(state))
    grown = 0
    while not growing.is_due:
        grown += 1
        add(state, grown, [(100, 0.9)] if start else [])
        growing.show(select(state))
    assert grown == (CIRCLE // 5 + 1 if start else 1)
    growing.lay_out(select(state))
    assert not growing.is_due


def test_a_layout_that_is_turned_and_mirrored_fits_the_picture_before() -> None:
    chance = np.random.Generator(np.random.PCG64(3))
    before = chance.random((50, 2)) * 30_000 + 10_000
    turn = np.array([[math.cos(2), -math.sin(2)], [math.sin(2), math.cos(2)]])
    mirrored = (before - 25_000) * np.array([-1, 1]) @ turn * 0.8 + 30_000
    alone = np.array([[0.0, float(SPAN)]])
    linked = np.arange(50)
    result = fitted(np.concatenate([mirrored, alone]), before, linked, linked)
    assert result[50].tolist() == alone[0].tolist()
    # Size and middle are those of the new layout: only how the sounds lie to each other is that of the old one.
    along = (result[:50] - result[:50].mean(axis=0)).ravel()
    old = (before - before.mean(axis=0)).ravel()
    assert float(along @ old / np.linalg.norm(along) / np.linalg.norm(old)) > 0.999


def test_whether_communities_are_clear_is_asked_once_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(self: Clarity) -> bool:
        asked.append(len(self.labels))
        return True

    monkeypatch.setattr(Clarity, "are_clear", cached_property(counted))
    Clarity.are_clear.__set_name__(Clarity, "are_clear")  # type: ignore[attr-defined]
    state, growing = circle(), GrowingMap("a map")
    growing.lay_out(select(state))
    asked.clear()
    for _ in range(3):
        growing.show(select(state))
    assert asked == []
    add(state, 1, [(200, 0.9)])
    for _ in range(3):
        growing.show(select(state))
    assert len(asked) == 1
