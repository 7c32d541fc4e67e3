"""Condition variable: fetchers wait here until the frontier changes.

A notification or a stop wakes all of them. A cancelled fetcher leaves no waiter behind.
"""

from __future__ import annotations

import asyncio

from harvester.clock import SECOND_US, Clock, Stop


class Condition:
    """A condition variable of one event loop, without a lock."""

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
        """Wait for a notification, at most until `until_us`.

        `until_us` is in microseconds UTC; None sets no limit. Raises `Stopped` when the run closes first.
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
