"""Decide what a failure means: one sound, an outage or a changed API.

A failure that may not concern its sound carries a `Doubt`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harvester.clock import SECOND_US
from harvester.errors import AnswerChanged, ApiUnreachable, FetchFailed, RequestRefused
from harvester.freesound.activity import Activity
from harvester.freesound.gate import Gate, Ticket
from harvester.freesound.outage import FIRST_INTERVAL_S, LONGEST_OUTAGE_S, Refusals
from harvester.freesound.request import Request
from harvester.freesound.shape import CoreFields, Evidence, Kind, Shape, Unusable, evidence_of
from harvester.freesound.wire import QuotaRefused, RawResponse, Transient
from harvester.model import RecordsPage, SimilarPage
from harvester.told import OnTold, Told

T = TypeVar("T")


class Judgement:
    """Judges each answer of one run; tells the gate and the counters."""

    def __init__(
        self,
        gate: Gate,
        activity: Activity,
        address: str,
        *,
        forever: bool,
        now_us: Callable[[], int],
        on_event: OnTold,
        keep_body: Callable[[bytes], str],
    ) -> None:
        self._gate = gate
        self._activity = activity
        self._address = address
        self._forever = forever
        self._now_us = now_us
        self._on_event = on_event
        self._shape, self._core_fields, self._refusals = Shape(), CoreFields(), Refusals()
        self._keep_body = keep_body
        self._kept_body: str | None = None

    def judge(self, raw: RawResponse, request: Request[T], ticket: Ticket) -> T:
        """Return the data in an answer, or raise its failure."""
        try:
            result = request.read(raw)
        except Transient as transient:
            raise self.note_transient(transient, request, ticket) from None
        except QuotaRefused:
            self._gate.succeeded()
            raise
        except Unusable as unusable:
            raise self._unusable(unusable, raw, request, ticket) from None
        except FetchFailed as failed:
            raise self._refused(failed, request, ticket) from None
        if not request.anonymous:
            evidence = evidence_of(result, first_page=request.is_first_page)
            # A page of null rows may be right: its sounds were deleted, and the index still lists them.
            if isinstance(evidence, Evidence):
                failure = self._unusable(Unusable(evidence, raw.body), raw, request, ticket)
                undecided = isinstance(failure, Unusable)
                if not (undecided and evidence is Evidence.ALL_NULL and request.kind is Kind.SEARCH):
                    raise failure
            elif evidence:
                self._note_useful(request.kind, result)
            elif result is None:
                self._activity.useful[request.kind] += 1
        self._gate.succeeded()
        return result

    def note_transient(
        self, failure: Transient, request: Request[T], ticket: Ticket, *, probe_in_s: int | None = None
    ) -> Transient:
        """Report a failure that says nothing about the sound, and return it."""
        self._activity.note_failure(request.kind, failure)
        try:
            self._gate.failed(ticket, failure, probe_in_s=probe_in_s)
        except ApiUnreachable:
            self._refusals.doubt.close(concerns_all=True)
            raise
        if failure.delay_s:
            # All fetchers wait: a Retry-After is about the server, not about one request.
            # Without --forever no wait is longer than LONGEST_OUTAGE_S.
            longest_s = failure.delay_s if self._forever else min(failure.delay_s, LONGEST_OUTAGE_S)
            self._gate.close(
                f"the server asks for a pause: {failure.reason}", self._now_us() + round(longest_s * SECOND_US)
            )
        return failure

    def with_doubt(self, failed: FetchFailed, request: Request[T]) -> FetchFailed:
        """Add a doubt to a final failure: several may be an outage."""
        if failed.doubt is None:
            self._refusals.refused(request.key)
            failed.doubt = self._refusals.doubt
        return failed

    def _note_useful(self, kind: Kind, result: object) -> None:
        self._activity.useful[kind] += 1
        self._shape.usable(kind)
        self._refusals.answered()
        if isinstance(result, SimilarPage | RecordsPage):
            for name in self._core_fields.read(result.records, result.oddities):
                self._on_event(
                    Told(
                        f"nearly every record comes without a valid `{name}`: the API may have changed; "
                        "the harvest continues; incomplete records never replace complete ones"
                    )
                )

    def _unusable(
        self, unusable: Unusable, raw: RawResponse, request: Request[T], ticket: Ticket
    ) -> Transient | FetchFailed:
        """Return the failure of an answer, or raise `AnswerChanged`."""
        kind, gated = request.kind, self._gate.in_outage and not self._gate.is_probe(ticket)
        changed = self._shape.unusable(kind, unusable.evidence, request.key, raw.body)
        if changed is None:
            self._activity.note_failure(kind, unusable)
            self._gate.succeeded()
            if kind is Kind.SEARCH and unusable.evidence is not Evidence.ALL_NULL:
                return Transient(unusable.reason, raw.body)
            unusable.doubt = self._shape.doubt(kind)
            return unusable
        if self._kept_body is None:
            self._kept_body = self._keep_body(unusable.body)
        kept = f"; one such answer is in {self._kept_body}" if self._kept_body else ""
        if not self._forever:
            raise AnswerChanged(
                f"the API at {self._address} has changed: {changed}{kept}; the affected sounds stay in the queue, "
                "everything fetched so far is kept; install a newer harvester, or check --api-url"
            )
        failure = Transient(f"the API has changed: {changed}{kept}", raw.body, systemic=True)
        return self.note_transient(
            failure, request, ticket, probe_in_s=None if gated else self._shape.next_probe_s(kind)
        )

    def _refused(self, failed: FetchFailed, request: Request[T], ticket: Ticket) -> Transient | FetchFailed:
        """Return the failure of a refused request, perhaps an outage."""
        refused = isinstance(failed, RequestRefused)
        if request.is_plain_search or (request.kind is Kind.SEARCH and request.is_first_page and not refused):
            return self.note_transient(Transient(failed.reason, failed.body, systemic=True), request, ticket)
        if self._refusals.refused(request.key):
            reason = f"every request fails: {failed.reason}"
            probe_in_s = None if self._gate.in_outage else FIRST_INTERVAL_S
            return self.note_transient(
                Transient(reason, failed.body, systemic=True), request, ticket, probe_in_s=probe_in_s
            )
        self._activity.note_failure(request.kind, failed)
        self._gate.succeeded()
        failed.doubt = self._refusals.doubt
        return failed
