"""The bell of the frontier: whoever finds no work waits for it, and every change of the frontier rings it.

Keeps: a ring wakes everyone who waits at that moment; a stop wakes them too; nobody who was cancelled is left behind.
Must not know what is waited for.
"""

from __future__ import annotations

import asyncio

from harvester.clock import SECOND_US, Clock, Stop


class Bell:
    """Rung in steps without `await`; belongs to one event loop."""

    def __init__(self, clock: Clock, stop: Stop) -> None:
        self._clock = clock
        self._stop = stop
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake everyone who waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, until_us: int | None) -> None:
        """Return at the next ring, at `until_us` at the latest (microseconds UTC; None: whenever it rings).

        Raises `Stopped` when the run closes first.
        """
        rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(rung)
        timer = None if until_us is None else asyncio.create_task(self._ring_at(until_us))
        try:
            await self._stop.unless_closed(rung)
        finally:
            self._waiters.discard(rung)
            if timer is not None:
                timer.cancel()

    async def _ring_at(self, at_us: int) -> None:
        await self._clock.sleep((at_us - self._clock.time_us()) / SECOND_US)
        self.ring()
