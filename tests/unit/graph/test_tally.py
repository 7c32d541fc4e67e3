"""A tally is a sum: what a part contributes can be taken away and added again."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.clock import DAY_US
from harvester.graph import Extremes, LibraryTally, SoundGraph, select
from harvester.model import COMPUTED, Deferral, Event, Gone, Known, Linked, Seen, SimilarList
from harvester.reports import count_library, describe_tally
from tests.support.histories import events, histories, ids, quick, touched_by
from tests.support.samples import NOW_US, make_record, make_state

space = st.shared(st.sampled_from(["laion_clap", "freesound_classic"]))
before = space.flatmap(lambda one: st.lists(events(one), max_size=14))
after = space.flatmap(lambda one: st.lists(events(one), max_size=6))


@quick
@given(history=before, more=after)
def test_the_tally_of_a_changed_library_is_that_of_before_with_the_changed_sounds_exchanged(
    history: list[Event], more: list[Event]
) -> None:
    state = make_state(history)
    touched = set().union(*map(touched_by, more)) if more else set()
    left = LibraryTally.of_sounds(state, set(state.graph) - touched).extremes
    tally = LibraryTally.of(state)
    tally.subtract(LibraryTally.around(state, touched), left)
    for event in more:
        state.apply(event)
    tally.add(LibraryTally.around(state, touched))
    assert tally == LibraryTally.of(state)
    assert repr(describe_tally(tally)) == repr(describe_tally(LibraryTally.of(state)))


@quick
@given(history=histories)
def test_a_tally_is_the_same_after_it_was_written_as_json(history: list[Event]) -> None:
    tally = LibraryTally.of(make_state(history))
    assert LibraryTally.read(json.loads(json.dumps(tally.plain()))) == tally


@quick
@given(history=histories, later=st.dictionaries(ids, st.sampled_from([NOW_US, NOW_US + 1])))
def test_the_counts_are_those_that_the_state_itself_has(history: list[Event], later: dict[int, int]) -> None:
    state = make_state(history)
    deferrals = {one: Deferral(one, "timeout", 1, at) for one, at in later.items()}
    counts, shown = count_library(state, deferrals, NOW_US), select(state)
    waiting = set(state.pending())
    deferred = {one for one, at in later.items() if at > NOW_US} & waiting
    assert list(counts.items()) == [
        ("nodes", len(state)),
        ("edges", state.edge_count),
        ("edge_kinds", shown.edge_kinds),
        ("hidden_edges", state.edge_count - shown.edge_count),
        ("processed", len(state.processed)),
        ("lists", state.list_count),
        ("computed_lists", sum(one.get("link_origin") == COMPUTED for _, one in state.graph.nodes.items())),
        ("frontier", len(waiting - deferred)),
        ("deferred", len(deferred)),
        ("gone", state.gone_count),
        ("without_record", sum(not state.has_record(one) for one in waiting)),
        ("source", state.source),
        ("seeds", len(state.seeds)),
    ]
    assert list(counts["edge_kinds"]) == list(shown.edge_kinds)


@pytest.fixture
def state() -> SoundGraph:
    """Five sounds: one is gone, one has no record, one was imported without a time."""
    return make_state(
        [
            Seen(1, make_record(1, tags=["Rain", "rain", "wind"], username="b"), 3 * DAY_US),
            Seen(2, make_record(2, tags=["rain"], username="a"), 2 * DAY_US),
            Seen(3, make_record(3, tags=["storm"], username="a"), DAY_US),
            Gone(3, 4 * DAY_US),
            Known(4, 2 * DAY_US),
            Seen(5, make_record(5, tags=[], username="c"), 0),
            Linked(1, SimilarList(((2, 0.9), (3, 0.8)), 5 * DAY_US, 25, "laion_clap")),
        ]
    )


def test_content_and_growth_are_described_by_value(state: SoundGraph) -> None:
    found = describe_tally(LibraryTally.of(state))
    assert list(found) == [
        "licenses", "gen_ai_wishes", "categories", "tags", "users", "growth", "oldest_record", "last_news_at",
    ]  # fmt: skip
    assert list(found["tags"].items()) == [("rain", 2), ("wind", 1)]
    assert list(found["users"].items()) == [("a", 1), ("b", 1), ("c", 1)]
    assert found["growth"] == [
        {"day": "1970-01-02", "sounds": 1, "samples": 0},
        {"day": "1970-01-03", "sounds": 2, "samples": 0},
        {"day": "1970-01-04", "sounds": 1, "samples": 0},
        {"day": "1970-01-06", "sounds": 0, "samples": 1},
    ]
    assert found["oldest_record"] == {"id": 2, "fetched_at": 2 * DAY_US, "fetched": "1970-01-03T00:00:00Z"}
    assert found["last_news_at"] == 5 * DAY_US


def test_only_the_most_frequent_are_described_but_all_are_counted() -> None:
    tally = LibraryTally(tags=Counter({f"tag{one:02}": one for one in range(1, 13)}))
    assert list(describe_tally(tally)["tags"]) == [f"tag{one:02}" for one in range(12, 2, -1)]
    tally.subtract(LibraryTally(tags=Counter({"tag12": 12})), Extremes())
    assert list(describe_tally(tally)["tags"]) == [f"tag{one:02}" for one in range(11, 1, -1)]


def test_a_sound_that_becomes_gone_hides_the_edges_of_others(state: SoundGraph) -> None:
    assert count_library(state, {}, 0)["hidden_edges"] == 1
    tally = LibraryTally.of(state)
    tally.subtract(LibraryTally.around(state, [2]), LibraryTally.of_sounds(state, [1, 3, 4, 5]).extremes)
    state.apply(Gone(2, 6 * DAY_US))
    tally.add(LibraryTally.around(state, [2]))
    assert (tally.numbers["hidden_edges"], tally.hidden_kinds) == (2, Counter(similar=2))
    assert tally == LibraryTally.of(state)
