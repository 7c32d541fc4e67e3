"""Registers that once disagreed: tombstone against record, the similarity space of a library."""

from __future__ import annotations

from harvester.checkpoint.format import decode_checkpoint, digest_of, encode_checkpoint
from harvester.clock import LATEST_US
from harvester.graph import SoundGraph, is_gone
from harvester.model import Gone, Known, Linked, Seen, SimilarList
from tests.support.world import make_record

FAST_US = 600_000_000


def test_a_tombstone_stands_even_over_a_record_from_a_machine_whose_clock_is_fast() -> None:
    state = SoundGraph()
    state.apply(Seen(1, make_record(1), 1_000 + FAST_US))
    state.apply(Gone(1, state.stamp(1, "gone_at", 1_000)))
    assert is_gone(state.attributes(1))
    state.apply(Seen(1, make_record(1), state.stamp(1, "fetched_at", 2_000)))
    assert not is_gone(state.attributes(1))


def test_no_stamp_is_later_than_a_date_can_be_written_of() -> None:
    state = SoundGraph()
    state.apply(Seen(1, make_record(1), LATEST_US))
    state.apply(Seen(1, make_record(1, name="newer"), state.stamp(1, "fetched_at", 2_000)))
    assert decode_checkpoint(b"".join(encode_checkpoint(state))).metadata["timestamp"] == "9999-12-31T23:59:59Z"


def test_the_first_list_tells_the_space_also_when_only_the_journal_has_it() -> None:
    state = SoundGraph()
    state.apply(Linked(1, SimilarList((), 5, 25, "freesound_classic")))
    assert state.space == "freesound_classic"


def test_the_space_does_not_depend_on_who_joins_whom() -> None:
    def make(space: str, *, listed: bool) -> SoundGraph:
        state = SoundGraph(space=space)
        state.apply(Known(1, 5))
        if listed:
            state.apply(Linked(1, SimilarList((), 5, 25, space)))
        return state

    for one_listed, other_listed in ((False, False), (True, False), (False, True)):
        pair = []
        for swap in (False, True):
            sides = [make("laion_clap", listed=one_listed), make("freesound_classic", listed=other_listed)]
            first, second = sides[::-1] if swap else sides
            first.join(second)
            pair.append((first.space, digest_of(first)))
        assert pair[0] == pair[1]
