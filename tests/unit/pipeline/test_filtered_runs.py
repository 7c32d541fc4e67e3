"""Runs under different filters over one library: the notes of one never trap or mislead another."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.clock import Stop
from harvester.model import (
    Deferral,
    Event,
    Linked,
    Note,
    Record,
    RecordsPage,
    Seen,
    SimilarList,
    SimilarPage,
    Withdrawn,
)
from harvester.pipeline.plan import Plan
from tests.support.virtual_time import START_US
from tests.support.world import MemoryStore, Step, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest
from tests.unit.pipeline.test_judging import CLOCK_US, NoSearch, library

HOUR_US = 3_600_000_000


def rain(**options: Any) -> Plan:
    return Plan(target=None, filter="tag:rain", concurrency=1, **options)


def listed(world: World) -> list[int]:
    return sorted(world_asked for kind, world_asked in world.asked.elements() if kind == "similar")


def windy(sounds: range, limit: int = 25) -> MemoryStore:
    """A library of samples of a run under another filter."""
    store = library(sounds)
    for sound_id in sounds:
        others = tuple((other, 0.9) for other in sounds if other != sound_id)
        store.state.apply(Linked(sound_id, SimilarList(others, CLOCK_US, limit, filter="tag:wind")))
    return store


async def a_minute(stop: Stop) -> None:
    await CLOCK.sleep(60)
    stop.close("it never ends")


@pytest.mark.parametrize("filter", ["tag:rain", "tag:wind", ""])
@pytest.mark.parametrize("new_seeds", [True, False])
def test_a_run_whose_sounds_are_all_processed_is_exhausted_and_fetches_no_list(filter: str, new_seeds: bool) -> None:
    store, plan = windy(range(1, 4)), Plan(target=2, filter=filter, new_seeds=new_seeds)
    world = World(CLOCK, size=3, reach=2, match={1, 2, 3})
    reason, ring = harvest(plan, world, store)
    assert reason == "exhausted"
    assert listed(world) == []
    assert world.asked == {("search", 1): 1}  # only the search knows whether there are new sounds
    assert (ring.progress.samples, ring.progress.relisted) == (0, 0)


def test_a_run_from_a_processed_sound_is_exhausted_without_a_request() -> None:
    store, world = windy(range(1, 4)), World(CLOCK, size=3, reach=2)
    reason, ring = harvest(Plan(target=2, seed_ids=(2,)), world, store)
    assert (reason, ring.progress.samples, dict(world.asked)) == ("exhausted", 0, {})


def test_runs_that_take_turns_under_two_filters_process_each_sound_once() -> None:
    store, world = MemoryStore(), World(CLOCK, size=30, reach=3, match=set(range(1, 31)))
    plans = [Plan(target=5, filter=name, new_seeds=True) for name in ("tag:rain", "tag:wind")]
    made = [harvest(plan, world, store)[1].progress.samples for _ in range(4) for plan in plans]
    assert made == [5, 5, 5, 5, 5, 5, 0, 0]
    assert listed(world) == list(range(1, 31))


def test_what_the_join_refused_is_no_sample_and_not_asked_for_again_in_this_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, world = library(range(1, 4)), NoSearch(CLOCK, size=3, reach=2, match={1, 2, 3})
    apply = store.state.apply
    monkeypatch.setattr(store.state, "apply", lambda event: None if isinstance(event, Linked) else apply(event))
    reason, ring = harvest(Plan(target=20, filter="tag:rain"), world, store, a_minute)
    assert reason != "it never ends"
    assert listed(world) == [1, 2, 3]
    assert ring.frontier.harvested == ring.progress.samples == 0


def test_a_withdrawn_sounds_texts_never_enter_the_journal_again() -> None:
    class Described(World):
        def record(self, sound_id: int) -> Record:
            return make_record(sound_id, bpm=120.0)

    store = library(range(3, 5))
    for sound_id in (2, 3):
        store.state.apply(Withdrawn(sound_id, CLOCK_US + 1))
    harvest(Plan(target=None, concurrency=1, seed_ids=(1,)), Described(CLOCK, size=5, reach=2), store)
    assert store.state.processed == {1, 4, 5}
    assert not {event.sound_id for event in store.journal if isinstance(event, Seen)} & {2, 3}


def test_a_sound_withdrawn_while_its_record_is_read_leaves_no_text() -> None:
    class Withdrawing(World):
        async def fetch_records(
            self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
        ) -> RecordsPage:
            store.state.apply(Withdrawn(1, START_US))
            return await super().fetch_records(sound_ids, filter=filter)

        async def fetch_sound(self, sound_id: int) -> Record:
            store.state.apply(Withdrawn(9, START_US))
            return make_record(9)

    store = MemoryStore()
    harvest(Plan(target=None, seed_ids=(1, 9)), Withdrawing(CLOCK, size=1, reach=0), store)
    assert not [event for event in store.journal if isinstance(event, Seen)]


@pytest.mark.parametrize("oddity", ["null result", "no score"])
def test_a_list_without_one_usable_neighbour_is_deferred(oddity: str) -> None:
    class Useless(World):
        async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
            page = await super().fetch_similar(sound_id, limit, filter=filter)
            if sound_id != 2:
                return page
            return SimilarPage(sound_id, (), (), len(page.neighbours), page.fetched_at, {oddity: 3})

    store = MemoryStore()
    harvest(Plan(target=None), Useless(CLOCK, size=5), store)
    assert store.state.processed == {1, 3, 4, 5}
    assert store.deferrals[2].reason == "no usable neighbour in its similar list"


def test_a_null_in_a_judging_batch_excludes_no_sound() -> None:
    class Holed(NoSearch):
        async def fetch_records(
            self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
        ) -> RecordsPage:
            page = await super().fetch_records(sound_ids, filter=filter)
            return RecordsPage(page.records[1:], page.count, False, page.fetched_at, {"null result": 1})

    store = library(range(1, 6))
    harvest(rain(), Holed(CLOCK, size=5, reach=0, match={1, 2, 3}), store, a_minute)
    assert store.state.processed == {2, 3}
    assert {note.text for note in store.kept_notes if isinstance(note, Note)} == {"1"}
    again = NoSearch(CLOCK, size=5, reach=0, match={1, 2, 3})
    harvest(rain(), again, store)
    assert store.state.processed == {1, 2, 3}
    assert again.asked["matches", (1, 4, 5)] == 1


@pytest.mark.parametrize("judged", [False, True])
def test_a_deferred_sound_that_is_due_is_still_judged_by_the_runs_filter(judged: bool) -> None:
    async def two_hours(stop: Stop) -> None:
        await CLOCK.sleep(2 * 3600)
        stop.close("two hours are over")

    store = library(range(1, 6))
    for sound_id in (3, 4):
        store.deferrals[sound_id] = Deferral(sound_id, "why", 1, START_US + HOUR_US)
    if judged:
        store.notes['sweep ["", "tag:rain"]'] = {4: "0"}
    world = NoSearch(CLOCK, size=5, reach=0, match={1, 3})
    harvest(rain(forever=True, seed_ids=(1,)), world, store, two_hours)
    assert listed(world) == [1, 3]
    assert world.asked["matches", (3,) if judged else (3, 4)] == 1


def test_what_a_pulled_checkpoint_brings_is_judged_like_what_was_there() -> None:
    pulled: tuple[Event, ...] = (
        *(Seen(sound_id, make_record(sound_id), CLOCK_US) for sound_id in (21, 22)),
        Linked(5, SimilarList(((6, 0.9),), CLOCK_US, 25, filter="tag:rain")),
    )
    store = MemoryStore(library(range(1, 21)).state, checkpoint_every=1, script=[Step(pulled)])
    world = NoSearch(CLOCK, size=22, reach=0, match={1, 2, 3, 5, 21})
    harvest(rain(), world, store, a_minute)
    assert listed(world) == [1, 2, 3, 6, 21]
    asked = [sound_id for kind, batch in world.asked if kind == "matches" for sound_id in batch]
    assert sorted(asked) == sorted({*asked})
