"""A filtered run asks once which sounds of earlier runs match, 150 at a time."""

from __future__ import annotations

from typing import Any

from harvester.model import Note, Record, RecordsPage, Seen
from harvester.pipeline.plan import Plan
from tests.support.world import MemoryStore, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest

RAIN = Plan(target=None, filter="tag:rain", concurrency=3)


def library(sounds: range) -> MemoryStore:
    store = MemoryStore()
    for sound_id in sounds:
        store.state.apply(Seen(sound_id, make_record(sound_id), CLOCK_US))
    return store


CLOCK_US = 1_780_000_000_000_000


class NoSearch(World):
    async def search(self, **_: Any) -> RecordsPage:
        return await super().search(query="", filter="", sort="", page=99, page_size=150)


def asked_for_matches(world: World) -> list[tuple[int, ...]]:
    return [what for kind, what in world.asked if kind == "matches"]


def test_waiting_sounds_of_earlier_runs_are_asked_150_at_a_time_most_downloaded_first() -> None:
    world = NoSearch(CLOCK, size=400, reach=0, match={7, 200, 390})
    store = library(range(1, 401))
    harvest(RAIN, world, store)
    batches = asked_for_matches(world)
    assert batches == [tuple(range(1, 151)), tuple(range(151, 301)), tuple(range(301, 401))]
    assert store.state.processed == {7, 200, 390}


def test_nothing_is_asked_while_a_matching_sound_waits() -> None:
    world = NoSearch(CLOCK, size=400, reach=0, match=set(range(1, 21)))
    store = library(range(1, 401))
    harvest(Plan(target=20, filter="tag:rain"), world, store)
    assert len(asked_for_matches(world)) == 1
    assert store.state.processed == set(range(1, 21))


def test_the_answer_is_remembered_so_that_no_sound_is_asked_twice() -> None:
    store = library(range(1, 201))
    first = NoSearch(CLOCK, size=200, reach=0, match={5, 6, 7})
    harvest(Plan(target=1, filter="tag:rain"), first, store)
    second = NoSearch(CLOCK, size=200, reach=0, match={5, 6, 7})
    harvest(RAIN, second, store)
    assert store.state.processed == {5, 6, 7}
    twice = [sound for batch in asked_for_matches(first) for other in asked_for_matches(second) for sound in batch
             if sound in other]  # fmt: skip
    assert twice == []
    other = NoSearch(CLOCK, size=200, reach=0, match={9})
    harvest(Plan(target=None, filter="tag:wind"), other, store)
    assert 9 in asked_for_matches(other)[0]


def test_hits_of_the_seed_search_are_known_to_match_in_a_later_run() -> None:
    store = MemoryStore()
    world = World(CLOCK, size=5, reach=0)
    harvest(Plan(target=1, filter="tag:rain", new_seeds=True), world, store)
    assert {note.key for note in store.kept_notes if note.text == "1"} == {1, 2, 3, 4, 5}
    later = NoSearch(CLOCK, size=5, reach=0)
    harvest(RAIN, later, store)
    assert asked_for_matches(later) == []
    assert store.state.processed == {1, 2, 3, 4, 5}


def test_a_batch_that_fails_is_left_to_the_next_run_and_no_sound_is_deferred() -> None:
    class Failing(NoSearch):
        async def fetch_records(
            self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
        ) -> RecordsPage:
            from harvester.errors import FetchFailed

            raise FetchFailed("the answer is not JSON")

    store = library(range(1, 11))
    reason, _ = harvest(RAIN, Failing(CLOCK, size=10, reach=0), store)
    assert reason == "the search found nothing"
    assert store.deferrals == {}
    assert not any(isinstance(note, Note) for note in store.kept_notes)
    again = NoSearch(CLOCK, size=10, reach=0, match={3})
    harvest(RAIN, again, store)
    assert store.state.processed == {3}


def test_extra_fields_survive_a_later_record_that_was_fetched_without_them() -> None:
    class Described(World):
        extra = True
        day = 0

        def record(self, sound_id: int) -> Record:
            more = {"bpm": 120.0} if self.extra else {}
            return make_record(sound_id, num_comments=self.day, **more)

    store = MemoryStore()
    world = Described(CLOCK, size=30, reach=3)
    harvest(Plan(target=5, seed_ids=(1,)), world, store)
    described = {i for i in store.state.graph if "bpm" in store.state.attributes(i)}
    assert len(described) > 5
    for sound_id in list(described):
        # A week later, without --extra-fields.
        store.state.attributes(sound_id)["fetched_at"] -= 7 * 86_400_000_000
    world.extra, world.day = False, 7
    harvest(Plan(target=5), world, store)
    renewed = [i for i in described if store.state.attributes(i)["num_comments"] == 7]
    assert renewed
    assert all(store.state.attributes(i)["bpm"] == 120.0 for i in renewed)


def test_extra_fields_are_kept_at_once_even_where_the_record_is_fresh() -> None:
    store = MemoryStore()
    harvest(Plan(target=3, seed_ids=(1,)), World(CLOCK, size=9, reach=3), store)

    class Described(World):
        def record(self, sound_id: int) -> Record:
            return make_record(sound_id, bpm=None)

    harvest(Plan(target=3), Described(CLOCK, size=9, reach=3), store)
    assert any("bpm" in store.state.attributes(i) for i in store.state.processed)
