"""The ring from seeds to checkpoint, in virtual time, against a small world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from harvester.clock import Stop, closing_in_time
from harvester.errors import DiskFull, FetchFailed, HarvesterError
from harvester.graph import SoundGraph
from harvester.model import Known, RecordsPage, Seen, SimilarPage
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from tests.support.listening import lines_to
from tests.support.virtual_time import START_US, VirtualClock, run_virtual
from tests.support.world import MemoryStore, World, make_record

CLOCK = VirtualClock()


def harvest(
    plan: Plan,
    world: World,
    store: MemoryStore,
    beside: Callable[[Stop], Awaitable[None]] | None = None,
    told: Callable[[str], None] | None = None,
) -> tuple[str, Harvest]:
    """Run one harvest in virtual time, with `beside` running next to it."""

    async def main() -> tuple[str, Harvest]:
        stop = Stop()
        progress = Progress(CLOCK, plan.target, lines_to(told) if told else None)
        ring = Harvest(plan, store, world, clock=CLOCK, stop=stop, progress=progress)
        other = asyncio.ensure_future(beside(stop)) if beside else None
        reason = await ring.run()
        if other is not None:
            await other
        return reason, ring

    return run_virtual(main())


def test_a_run_makes_exactly_as_many_samples_as_it_was_asked_for() -> None:
    for concurrency in (1, 4, 8):
        world, store = World(CLOCK, size=40), MemoryStore()
        reason, ring = harvest(Plan(target=10, concurrency=concurrency), world, store)
        assert reason == "target reached"
        assert len(store.state.processed) == ring.frontier.harvested == 10
        assert sum(n for (kind, _), n in world.asked.items() if kind == "similar") == 10


def test_a_later_run_goes_on_where_the_last_one_stopped_and_asks_nothing_twice() -> None:
    world, store = World(CLOCK, size=40), MemoryStore()
    harvest(Plan(target=10), world, store)
    harvest(Plan(target=10), world, store)
    assert len(store.state.processed) == 20
    assert max(n for (kind, _), n in world.asked.items() if kind == "similar") == 1
    assert world.asked["search", 1] == 1  # the second run has a frontier: no seed search


def test_a_run_without_target_ends_when_everything_reachable_is_a_sample() -> None:
    world, store = World(CLOCK, size=23), MemoryStore()
    reason, _ = harvest(Plan(target=None, concurrency=5), world, store)
    assert reason == "exhausted"
    assert store.state.processed == set(range(1, 24))
    assert all(store.state.has_record(sound_id) for sound_id in store.state.graph)


def test_lists_are_fetched_concurrently_but_never_by_more_fetchers_than_asked() -> None:
    world = World(CLOCK, size=40)
    harvest(Plan(target=30, concurrency=4), world, MemoryStore())
    assert world.most_on_wire == 4


def test_what_is_counted_was_journaled_before_the_graph_saw_it() -> None:
    world, store = World(CLOCK, size=20), MemoryStore()
    harvest(Plan(target=None), world, store)
    replayed = SoundGraph()
    for event in store.journal:
        replayed.apply(event)
    assert replayed.processed == store.state.processed
    assert set(replayed.graph.edges) == set(store.state.graph.edges)


def test_the_last_thing_a_run_does_is_a_checkpoint() -> None:
    store = MemoryStore()
    harvest(Plan(target=5), World(CLOCK), store)
    assert store.log[-1] == "checkpoint"


def test_explicit_seeds_come_before_what_waits_from_earlier_runs() -> None:
    world, store = World(CLOCK, size=40), MemoryStore()
    harvest(Plan(target=3, concurrency=1), world, store)
    harvest(Plan(target=2, seed_ids=(33, 31), concurrency=4), world, store)
    assert {31, 33} <= store.state.processed
    assert len(store.state.processed) == 5
    assert world.asked["records", (33, 31)] == 1


def test_a_seed_that_does_not_exist_becomes_a_tombstone_only_after_its_own_resource_denied_it() -> None:
    world, store = World(CLOCK, size=10), MemoryStore()
    reason, ring = harvest(Plan(target=5, seed_ids=(999,)), world, store)
    assert reason == "exhausted"
    assert world.asked["records", (999,)] == 1
    assert world.asked["sound", 999] == 1
    assert "gone_at" in store.state.attributes(999)
    assert ring.progress.gone == 1


def test_a_gone_sound_is_never_asked_for_again() -> None:
    world, store = World(CLOCK, size=10), MemoryStore()
    harvest(Plan(target=5, seed_ids=(999,)), world, store)
    before = world.asked.copy()
    harvest(Plan(target=5, seed_ids=(999, 1)), world, store)
    assert not [key for key in world.asked - before if 999 in (key[1] if isinstance(key[1], tuple) else (key[1],))]


def test_a_failed_list_is_deferred_and_another_sound_takes_its_place() -> None:
    world, store = World(CLOCK, size=40, fails={1: 99}), MemoryStore()
    _, ring = harvest(Plan(target=10), world, store)
    assert len(store.state.processed) == 10
    assert 1 not in store.state.processed
    assert ring.progress.deferred == 1
    assert store.deferrals[1].count == 1
    assert store.deferrals[1].next_try_at > CLOCK_START
    assert "JSON" in store.deferrals[1].reason


def test_a_deferred_sound_is_left_alone_until_it_is_due_and_then_tried_by_itself() -> None:
    world, store = World(CLOCK, size=5, fails={1: 1}), MemoryStore()
    reason, _ = harvest(Plan(target=None), world, store)
    assert reason == "exhausted"
    assert store.state.processed == {2, 3, 4, 5}

    world, store = World(CLOCK, size=5, fails={1: 2}), MemoryStore()
    harvest(Plan(target=5, forever=True), world, store)
    assert store.state.processed == {1, 2, 3, 4, 5}
    assert world.asked["similar", 1] == 3
    assert store.deferrals == {}


def test_an_empty_list_of_a_young_sound_is_deferred_and_of_an_old_one_is_a_sample() -> None:
    old, store = World(CLOCK, size=5, empty={2}), MemoryStore()
    harvest(Plan(target=None), old, store)
    assert 2 in store.state.processed

    young, store = World(CLOCK, size=5, empty={2}, created="2026-09-20T00:00:00Z"), MemoryStore()
    harvest(Plan(target=None), young, store)
    assert 2 not in store.state.processed
    assert "young" in store.deferrals[2].reason


def test_a_partial_record_from_a_list_is_completed_before_its_sound_is_a_sample() -> None:
    world, store = World(CLOCK, size=12, partial={4, 7}), MemoryStore()
    harvest(Plan(target=None, seed_ids=(1,)), world, store)
    assert store.state.processed == set(range(1, 13))
    assert all(store.state.has_record(sound_id) for sound_id in store.state.graph)


def test_pages_of_the_seed_search_are_read_only_when_nothing_else_waits() -> None:
    world, store = World(CLOCK, size=23, reach=0), MemoryStore()
    reason, _ = harvest(Plan(target=12), world, store)
    assert reason == "target reached"
    assert world.asked["search", 3] == 1
    assert world.asked["search", 4] == 0


def test_an_orderly_stop_keeps_what_was_on_the_wire() -> None:
    async def stop_soon(stop: Stop) -> None:
        await asyncio.sleep(1.05)
        stop.close("asked to stop")

    world, store = World(CLOCK, size=400, latency_s=0.3), MemoryStore()
    reason, ring = harvest(Plan(target=None, concurrency=4), world, store, stop_soon)
    assert reason == "asked to stop"
    asked = {what for (kind, what) in world.asked if kind == "similar"}
    assert asked == store.state.processed
    assert ring.frontier.in_flight == 0
    assert store.log[-1] == "checkpoint"


def test_a_request_that_outlasts_the_grace_period_is_given_up_and_its_sound_waits_again() -> None:
    async def stop_soon(stop: Stop) -> None:
        await asyncio.sleep(0.5)
        stop.close("asked to stop")

    world, store = World(CLOCK, size=400, latency_s=0.2), MemoryStore()
    world.fails = {}
    slow = replace(world, latency_s=1000.0)
    _, ring = harvest(Plan(target=None, seed_ids=(1,), grace_s=5), slow, store, stop_soon)
    assert ring.frontier.in_flight == 0
    assert store.state.processed == set()
    assert list(store.state.pending()) == [1]


def test_the_time_limit_closes_the_run_in_order() -> None:
    async def for_ten_seconds(stop: Stop) -> None:
        async with closing_in_time(stop, CLOCK, 10):
            await stop.wait()

    world, store = World(CLOCK, size=4000), MemoryStore()
    reason, _ = harvest(Plan(target=None), world, store, beside=for_ten_seconds)
    assert reason == "time limit reached"
    assert store.log[-1] == "checkpoint"


def test_a_full_disk_ends_the_run_with_everything_committed_kept() -> None:
    world, store = World(CLOCK, size=400), MemoryStore()
    store.fail_append, store.fail_after = DiskFull("no space left"), 60
    with pytest.raises(DiskFull):
        harvest(Plan(target=None, concurrency=8), world, store)
    replayed = SoundGraph()
    for event in store.journal:
        replayed.apply(event)
    assert replayed.processed == store.state.processed


def test_a_run_for_ever_waits_for_space_asks_nothing_meanwhile_and_goes_on() -> None:
    world, store = World(CLOCK, size=400), MemoryStore()
    store.fail_append, store.fail_after = DiskFull("no space left"), 60
    asked_while_full: list[int] = []

    async def make_room(stop: Stop) -> None:
        await asyncio.sleep(100)
        asked_while_full.append(world.asked.total())
        await asyncio.sleep(1000)
        asked_while_full.append(world.asked.total())
        store.fail_append = None

    harvest(Plan(target=300, forever=True, concurrency=8), world, store, make_room)
    assert len(store.state.processed) == 300
    assert asked_while_full[0] == asked_while_full[1]
    assert max(n for (kind, _), n in world.asked.items() if kind == "similar") == 1


def test_a_run_that_waits_for_space_still_ends_when_it_is_asked_to() -> None:
    async def stop_later(stop: Stop) -> None:
        await asyncio.sleep(500)
        stop.close("asked to stop")

    world, store = World(CLOCK, size=400), MemoryStore()
    store.fail_append, store.fail_after = DiskFull("no space left"), 60
    with pytest.raises(DiskFull):
        harvest(Plan(target=None, forever=True), world, store, stop_later)


def test_an_error_of_the_whole_run_ends_it_in_order_and_is_raised_once() -> None:
    class Denied(World):
        async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
            if len(self.asked) > 6:
                raise HarvesterError("the key was refused")
            return await super().fetch_similar(sound_id, limit, filter=filter)

    store = MemoryStore()
    with pytest.raises(HarvesterError, match="refused"):
        harvest(Plan(target=None, concurrency=4), Denied(CLOCK, size=100), store)
    assert store.state.processed


def test_a_bug_in_a_fetcher_tears_the_run_down_instead_of_hanging_it() -> None:
    class Buggy(World):
        async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        harvest(Plan(target=None, concurrency=4), Buggy(CLOCK, size=100), MemoryStore())


def test_group_commit_never_exceeds_the_samples_allowed_in_one_commit() -> None:
    world, store = World(CLOCK, size=200), MemoryStore()
    harvest(Plan(target=100, concurrency=16, samples_per_commit=4), world, store)
    appends = [entry for entry in store.log if entry.startswith("append")]
    assert 100 / 4 <= len(appends) < 100


@pytest.mark.parametrize("order", ["popular", "breadth", "random"])
def test_every_order_visits_everything_and_repeats_itself(order: str) -> None:
    visits = []
    for _ in range(2):
        world, store = World(CLOCK, size=30), MemoryStore()
        harvest(Plan(target=None, seed_ids=(11,), order=order, random_seed=3, concurrency=1), world, store)
        visits.append([what for (kind, what) in world.asked if kind == "similar"])
    assert visits[0] == visits[1]
    assert sorted(visits[0]) == list(range(1, 31))


def test_breadth_visits_nearer_sounds_first() -> None:
    world, store = World(CLOCK, size=30, reach=2), MemoryStore()
    harvest(Plan(target=None, seed_ids=(11,), order="breadth", concurrency=1), world, store)
    visited = [what for (kind, what) in world.asked if kind == "similar"]
    steps = [((what - 11) % 30 + 1) // 2 for what in visited]
    assert steps == sorted(steps)


def test_popular_visits_the_most_downloaded_waiting_sound_first() -> None:
    world, store = World(CLOCK, size=30, reach=4), MemoryStore()
    harvest(Plan(target=6, seed_ids=(20,), order="popular", concurrency=1), world, store)
    visited = [what for (kind, what) in world.asked if kind == "similar"]
    assert visited == [20, 21, 22, 23, 24, 25]


def test_the_filter_and_the_length_of_a_list_are_kept_with_it() -> None:
    store = MemoryStore()
    plan = Plan(target=2, filter="tag:rain", neighbours=2, new_seeds=True)
    harvest(plan, World(CLOCK), store)
    sample = min(store.state.processed)
    similar = store.state.similar(sample)
    assert similar is not None
    assert (similar.filter, similar.limit, len(similar.neighbours)) == ("tag:rain", 2, 2)


CLOCK_START = 1_790_000_000_000_000


@pytest.mark.parametrize("failed_after_s", [0.15, 0.2, 0.25])
def test_a_record_that_cannot_be_read_leaves_no_deferral_where_a_list_brought_it(failed_after_s: float) -> None:
    class SlowRecords(World):
        async def fetch_records(
            self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
        ) -> RecordsPage:
            await asyncio.sleep(failed_after_s)
            raise FetchFailed("the answer is not JSON")

    store = MemoryStore()
    store.state.apply(Seen(1, make_record(1), START_US))
    store.state.apply(Known(2, START_US))
    # The list of 1 comes after 0.1 s with the record of 2, that of 2 after 0.2 s: before, with or after the failure.
    reason, _ = harvest(Plan(target=2, samples_per_commit=8), SlowRecords(CLOCK, size=2), store)
    assert (reason, store.state.processed) == ("target reached", {1, 2})
    assert store.deferrals == {}
    assert store.kept_deferrals == {}


def test_a_backup_that_is_due_in_the_middle_of_a_run_comes_alone_and_the_end_writes_both() -> None:
    store, told = MemoryStore(checkpoint_every=3, backup_every=0), list[str]()
    harvest(Plan(target=5, concurrency=1), World(CLOCK, size=40), store, told=told.append)
    written = [line for line in store.log if not line.startswith("append")]
    assert written[:4] == ["backup", "backup", "checkpoint and backup", "backup"]
    assert written[-1] == "checkpoint and backup"
    kinds = {line.split(":")[0]: line.split()[-2:] for line in told if " sounds, " in line}
    assert kinds == {"backup": ["2", "kB"], "checkpoint and backup": ["3", "kB"]}
