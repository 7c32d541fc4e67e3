"""A run with a sweep fetches the lists of its hits only, resumes, and ends whatever the server or the notes hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from harvester.clock import SECOND_US, SystemClock, iso
from harvester.errors import AnswerChanged, SettingsError
from harvester.model import API_PAGE, RecordsPage, Seen, SimilarPage
from harvester.pipeline.messages import SweepClaim
from harvester.pipeline.plan import Plan
from harvester.pipeline.scope import Scope
from harvester.pipeline.sweep import sweep_topic
from tests.support.world import MemoryStore, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest
from tests.unit.pipeline.test_sweep import ODD, START_S, Hits, deaf, spread


@dataclass
class Searched(World):
    """A world whose search is answered by `Hits`; neighbours are those of `World`."""

    hits: Hits = field(default_factory=lambda: Hits({}))
    pages_before_a_list: set[int] = field(default_factory=set)

    async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
        self.pages_before_a_list.add(len(self.hits.asked))
        return await super().fetch_similar(sound_id, limit, filter=filter)

    async def search(
        self, *, query: str, filter: str, sort: str, page: int, page_size: int, vectors: bool = False
    ) -> RecordsPage:
        assert (query, sort, page_size) == ("rain", "created_asc", API_PAGE)
        await self._answer("search", (filter, page))
        return self.hits.answer(SweepClaim(filter, page))


def test_a_sweep_links_its_hits_and_nothing_else() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(200))
    reason, ring = harvest(Plan(target=None, sweep=True, query="rain"), world, store)
    assert reason == "exhausted"
    assert store.state.processed == set(range(1, 201))
    assert len(store.state) == 203
    assert sum(world.asked.values()) == 2 + 200
    assert ring.progress.samples == 200
    assert world.pages_before_a_list == {2}


def test_a_later_run_goes_on_with_linking_and_reads_no_page_again() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(200))
    harvest(Plan(target=0, sweep=True, query="rain"), world, store)
    assert store.state.processed == set()
    assert len(store.state) == 200
    for _ in range(2):
        harvest(Plan(target=60, sweep=True, query="rain"), world, store)
    assert len(store.state.processed) == 120
    assert len(world.hits.asked) == 2


def test_when_every_hit_is_linked_the_next_sweep_finds_what_is_new() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(20))
    harvest(Plan(target=None, sweep=True, query="rain"), world, store)
    world.hits = Hits(spread(25))
    harvest(Plan(target=None, sweep=True, query="rain"), world, store)
    assert store.state.processed == set(range(1, 26))
    assert sum(n for (kind, _), n in world.asked.items() if kind == "similar") == 25


def test_a_sweep_that_only_collects_looks_for_new_hits_whenever_it_runs_again() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    for hits in (20, 25):
        world.hits = Hits(spread(hits))
        harvest(Plan(target=0, sweep=True, query="rain"), world, store)
        assert set(store.state.graph) == set(range(1, hits + 1))
    assert len(world.hits.asked) == 1
    # The lists of known hits come before a new sweep.
    world.hits = Hits(spread(30))
    harvest(Plan(target=5, sweep=True, query="rain"), world, store)
    assert (len(world.hits.asked), len(store.state.processed)) == (0, 5)


def test_a_library_that_was_rolled_back_is_swept_again() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(20))
    harvest(Plan(target=0, sweep=True, query="rain"), world, store)
    older = MemoryStore()
    older.notes = store.notes
    harvest(Plan(target=0, sweep=True, query="rain"), world, older)
    assert set(older.state.graph) == set(range(1, 21))


def test_a_sweep_without_hits_says_so_and_ends() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits({})
    assert harvest(Plan(target=None, sweep=True, query="rain"), world, store)[0] == "the search found nothing"


@dataclass
class Deaf(Searched):
    """A world whose search gives the same 2,000 sounds for every window."""

    async def search(
        self, *, query: str, filter: str, sort: str, page: int, page_size: int, vectors: bool = False
    ) -> RecordsPage:
        await self._answer("search", (filter, page))
        return self.hits.answer(SweepClaim("", page))


def test_a_sweep_ends_at_the_first_page_that_is_wholly_outside_its_window() -> None:
    world, store = Deaf(CLOCK, size=10), MemoryStore()
    world.hits = Hits(spread(2_000))
    for asked in (11, 12):
        with pytest.raises(AnswerChanged, match=r"none of the 150 sounds on page 1 of the sweep matches created:"):
            harvest(Plan(target=0, sweep=True, query="rain"), world, store)
        assert world.asked.total() <= asked + 3
        assert len(store.state) == 1_500


def test_a_run_ends_at_the_limit_though_the_search_counts_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Searched):
        async def search(self, **_: Any) -> RecordsPage:
            await self._answer("search", self.asked.total())
            number = self.asked.total()
            return deaf(number, iso((START_S + number) * SECOND_US))

    monkeypatch.setattr("harvester.pipeline.sweep.MOST_WITHOUT_PERMISSION", 6_000)
    world, store = Endless(CLOCK, size=10), MemoryStore()
    plan = Plan(target=0, sweep=True, query="rain", concurrency=1)
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"finds 6,150 sounds.*--i-have-permission"):
            harvest(plan, world, store)
        assert world.asked.total() == 41
    assert len(store.state) == 6_150


def test_a_sound_outside_the_window_is_no_hit_of_the_sweep() -> None:
    class Astray(Searched):
        async def search(self, **options: Any) -> RecordsPage:
            page = await super().search(**options)
            astray = make_record(9_000 + len(self.hits.asked), created="1999-01-01T00:00:00Z")
            return replace(page, records=(*page.records[1:], astray)) if options["filter"] else page

    world, store = Astray(CLOCK, size=10), MemoryStore()
    world.hits = Hits(spread(1_600))
    _, ring = harvest(Plan(target=0, sweep=True, query="rain"), world, store)
    hits = store.notes[sweep_topic("rain", "")]
    assert {sound_id for sound_id in store.state.graph if sound_id > 9_000}
    assert not {sound_id for sound_id in hits if sound_id > 9_000}
    assert ring.progress.oddities["does not match the filter"] > 0


def test_a_damaged_place_is_told_once_and_the_sweep_begins_again() -> None:
    world, store, told = Searched(CLOCK, size=400, reach=3), MemoryStore(), list[str]()
    world.hits = Hits(spread(20))
    store.notes[sweep_topic("rain", "")] = {0: '{"done":false,"window":{"left":[]}}'}
    harvest(Plan(target=0, sweep=True, query="rain"), world, store, told=told.append)
    assert [line for line in told if "starts again" in line] == [
        "the journal's note on the place of the sweep is corrupt: the sweep starts again, no sound is lost"
    ]
    assert len(store.state) == 20


@pytest.mark.parametrize(
    "plan",
    [
        Plan(target=None, query="rain", sweep=True),
        Plan(target=None, filter="tag:rain"),
        Plan(target=None, query="rain", filter="tag:rain", sweep=True),
    ],
)
def test_a_run_ends_whatever_the_notes_of_earlier_runs_hold(plan: Plan) -> None:
    topics = (sweep_topic("rain", ""), sweep_topic("", "tag:rain"), sweep_topic("rain", "tag:rain"), 'asked "tag:rain"')
    texts = [json.dumps(odd) for odd in ODD] + ["0", "1", "2", "[" * 100_000]
    for text in texts:
        world, store = World(CLOCK, size=8, reach=3, match=set(range(1, 9))), MemoryStore()
        for sound_id in range(1, 5):
            store.state.apply(Seen(sound_id, make_record(sound_id), 1))
        keys = (-(2**63), -5, 0, 1, 2, 2**53, 2**63 - 1)
        store.notes = {topic: dict.fromkeys(keys, text) for topic in topics}
        reason, _ = harvest(plan, world, store)
        assert reason in ("exhausted", "the search found nothing"), text


def test_an_invalid_sound_in_a_note_lets_no_sweep_begin_again() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(20))
    harvest(Plan(target=0, sweep=True, query="rain"), world, store)
    store.notes[sweep_topic("rain", "")] |= {-5: "1", 2**53: "1"}
    harvest(Plan(target=5, sweep=True, query="rain"), world, store)
    assert len(world.hits.asked) == 1


def test_a_sound_known_not_to_match_is_no_hit_of_a_sweep_by_the_same_filter() -> None:
    store = MemoryStore()
    store.state.apply(Seen(300, make_record(300), 1))
    store.notes[sweep_topic("", "tag:rain")] = {300: "0"}
    scope = Scope(Plan(filter="tag:rain", sweep=True), store, SystemClock())
    assert not scope.wants(300)
    store.notes[scope.topic][300] = "1"
    assert scope.wants(300)
