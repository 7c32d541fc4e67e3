"""Download files: gate, turn, wire, answer, retry.

The order is the sender's, without key and ledger: Freesound counts requests to its API only. One gate stops all
downloads of a run in an outage, and when the server asks for a pause.
"""

from __future__ import annotations

from random import Random

from harvester.clock import SECOND_US, Clock, Stop
from harvester.errors import ApiUnreachable, FetchFailed
from harvester.freesound.file_transport import FileSink, FileTransport
from harvester.freesound.gate import Gate, GateClosed, Ticket
from harvester.freesound.http_status import foreign, read_retry_after, with_date
from harvester.freesound.outage import LONGEST_OUTAGE_S, Outage, OutageWords, Refusals
from harvester.freesound.pacing import Pacing, SteadyTime
from harvester.freesound.quota import Refusal
from harvester.freesound.retry import Retry
from harvester.freesound.wire import QuotaRefused, RawResponse, Transient
from harvester.told import Fact, Level, OnTold, Told

FIRST_PAUSE_S = 60
"""Pause after a 429 without Retry-After, doubled with each further one in a row."""


class FileLost(FetchFailed):
    """The server says that it has no such file."""


class Downloads:
    """Downloads files for one run, at most `per_minute` requests a minute.

    `host` names the server in messages. `per_minute` None: without limit.
    """

    def __init__(
        self,
        transport: FileTransport,
        host: str,
        *,
        clock: Clock,
        stop: Stop,
        per_minute: int | None,
        rng: Random,
        on_event: OnTold,
    ) -> None:
        steady = SteadyTime(clock)
        # The limiter spaces `burst - 1` requests a minute evenly.
        self._burst = None if per_minute is None else per_minute + 1
        self._transport = transport
        self._host = host
        self._stop = stop
        self._now_us = steady.now_us
        self._on_event = on_event
        self._gate = Gate(clock, steady.now_us, stop, Outage(host, forever=False, words=_WORDS), on_event)
        self._pacing = Pacing(stop, self._burst)
        self._retry = Retry(clock, stop, rng, lambda *_: None)
        self._refusals = Refusals()
        self._pauses = 0
        self._paused_since_us = 0
        self._reached = self._met_foreign = False
        self.sent = 0
        """The requests so far, without those that follow a redirect."""

    async def fetch(self, address: str, sink: FileSink) -> RawResponse:
        """Download a file into `sink`, with retries; return the answer.

        Each attempt begins the sink again. Raises `FileLost` when the server has no such file, `FetchFailed` when the
        file does not come now, `Stopped` when the run closes, `ApiUnreachable`, or what the sink raises.
        """
        try:
            return await self._retry.call(self._attempt, address, sink)
        except Transient as failure:
            failed = FetchFailed(failure.reason, failure.body)
        raise failed

    async def _attempt(self, address: str, sink: FileSink) -> RawResponse:
        ticket = await self._gate.enter()
        try:
            await self._pacing.turn(self._burst)
            if not self._gate.admits(ticket):
                raise GateClosed
            self.sent += 1
            try:
                raw = await self._stop.unless_closed(self._transport.fetch(address, sink))
            except Transient as failure:
                self._tell(address, failure.reason, {"reason": failure.reason})
                raise self._note_transient(failure, ticket) from None
            self._tell(address, f"HTTP {raw.status}", {"status": raw.status})
            return self._judge(with_date(raw, self._now_us()), address, ticket)
        finally:
            self._gate.leave(ticket)

    def _judge(self, raw: RawResponse, address: str, ticket: Ticket) -> RawResponse:
        if raw.status == 429:
            raise self._paused(raw, ticket)
        if raw.status >= 500 or raw.status == 408:
            systemic = raw.status in {502, 503, 504}
            failure = Transient(f"HTTP {raw.status}", systemic=systemic, delay_s=read_retry_after(raw))
            raise self._note_transient(failure, ticket)
        if raw.status < 400 and raw.status != 200:
            raise self._note_transient(foreign(raw), ticket)
        self._gate.succeeded()
        self._reached, self._pauses = True, 0
        if raw.status == 200:
            self._refusals.answered()
            return raw
        if raw.status in {404, 410}:
            raise FileLost(f"HTTP {raw.status}")
        if self._refusals.refused(address):
            raise ApiUnreachable(
                f"{self._host} refuses every file (HTTP {raw.status}); everything fetched is kept: try again later, or "
                "check whether this network is blocked"
            )
        raise FetchFailed(f"HTTP {raw.status}")

    def _note_transient(self, failure: Transient, ticket: Ticket) -> Transient | FetchFailed:
        if failure.foreign and not self._reached and not self._met_foreign:
            # A second file tells whether this is the host: one alone must not end each run before the others come.
            self._met_foreign = True
            return FetchFailed(failure.reason)
        if failure.idle:
            failure.counted = False
            return failure
        self._gate.failed(ticket, failure)
        if failure.delay_s:
            pause_s = min(failure.delay_s, LONGEST_OUTAGE_S)
            self._gate.close(f"the server asks for a pause: {failure.reason}", self._after(pause_s))
        failure.counted = not (failure.systemic and self._gate.in_outage)
        return failure

    def _paused(self, raw: RawResponse, ticket: Ticket) -> QuotaRefused:
        """Close the gate after a 429, and return its exception."""
        asked_s = read_retry_after(raw)
        refused = QuotaRefused(Refusal("unknown", None, asked_s, ""))
        if not self._gate.admits(ticket):
            return refused  # sent before an earlier refusal closed the gate
        now_us = self._now_us()
        self._pauses += 1
        if self._pauses == 1:
            self._paused_since_us = now_us
        if now_us - self._paused_since_us >= LONGEST_OUTAGE_S * SECOND_US:
            raise ApiUnreachable(
                f"{self._host} has refused every file for ten minutes (HTTP 429); everything fetched is kept: "
                "try again later, with a smaller --per-minute"
            )
        pause_s = FIRST_PAUSE_S * 2 ** min(self._pauses - 1, 4) if asked_s is None else max(1.0, asked_s)
        self._gate.close("the server asks for a pause: HTTP 429", self._after(min(pause_s, LONGEST_OUTAGE_S)))
        return refused

    def _after(self, seconds: float) -> int:
        return self._now_us() + round(seconds * SECOND_US)

    def _tell(self, address: str, what: str, fields: dict[str, Fact]) -> None:
        self._on_event(Told(f"GET {address}: {what}", Level.REQUEST, "request", {"address": address, **fields}))


_WORDS = OutageWords(
    what="Freesound's host of files", advice="check the network, and whether it requires a login", waits=""
)
