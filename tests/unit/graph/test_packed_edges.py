"""Packed edges are read as the dicts that they were, and take a twentieth of the memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import networkx as nx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvester.checkpoint.container import PackedBytes
from harvester.checkpoint.format import encode_checkpoint
from harvester.checkpoint.loading import load_by_blocks
from harvester.graph import SoundGraph
from harvester.graph.packed_edges import PackedEdges
from harvester.model import Event, Linked, Related, SimilarList
from tests.support.histories import events, quick
from tests.support.samples import NOW_US, make_state

scores = st.floats(allow_nan=False) | st.integers(0, 1) | st.booleans()
edges = st.fixed_dictionaries({"score": scores}, optional={"relation": st.just(["pack"]), "weights": st.just({})})
neighbours = st.dictionaries(st.integers(0, 2**40) | st.integers(2**32 - 2, 2**32 + 1), edges | st.just({}), max_size=5)


def reloaded(state: SoundGraph) -> SoundGraph:
    return _loaded(b"".join(encode_checkpoint(state)))


def _loaded(content: bytes) -> SoundGraph:
    loaded = load_by_blocks(PackedBytes(content))
    assert loaded is not None
    found: SoundGraph = loaded.state
    return found


@quick
@given(neighbours)
@example({5: {"score": 0.5}, 2**32: {"score": 0.25}})
@example({5: {"score": 0.5}, 6: {"score": 1}})
@example({True: {"score": 0.5}})
@example({5: {"score": 0.5}, 6: {"score": 0.5, "relation": ["pack"]}})
def test_edges_come_back_exactly(given_edges: dict[int, dict[str, Any]]) -> None:
    packed = PackedEdges()
    packed[7] = given_edges
    as_text = repr(given_edges)  # the order, 1 and 1.0 and True, -0.0: all differ
    assert repr(packed[7]) == as_text
    assert repr(packed.own(7)) == as_text
    assert packed.own(7) is packed.own(7)
    assert repr(packed.plain()) == repr({7: given_edges})


def test_a_change_of_what_was_read_changes_nothing_and_of_what_is_owned_stays() -> None:
    packed = PackedEdges()
    packed[1] = {2: {"score": 0.5}}
    packed[1][2]["score"] = 0.1
    packed[1][3] = {}
    assert packed[1] == {2: {"score": 0.5}}
    packed.own(1)[2]["relation"] = ["pack"]
    assert packed[1] == {2: {"score": 0.5, "relation": ["pack"]}}
    del packed[1]
    assert (1 in packed, len(packed), list(packed)) == (False, 0, [])


@quick
@given(st.lists(events(), max_size=15), st.lists(events(), max_size=10))
def test_what_happens_after_a_load_gives_the_file_that_plain_dicts_give(
    before: list[Event], after: list[Event]
) -> None:
    plain, packed = make_state(before), reloaded(make_state(before))
    for event in after:
        plain.apply(event)
        packed.apply(event)
    assert b"".join(encode_checkpoint(packed)) == b"".join(encode_checkpoint(plain))
    assert packed.edge_count == plain.edge_count


@pytest.mark.parametrize("first", ["predecessors", "relation", "list", "unpack"])
def test_both_ends_of_an_edge_have_one_dict_of_it(first: str) -> None:
    state = reloaded(make_state([Linked(1, SimilarList(((2, 0.5), (3, 0.25)), NOW_US, 25))]))
    related, listed = Related(1, 2, "pack", NOW_US), Linked(2, SimilarList(((3, 0.75),), NOW_US + 1, 25))
    if first == "predecessors":
        assert set(state.graph.predecessors(3)) == {1}
    if first == "unpack":
        state.graph.unpack()
    for event in (related, listed) if first != "list" else (listed, related):
        state.apply(event)
    graph = state.graph
    assert {(a, b): dict(edge) for a, b, edge in graph.in_edges(data=True)} == {
        (1, 2): {"score": 0.5, "relation": ["pack"]}, (1, 3): {"score": 0.25}, (2, 3): {"score": 0.75},
    }  # fmt: skip
    assert all(graph.pred[b][a] is graph.succ[a][b] for a, b in graph.edges)
    assert nx.is_weakly_connected(graph)


def test_an_edge_takes_a_twentieth_of_the_memory() -> None:
    targets = [(one, 1 - one / 4096) for one in range(1, 26)]
    history = [Linked(one, SimilarList(tuple(targets), NOW_US, 25)) for one in range(100, 1_100)]
    content = b"".join(encode_checkpoint(make_state(history)))
    used = []
    for is_plain in (False, True):
        tracemalloc.start()
        state = _loaded(content)
        if is_plain:
            state.graph.unpack()
        used.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert (used[1] - used[0]) / state.edge_count > 200
