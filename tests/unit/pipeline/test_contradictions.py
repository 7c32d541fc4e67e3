"""A hit that contradicts the filter is counted and reported, and never fetched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from harvester.errors import AnswerChanged
from harvester.model import Record, RecordsPage, Seen
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from tests.support.world import MemoryStore, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest

CC0 = 'license:"Creative Commons 0"'
BY = "http://creativecommons.org/licenses/by/4.0/"
FOREIGN = {2, 5, 8}
COUNTED = "does not match the filter"


@dataclass
class Careless(World):
    """A server that lists sounds which do not match: `FOREIGN` are under another license than CC0."""

    asked_filters: list[str] = field(default_factory=list)

    def record(self, sound_id: int) -> Record:
        return make_record(sound_id, **({"license": BY} if sound_id in FOREIGN else {}))

    async def search(self, *, filter: str, **options: Any) -> RecordsPage:
        self.asked_filters.append(filter)
        return await super().search(filter=filter, **options)


def lists_asked(world: World) -> set[object]:
    return {what for kind, what in world.asked if kind == "similar"}


def counted(ring: Harvest) -> int:
    return ring.progress.oddities[COUNTED]


def test_neither_seeds_nor_neighbours_that_contradict_are_fetched_or_marked() -> None:
    world, store = Careless(CLOCK, size=10, reach=3), MemoryStore()
    reason, ring = harvest(Plan(target=None, filter=CC0, new_seeds=True), world, store)
    assert reason == "exhausted"
    assert store.state.processed == set(range(1, 11)) - FOREIGN
    assert lists_asked(world).isdisjoint(FOREIGN)
    assert counted(ring) > 3
    assert store.state.matching(CC0).isdisjoint(FOREIGN)
    assert FOREIGN.isdisjoint(note.key for note in store.kept_notes if note.text == "1")
    assert FOREIGN.isdisjoint(store.state.seeds)
    # What came is kept all the same.
    assert all(store.state.has_record(sound_id) for sound_id in FOREIGN)


def test_without_a_filter_or_where_the_record_cannot_tell_everything_is_fetched() -> None:
    for text in ("", "tag:rain", f"{CC0} OR tag:rain"):
        world, store = Careless(CLOCK, size=10, reach=3), MemoryStore()
        _, ring = harvest(Plan(target=None, filter=text, new_seeds=True), world, store)
        assert store.state.processed == set(range(1, 11))
        assert COUNTED not in ring.progress.oddities


def test_a_page_of_seeds_that_all_contradict_is_not_taken_for_an_empty_search() -> None:
    class First(Careless):
        def record(self, sound_id: int) -> Record:
            return make_record(sound_id, **({"license": BY} if sound_id <= 5 else {}))

    world, store = First(CLOCK, size=8, reach=0), MemoryStore()
    reason, ring = harvest(Plan(target=None, filter=CC0, new_seeds=True), world, store)
    assert reason == "exhausted"
    assert store.state.processed == {6, 7, 8}
    assert counted(ring) == 5


def test_a_list_in_which_all_contradict_defers_its_sound() -> None:
    class Wrong(Careless):
        def record(self, sound_id: int) -> Record:
            return make_record(sound_id, **({"license": BY} if sound_id > 1 else {}))

    world, store = Wrong(CLOCK, size=4, reach=3), MemoryStore()
    store.state.apply(Seen(1, make_record(1), 1))
    harvest(Plan(target=None, seed_ids=(1,), filter=CC0), world, store)
    assert store.state.processed == set()
    assert store.kept_deferrals[1].reason == "no usable neighbour in its similar list"


class Unheeding(Careless):
    """A server that does not heed the filter: the first `matching` sounds match, no other does."""

    matching = 0

    def record(self, sound_id: int) -> Record:
        return make_record(sound_id, **({"license": BY} if sound_id > self.matching else {}))


@pytest.mark.parametrize("sweep", [False, True])
def test_a_search_that_does_not_heed_the_filter_at_all_ends_the_run(sweep: bool) -> None:
    world, store = Unheeding(CLOCK, size=1_000, reach=0), MemoryStore()
    with pytest.raises(AnswerChanged, match=r'none of 20 sounds in the results of the search matches .*"Creative'):
        harvest(Plan(target=None, filter=CC0, new_seeds=True, sweep=sweep, concurrency=1), world, store)
    assert world.asked.total() <= 5
    assert store.log[-1] == "checkpoint"
    assert (len(store.state), store.kept_deferrals) == (20, {})


def test_lists_that_do_not_heed_the_filter_at_all_end_the_run_though_the_search_does() -> None:
    class Astray(Unheeding):
        def neighbours(self, sound_id: int, limit: int) -> list[int]:
            return list(range(100, 107))

    world, store = Astray(CLOCK, size=1_000, reach=7), MemoryStore()
    world.matching = 5
    with pytest.raises(AnswerChanged, match="none of 21 sounds in the similar lists matches"):
        harvest(Plan(target=None, filter=CC0, new_seeds=True, concurrency=1), world, store)
    assert world.asked.total() == 1 + 3


def test_sounds_asked_for_by_id_that_all_contradict_end_the_run() -> None:
    class NoSearch(Unheeding):
        async def search(self, **_: Any) -> RecordsPage:
            return RecordsPage((), 0, has_next=False, fetched_at=self.clock.time_us())

    world, store = NoSearch(CLOCK, size=30, reach=0, match=set(range(1, 31))), MemoryStore()
    for sound_id in range(1, 31):
        store.state.apply(Seen(sound_id, make_record(sound_id), 1))
    with pytest.raises(AnswerChanged, match="none of 30 sounds in the results of the search"):
        harvest(Plan(target=None, filter=CC0), world, store)


@pytest.mark.parametrize("size", [0, 19])
def test_nothing_found_and_a_few_changed_sounds_are_no_alarm(size: int) -> None:
    world, store = Unheeding(CLOCK, size=size, reach=0), MemoryStore()
    reason, ring = harvest(Plan(target=None, filter=CC0, new_seeds=True), world, store)
    assert reason in ("exhausted", "the search found nothing")
    assert counted(ring) == size


def test_one_sound_that_matches_shows_that_the_filter_is_heeded() -> None:
    world, store = Unheeding(CLOCK, size=200, reach=0), MemoryStore()
    world.matching = 1
    reason, ring = harvest(Plan(target=None, filter=CC0, new_seeds=True), world, store)
    assert reason == "exhausted"
    assert store.state.processed == {1}
    assert counted(ring) == 199


def test_a_sound_that_contradicts_is_judged_not_to_match() -> None:
    class NoSearch(Careless):
        async def search(self, **_: Any) -> RecordsPage:
            return RecordsPage((), 0, has_next=False, fetched_at=self.clock.time_us())

    world, store = NoSearch(CLOCK, size=10, reach=0, match=set(range(1, 11))), MemoryStore()
    for sound_id in range(1, 11):
        store.state.apply(Seen(sound_id, make_record(sound_id), 1))
    _, ring = harvest(Plan(target=None, filter=CC0), world, store)
    assert store.state.processed == set(range(1, 11)) - FOREIGN
    assert {note.key for note in store.kept_notes if note.text == "0"} == FOREIGN
    assert counted(ring) == 3


def test_a_sweep_reads_its_pages_and_takes_only_what_may_match() -> None:
    world, store = Careless(CLOCK, size=5, reach=2), MemoryStore()
    _, ring = harvest(Plan(target=None, filter=CC0, sweep=True), world, store)
    assert store.state.processed == {1, 3, 4}
    assert counted(ring) > 0
    assert lists_asked(world).isdisjoint(FOREIGN)


def test_a_window_of_a_sweep_holds_beside_every_clause_of_the_filter() -> None:
    class Deep(Careless):
        async def search(self, **options: Any) -> RecordsPage:
            page = await super().search(**options)
            return page if "created" in options["filter"] else replace(page, count=2_000)

    world, store = Deep(CLOCK, size=10, reach=0), MemoryStore()
    harvest(Plan(target=0, filter="tag:rain OR tag:tent", permitted=True, sweep=True), world, store)
    windowed = {text for text in world.asked_filters if "created" in text}
    assert windowed
    assert all(text.endswith("] tag:(rain OR tent)") for text in windowed)
