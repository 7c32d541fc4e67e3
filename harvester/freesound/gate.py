"""Hold all fetchers back during a limit of the key or an outage.

After a limit the gate opens for all fetchers; pacing spreads their requests. During an outage it lets one probe pass
at a time. Its state changes in steps without `await`, so a cancellation leaves it consistent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harvester.clock import SECOND_US, Clock, Stop, local
from harvester.errors import ApiUnreachable, Stopped
from harvester.freesound.outage import Outage
from harvester.freesound.wire import Transient
from harvester.told import Level, OnTold, Told

LONGEST_SLEEP_S = 300.0
"""A longer wait checks the time this often: timers stand still while the machine is suspended."""
LOGGED_FROM_S = 60
"""A wait longer than this is told at every verbosity."""


class GateClosed(Exception):
    """The gate closed before the request was sent."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why all fetchers wait, and until when (quota time, microseconds)."""

    reason: str
    until_us: int


class Ticket:
    """Permission to send one request, from `Gate.enter` to `Gate.leave`."""

    __slots__ = ()


class Gate:
    """The gate that each request passes; limits and outages close it."""

    def __init__(self, clock: Clock, now_us: Callable[[], int], stop: Stop, outage: Outage, on_event: OnTold) -> None:
        self._clock = clock
        self._now_us = now_us
        self._stop = stop
        self._outage = outage
        self._on_event = on_event
        self._limit: Wait | None = None
        self._probe: Ticket | None = None
        self._final_error = ""
        self.held: set[asyncio.Task[Any] | None] = set()
        """The tasks that wait here now."""
        self._changed = asyncio.Event()

    @property
    def waiting_for(self) -> Wait | None:
        """Why the gate is closed now; None when it is open."""
        limit = None if self._limit is None or self._limit.until_us <= self._now_us() else self._limit
        if not self._outage.is_open:
            return limit
        outage = Wait(f"outage: {self._outage.reason}", self._outage.probe_at_us)
        return outage if limit is None or outage.until_us > limit.until_us else limit

    async def enter(self) -> Ticket:
        """Wait until a request may be sent.

        Raises `Stopped` or `ApiUnreachable`. Call `leave` with the ticket afterwards.
        """
        while True:
            if self._final_error:
                raise ApiUnreachable(self._final_error)
            if self._stop.closed:
                raise Stopped(self._stop.reason)
            wait = self.waiting_for
            if wait is None:
                return Ticket()
            if wait.until_us <= self._now_us() and self._probe is None:
                self._probe = Ticket()
                self._on_event(Told("sending one request to see whether the outage is over", Level.DECISION, "outage"))
                return self._probe
            task = asyncio.current_task()
            self.held.add(task)
            try:
                await self._wait_for_change(wait.until_us)
            finally:
                self.held.discard(task)

    def admits(self, ticket: Ticket) -> bool:
        """Tell whether the gate is still open for this ticket."""
        if self._limit is not None and self._limit.until_us > self._now_us():
            return False
        return not self._final_error and not self._stop.closed and (not self._outage.is_open or ticket is self._probe)

    def leave(self, ticket: Ticket) -> None:
        """Take the ticket back; after a probe, the next fetcher may probe."""
        if ticket is self._probe:
            self._probe = None
            self._notify()

    def close(self, reason: str, until_us: int) -> None:
        """Close for all fetchers until `until_us`; this never shortens a wait."""
        if until_us > max(self._now_us(), self._limit.until_us if self._limit else 0):
            self._limit = Wait(reason, until_us)
            self._tell(self._limit, "limit")
            self._notify()

    def succeeded(self) -> None:
        """Note an answer of the API: it ends an outage."""
        was_open = self._outage.is_open
        self._outage.succeeded()
        if was_open:
            self._on_event(Told("the server answers again", kind="outage"))
            self._notify()

    def failed(self, ticket: Ticket, failure: Transient, *, probe_in_s: int | None = None) -> None:
        """Note a failure that says nothing about the sound.

        `probe_in_s` closes the gate at once, and the next probe may pass after that time. Raises
        `ApiUnreachable` when the outage has lasted too long.
        """
        before_us = self._outage.probe_at_us
        try:
            self._outage.failed(self._now_us(), failure, probe=ticket is self._probe, probe_in_s=probe_in_s)
        except ApiUnreachable as error:
            self._final_error = str(error)
            self._notify()
            raise
        if self._outage.is_open and self._outage.probe_at_us != before_us:
            self._tell(Wait(f"outage: {failure.reason}", self._outage.probe_at_us), "outage")

    def is_probe(self, ticket: Ticket) -> bool:
        """Tell whether this ticket's request probes for the end of an outage."""
        return ticket is self._probe

    @property
    def in_outage(self) -> bool:
        """Whether the gate is closed for an outage."""
        return self._outage.is_open

    def _tell(self, wait: Wait, kind: str) -> None:
        left_s = (wait.until_us - self._now_us()) / SECOND_US
        long = left_s > LOGGED_FROM_S
        when = f"until {local(wait.until_us)}" if long else f"{left_s:.1f} s"
        self._on_event(
            Told(
                f"waiting {when}: {wait.reason}",
                Level.INFO if long else Level.DECISION,
                kind,
                {"until": wait.until_us, "reason": wait.reason},
            )
        )

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait_for_change(self, until_us: int) -> None:
        left_s = (until_us - self._now_us()) / SECOND_US
        waits: list[asyncio.Task[object]] = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._stop.wait()),
        ]
        if left_s > 0:
            waits.append(asyncio.ensure_future(self._clock.sleep(min(left_s, LONGEST_SLEEP_S))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
