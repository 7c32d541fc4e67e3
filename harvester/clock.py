"""Time as an argument: only this module reads a clock or waits.

Pacing, ledger, retry, backups and the sandbox's throttle take a `Clock`; tests pass a virtual one. `Stop` ends every
wait in progress when the run is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from harvester.errors import SettingsError, Stopped

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
LATEST_US = 253_402_300_799 * SECOND_US
"""The end of the year 9999: `datetime` has no later dates."""

EARLIEST_US, LAST_US = 1_704_067_200 * SECOND_US, 4_102_444_800 * SECOND_US
"""2024 and 2100: a machine whose clock is before or after has not set it yet."""

_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)

T = TypeVar("T")


class Clock(Protocol):
    """Wall time, monotonic time and sleep, which a test can replace."""

    def time_us(self) -> int:
        """Return the wall clock in microseconds since 1970, UTC; it may jump."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds since some start, on a clock that never goes back."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds; return at once if it is not positive."""
        ...


class SystemClock:
    """The clock of this machine."""

    def time_us(self) -> int:
        """Return the wall clock in integer microseconds since 1970, UTC."""
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        """Return seconds since boot, if possible with suspended time."""
        # Quotas go on while a laptop is suspended, which CLOCK_MONOTONIC does not count.
        return time.clock_gettime(_BOOT_CLOCK) if _BOOT_CLOCK is not None else time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds; return at once if it is not positive."""
        await asyncio.sleep(max(0.0, delay_s))


def check_clock(now_us: int) -> None:
    """Raise `SettingsError` for a time before 2024 or after 2099.

    A library takes the later of two stamps for the newer record, so one run with such a clock would decide for years.
    """
    if not EARLIEST_US <= now_us < LAST_US:
        shown = iso(now_us) if 0 <= now_us <= LATEST_US else "a time after the year 9999"
        raise SettingsError(f"the clock of this machine says {shown}: set it first; nothing was changed")


class Stop:
    """A run's end: after `close(reason)`, every wait raises `Stopped`.

    The first reason is kept; later calls change nothing. Not thread-safe: it belongs to one event loop.
    """

    def __init__(self) -> None:
        self._closed = asyncio.Event()
        self._guarded: set[asyncio.Future[Any]] = set()
        self.reason = ""
        self.by_person = False
        """Whether a person, or a signal of the system, asked for the end."""

    @property
    def closed(self) -> bool:
        """Whether the run is closed."""
        return self._closed.is_set()

    def close(self, reason: str, *, by_person: bool = False) -> None:
        """Close the run: end every wait in progress with `Stopped(reason)`.

        `by_person`: a person, or a signal of the system, asked for it.
        """
        if not self.closed:
            self.reason, self.by_person = reason, by_person
            self._closed.set()
            for future in self._guarded:
                if not future.done():
                    future.set_exception(Stopped(reason))

    async def wait(self) -> str:
        """Wait until the run is closed and return the reason."""
        await self._closed.wait()
        return self.reason

    async def unless_closed(self, awaitable: Awaitable[T]) -> T:
        """Await the result; if the run closes, cancel it and raise `Stopped`."""
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
        """Do the same for a future without two tasks: waits are frequent."""
        if self.closed and not future.done():
            future.cancel()
            raise Stopped(self.reason)
        self._guarded.add(future)
        try:
            return await future
        finally:
            self._guarded.discard(future)
            if future.done() and not future.cancelled():
                future.exception()  # marks it as retrieved, even if this wait was cancelled


@asynccontextmanager
async def closing_in_time(stop: Stop, clock: Clock, limit_s: float | None) -> AsyncIterator[None]:
    """Close `stop` once the block has lasted `limit_s`; None: never."""

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


def is_stamp(value: object) -> bool:
    """Tell whether `value` is an integer from 0 to `LATEST_US`, no bool."""
    return type(value) is int and 0 <= value <= LATEST_US


def local(stamp_us: int) -> str:
    """Return a stamp in the local time zone: `2026-11-22 16:29:12 CET`."""
    return datetime.fromtimestamp(stamp_us // SECOND_US).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def local_iso(stamp_us: int) -> str:
    """Return a stamp as local ISO 8601: `2026-11-22T16:29:12.345678+01:00`."""
    seconds, rest = divmod(stamp_us, SECOND_US)
    then = datetime.fromtimestamp(seconds).astimezone().replace(microsecond=rest)
    return then.isoformat(timespec="microseconds")


def iso(stamp_us: int) -> str:
    """Return a stamp as ISO 8601 in UTC: `2026-11-22T15:29:12Z`."""
    return datetime.fromtimestamp(stamp_us // SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_iso(stamp_us: int) -> str:
    """Return a stamp as `2026-11-22T15:29:12.345678Z`, in UTC."""
    seconds, rest = divmod(stamp_us, SECOND_US)
    return f"{iso(seconds * SECOND_US)[:-1]}.{rest:06}Z"


def stamp_of(moment: str) -> int:
    """Return the stamp of a moment in ISO 8601 with its zone.

    Raises `ValueError` for any other text.
    """
    then = datetime.fromisoformat(moment)
    if then.tzinfo is None:
        raise ValueError(f"{moment} names no zone")
    return (then - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
