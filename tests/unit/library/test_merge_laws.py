"""The join with withdrawn sounds and edges of older tools; its laws are in `tests/unit/graph/test_laws.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given

from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint
from harvester.errors import LibraryCorrupt, WrongSource
from harvester.graph import SoundGraph, blanked, is_gone
from harvester.journal.events import decode_events, encode_events
from harvester.model import Event, Linked, Related, Seen, SimilarList, Withdrawn
from tests.support.histories import histories, quick
from tests.support.samples import NOW_US, content_of, make_events, make_record, make_state


@quick
@given(histories)
def test_a_state_is_its_own_events_its_own_journal_and_its_own_checkpoint(history: list[Event]) -> None:
    state = make_state(history)
    own = list(state.events())
    assert content_of(make_state(own)) == content_of(state)
    assert content_of(make_state(decode_events(encode_events(own)))) == content_of(state)
    packed = b"".join(encode_checkpoint(state))
    decoded = decode_checkpoint(packed).state
    assert content_of(decoded) == content_of(state)
    assert decoded.gone_count == state.gone_count == sum(map(is_gone, state.graph.nodes.values()))
    assert b"".join(encode_checkpoint(make_state(history[::-1]))) == packed


@quick
@given(histories)
def test_no_later_answer_brings_a_withdrawn_text_back(history: list[Event]) -> None:
    state = make_state(history)
    for sound_id in range(1, 13):
        state.apply(Withdrawn(sound_id, 50))
        state.apply(Seen(sound_id, make_record(sound_id, name="back again"), NOW_US))
        record = state.record(sound_id)
        assert record is not None
        assert record == blanked(record)
        assert not state.is_pending(sound_id)
        assert not state.is_news(sound_id, make_record(sound_id), 2 * NOW_US)
    assert state.gone_count == 12


def test_a_withdrawn_record_keeps_its_numbers_and_license_and_nothing_that_names_anybody() -> None:
    state = make_state([*make_events(1), Withdrawn(1, NOW_US)])
    record = state.record(1)
    assert record is not None
    assert {name for name, value in record.items() if value is not None} == {
        "id", "license", "duration", "num_downloads",
    }  # fmt: skip
    assert 1 in state.processed


def test_an_edge_of_an_older_tool_survives_a_new_list_and_is_no_part_of_it() -> None:
    state = make_state([Related(1, 2, "similar", 5), Related(1, 3, "similar", 5), Related(1, 2, "again", 5)])
    assert state.similar(1) is None
    assert state.is_pending(1)
    state.apply(Linked(1, SimilarList(((2, 0.9),), 9, 25)))
    state.apply(Linked(1, SimilarList(((4, 0.8),), 10, 25)))
    similar = state.similar(1)
    assert similar is not None
    assert similar.neighbours == ((4, 0.8),)
    assert dict(state.graph.adj[1]) == {
        2: {"relation": ["again", "similar"]}, 3: {"relation": ["similar"]}, 4: {"score": 0.8},
    }  # fmt: skip
    assert state.edge_count == 3


def test_of_two_weights_of_a_relation_the_larger_one_wins_and_survives_a_new_list() -> None:
    related = [Related(1, 2, "tag", 5, weight) for weight in (0.5, None, 0.75, 0.25)]
    for order in permutations(related):
        state = make_state(order)
        assert dict(state.graph.adj[1]) == {2: {"relation": ["tag"], "weights": {"tag": 0.75}}}
    state.apply(Linked(1, SimilarList(((2, 0.9),), 9, 25)))
    assert dict(state.graph.adj[1]) == {2: {"score": 0.9, "relation": ["tag"], "weights": {"tag": 0.75}}}
    assert {str(weight) for order in permutations((0.0, -0.0)) for weight in _weights(order)} == {"0.0"}


def _weights(order: Iterable[float]) -> Iterable[float]:
    weights: dict[str, float] = make_state([Related(1, 2, "tag", 5, one) for one in order]).graph.adj[1][2]["weights"]
    return weights.values()


def _packed(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


@pytest.mark.parametrize("relation", [[], ["b", "a"], ["a", "a"], [1], "similar", None, {"a": 1}])
def test_a_file_whose_relations_are_not_sorted_texts_is_refused(relation: Any) -> None:
    state = make_state([*make_events(2), Related(1, 2, "similar", 5)])
    state.graph.adj[1][2]["relation"] = relation
    with pytest.raises(LibraryCorrupt, match="relation"):
        decode_checkpoint(_packed(state))


@pytest.mark.parametrize("field", ["name", "tags", "previews", "md5"])
def test_a_file_that_holds_a_text_of_a_withdrawn_sound_is_refused(field: str) -> None:
    state = make_state([*make_events(2), Withdrawn(1, NOW_US)])
    decode_checkpoint(_packed(state))
    state.attributes(1)[field] = ["x"]
    with pytest.raises(LibraryCorrupt, match="withdrawn"):
        decode_checkpoint(_packed(state))


def test_lists_of_different_similarity_spaces_are_never_joined() -> None:
    events = [
        replace(event, similar=replace(event.similar, space="freesound_classic"))
        if isinstance(event, Linked)
        else event
        for event in make_events(2, first=3)
    ]
    ours, theirs = make_state(make_events(2)), make_state(events)
    before = content_of(ours)
    with pytest.raises(WrongSource, match="freesound_classic"):
        ours.join(theirs)
    assert content_of(ours) == before
    fresh = SoundGraph()
    fresh.join(theirs)
    assert fresh.space == "freesound_classic"


def test_which_of_two_equally_old_records_wins_does_not_depend_on_when_the_sound_was_withdrawn() -> None:
    seen = [Seen(1, make_record(1, name=name, num_downloads=count), 7) for name, count in (("b", 1), ("a", 2))]
    withdrawn = Withdrawn(1, 9)
    early, late = make_state([withdrawn, *seen]), make_state([*seen, withdrawn])
    assert content_of(early) == content_of(late) == content_of(make_state([seen[1], withdrawn, seen[0]]))
