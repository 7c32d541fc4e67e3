"""Time as an argument: the one place where the harvester reads a clock or waits.

Pacing, ledger, retry, backups and the sandbox's throttle are handed a `Clock`; tests hand them a virtual
one. `Stop` ends every such wait when the run is closed. Knows nothing of what is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from harvester.errors import Stopped

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
LATEST_US = 253_402_300_799 * SECOND_US
"""The end of the year 9999: of later stamps no date can be written."""

_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)

T = TypeVar("T")


class Clock(Protocol):
    """Wall time, monotonic time and sleep, together so that a test can replace all three at once."""

    def time_us(self) -> int:
        """Return the wall clock as integer microseconds since 1970, UTC. May jump."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never goes back, from an arbitrary start."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds (at once when it is not positive)."""
        ...


class SystemClock:
    """The clock of this machine."""

    def time_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        # Where it exists, the clock that also counts the time a laptop was asleep: quotas go on rolling then.
        return time.clock_gettime(_BOOT_CLOCK) if _BOOT_CLOCK is not None else time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(0.0, delay_s))


class Stop:
    """The one way a run ends: `close(reason)` once, and every wait in progress raises `Stopped`.

    The first reason stands; later calls change nothing. Not thread-safe: it belongs to one event loop.
    """

    def __init__(self) -> None:
        self._closed = asyncio.Event()
        self._guarded: set[asyncio.Future[Any]] = set()
        self.reason = ""
        self.by_person = False
        """Whether a person, or the system for one, asked for the end."""

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def close(self, reason: str, *, by_person: bool = False) -> None:
        if not self.closed:
            self.reason, self.by_person = reason, by_person
            self._closed.set()
            for future in self._guarded:
                if not future.done():
                    future.set_exception(Stopped(reason))

    async def wait(self) -> str:
        """Return the reason as soon as the run is closed."""
        await self._closed.wait()
        return self.reason

    async def unless_closed(self, awaitable: Awaitable[T]) -> T:
        """Return what `awaitable` gives, or cancel it and raise `Stopped` when the run closes first."""
        if isinstance(awaitable, asyncio.Future) and not isinstance(awaitable, asyncio.Task):
            future: asyncio.Future[T] = awaitable
            return await self._future_unless_closed(future)
        task: asyncio.Future[T] = asyncio.ensure_future(awaitable)
        closing = asyncio.ensure_future(self._closed.wait())
        try:
            waits: set[asyncio.Future[Any]] = {task, closing}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Stopped(self.reason)
        finally:
            for pending in (task, closing):
                pending.cancel()
            await asyncio.gather(task, closing, return_exceptions=True)

    async def _future_unless_closed(self, future: asyncio.Future[T]) -> T:
        """The same without two tasks for each wait: sixteen fetchers wait for one writer many times a sample."""
        if self.closed and not future.done():
            future.cancel()
            raise Stopped(self.reason)
        self._guarded.add(future)
        try:
            return await future
        finally:
            self._guarded.discard(future)
            if future.done() and not future.cancelled():
                future.exception()  # seen, even if this wait was cancelled meanwhile


@asynccontextmanager
async def closing_in_time(stop: Stop, clock: Clock, limit_s: float | None) -> AsyncIterator[None]:
    """Close `stop` once the block has lasted `limit_s` seconds; None: never."""

    async def close() -> None:
        if limit_s is not None:
            await clock.sleep(limit_s)
            stop.close("time limit reached")

    timer = asyncio.ensure_future(close())
    try:
        yield
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)


def iso(stamp_us: int) -> str:
    """Return a stamp in microseconds as ISO 8601 in UTC, whole seconds: `2026-11-22T15:29:12Z`."""
    return datetime.fromtimestamp(stamp_us / SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
