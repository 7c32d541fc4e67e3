"""Refresh: what is stale is read again, what is fresh is left alone, what is gone is found on evidence."""

from __future__ import annotations

from harvester.clock import DAY_US
from harvester.model import Known, Linked, Record, RecordsPage, Seen, SimilarList
from harvester.pipeline.plan import Plan
from harvester.pipeline.stale import Refresh, find_stale
from tests.support.virtual_time import START_US
from tests.support.world import MemoryStore, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest

MONTH = Refresh(30 * DAY_US)


class Later(World):
    """The same sounds, some downloads later."""

    def record(self, sound_id: int) -> Record:
        return make_record(sound_id, num_downloads=7_000_000)


def library(ages_days: dict[int, int], limit: int = 25) -> MemoryStore:
    """A library of samples (each the neighbour of the first), their records and lists of these ages."""
    store = MemoryStore()
    for sound_id, days in ages_days.items():
        stamp = START_US - days * DAY_US
        store.state.apply(Seen(sound_id, make_record(sound_id), stamp))
        store.state.apply(Linked(sound_id, SimilarList(((1, 0.9),) if sound_id > 1 else (), stamp, limit)))
    return store


def downloads(store: MemoryStore) -> set[int]:
    return {i for i in store.state.graph if store.state.attributes(i)["num_downloads"] == 7_000_000}


def test_stale_records_are_read_again_150_a_request_and_fresh_ones_never() -> None:
    store = library({**dict.fromkeys(range(1, 201), 40), **dict.fromkeys(range(201, 251), 3)})
    world = Later(CLOCK, size=250)
    reason, ring = harvest(Plan(target=None, refresh=MONTH), world, store)
    assert reason == "exhausted"
    assert sum(world.asked.values()) == 2
    assert downloads(store) == set(range(1, 201))
    assert ring.progress.renewed == 200


def test_records_younger_than_a_day_are_read_again_when_the_user_says_so() -> None:
    store = library({1: 0, 2: 0})
    harvest(Plan(target=None, refresh=Refresh(0)), Later(CLOCK, size=2), store)
    assert downloads(store) == {1, 2}


def test_a_sound_without_a_record_is_not_stale_however_young_a_stale_record_may_be() -> None:
    store = library({1: 0})
    store.state.apply(Known(2, START_US))
    assert find_stale(store.state, {}, Refresh(0), START_US).records == [1]


def test_the_limit_takes_the_stalest_first() -> None:
    store = library({1: 40, 2: 90, 3: 60, 4: 31})
    harvest(Plan(target=None, refresh=Refresh(30 * DAY_US, limit=2)), Later(CLOCK, size=4), store)
    assert downloads(store) == {2, 3}


def test_a_sound_missing_from_the_batch_and_from_its_own_resource_gets_a_tombstone_and_keeps_its_list() -> None:
    store = library({1: 40, 2: 40, 3: 40})
    world = Later(CLOCK, size=3, gone={2})
    _, ring = harvest(Plan(target=None, refresh=MONTH), world, store)
    assert world.asked["sound", 2] == 1
    assert ring.progress.gone == store.state.gone_count == 1
    assert downloads(store) == {1, 3}
    similar = store.state.similar(2)
    assert similar is not None
    assert similar.neighbours == ((1, 0.9),)
    asked = sum(world.asked.values())
    harvest(Plan(target=None, refresh=Refresh(-DAY_US)), world, store)
    assert world.asked["sound", 2] == 1
    assert sum(world.asked.values()) == asked + 1


def test_with_links_stale_and_short_lists_are_read_again_at_the_longer_length() -> None:
    store = library({1: 40, 2: 40, 3: 3}, limit=2)
    for sound_id in (4, 5):
        store.state.apply(Seen(sound_id, make_record(sound_id), START_US))
        store.state.apply(Linked(sound_id, SimilarList(((1, 0.5),), START_US, 60 if sound_id == 4 else 150)))
    world = Later(CLOCK, size=9, reach=3)
    harvest(Plan(target=None, refresh=Refresh(30 * DAY_US, lists=True, neighbours=50)), world, store)
    assert {what for kind, what in world.asked if kind == "similar"} == {1, 2, 3}
    assert sum(world.asked.values()) == 1 + 3
    similar = store.state.similar(1)
    assert similar is not None
    assert (similar.limit, len(similar.neighbours)) == (50, 3)
    assert store.state.processed == {1, 2, 3, 4, 5}  # what came along waits for a harvest


def test_an_empty_list_in_place_of_a_full_one_is_no_reason_to_forget_it() -> None:
    store = library({2: 3, 3: 3})
    world = Later(CLOCK, size=9, reach=3, empty={2}, gone={3})
    harvest(Plan(target=None, refresh=Refresh(DAY_US, lists=True)), world, store)
    similar = store.state.similar(2)
    assert similar is not None
    assert similar.neighbours == ((1, 0.9),)
    assert store.state.gone_count == 1
    assert world.asked["similar", 2] == 1


def test_a_list_is_never_asked_for_shorter_than_it_is() -> None:
    store = library({2: 40}, limit=150)
    stale = find_stale(store.state, {}, Refresh(30 * DAY_US, lists=True, neighbours=25), START_US)
    assert stale.lists == {2: 150}


def test_a_batch_that_fails_defers_its_sounds_and_a_later_success_forgets_that() -> None:
    from harvester.errors import FetchFailed

    class Failing(Later):
        async def fetch_records(
            self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
        ) -> RecordsPage:
            raise FetchFailed("the answer is not JSON")

    store = library({1: 40, 2: 40})
    harvest(Plan(target=None, refresh=MONTH), Failing(CLOCK, size=2), store)
    assert set(store.deferrals) == {1, 2}
    world = Later(CLOCK, size=2)
    harvest(Plan(target=None, refresh=MONTH), world, store)
    assert sum(world.asked.values()) == 0
    for sound_id, deferral in list(store.deferrals.items()):
        store.deferrals[sound_id] = type(deferral)(sound_id, deferral.reason, deferral.count, START_US)
    harvest(Plan(target=None, refresh=MONTH), world, store)
    assert store.deferrals == {}
    assert downloads(store) == {1, 2}


def test_a_list_that_comes_first_does_not_displace_a_stale_record() -> None:
    store = library({1: 3, **dict.fromkeys(range(2, 9), 40)})
    world = Later(CLOCK, size=9, reach=8)
    refresh = Refresh(2 * DAY_US, lists=True)
    _, ring = harvest(Plan(target=None, refresh=refresh, concurrency=1), world, store)
    assert downloads(store) >= set(range(1, 9))
    assert (ring.progress.samples, ring.progress.relisted) == (0, 8)
    assert sum(n for (kind, _), n in world.asked.items() if kind == "records") == 1
