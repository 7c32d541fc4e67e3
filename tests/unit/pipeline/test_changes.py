"""Frontier changes: each does what it declares, and none happens before the journal has committed its entry."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import pytest

from harvester.clock import Stop
from harvester.errors import AnswerChanged, DiskFull, SettingsError
from harvester.graph import SoundGraph
from harvester.model import Deferral, Linked, RecordsPage, Seen, SimilarList, SimilarPage
from harvester.pipeline import messages
from harvester.pipeline.changes import MOST_CONTRADICTIONS, Changes
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import (
    AdvanceSweep,
    AwaitJudgement,
    CheckSweep,
    Close,
    ConfirmClaim,
    Confirmed,
    CountHits,
    Defer,
    DetailsClaim,
    DetailsFetched,
    Discover,
    Enqueue,
    Entry,
    Failed,
    FrontierChange,
    JudgeClaim,
    Judged,
    MarkAsked,
    Outcome,
    Park,
    Release,
    Reread,
    SeedClaim,
    SeedsFetched,
    Settle,
    SettleList,
    SettleSeeds,
    SimilarClaim,
    SimilarFetched,
    Start,
    SweepClaim,
    Swept,
)
from harvester.pipeline.order import Ranking
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import Scope
from harvester.pipeline.sweep import MOST_WITHOUT_PERMISSION
from harvester.pipeline.writer import Writer
from tests.support.listening import lines_to
from tests.support.virtual_time import START_US, VirtualClock, run_virtual
from tests.support.world import MemoryStore, make_record

HOUR_US = 3_600_000_000
RAIN = "tag:rain"


@dataclass
class Ring:
    """Everything that an entry may change: sounds 1 to 5 are in the graph with their records, 9 without one."""

    plan: Plan = field(default_factory=lambda: Plan(target=None, order="breadth", forever=True))
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        state = SoundGraph()
        for sound_id in range(1, 6):
            state.apply(Seen(sound_id, make_record(sound_id), START_US))
        self.store = MemoryStore(state)
        self.clock, self.stop = VirtualClock(), Stop()
        self.scope = Scope(self.plan, self.store, self.clock)
        ranking = Ranking("breadth", state, 0, self.told.append)
        assert ranking.distances is not None
        self.distances = ranking.distances
        self.frontier = Frontier(self.scope, ranking, clock=self.clock, stop=self.stop)
        self.progress = Progress(self.clock, on_event=lines_to(self.told.append))
        self.changes = Changes(
            self.frontier, self.scope, state, stop=self.stop, progress=self.progress, distances=self.distances
        )

    @property
    def state(self) -> SoundGraph:
        return self.store.state

    def apply(self, *changes: FrontierChange) -> None:
        self.changes.apply(changes)

    async def claim_of(self, sound_id: int) -> SimilarClaim:
        """Give the claim of a sound's list, as a fetcher has it."""
        self.apply(Discover((sound_id,)))
        claim = await self.frontier.claim()
        assert claim == SimilarClaim(sound_id)
        return claim

    async def nothing_waits(self) -> bool:
        """Tell whether a fetcher would wait for work now."""
        claiming = asyncio.create_task(self.frontier.claim())
        await asyncio.sleep(0.01)
        waits = not claiming.done()
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)
        return waits

    def picture(self) -> Any:
        """Return all that the pipeline keeps in memory, as plain values."""
        parts = (self.frontier, self.scope, self.distances, self.progress)
        graph = (list(self.state.events()), dict(self.store.deferrals), _plain(self.store.notes))
        return [*map(_plain, parts), graph, list(self.told), self.stop.closed]


def _plain(one: Any) -> Any:
    """Return a copy of an object of the pipeline and of all it holds; what others own stands for itself."""
    if isinstance(one, Mapping):
        return {key: _plain(value) for key, value in one.items()}
    if isinstance(one, list | tuple) or type(one).__name__ == "deque":
        return [_plain(value) for value in one]
    if isinstance(one, set | frozenset):
        return frozenset(one)
    if type(one).__module__.startswith("harvester.pipeline"):
        names = [one.name for one in fields(one)] if is_dataclass(one) else list(vars(one))
        return type(one).__name__, {name: _plain(getattr(one, name)) for name in names}
    return one


# --- each change does what it declares -------------------------------------------------------------------------------


async def discovers_what_the_scope_wants() -> None:
    ring = Ring()
    ring.state.apply(Linked(2, SimilarList((), START_US, 25)))
    ring.apply(Discover((2, 3)))
    assert ring.frontier.waiting == 1
    assert await ring.frontier.claim() == SimilarClaim(3)


async def enqueues_without_asking_the_scope() -> None:
    ring = Ring()
    ring.state.apply(Linked(2, SimilarList((), START_US, 25)))
    ring.apply(Enqueue(2, has_record=False))
    assert await ring.frontier.claim() == DetailsClaim((2,))


async def rereads_by_id_before_the_list() -> None:
    ring = Ring()
    ring.apply(Discover((2,)), Reread(2))
    assert await ring.frontier.claim() == DetailsClaim((2,))


async def awaits_the_servers_judgement() -> None:
    ring = Ring(Plan(target=None, filter=RAIN, seed_ids=(1,)))
    ring.apply(AwaitJudgement(4), AwaitJudgement(3))
    assert ring.frontier.waiting == 0
    assert await ring.frontier.claim() == JudgeClaim((3, 4))


async def starts_at_distance_0_and_puts_seeds_first() -> None:
    ring = Ring()
    ring.apply(Start((4, 2), first=False))
    assert [ring.distances(sound_id) for sound_id in (4, 2, 1)] == [0, 0, float("inf")]
    ring.apply(Start((5,), first=True))
    assert [await ring.frontier.claim() for _ in range(3)] == [SimilarClaim(5), SimilarClaim(2), SimilarClaim(4)]


async def defers_until_a_time_what_the_scope_wants() -> None:
    ring = Ring(Plan(target=None, forever=True, seed_ids=(1,)))
    ring.state.apply(Linked(2, SimilarList((), START_US, 25)))
    due_us = ring.clock.time_us() + HOUR_US
    ring.apply(Discover((3,)), Defer(3, due_us), Defer(2, due_us))
    assert (ring.frontier.waiting, ring.frontier.deferred) == (0, 1)
    assert await ring.frontier.claim() == SimilarClaim(3)
    assert ring.clock.time_us() >= due_us


async def marks_a_list_as_asked_for() -> None:
    ring = Ring()
    assert ring.scope.wants(2)
    ring.apply(MarkAsked(2))
    assert not ring.scope.wants(2)


async def advances_the_sweep() -> None:
    ring = Ring(Plan(target=None, sweep=True, filter=RAIN))
    claim = await ring.frontier.claim()
    assert claim == SweepClaim("", 1)
    assert ring.scope.sweep is not None
    ring.apply(AdvanceSweep(claim, RecordsPage((make_record(1),), 1, has_next=False, fetched_at=START_US)))
    assert (ring.scope.sweep.done, ring.scope.sweep.found, ring.frontier.in_flight) == (True, 1, 1)


async def ends_a_sweep_that_is_too_large() -> None:
    ring = Ring(Plan(target=None, sweep=True, filter=RAIN))
    assert ring.scope.sweep is not None
    ring.scope.sweep.total = MOST_WITHOUT_PERMISSION
    ring.apply(CheckSweep())
    ring.scope.sweep.total += 1
    with pytest.raises(SettingsError, match="50001 sounds"):
        ring.apply(CheckSweep())


async def ends_a_run_of_hits_that_never_match() -> None:
    ring = Ring(Plan(target=None, filter=RAIN))
    ring.apply(CountHits("lists", 0, MOST_CONTRADICTIONS - 1), CountHits("searches", 0, 1))
    with pytest.raises(AnswerChanged, match="sounds in lists matches the filter"):
        ring.apply(CountHits("lists", 0, 1))
    other = Ring(Plan(target=None, filter=RAIN))
    other.apply(CountHits("lists", 1, 0), CountHits("lists", 0, 2 * MOST_CONTRADICTIONS))


async def settles_a_claim_and_confirms_what_was_missing() -> None:
    ring = Ring()
    ring.apply(Enqueue(2, has_record=False), Enqueue(3, has_record=False))
    batch = await ring.frontier.claim()
    ring.apply(Settle(batch, missing=(3,)))
    assert ring.frontier.in_flight == 0
    assert await ring.frontier.claim() == ConfirmClaim(3)


async def settles_a_list_as_a_sample_if_the_graph_took_it_in() -> None:
    ring = Ring()
    ring.apply(Start((1,), first=True))
    first = await ring.frontier.claim()
    ring.state.apply(Linked(1, SimilarList(((2, 0.5),), START_US, 25)))
    ring.apply(SettleList(SimilarClaim(1), relisted=True))
    assert first == SimilarClaim(1)
    assert ring.progress.relisted == 1
    assert (ring.frontier.harvested, ring.progress.samples, ring.frontier.in_flight) == (1, 1, 0)
    assert ring.distances(2) == 1
    refused = await ring.frontier.claim()
    assert refused == SimilarClaim(2)  # nearer to the seed now, so it was discovered
    ring.apply(SettleList(SimilarClaim(2), relisted=False))
    assert (ring.frontier.harvested, ring.progress.samples, ring.frontier.in_flight) == (1, 1, 0)


async def settles_a_seed_page_and_offers_the_next() -> None:
    ring = Ring(Plan(target=None, new_seeds=True, query="rain"))
    claim = await ring.frontier.claim()
    assert claim == SeedClaim(1)
    ring.apply(SettleSeeds(SeedClaim(1), has_next=True))
    assert await ring.frontier.claim() == SeedClaim(2)
    ring.apply(SettleSeeds(SeedClaim(2), has_next=False))
    assert ring.frontier.in_flight == 0
    assert await ring.nothing_waits() is False  # exhausted: the claim raised
    assert ring.stop.reason == "exhausted"


async def parks_a_claim_and_hands_out_others() -> None:
    ring = Ring(Plan(target=None, forever=True, seed_ids=(1,), concurrency=1))
    claim = await ring.claim_of(2)
    ring.apply(Discover((3,)))
    assert await ring.nothing_waits()
    ring.apply(Park(claim), Discover((2,)))
    assert await ring.frontier.claim() == SimilarClaim(3)


async def releases_a_claim_and_lets_its_sound_wait_again() -> None:
    ring = Ring(Plan(target=None, forever=True, seed_ids=(1,)))
    claim = await ring.claim_of(2)
    ring.apply(Release(claim))
    assert (ring.frontier.in_flight, ring.frontier.waiting) == (0, 1)
    assert await ring.frontier.claim() == claim


async def closes_the_run() -> None:
    ring = Ring()
    ring.apply(Close("the search found nothing"))
    assert ring.stop.reason == "the search found nothing"


DECLARED: dict[type, Callable[[], Coroutine[Any, Any, None]]] = {
    Discover: discovers_what_the_scope_wants,
    Enqueue: enqueues_without_asking_the_scope,
    Reread: rereads_by_id_before_the_list,
    AwaitJudgement: awaits_the_servers_judgement,
    Start: starts_at_distance_0_and_puts_seeds_first,
    Defer: defers_until_a_time_what_the_scope_wants,
    MarkAsked: marks_a_list_as_asked_for,
    AdvanceSweep: advances_the_sweep,
    CheckSweep: ends_a_sweep_that_is_too_large,
    CountHits: ends_a_run_of_hits_that_never_match,
    Settle: settles_a_claim_and_confirms_what_was_missing,
    SettleList: settles_a_list_as_a_sample_if_the_graph_took_it_in,
    SettleSeeds: settles_a_seed_page_and_offers_the_next,
    Park: parks_a_claim_and_hands_out_others,
    Release: releases_a_claim_and_lets_its_sound_wait_again,
    Close: closes_the_run,
}


@pytest.mark.parametrize("change", typing.get_args(FrontierChange), ids=lambda change: change.__name__)
def test_each_frontier_change_is_applied_as_declared(change: type) -> None:
    run_virtual(DECLARED[change]())


def test_an_unchanged_neighbour_keeps_its_place_and_a_renewed_one_may_better_it() -> None:
    async def main() -> None:
        ring = Ring()
        ring.apply(Discover((2, 3)))
        ring.distances.start([2, 3])
        ring.apply(Discover((2, 3), unchanged=frozenset({2})))
        assert await ring.frontier.claim() == SimilarClaim(3)

    run_virtual(main())


def test_entries_and_changes_are_frozen_data_without_a_function_in_them() -> None:
    for kind in (Entry, *typing.get_args(FrontierChange), *typing.get_args(messages.Claim)):
        assert kind.__dataclass_params__.frozen, kind
        assert not [one.name for one in fields(kind) if "Callable" in str(one.type)], kind


# --- nothing changes before the commit has returned ------------------------------------------------------------------


def _page(*sound_ids: int, **options: Any) -> RecordsPage:
    records = tuple(make_record(sound_id) for sound_id in sound_ids)
    return RecordsPage(records, len(sound_ids), has_next=False, fetched_at=START_US + 9, **options)


def _list(sound_id: int, *neighbours: int) -> SimilarFetched:
    scored = tuple((neighbour, 0.5) for neighbour in neighbours)
    records = tuple(make_record(neighbour) for neighbour in neighbours)
    page = SimilarPage(sound_id, scored, records, len(neighbours), START_US + 9, {"no score": 1})
    return SimilarFetched(SimilarClaim(sound_id), page, 25)


FILTERED = Plan(target=None, forever=True, filter=RAIN, seed_ids=(1,))
SWEPT = Plan(target=None, forever=True, filter=RAIN, sweep=True)

OUTCOMES: dict[str, tuple[Outcome, Plan | None]] = {
    "a list": (_list(1, 2, 8), None),
    "a list under a filter": (_list(1, 2, 8), FILTERED),
    "a list without a usable neighbour": (
        SimilarFetched(SimilarClaim(1), SimilarPage(1, (), (), 3, START_US + 9, {"no score": 3}), 25),
        None,
    ),
    "records, one of them missing": (DetailsFetched(DetailsClaim((8, 9)), _page(8, oddities={"null result": 1})), None),
    "seeds": (SeedsFetched(SeedClaim(1), _page(7, 8)), None),
    "a last page of a sweep": (Swept(SweepClaim("", 1), _page(7, 8, oddities={"null result": 1})), SWEPT),
    "a sweep without a hit": (Swept(SweepClaim("", 1), _page()), SWEPT),
    "a sweep too large": (
        Swept(SweepClaim("", 1), RecordsPage((make_record(7),), 60_000, has_next=True, fetched_at=START_US + 9)),
        SWEPT,
    ),
    "a judgement": (Judged(JudgeClaim((2, 3)), _page(2)), FILTERED),
    "a sound that is gone": (Confirmed(ConfirmClaim(2), None, START_US + 9), None),
    "a sound that is there": (Confirmed(ConfirmClaim(9), make_record(9), START_US + 9), None),
    "a failure": (Failed(SimilarClaim(1), "the answer is not JSON"), None),
}


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("case", OUTCOMES)
def test_nothing_changes_before_the_commit_has_returned(
    case: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, plan = OUTCOMES[case]

    async def main() -> None:
        ring = Ring(plan) if plan else Ring(Plan(target=None, order="breadth", seed_ids=(1,)))
        ring.store.deferrals[2] = Deferral(2, "why", 1, START_US)
        ring.apply(Start((1,), first=True), Discover((3, 4)))
        if isinstance(outcome.claim, SweepClaim):
            assert await ring.frontier.claim() == outcome.claim
        else:
            ring.frontier._mark_in_flight(outcome.claim)
        writer = Writer(ring.store, ring.scope, ring.changes, clock=ring.clock, stop=ring.stop, progress=ring.progress)
        before, at_the_commit = ring.picture(), []
        append = ring.store.append

        def watched(*written: Any) -> None:
            at_the_commit.append(ring.picture())
            if fails:
                ring.stop.close("so that a run for ever does not wait for space")
                raise DiskFull("no space left on the disk")
            append(*written)

        monkeypatch.setattr(ring.store, "append", watched)
        outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue()
        for one in (outcome, None):
            outcomes.put_nowait(one)
        if fails:
            with pytest.raises(DiskFull):
                await writer.run(outcomes)
            assert ring.picture()[:-1] == before[:-1]
        elif case == "a sweep too large":
            with pytest.raises(SettingsError, match="60000"):
                await writer.run(outcomes)
        else:
            await writer.run(outcomes)
        assert at_the_commit == [before]
        assert (ring.picture()[:-1] != before[:-1]) is not fails

    run_virtual(main())
