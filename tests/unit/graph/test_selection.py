"""Which sounds and edges a view shows."""

from __future__ import annotations

import pytest

from harvester.graph.selection import Selection, around, components, select
from tests.support.view_samples import make_library


def test_a_gone_sound_is_never_selected_and_neither_are_edges_to_it() -> None:
    selected = select(make_library())
    assert 99 not in selected
    assert all(99 not in (edge.source, edge.target) for edge in selected.edges())


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(licenses=("CC0",)), {4, 8}),
        (Selection(licenses=("cc-by",)), {1, 5, 9}),
        (Selection(licenses=("BY 4.0", "by-nc")), {1, 5, 9, 2, 6, 10}),
        (Selection(licenses=("BY 3.0",)), set()),
        (Selection(licenses=("sampling+",)), {3, 7}),
        (Selection(categories=("music",), tags=("RAIN",)), {2, 6, 8, 10}),
        (Selection(tags=("rain", "tag1")), {1, 7, 10}),
        (Selection(users=("User2",)), {2, 5, 8}),
        (Selection(min_duration_s=1.2, max_duration_s=1.3), {9}),
        (Selection(processed_only=True), {1, 2, 3, 4, 5, 6, 7, 8}),
        (Selection(largest_component=True), {1, 2, 3, 4, 5, 6}),
        (Selection(), set(range(1, 12))),
    ],
)
def test_a_selection_picks_what_matches(selection: Selection, expected: set[int]) -> None:
    assert set(select(make_library(), selection).sound_ids) == expected


def test_edges_below_the_score_are_left_out_and_do_not_connect() -> None:
    selected = select(make_library(), Selection(min_score=0.7))
    assert {(edge.source, edge.target) for edge in selected.edges() if edge.source == 7} == {(7, 8)}
    assert [7, 8] in components(selected)
    assert [11] in components(selected)


def test_edges_come_by_source_then_best_first() -> None:
    edges = list(select(make_library()).edges())
    places = [(edge.source, -(edge.score or 0)) for edge in edges]
    assert places == sorted(places)


def test_the_surroundings_of_a_sound_follow_edges_both_ways() -> None:
    selected = select(make_library())
    assert around(selected, 8, 0).sound_ids == [8]
    assert around(selected, 8, 1).sound_ids == [7, 8]
    assert around(selected, 8, 2).sound_ids == [7, 8, 11]
