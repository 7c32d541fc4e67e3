"""Send a request: gate, turn, lease, wire, answer, retry.

The ledger counts each request before it is sent. A stop ends waits, but no request on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from harvester.clock import SECOND_US, Clock, Stop, local
from harvester.counts import counted
from harvester.errors import (
    AccessDenied,
    ApiUnreachable,
    DiskFull,
    FetchFailed,
    PageTooLarge,
    Stopped,
    WrongSource,
)
from harvester.freesound.activity import Activity
from harvester.freesound.gate import Gate, GateClosed, Ticket
from harvester.freesound.http_status import with_date
from harvester.freesound.judgement import Judgement
from harvester.freesound.outage import LONGEST_OUTAGE_S, Outage
from harvester.freesound.pacing import Pacing, SteadyTime
from harvester.freesound.quota import Lease, Ledger, Limits, Quota, Refusal
from harvester.freesound.request import Request
from harvester.freesound.retry import Retry
from harvester.freesound.wire import SANDBOX_HEADER, QuotaRefused, RawResponse, Transient, Transport, TransportFailure
from harvester.told import Fact, Level, OnTold, Told

T = TypeVar("T")
MINUTE_PAUSE_S = 60
"""Pause after a refusal for the minute, doubled with each further one in a row."""
OTHER_PAUSE_S = 15 * 60
LONGEST_PAUSE_S = 30 * 60
SPACE_WAIT_S = 60
"""How often a run with `--forever` tries the ledger again while its disk is full."""


class Sender:
    """Sends requests for all fetchers of one run."""

    def __init__(
        self,
        transport: Transport,
        address: str,
        *,
        clock: Clock,
        stop: Stop,
        ledger: Ledger,
        limits: Limits,
        forever: bool,
        max_requests: int | None,
        rng: Random,
        timeout_s: float,
        on_event: OnTold,
        keep_body: Callable[[bytes], str],
    ) -> None:
        steady = SteadyTime(clock)
        self.activity = Activity()
        self.quota = Quota(ledger, limits, steady.now_us, round(timeout_s * SECOND_US))
        self.gate = Gate(clock, steady.now_us, stop, Outage(address, forever=forever), on_event)
        self.sandbox: str | None = None
        """What the server's sandbox header says: None before the first answer, empty for a server without one."""
        self._transport = transport
        self._address = address
        self._now_us = steady.now_us
        self._stop = stop
        self._forever = forever
        self._max_requests = max_requests
        self._on_event = on_event
        self._pacing = Pacing(stop, limits.burst)
        self._retry = Retry(clock, stop, rng, self._note_retry)
        self._judgement = Judgement(
            self.gate,
            self.activity,
            address,
            forever=forever,
            now_us=steady.now_us,
            on_event=on_event,
            keep_body=keep_body,
        )
        self._refusals_in_a_row = 0
        self._refused_since_us = 0

    async def fetch(self, request: Request[T]) -> T:
        """Send a request, with retries, and return its data.

        Raises `PageTooLarge` when the answer to a divisible request is late, `FetchFailed` when this request will not
        succeed now, `Stopped` when the run closes during a wait, or `AccessDenied`, `ApiUnreachable`, `AnswerChanged`,
        `WrongSource`. A request that is cancelled on the wire stays counted: it may have arrived.
        """
        try:
            return await self._retry.call(self._attempt, request)
        except Transient as failure:
            failed = FetchFailed(failure.reason, failure.body)
        except PageTooLarge:
            raise
        except FetchFailed as failure:
            failed = failure
        self.activity.note_given_up(request.kind, failed)
        raise self._judgement.with_doubt(failed, request)

    async def _attempt(self, request: Request[T]) -> T:
        ticket = await self.gate.enter()
        try:
            lease = None if request.anonymous else await self._next_lease(ticket)
            return self._judge(await self._exchange(request, lease, ticket), request, lease, ticket)
        except QuotaRefused as refused:
            self._note_refusal(refused.refusal, ticket)
            raise
        except Transient as failure:
            # In an outage the failure does not concern this request: it uses up none of its attempts. Nor does it where
            # an idle connection was closed; the pool has few of these, then a new one is opened.
            failure.counted = not (failure.idle or (failure.systemic and self.gate.in_outage))
            if request.divisible and failure.late and not self.gate.in_outage:
                raise PageTooLarge(failure.reason, failure.body) from None
            raise
        finally:
            self.gate.leave(ticket)

    async def _next_lease(self, ticket: Ticket) -> Lease:
        """Wait for a turn and count one request.

        Raises `GateClosed` when the gate closed meanwhile or a window is full.
        """
        asked_us = self._now_us()
        await self._pacing.turn(self.quota.burst_limit())
        waited_s = (self._now_us() - asked_us) / SECOND_US
        if waited_s >= 0.1:
            fields: dict[str, Fact] = {"waited_s": round(waited_s, 3)}
            self._on_event(Told(f"waited {waited_s:.1f} s for its turn to send", Level.DETAIL, "turn", fields))
        if not self.gate.admits(ticket):
            raise GateClosed
        if self._max_requests is not None and self.activity.counted >= self._max_requests:
            self._stop.close(f"{counted(self._max_requests, 'request')} sent, the limit of this run")
            raise Stopped(self._stop.reason)
        try:
            lease = self.quota.lease()
        except DiskFull:
            # A request that cannot be counted is not sent.
            if not self._forever:
                raise
            self.gate.close(
                "no space on the disk for the ledger of requests", self._now_us() + SPACE_WAIT_S * SECOND_US
            )
            raise GateClosed from None
        if lease is None:
            until_us, span = self.quota.free_at()
            self._close_for_quota(until_us, span == "day")
            raise GateClosed
        self.activity.counted += 1
        return lease

    async def _exchange(self, request: Request[T], lease: Lease | None, ticket: Ticket) -> RawResponse:
        self.activity.sent += 1
        self.activity.on_the_wire += 1
        try:
            raw = await self._transport.get(request.path, request.params, anonymous=lease is None)
        except TransportFailure as failure:
            if lease is not None and not failure.sent:
                self.quota.give_back(lease)
            if failure.idle:
                self._on_event(Told(f"{failure.reason}: sending {request.path} again", Level.DETAIL, "connection"))
                raise
            raise self._judgement.note_transient(failure, request, ticket) from None
        finally:
            self.activity.on_the_wire -= 1
        self.activity.answered += 1
        if lease is not None:
            # The server does not count 401 and 429 (API.md §4).
            self.activity.denied += raw.status == 401
            if raw.status in {401, 429}:
                self.quota.give_back(lease)
            else:
                self.quota.answered(lease)
        return raw if raw.status == 200 else with_date(raw, self._now_us())

    def _judge(self, raw: RawResponse, request: Request[T], lease: Lease | None, ticket: Ticket) -> T:
        result = self._judgement.judge(raw, request, ticket)
        self._check_source(raw.headers.get(SANDBOX_HEADER, ""))
        if lease is not None:
            self._refusals_in_a_row = 0
        return result

    def _note_refusal(self, refusal: Refusal, ticket: Ticket) -> None:
        self.activity.refused += 1
        if refusal.kind == "suspended":
            raise AccessDenied(
                f"the API has suspended the key (429: {refusal.detail or 'no reason given'}); "
                "see its state at https://freesound.org/apiv2/apply/, or write to Freesound"
            )
        if not self.gate.admits(ticket):
            return  # sent before an earlier refusal closed the gate
        self.quota.refused(refusal)
        now_us = self._now_us()
        self._refusals_in_a_row += 1
        if self._refusals_in_a_row == 1:
            self._refused_since_us = now_us
        retry_after_us = now_us + round((refusal.retry_after_s or 0.0) * SECOND_US)
        until_us, _ = self.quota.free_at()
        if refusal.kind == "day":
            self._close_for_quota(max(until_us, retry_after_us, now_us + SECOND_US), True)
            return
        if not self._forever and now_us - self._refused_since_us >= LONGEST_OUTAGE_S * SECOND_US:
            raise ApiUnreachable(
                f"{self._address} has refused every request for ten minutes: {refusal.detail}; "
                "everything fetched so far is kept; --forever waits longer"
            )
        first_s = MINUTE_PAUSE_S if refusal.kind == "burst" else OTHER_PAUSE_S
        pause_s = min(LONGEST_PAUSE_S, first_s * 2 ** min(self._refusals_in_a_row - 1, 10))
        if refusal.retry_after_s is not None and self._refusals_in_a_row == 1:
            pause_s = 1
        self.gate.close(
            f"refused by the server: {refusal.detail}", max(until_us, retry_after_us, now_us + pause_s * SECOND_US)
        )

    def _close_for_quota(self, until_us: int, day: bool) -> None:
        if not day:
            self.gate.close(f"the limit of {self.quota.burst_limit()} requests a minute", until_us)
            return
        whose = "" if self.quota.share is None else " (another program uses this key too)"
        if not self._forever:
            self._stop.close(f"quota used up{whose}, next request possible at {local(until_us)}")
            raise Stopped(self._stop.reason)
        self.gate.close(f"quota used up{whose}", until_us)

    def _check_source(self, digest: str) -> None:
        if self.sandbox is not None and digest != self.sandbox:
            raise WrongSource(f"{self._address} changed its catalogue during the run; nothing of the new one was saved")
        self.sandbox = digest

    def _note_retry(self, failure: Transient, attempt: int, wait_s: float) -> None:
        self.activity.retried += 1
        fields: dict[str, Fact] = {"reason": failure.reason, "attempt": attempt, "wait_s": round(wait_s, 3)}
        self._on_event(Told(f"retrying after {failure.reason}", Level.INFO, "retry", fields))
        self._on_event(
            Told(f"attempt {attempt} in {wait_s:.1f} s, after {failure.reason}", Level.DETAIL, "attempt", fields)
        )
