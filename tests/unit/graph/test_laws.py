"""The state is a join-semilattice: order, repetition and grouping of what is joined never matter."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.graph import SoundGraph
from harvester.model import Event, Seen, Withdrawn
from tests.support.histories import histories, histories_to_join, quick
from tests.support.samples import SOURCE, content_of, make_events, make_record, make_state


def _joined(*states: SoundGraph) -> SoundGraph:
    result = SoundGraph(SOURCE)
    for state in states:
        result.join(state)
    return result


def _adopted(state: SoundGraph) -> SoundGraph:
    graph = state.graph
    nodes = {sound_id: dict(attributes) for sound_id, attributes in graph.nodes.items()}
    edges = {sound_id: {target: dict(edge) for target, edge in graph.adj[sound_id].items()} for sound_id in graph}
    return SoundGraph.adopt(nodes, edges, seeds=state.seeds, source=state.source, space=state.space)


@quick
@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history: list[Event], chance: random.Random) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)
    assert content_of(make_state(shuffled)) == content_of(make_state(history))


@quick
@given(histories)
def test_applying_everything_twice_changes_nothing(history: list[Event]) -> None:
    assert content_of(make_state(history + history)) == content_of(make_state(history))


@quick
@given(histories_to_join(2))
def test_join_is_commutative(both: list[list[Event]]) -> None:
    left, right = map(make_state, both)
    assert content_of(_joined(left, right)) == content_of(_joined(right, left))


@quick
@given(histories_to_join(3))
def test_join_is_associative(three_histories: list[list[Event]]) -> None:
    one, two, three = map(make_state, three_histories)
    assert content_of(_joined(_joined(one, two), three)) == content_of(_joined(one, _joined(two, three)))


@quick
@given(histories)
def test_join_is_idempotent(history: list[Event]) -> None:
    state = make_state(history)
    assert content_of(_joined(state, state)) == content_of(state)


@quick
@given(histories_to_join(2))
def test_joining_states_is_applying_their_events(both: list[list[Event]]) -> None:
    ours, theirs = both
    assert content_of(_joined(make_state(ours), make_state(theirs))) == content_of(make_state(ours + theirs))


@quick
@given(histories)
def test_a_state_is_its_own_events(history: list[Event]) -> None:
    state = make_state(history)
    assert content_of(make_state(list(state.events()))) == content_of(state)


@quick
@given(histories)
def test_counts_are_true(history: list[Event]) -> None:
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


described = st.builds(
    lambda stamp, whole, extra: Seen(1, {**(make_record(1) if whole else {"id": 1}), **extra}, stamp),
    st.integers(1, 4),
    st.booleans(),
    st.dictionaries(st.sampled_from(["bpm", "loudness"]), st.sampled_from([None, 1, 1.0, True, "fast", [1]])),
)


@quick
@given(st.lists(described | st.builds(Withdrawn, st.just(1), st.integers(1, 4)), max_size=5), st.data())
def test_the_laws_hold_for_extra_fields_that_some_records_have(history: list[Event], data: st.DataObject) -> None:
    expected = content_of(make_state(history))
    assert content_of(make_state(data.draw(st.permutations(history)))) == expected
    cut = data.draw(st.integers(0, len(history)))
    ours, theirs = make_state(history[:cut]), make_state(history[cut:])
    assert content_of(_joined(ours, theirs)) == content_of(_joined(theirs, ours)) == expected
    assert content_of(_joined(theirs, ours, theirs)) == expected
    assert content_of(make_state(list(make_state(history).events()))) == expected
    # 1, 1.0 and True are equal to Python, and different content.
    assert repr(make_state(history).record(1)) == repr(_joined(theirs, ours).record(1))


def test_an_extra_field_is_the_one_of_the_newest_record_that_had_it_in_any_order_and_grouping() -> None:
    slow, fast = Seen(1, make_record(1, bpm=100), 1), Seen(1, make_record(1, bpm=120), 2)
    bare, partial = Seen(1, make_record(1, num_downloads=7), 3), Seen(1, {"id": 1, "loudness": -9.5}, 4)
    for order in itertools.permutations((slow, fast, bare, partial)):
        for cut in range(5):
            state = _joined(make_state(order[:cut]), make_state(order[cut:]))
            attributes = state.attributes(1)
            assert (attributes["bpm"], attributes["num_downloads"], attributes["fetched_at"]) == (120, 7, 3)
            assert attributes["loudness"] == -9.5
            assert attributes["extra_stamps"] == {"bpm": 2, "loudness": 4}
    # A record that says null says something.
    assert _joined(make_state([fast]), make_state([Seen(1, make_record(1, bpm=None), 9)])).attributes(1)["bpm"] is None


@pytest.mark.parametrize("withdrawn_first", [False, True])
def test_an_extra_field_of_a_withdrawn_sound_keeps_no_text(withdrawn_first: bool) -> None:
    described = Seen(1, {"id": 1, "comment": "mine", "bpm": 100}, 4)
    later: list[Event] = [Withdrawn(1, 5), described] if withdrawn_first else [described, Withdrawn(1, 5)]
    attributes = make_state([Seen(1, make_record(1), 3), *later]).attributes(1)
    assert (attributes["comment"], attributes["bpm"]) == (None, 100)
