"""One request after the other at an even pace: never a burst, whatever the limit of the minute.

Owns the spacing between sends of this process. A bucket of 60 lets about 119 requests through in one minute, because
it leaks while it fills (measured); so the bucket holds one, and turns come window / (burst - 1) apart: 60/59 s at
level 1. Knows no ledger: what a minute still holds over all processes is quota's business.
"""

from __future__ import annotations

import asyncio

from aiolimiter import AsyncLimiter

from harvester.clock import Clock, Stop
from harvester.errors import Stopped

_MINUTE_S = 60.0
_MARGIN_S = 0.001
"""So much later than the limiter would allow it, so that one look at it is enough."""


class Pacing:
    """Hands out turns to send, first come first served."""

    def __init__(self, clock: Clock, stop: Stop, burst: int | None) -> None:
        self._clock = clock
        self._stop = stop
        self._queue = asyncio.Lock()
        self._last_turn_s = -_MINUTE_S
        self._burst: int | None = None
        self._limiter: AsyncLimiter | None = None
        self.limit_to(burst)

    @property
    def spacing_s(self) -> float:
        """Seconds between two turns; 0 without a limit."""
        return 0.0 if self._burst is None else _MINUTE_S / max(1, self._burst - 1)

    def limit_to(self, burst: int | None) -> None:
        """Pace for `burst` requests a minute from the next turn on, also for those who wait already."""
        if burst == self._burst and (burst is None) == (self._limiter is None):
            return
        self._burst = burst
        self._limiter = None if burst is None else AsyncLimiter(1, self.spacing_s)

    async def turn(self) -> None:
        """Wait for a turn; raises `Stopped` when the run closes first. Cancelled, it leaves the turn to the next."""
        if self._limiter is not None:
            await self._stop.unless_closed(self._next_turn())
            return
        if self._stop.closed:
            raise Stopped(self._stop.reason)
        self._last_turn_s = self._clock.monotonic_s()

    async def _next_turn(self) -> None:
        async with self._queue:
            while not self._is_due():
                due_s = self._last_turn_s + self.spacing_s + _MARGIN_S
                # The wait goes through the clock, a minute at most so that a change of pace is soon seen; the
                # limiter alone decides.
                wait_s = min(max(due_s - self._clock.monotonic_s(), _MARGIN_S), _MINUTE_S)
                await self._clock.sleep(wait_s)
            if self._limiter is not None:
                await self._limiter.acquire()
            self._last_turn_s = self._clock.monotonic_s()

    def _is_due(self) -> bool:
        if self._limiter is None:
            return True
        spaced = self._clock.monotonic_s() >= self._last_turn_s + self.spacing_s
        return spaced and self._limiter.has_capacity()
