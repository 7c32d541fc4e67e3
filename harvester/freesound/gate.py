"""The one gate before the API: open, or closed for all fetchers alike until a time that can be asked for.

Owns the reason why no fetcher may send now: a limit of the key, or an outage. After a limit the gate opens for all
(pacing spreads them); after an outage it lets one probe pass and stays closed for the rest until that one is answered.
Must not know HTTP or the ledger. Changed in steps without `await`, so a cancellation anywhere leaves it usable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from harvester.clock import SECOND_US, Clock, Stop, iso
from harvester.errors import ApiUnreachable, Stopped
from harvester.freesound.outage import Outage
from harvester.freesound.wire import Transient

LONGEST_NAP_S = 300.0
"""Long waits look at the time again this often: a suspended machine's timers do not count what it slept."""
TOLD_FROM_S = 60
"""A wait longer than this is told in one line."""


class GateClosed(Exception):
    """The gate closed before the request was sent."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What everybody waits for, in words, and until when (quota time, microseconds)."""

    reason: str
    until_us: int


@dataclass(slots=True, eq=False)
class Ticket:
    """Leave to send one request, given by `Gate.enter`, returned by `Gate.leave`."""

    probe: bool = False


class Gate:
    """Closed by limits and outages; every fetcher passes it before every request."""

    def __init__(
        self, clock: Clock, now_us: Callable[[], int], stop: Stop, outage: Outage, on_event: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._now_us = now_us
        self._stop = stop
        self._outage = outage
        self._on_event = on_event
        self._limit: Wait | None = None
        self._probe: Ticket | None = None
        self._broken = ""
        self._changed = asyncio.Event()

    @property
    def waiting_for(self) -> Wait | None:
        """What keeps the gate closed now; None when it is open."""
        limit = None if self._limit is None or self._limit.until_us <= self._now_us() else self._limit
        if not self._outage.is_open:
            return limit
        outage = Wait(f"outage: {self._outage.reason}", self._outage.probe_at_us)
        return outage if limit is None or outage.until_us > limit.until_us else limit

    async def enter(self) -> Ticket:
        """Wait until a request may be sent; raises `Stopped` or `ApiUnreachable`. Give the ticket back to `leave`."""
        while True:
            if self._broken:
                raise ApiUnreachable(self._broken)
            if self._stop.closed:
                raise Stopped(self._stop.reason)
            wait = self.waiting_for
            if wait is None:
                return Ticket()
            if wait.until_us <= self._now_us() and self._probe is None:
                self._probe = Ticket(probe=True)
                return self._probe
            await self._wait_for_change(wait.until_us)

    def admits(self, ticket: Ticket) -> bool:
        """Tell whether the gate has stayed open for the holder of this ticket."""
        if self._limit is not None and self._limit.until_us > self._now_us():
            return False
        return not self._broken and not self._stop.closed and (not self._outage.is_open or ticket is self._probe)

    def leave(self, ticket: Ticket) -> None:
        """Take the ticket back; an unanswered probe's turn passes to the next."""
        if ticket is self._probe:
            self._probe = None
            self._notify()

    def close(self, reason: str, until_us: int) -> None:
        """Close for all until `until_us`; a closing that ends earlier than the present one changes nothing."""
        if until_us > max(self._now_us(), self._limit.until_us if self._limit else 0):
            self._limit = Wait(reason, until_us)
            self._tell(self._limit)
            self._notify()

    def succeeded(self) -> None:
        """Note that the server answers: an outage is over, and all may send again."""
        was_open = self._outage.is_open
        self._outage.succeeded()
        if was_open:
            self._on_event("the API answers again")
            self._notify()

    def failed(self, ticket: Ticket, failure: Transient, *, distance_s: int | None = None) -> None:
        """Note a failure that says nothing about the sound; raises `ApiUnreachable` when it was one too many.

        With `distance_s` the gate is closed at once, and the next probe may pass that much later.
        """
        before_us = self._outage.probe_at_us
        try:
            self._outage.failed(self._now_us(), failure, probe=ticket is self._probe, distance_s=distance_s)
        except ApiUnreachable as error:
            self._broken = str(error)
            self._notify()
            raise
        if self._outage.is_open and self._outage.probe_at_us != before_us:
            self._tell(Wait(f"outage: {failure.reason}", self._outage.probe_at_us))

    def is_probe(self, ticket: Ticket) -> bool:
        """Tell whether the holder of this ticket probes for the end of an outage."""
        return ticket is self._probe

    @property
    def in_outage(self) -> bool:
        return self._outage.is_open

    def _tell(self, wait: Wait) -> None:
        if wait.until_us - self._now_us() > TOLD_FROM_S * SECOND_US:
            self._on_event(f"waiting until {iso(wait.until_us)}: {wait.reason}")

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
            waits.append(asyncio.ensure_future(self._clock.sleep(min(left_s, LONGEST_NAP_S))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
