"""Condition variable of the frontier: fetchers without work wait here until the frontier changes.

A notification wakes every fetcher that waits at that moment, and so does a stop. A fetcher that is cancelled leaves no
waiter behind. Does not know what is waited for.
"""

from __future__ import annotations

import asyncio

from harvester.clock import SECOND_US, Clock, Stop


class Condition:
    """Waiting and waking, in steps without `await`; belongs to one event loop."""

    def __init__(self, clock: Clock, stop: Stop) -> None:
        self._clock = clock
        self._stop = stop
        self._waiters: set[asyncio.Future[None]] = set()

    def notify_all(self) -> None:
        """Wake every waiter."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, until_us: int | None) -> None:
        """Return at the next notification, at the latest at `until_us` (microseconds UTC; None: no limit).

        Raises `Stopped` when the run closes first.
        """
        notified: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(notified)
        timer = None if until_us is None else asyncio.create_task(self._notify_at(until_us))
        try:
            await self._stop.unless_closed(notified)
        finally:
            self._waiters.discard(notified)
            if timer is not None:
                timer.cancel()

    async def _notify_at(self, at_us: int) -> None:
        await self._clock.sleep((at_us - self._clock.time_us()) / SECOND_US)
        self.notify_all()
