"""The state is a join-semilattice: order, repetition and grouping of what is joined never matter."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from harvester.graph import SoundGraph
from tests.unit.library.samples import SOURCE, content_of, histories, make_events, make_state, quick


def _joined(*states: SoundGraph) -> SoundGraph:
    result = SoundGraph(SOURCE)
    for state in states:
        result.join(state)
    return result


def _adopted(state: SoundGraph) -> SoundGraph:
    graph = state.graph
    nodes = {sound_id: dict(attributes) for sound_id, attributes in graph.nodes.items()}
    edges = {sound_id: {target: dict(edge) for target, edge in graph.adj[sound_id].items()} for sound_id in graph}
    return SoundGraph.adopt(nodes, edges, seeds=state.seeds, source=state.source)


@quick
@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history: list, chance: random.Random) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)
    assert content_of(make_state(shuffled)) == content_of(make_state(history))


@quick
@given(histories)
def test_applying_everything_twice_changes_nothing(history: list) -> None:
    assert content_of(make_state(history + history)) == content_of(make_state(history))


@quick
@given(histories, histories)
def test_join_is_commutative(ours: list, theirs: list) -> None:
    left, right = make_state(ours), make_state(theirs)
    assert content_of(_joined(left, right)) == content_of(_joined(right, left))


@quick
@given(histories, histories, histories)
def test_join_is_associative(first: list, second: list, third: list) -> None:
    one, two, three = make_state(first), make_state(second), make_state(third)
    assert content_of(_joined(_joined(one, two), three)) == content_of(_joined(one, _joined(two, three)))


@quick
@given(histories)
def test_join_is_idempotent(history: list) -> None:
    state = make_state(history)
    assert content_of(_joined(state, state)) == content_of(state)


@quick
@given(histories, histories)
def test_joining_states_is_applying_their_events(ours: list, theirs: list) -> None:
    assert content_of(_joined(make_state(ours), make_state(theirs))) == content_of(make_state(ours + theirs))


@quick
@given(histories)
def test_a_state_is_its_own_events(history: list) -> None:
    state = make_state(history)
    assert content_of(make_state(list(state.events()))) == content_of(state)


@quick
@given(histories)
def test_counts_are_true(history: list) -> None:
    state = make_state(history)
    nodes = state.graph.nodes.values()
    assert state.record_count == sum("fetched_at" in attributes for attributes in nodes)
    assert state.edge_count == state.graph.number_of_edges()
    again = _adopted(state)
    assert content_of(again) == content_of(state)
    assert (again.record_count, again.gone_count) == (state.record_count, state.gone_count)


def test_an_adopted_state_grows_like_any_other() -> None:
    state = make_state(make_events(4))
    adopted = _adopted(state)
    more = make_events(3, first=4)
    for event in more:
        adopted.apply(event)
        state.apply(event)
    assert content_of(adopted) == content_of(state)
