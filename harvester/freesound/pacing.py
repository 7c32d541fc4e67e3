"""Space the requests of this process: every 60/59 s at level 1.

The limiter's bucket holds one request. A bucket of 60 would let 119 requests through in the first minute, because it
leaks while it fills (measured). The ledger counts the requests of other processes. `SteadyTime` is the time of both.
"""

from __future__ import annotations

from aiolimiter import AsyncLimiter

from harvester.clock import SECOND_US, Clock, Stop
from harvester.errors import Stopped

_MINUTE_S = 60.0
_MARGIN_S = 0.001
"""The ledger rounds to microseconds: rounding must not shorten the space between two stamps."""


class SteadyTime:
    """Quota time: the wall clock at the start, then the monotonic clock.

    A change of the wall clock during a run must neither free slots early nor hold them longer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_us = clock.time_us() - round(clock.monotonic_s() * SECOND_US)

    def now_us(self) -> int:
        """Return the quota time in microseconds."""
        return round(self._clock.monotonic_s() * SECOND_US) + self._offset_us


class Pacing:
    """Hands out turns to send, first come first served."""

    def __init__(self, stop: Stop, burst: int | None) -> None:
        self._stop = stop
        self._burst = burst
        self._limiter = _limiter_for(burst)

    async def turn(self, burst: int | None) -> None:
        """Wait for a turn at `burst` requests a minute; None: without limit.

        Raises `Stopped` when the run closes first. A cancelled wait uses up no turn.
        """
        if burst != self._burst:
            self._burst, self._limiter = burst, _limiter_for(burst)
            if self._limiter is not None:
                # The request sent last counts at the new pace too. The new bucket is empty, so this does not wait.
                await self._limiter.acquire()
        while (limiter := self._limiter) is not None:
            await self._stop.unless_closed(limiter.acquire())
            if limiter is self._limiter:
                return
            # The pace changed during the wait: take a turn at the new one.
        if self._stop.closed:
            raise Stopped(self._stop.reason)


def _limiter_for(burst: int | None) -> AsyncLimiter | None:
    """Return a limiter with at most `burst` requests in any minute."""
    return None if burst is None else AsyncLimiter(1, _MINUTE_S / max(1, burst - 1) + _MARGIN_S)
