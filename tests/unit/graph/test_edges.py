"""Which edges a selection has: one rule, for kinds, weights and scores."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.graph.edges import EVERY_EDGE, Edge, EdgeRule, read_edge_kinds
from harvester.graph.selection import Selected, Selection, around, components, narrow, select
from harvester.graph.state import SoundGraph
from harvester.model import Event, Gone, Linked, Related, Seen, SimilarList

NOW_US = 5


def make_state() -> SoundGraph:
    """Return six sounds with edges of all kinds; 6 is gone, and 1→2 is similar, `pack` and `tags` at once."""
    state = SoundGraph()
    events: list[Event] = [Seen(sound_id, {"id": sound_id}, NOW_US) for sound_id in range(1, 7)]
    events += [
        Linked(1, SimilarList(((2, 0.9), (3, 0.4), (6, 0.8)), NOW_US, 25)),
        Related(1, 2, "tags", NOW_US, 7.5),
        Related(1, 2, "pack", NOW_US),
        Related(1, 6, "pack", NOW_US),
        Related(3, 4, "a, b", NOW_US, -1.0),
        Related(5, 1, "pack", NOW_US),
        Gone(6, NOW_US + 1),
    ]
    for event in events:
        state.apply(event)
    return state


@pytest.mark.parametrize(
    ("typed", "min_score", "expected"),
    [
        ([], None, {(1, 2): "similar relation:pack relation:tags", (1, 3): "similar", (3, 4): "relation:a, b",
                    (5, 1): "relation:pack"}),
        (["all"], None, {(1, 2): "similar relation:pack relation:tags", (1, 3): "similar", (3, 4): "relation:a, b",
                         (5, 1): "relation:pack"}),
        (["similar"], None, {(1, 2): "similar", (1, 3): "similar"}),
        (["similar"], 0.5, {(1, 2): "similar"}),
        (["relation"], 0.95, {(1, 2): "relation:pack relation:tags", (3, 4): "relation:a, b", (5, 1): "relation:pack"}),
        (["relation:pack"], None, {(1, 2): "relation:pack", (5, 1): "relation:pack"}),
        (["relation:tags", "similar"], 0.5, {(1, 2): "similar relation:tags"}),
        (["relation:tags , similar"], 0.95, {(1, 2): "relation:tags"}),
        (["relation:a, b"], None, {(3, 4): "relation:a, b"}),
        (["relation:a, b,relation:pack"], None, {(1, 2): "relation:pack", (3, 4): "relation:a, b",
                                                 (5, 1): "relation:pack"}),
        ([], 0.95, {(1, 2): "relation:pack relation:tags", (3, 4): "relation:a, b", (5, 1): "relation:pack"}),
        (["relation:none"], None, {}),
    ],
)  # fmt: skip
def test_an_edge_has_the_kinds_that_are_wanted_and_counts_once(
    typed: list[str], min_score: float | None, expected: dict[tuple[int, int], str]
) -> None:
    selected = select(make_state(), Selection(edges=read_edge_kinds(typed), min_score=min_score))
    assert {(edge.source, edge.target): " ".join(edge.kinds) for edge in selected.edges()} == expected
    assert selected.edge_count == len(expected)


def test_an_edge_keeps_the_weights_of_its_wanted_kinds() -> None:
    state = make_state()
    (edge,) = (edge for edge in Selected(state, [1, 2]).edges())
    assert (edge.relation, edge.weights) == ('["pack","tags"]', '{"tags":7.5}')
    assert edge.relations == {"pack": None, "tags": 7.5}
    assert Selected(state, [1, 2], read_edge_kinds(["relation:tags"])).edges_of(1) == [
        Edge(1, 2, None, '["tags"]', '{"tags":7.5}')
    ]
    assert Selected(state, [1, 2], read_edge_kinds(["relation:pack"])).edges_of(1) == [Edge(1, 2, None, '["pack"]')]


@pytest.mark.parametrize(
    "typed", ["", "relations", "relation:", "similar,", "similar,x", "Similar", "relation:,similar"]
)
def test_what_is_no_kind_of_edge_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        read_edge_kinds([typed])


def test_edges_are_counted_by_kind_similar_first() -> None:
    counts = select(make_state()).edge_kinds
    assert list(counts.items()) == [("similar", 2), ("relation:pack", 2), ("relation:a, b", 1), ("relation:tags", 1)]


def test_parts_and_surroundings_follow_the_wanted_edges() -> None:
    state = make_state()
    assert components(select(state)) == [[1, 2, 3, 4, 5]]
    assert components(select(state, Selection(edges=read_edge_kinds(["similar"])))) == [[1, 2, 3], [4], [5]]
    related = select(state, Selection(edges=read_edge_kinds(["relation"])))
    assert components(related) == [[1, 2, 5], [3, 4]]
    assert around(related, 1, 1).sound_ids == [1, 2, 5]
    assert around(select(state), 1, 1).sound_ids == [1, 2, 3, 5]
    assert [edge.kinds for edge in related.edges_to(1)] == [("relation:pack",)]


RULES = st.builds(
    EdgeRule,
    similar=st.booleans(),
    relations=st.none() | st.frozensets(st.sampled_from(["pack", "tags", "a, b"])),
    min_score=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=40)
@given(RULES, RULES)
def test_to_narrow_is_to_want_what_both_want(one: EdgeRule, other: EdgeRule) -> None:
    def facts(selected: Selected) -> set[tuple[int, int, str]]:
        return {(edge.source, edge.target, kind) for edge in selected.edges() for kind in edge.kinds}

    state = make_state()
    ids = [1, 2, 3, 4, 5]
    narrowed = narrow(Selected(state, ids, one), Selection(edges=other))
    assert facts(narrowed) == facts(Selected(state, ids, one)) & facts(Selected(state, ids, other))
    assert one & EVERY_EDGE == one
