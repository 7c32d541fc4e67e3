"""The mirror of predecessors: there when asked for, true from then on, and no part of what is given away."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.graph import SoundGraph
from harvester.graph.lazy_digraph import LibraryGraph
from harvester.model import Event, Known, Linked, Related, SimilarList

IDS = st.integers(1, 6)


def _linked(sound_id: int, targets: list[int], stamp: int) -> Linked:
    neighbours = tuple((target, 0.5) for target in sorted(set(targets)))
    return Linked(sound_id, SimilarList(neighbours, stamp, 25))


EVENTS = st.lists(
    st.one_of(
        st.builds(_linked, IDS, st.lists(IDS, max_size=4), st.integers(1, 9)),
        st.builds(Related, IDS, IDS, st.sampled_from(("a", "b")), st.just(1)),
        st.builds(Known, IDS, st.just(1)),
    ),
    max_size=12,
)


def _backwards(graph: nx.DiGraph) -> dict[int, dict[int, dict[str, object]]]:
    found: dict[int, dict[int, dict[str, object]]] = {sound_id: {} for sound_id in graph}
    for source, target, edge in graph.edges(data=True):
        found[target][source] = edge
    return found


@given(EVENTS, st.integers(0, 12))
def test_predecessors_are_the_edges_backwards_whenever_they_were_first_asked_for(
    events: list[Event], asked_after: int
) -> None:
    state = SoundGraph()
    for place, event in enumerate(events):
        if place == asked_after:
            assert dict(state.graph.pred) == _backwards(state.graph)
        state.apply(event)
    pred = state.graph.pred
    assert {one: dict(pred[one]) for one in pred} == _backwards(state.graph)
    assert all(pred[target][source] is edge for source, target, edge in state.graph.edges(data=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph.add_edge(3, 7, score=0.1),
        lambda graph: graph.add_node(9),
        lambda graph: graph.remove_edge(1, 2),
        lambda graph: graph.remove_edges_from([(1, 2), (2, 3)]),
        lambda graph: graph.remove_node(2),
        lambda graph: graph.remove_nodes_from([2, 3]),
        lambda graph: graph.clear_edges(),
        lambda graph: graph.clear(),
    ],
)
def test_networkx_may_change_a_graph_that_has_no_mirror_yet(change: Callable[[nx.DiGraph], None]) -> None:
    ours, theirs = LibraryGraph(), nx.DiGraph()
    for graph in (ours, theirs):
        graph.add_edges_from([(1, 2), (2, 3), (3, 1), (1, 3)], score=0.5)
    ours.adopt(ours._node, ours._adj)
    change(ours)
    change(theirs)
    assert (ours._node, ours._adj, ours._pred) == (theirs._node, theirs._adj, theirs._pred)
    assert set(ours.copy().in_edges) == set(theirs.in_edges)


def test_views_of_an_empty_graph_grow_with_it() -> None:
    for graph in (LibraryGraph(), nx.DiGraph()):
        backwards, some = graph.reverse(copy=False), nx.subgraph_view(graph, filter_node=lambda sound_id: sound_id > 1)
        assert not backwards.in_edges
        assert not some.in_edges
        graph.add_edges_from([(1, 2), (2, 3)])
        assert set(backwards.in_edges) == {(2, 1), (3, 2)}
        assert set(some.in_edges) == {(2, 3)}


def test_what_was_asked_of_a_graph_is_not_believed_of_another_content() -> None:
    graph = LibraryGraph()
    assert not graph.in_edges
    graph.adopt({1: {}, 2: {}}, {1: {2: {"score": 0.5}}, 2: {}})
    assert list(graph.in_edges) == [(1, 2)]


def test_a_pickled_graph_is_networkx_own_with_both_directions() -> None:
    state = SoundGraph()
    state.apply(_linked(1, [2, 3], 5))
    given_away = pickle.loads(pickle.dumps(state.graph))
    assert type(given_away) is nx.DiGraph
    assert dict(given_away.pred[3]) == {1: {"score": 0.5}}
    assert given_away.pred[3][1] is given_away.succ[1][3]


def test_a_frozen_graph_takes_no_event() -> None:
    state = SoundGraph()
    state.apply(_linked(1, [2], 5))
    state.graph.freeze()
    with pytest.raises(nx.NetworkXError):
        state.apply(Known(3, 1))
    with pytest.raises(nx.NetworkXError):
        state.apply(_linked(2, [1], 6))
    assert dict(state.graph.pred[2]) == {1: {"score": 0.5}}
