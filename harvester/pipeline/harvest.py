"""Run one harvest from start to stop, in one task group.

A run ends in this order: the stop is closed; waiting fetchers return; fetchers with a request on the wire finish it
within the grace period; the writer empties the queue and writes the checkpoint. Any other end is a crash: resuming is
the same code as starting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from harvester.clock import Clock, Stop
from harvester.errors import HarvesterError
from harvester.pipeline.changes import Changes
from harvester.pipeline.fetcher import run_fetcher
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import Outcome
from harvester.pipeline.order import Ranking
from harvester.pipeline.plan import Plan
from harvester.pipeline.ports import SoundApi, SoundStore
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import scope_of
from harvester.pipeline.writer import Writer


class Harvest:
    """The pipeline of one run; `stop.close(reason)` ends it in order."""

    def __init__(
        self, plan: Plan, store: SoundStore, api: SoundApi, *, clock: Clock, stop: Stop, progress: Progress
    ) -> None:
        self._plan = plan
        self._api = api
        self._clock = clock
        self._stop = stop
        self.progress = progress
        self._error: HarvesterError | None = None
        self._scope = scope_of(plan, store, clock)
        ranking = Ranking(plan.order, store.state, plan.random_seed, progress.tell)
        self.frontier = Frontier(self._scope, ranking, clock=clock, stop=stop, quota_left=api.quota_left)
        self._writer = Writer(
            store,
            self._scope,
            Changes(self.frontier, self._scope, store.state, stop=stop, progress=progress, distances=ranking.distances),
            clock=clock,
            stop=stop,
            progress=progress,
        )

    @property
    def rereads(self) -> bool:
        """Whether the run fetches known records again."""
        return self._scope.rereads

    async def run(self) -> str:
        """Harvest until the run is closed; return the reason.

        Then every counted sample is durable and the checkpoint is written. Raises a `HarvesterError` (access denied,
        disk full, …) after the same orderly end, in which the checkpoint may have failed too. A cancellation ends the
        run at once; the journal holds every counted sample.
        """
        await self._writer.begin()
        outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue(maxsize=2 * self._plan.concurrency)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._guard(self._writer.run(outcomes)))
            await self._fetch_all(outcomes, writing)
        self.progress.tell_absent()
        await self._guard(self._writer.checkpoint(stopping=True))
        if self._error is not None:
            raise self._error
        return self._stop.reason

    async def _fetch_all(self, outcomes: asyncio.Queue[Outcome | None], writing: asyncio.Task[None]) -> None:
        async with asyncio.TaskGroup() as group:
            fetchers = [
                group.create_task(
                    self._guard(
                        run_fetcher(
                            number,
                            self._api,
                            self._scope,
                            self.frontier,
                            outcomes,
                            clock=self._clock,
                            progress=self.progress,
                        )
                    )
                )
                for number in range(self._plan.concurrency)
            ]
            group.create_task(self._stop_fetchers(fetchers, writing))
        if not writing.done():
            await outcomes.put(None)

    async def _stop_fetchers(self, fetchers: Sequence[asyncio.Task[None]], writing: asyncio.Task[None]) -> None:
        """Cancel fetchers a grace period after the run is closed.

        Cancel them at once when the writer has failed: it takes no more outcomes.
        """
        closing = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({closing, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        grace = asyncio.create_task(self._clock.sleep(self._plan.grace_s))
        returned = asyncio.gather(*fetchers, return_exceptions=True)
        await asyncio.wait({returned, grace, *({writing} if writing.done() else ())}, return_when="FIRST_COMPLETED")
        grace.cancel()
        for fetcher in fetchers:
            fetcher.cancel()
        await asyncio.gather(returned, return_exceptions=True)

    async def _guard(self, work: object) -> None:
        """Await `work`; let a `HarvesterError` close the run in order."""
        try:
            await work  # type: ignore[misc]
        except HarvesterError as error:
            self._error = self._error or error
            self._stop.close(str(error))
