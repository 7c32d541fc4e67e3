"""The sounds around a selection: which they are, how many, and in which order they are cut off."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.graph.edges import EdgeRule
from harvester.graph.selection import Selected, Selection, select
from harvester.graph.surroundings import find_surroundings
from harvester.model import Gone
from tests.support.view_samples import NOW_US, make_library, make_record, make_state


def test_they_are_the_neighbours_in_either_direction_best_first() -> None:
    selected = select(make_library(), Selection(ids=frozenset({1, 2, 8})))
    around = find_surroundings(selected)
    # 1 -> 2, 3; 2 -> 3, 4; 5 -> 6, 1; 6 -> 1, 2; 7 -> 8, 11 and 99, which is gone.
    assert around.near == {3: (2, 1), 4: (2,), 5: (1,), 6: (1, 2), 7: (8,)}
    assert around.total == 5


def test_a_sound_that_is_gone_and_an_edge_that_the_rule_leaves_out_lead_nowhere() -> None:
    state = make_library()
    assert 99 not in find_surroundings(select(state, Selection(ids=frozenset({7})))).near
    state.apply(Gone(3, NOW_US + 9))
    strong = Selected(state, [1, 2], EdgeRule(min_score=0.8))
    assert find_surroundings(strong).near == {6: (1,)}


def test_those_with_the_most_edges_stay_then_those_with_the_best_score() -> None:
    lists = {1: [(10, 0.5), (11, 0.9), (12, 0.6)], 2: [(10, 0.5)], 3: [(10, 0.4), (12, 0.3)]}
    state = make_state([make_record(one) for one in (1, 2, 3, 10, 11, 12)], lists)
    selected = Selected(state, [1, 2, 3])
    cut = [
        (sorted(find_surroundings(selected, most).near), find_surroundings(selected, most).total) for most in (1, 2, 3)
    ]
    assert cut == [([10], 3), ([10, 12], 3), ([10, 11, 12], 3)]
    assert find_surroundings(selected).near[10] == (1, 2, 3)


@settings(max_examples=25)
@given(st.sets(st.integers(1, 11)), st.integers(0, 6))
def test_none_is_selected_and_each_has_an_edge_with_one_that_is(ids: set[int], most: int) -> None:
    state = make_library()
    selected = select(state, Selection(ids=frozenset(ids)))
    around = find_surroundings(selected, most)
    assert len(around.near) == min(most, around.total)
    for outside, near in around.near.items():
        assert outside not in selected
        assert near
        assert all(
            one in selected and (state.graph.has_edge(one, outside) or state.graph.has_edge(outside, one))
            for one in near
        )
