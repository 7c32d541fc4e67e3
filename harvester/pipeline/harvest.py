"""One harvest from start to stop: builds the ring, runs it in one task group, ends it in one way.

The order of an end: the run is closed; waiting fetchers leave, those with a request on the wire finish it within the
grace period; the writer drains the queue and checkpoints. Anything else is a crash: resume is the same code as start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from harvester.clock import Clock, Stop
from harvester.errors import HarvesterError
from harvester.model import Event, Known, Seeded, check_sound_id
from harvester.pipeline.admission import admit_known
from harvester.pipeline.doubtful import Doubtful
from harvester.pipeline.fetcher import Search, run_fetcher
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.meaning import Meaning
from harvester.pipeline.messages import Catalogue, Outcome, Store
from harvester.pipeline.order import Distances, order_by
from harvester.pipeline.progress import Progress
from harvester.pipeline.stale import Refresh, Stale, find_stale
from harvester.pipeline.sweep import refuse_large
from harvester.pipeline.walk import walk_again, walk_for
from harvester.pipeline.writer import Writer
from harvester.settings import CONCURRENCY, COUNT, COUNT_FROM_ZERO, SAMPLES_PER_COMMIT


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is to do.

    `target`: samples to add (None: no end). `seed_ids`: sounds to start from. `new_seeds`: whether the seed search is
    asked before anything else (an explicit query or filter); otherwise only when nothing waits. `sweep`: every hit of
    the search is collected first, and only those are linked then. `refresh`: nothing new is looked for, what is stale
    is read again.
    """

    target: int | None = 50
    seed_ids: tuple[int, ...] = ()
    new_seeds: bool = False
    search: Search = field(default_factory=Search)
    order: str = "popular"
    random_seed: int = 0
    sweep: bool = False
    refresh: Refresh | None = None
    concurrency: int = 4
    samples_per_commit: int = SAMPLES_PER_COMMIT
    forever: bool = False
    grace_s: float = 30.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for an id that no sound has and a number that is out of bounds."""
        for sound_id in self.seed_ids:
            check_sound_id(sound_id)
        if self.target is not None:
            COUNT_FROM_ZERO.check("target", self.target)
        CONCURRENCY.check("concurrency", self.concurrency)
        COUNT.check("samples_per_commit", self.samples_per_commit)


class Harvest:
    """The ring of one run. `stop.close(reason)` ends it in order, from a signal handler or anywhere else."""

    def __init__(
        self, plan: Plan, store: Store, catalogue: Catalogue, *, clock: Clock, stop: Stop, progress: Progress
    ) -> None:
        self._plan = plan
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._stop = stop
        self.progress = progress
        self._error: HarvesterError | None = None
        state = store.state
        distances = Distances(state) if plan.order == "breadth" else None
        self._stale = Stale()
        self._search = plan.search
        if plan.refresh is None:
            self._walk = walk_for(plan.search, store, clock.time_us(), sweeping=plan.sweep)
        else:
            self._stale = find_stale(state, store.deferrals, plan.refresh, clock.time_us())
            self._walk = walk_again(self._stale, state)
            self._search = Search(neighbours=plan.refresh.neighbours, lengths=dict(self._stale.lists))
        self.frontier = Frontier(
            target=plan.target,
            order=order_by(plan.order, state, distances, plan.random_seed),
            clock=clock,
            stop=stop,
            most_in_flight=plan.concurrency,
            forever=plan.forever,
            # Explicit seed ids restrict the start to them; otherwise a search can always find more.
            seed_search=not plan.sweep and plan.refresh is None and (not plan.seed_ids or plan.new_seeds),
            seeds_first=plan.new_seeds or next(state.pending(), None) is None,
            sweep=self._walk.sweep,
            wanted=self._walk.wants,
        )
        self._writer = Writer(
            store,
            Meaning(store, self.frontier, self._walk, clock=clock, progress=progress, distances=distances),
            Doubtful(self.frontier),
            clock=clock,
            progress=progress,
            admit=self._admit,
            stop=stop,
            waits_for_space=plan.forever,
            samples_per_commit=plan.samples_per_commit,
        )

    async def run(self) -> str:
        """Harvest until something closes the run, and return the reason.

        Every sample counted is durable by then and the checkpoint is written. A `HarvesterError` (access denied, disk
        full, …) is raised after the same orderly end. A cancellation ends at once: the journal holds what was counted.
        """
        await self._begin()
        outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue(maxsize=2 * self._plan.concurrency)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._guard(self._writer.run(outcomes)))
            await self._fetch_all(outcomes, writing)
        if self._error is None or self._error.exit_code < 20:
            await self._guard(self._writer.checkpoint(stopping=True))
        if self._error is not None:
            raise self._error
        return self._stop.reason

    async def _begin(self) -> None:
        if self._plan.refresh is not None:
            for sound_id in self._stale.records:
                self.frontier.discover(sound_id, has_record=False)
            for sound_id in filter(self._walk.wants, self._stale.lists):
                self.frontier.discover(sound_id, has_record=True)
            return
        sweep = self._walk.sweep
        if sweep is not None and not self._walk.permitted:
            refuse_large(sweep.total)
        seeds = self._plan.seed_ids
        if seeds:
            now_us = self._clock.time_us()
            known = [Known(sound_id, now_us) for sound_id in seeds if sound_id not in self._store.state]
            events: Sequence[Event] = [*known, Seeded(seeds)]
            await self._writer.begin(seeds, events)
        self._admit()
        # Their records are here; what is asked for by their ids is the vector that was lost.
        for sound_id in self._walk.vectorless:
            self.frontier.reread(sound_id)

    def _admit(self) -> None:
        admit_known(self._store, self._walk, self.frontier, self._plan.seed_ids, self._clock.time_us())

    async def _fetch_all(self, outcomes: asyncio.Queue[Outcome | None], writing: asyncio.Task[None]) -> None:
        async with asyncio.TaskGroup() as group:
            fetchers = [
                group.create_task(
                    self._guard(
                        run_fetcher(
                            number,
                            self._catalogue,
                            self._search,
                            self.frontier,
                            outcomes,
                            clock=self._clock,
                            progress=self.progress,
                        )
                    )
                )
                for number in range(self._plan.concurrency)
            ]
            group.create_task(self._end_in_time(fetchers, writing))
        if not writing.done():
            await outcomes.put(None)

    async def _end_in_time(self, fetchers: Sequence[asyncio.Task[None]], writing: asyncio.Task[None]) -> None:
        """Give fetchers the grace period once the run is closed; a writer that failed takes no more outcomes."""
        closing = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({closing, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        grace = asyncio.create_task(self._clock.sleep(self._plan.grace_s))
        everyone = asyncio.gather(*fetchers, return_exceptions=True)
        await asyncio.wait({everyone, grace, *({writing} if writing.done() else ())}, return_when="FIRST_COMPLETED")
        grace.cancel()
        for fetcher in fetchers:
            fetcher.cancel()
        await asyncio.gather(everyone, return_exceptions=True)

    async def _guard(self, work: object) -> None:
        """Await `work`; an error that a person can understand closes the run in order instead of tearing it down."""
        try:
            await work  # type: ignore[misc]
        except HarvesterError as error:
            self._error = self._error or error
            self._stop.close(str(error))
