"""Outcomes that wait together: samples share one commit and mean what they would have meant one by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from harvester.clock import DAY_US, Stop
from harvester.graph import SoundGraph
from harvester.model import Gone, Known, Linked, Record, RecordsPage, Seen, SimilarPage
from harvester.pipeline.changes import Changes
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.messages import (
    ConfirmClaim,
    Confirmed,
    DetailsClaim,
    DetailsFetched,
    Failed,
    Outcome,
    SimilarClaim,
    SimilarFetched,
)
from harvester.pipeline.order import Ranking
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import Scope
from harvester.pipeline.writer import Writer
from tests.support.virtual_time import START_US, VirtualClock, run_virtual
from tests.support.world import MemoryStore, World, make_record

LATER_US = START_US + 1_000_000


def list_of(sound_id: int, *records: Record, fetched_at: int = LATER_US) -> SimilarFetched:
    scored = tuple((record["id"], 0.5) for record in records)
    page = SimilarPage(sound_id, scored, records, len(records), fetched_at)
    return SimilarFetched(SimilarClaim(sound_id), page, 25)


def write(
    store: MemoryStore, outcomes: Sequence[Outcome], samples_per_commit: int = 16, waiting_ids: Sequence[int] = ()
) -> tuple[Progress, Frontier]:
    """Let the writer take outcomes that all wait already, each of a claim that is out; `waiting_ids` await lists."""

    async def main() -> tuple[Progress, Frontier]:
        clock, stop = VirtualClock(), Stop()
        scope = Scope(Plan(target=None, forever=True, samples_per_commit=samples_per_commit), store, clock)
        frontier = Frontier(
            scope, Ranking("popular", store.state, 0, print), clock=clock, stop=stop, quota_left=lambda: None
        )
        for outcome in outcomes:
            frontier._mark_in_flight(outcome.claim)
        for sound_id in waiting_ids:
            frontier.discover(sound_id, has_record=True)
        progress = Progress(clock)
        changes = Changes(frontier, scope, store.state, stop=stop, progress=progress, distances=None)
        writer = Writer(store, scope, changes, clock=clock, stop=stop, progress=progress)
        waiting: asyncio.Queue[Outcome | None] = asyncio.Queue()
        for following in (*outcomes, None):
            waiting.put_nowait(following)
        await writer.run(waiting)
        return progress, frontier

    return run_virtual(main())


def known_sounds(*sound_ids: int) -> MemoryStore:
    state = SoundGraph()
    for sound_id in sound_ids:
        state.apply(Seen(sound_id, make_record(sound_id), START_US))
    return MemoryStore(state)


def records_written(store: MemoryStore) -> list[int]:
    return [event.sound_id for event in store.journal if isinstance(event, Seen)]


def test_samples_that_wait_together_share_a_commit() -> None:
    store = known_sounds(1, 2, 3)
    write(store, [list_of(sound_id, make_record(9)) for sound_id in (1, 2, 3)])
    assert sum(entry.startswith("append") for entry in store.log) == 1
    assert store.state.processed == {1, 2, 3}


def test_a_record_that_two_samples_of_a_commit_bring_is_written_once() -> None:
    store = known_sounds(1, 2)
    outcomes = [list_of(1, make_record(8), make_record(9)), list_of(2, make_record(9), make_record(7))]
    progress, _ = write(store, outcomes)
    assert records_written(store) == [8, 9, 7]
    assert (progress.new_nodes, progress.new_edges, progress.renewed) == (3, 4, 0)


def test_a_record_that_tells_more_than_the_one_before_it_in_a_commit_is_written_too() -> None:
    partial = make_record(9)
    del partial["previews"]
    store = known_sounds(1, 2, 3)
    write(store, [list_of(1, partial), list_of(2, make_record(9)), list_of(3, make_record(9, bpm=120))])
    assert records_written(store) == [9, 9, 9]
    assert store.state.record(9) == make_record(9, bpm=120)


@pytest.mark.parametrize("samples_per_commit", [1, 16])
def test_a_failed_read_defers_no_sound_whose_record_came_with_a_list_before_it(samples_per_commit: int) -> None:
    store = known_sounds(1)
    store.state.apply(Known(9, START_US))
    write(store, [list_of(1, make_record(9)), Failed(DetailsClaim((9,)), "the answer is not JSON")], samples_per_commit)
    assert store.state.has_record(9)
    assert store.deferrals == store.kept_deferrals == {}


@pytest.mark.parametrize("samples_per_commit", [1, 16])
def test_a_tombstone_stands_over_a_record_that_waited_with_it(samples_per_commit: int) -> None:
    store = known_sounds(1)
    store.state.apply(Known(9, START_US))
    tombstone = Confirmed(ConfirmClaim(9), None, LATER_US)
    write(store, [list_of(1, make_record(9), fetched_at=LATER_US + 5), tombstone], samples_per_commit)
    assert not store.state.is_pending(9)
    assert [event.gone_at for event in store.journal if isinstance(event, Gone)] == [LATER_US + 6]


def test_whatever_waits_together_ends_as_it_would_one_by_one() -> None:
    stale = make_record(3, num_downloads=1)
    ended = []
    for samples_per_commit in (1, 2, 16):
        store = known_sounds(1, 2, 3, 4, 5)
        store.state.apply(Known(9, START_US))
        outcomes: list[Outcome] = [
            list_of(1, make_record(9), make_record(2), stale),
            list_of(2, make_record(1), make_record(9)),
            DetailsFetched(DetailsClaim((9, 8)), RecordsPage((make_record(8),), 1, False, LATER_US + 2)),
            list_of(3, make_record(8), make_record(2)),
            list_of(4),
            Failed(SimilarClaim(5), "the answer is not JSON"),
        ]
        write(store, outcomes, samples_per_commit)
        ended.append((list(store.state.events()), store.deferrals, Counter(records_written(store))))
    assert ended[0] == ended[1] == ended[2]


def test_a_harvest_writes_no_record_twice_whatever_waits_together() -> None:
    for samples_per_commit in (1, 16):
        clock, store = VirtualClock(), MemoryStore()

        async def main(store: MemoryStore, clock: VirtualClock, share: int) -> None:
            plan, stop = Plan(target=60, concurrency=16, samples_per_commit=share), Stop()
            world = World(clock, size=200, reach=6)
            await Harvest(plan, store, world, clock=clock, stop=stop, progress=Progress(clock, 60)).run()

        run_virtual(main(store, clock, samples_per_commit))
        assert len(store.state.processed) == sum(isinstance(event, Linked) for event in store.journal) == 60
        assert max(Counter(records_written(store)).values()) == 1


def test_a_record_that_came_along_betters_the_place_of_a_sound_that_waits() -> None:
    store = known_sounds(1, 2, 3)
    store.state.apply(Seen(9, make_record(9, num_downloads=0), START_US - 2 * DAY_US))
    _, frontier = write(store, [list_of(1, make_record(9, num_downloads=5000), make_record(3))], waiting_ids=(2, 3, 9))
    assert [frontier._next() for _ in range(3)] == [SimilarClaim(9), SimilarClaim(2), SimilarClaim(3)]
