"""The texts of whole sounds and of the facts make the same library again, to the last bit of its digest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from harvester.checkpoint import digest_of
from harvester.errors import LibraryCorrupt, NewerFormat, WrongSource
from harvester.graph import (
    SoundGraph,
    library_text,
    read_library_text,
    read_sound_object,
    read_sound_text,
    sound_text,
    text_of_sound,
)
from harvester.importing import WholeLibrary
from harvester.model import Event, Known, Linked, Seen, SimilarList
from tests.support.histories import histories, quick
from tests.support.samples import content_of, make_record, make_state


def copied(state: SoundGraph) -> SoundGraph:
    """Return the library that the texts make, the sounds in falling order, half of them among the facts."""
    ids = sorted(state.graph, reverse=True)
    half = len(ids) // 2
    library = WholeLibrary()
    for sound_id in ids[half:]:
        library.add("here", read_sound_text(text_of_sound(state, sound_id)))
    for text in (library_text(state), library_text(state, facts=False, seeds=False, hidden=ids[:half])):
        assert text.isascii()
        library.add_facts("here", read_library_text(text))
    return library.state()


def alone(text: str) -> SoundGraph:
    library = WholeLibrary()
    library.add("here", read_sound_text(text))
    return library.state()


@quick
@given(histories)
def test_the_texts_make_the_same_library(history: list[Event]) -> None:
    state = make_state(history)
    again = copied(state)
    assert content_of(again) == content_of(state)
    assert (again.has_weights, again.record_count) == (state.has_weights, state.record_count)
    assert digest_of(again) == digest_of(state)


def test_fields_with_the_names_of_our_keys_and_a_record_without_its_id_come_back() -> None:
    odd = {"neighbours": [1], "attributes": {"id": 7}, "list_is_partial": 1, "id": 1}
    state = make_state([Seen(1, odd, 5), Seen(2, {"name": "no id \ud800", "zz": {"b": 1, "a": 2.0}}, 6), Known(3, 4)])
    assert digest_of(copied(state)) == digest_of(state)


def test_a_part_of_a_list_loses_against_the_whole_list_and_no_neighbour_is_no_list() -> None:
    whole = SimilarList(((2, 0.9), (3, 0.8)), 9, 25)
    state = make_state([Seen(1, make_record(1), 5), Linked(1, whole)])
    adjacency = state.graph.succ[1]
    part = sound_text(1, state.attributes(1), {2: adjacency[2]}, partial=True)
    none = sound_text(1, state.attributes(1), {}, partial=True)
    for text, waits in ((part, False), (none, True)):
        read = alone(text)
        assert read.is_pending(1) is waits
        read.join(state)
        assert read.similar(1) == whole
        state.join(alone(text))
        assert state.similar(1) == whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "not JSON"),
        ("7", "with the id of a sound"),
        ('{"id": 0, "added_at": 1}', "with the id of a sound"),
        ('{"id": 5, "name": "x", "added_at": 1}', "no fetched_at"),
        ('{"id": 5, "added_at": -1}', "invalid added_at"),
        ('{"id": 5, "added_at": 1, "neighbours": [{"id": 7, "score": 0.5}]}', "no similar list"),
        ('{"id": 5, "added_at": 1, "neighbours": [{"id": 7, "relation": "[1"}]}', "not JSON"),
        ('{"id": 5, "added_at": 1, "neighbours": [{"id": 7, "relation": ["a"]}, {"id": 7}]}', "twice"),
        ('{"id": 5, "attributes": [], "neighbours": []}', "an object of their own"),
    ],
)  # fmt: skip
def test_what_is_not_a_sound_is_refused_with_one_line(text: str, said: str) -> None:
    with pytest.raises(LibraryCorrupt, match=said) as caught:
        alone(text)
    assert "\n" not in str(caught.value)


def test_an_id_twice_another_source_and_another_space_are_refused() -> None:
    library = WholeLibrary()
    library.add("line 1", read_sound_object({"id": 5, "added_at": 1}))
    with pytest.raises(LibraryCorrupt, match="line 2: sound 5 stands in line 1 already"):
        library.add("line 2", read_sound_object({"id": 5, "added_at": 2}))
    one = {"format": 1, "source": "https://a/", "similarity_space": "laion_clap"}
    library.add_facts("line 3", read_library_text(json.dumps(one)))
    for facts, kind in (
        ({"source": "sandbox:b"}, WrongSource),
        ({"similarity_space": "freesound_classic"}, WrongSource),
        ({"similarity_space": "x"}, LibraryCorrupt),
        ({"seeds": [0]}, LibraryCorrupt),
        ({"format": 2}, NewerFormat),
        ({"format": None}, LibraryCorrupt),
    ):
        with pytest.raises(kind):
            library.add_facts("line 4", read_library_text(json.dumps({"format": 1, **facts})))
