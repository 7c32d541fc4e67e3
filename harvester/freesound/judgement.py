"""What an answer means for the gate, for the run and for the sound it was for.

Owns the decision between one odd answer, an outage of everything, and answers that have changed their shape. Keeps: a
failure that may not be its sound's fault carries a doubt; the state machines behind it neither wait nor send.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harvester.clock import SECOND_US
from harvester.errors import AnswerChanged, ApiUnreachable, FetchFailed, RequestRefused
from harvester.freesound.activity import Activity
from harvester.freesound.gate import Gate, Ticket
from harvester.freesound.outage import FIRST_DISTANCE_S, PATIENCE_S, Refusals
from harvester.freesound.question import Question
from harvester.freesound.shape import CoreFields, Evidence, Kind, Shape, Unusable, evidence_of
from harvester.freesound.wire import QuotaRefused, RawResponse, Transient
from harvester.model import RecordsPage, SimilarPage

T = TypeVar("T")


class Judgement:
    """Judges the answers of one run."""

    def __init__(
        self,
        gate: Gate,
        activity: Activity,
        address: str,
        *,
        forever: bool,
        now_us: Callable[[], int],
        on_event: Callable[[str], None],
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

    def of(self, raw: RawResponse, question: Question[T], ticket: Ticket) -> T:
        """Return what an answer was sent for, or raise what it amounts to; the gate is told either way."""
        try:
            result = question.read(raw)
        except Transient as failure:
            raise self.failing(failure, question, ticket) from None
        except QuotaRefused:
            self._gate.succeeded()
            raise
        except Unusable as unusable:
            raise self._unusable(unusable, raw, question, ticket) from None
        except FetchFailed as failed:
            raise self._not_served(failed, question, ticket) from None
        if not question.anonymous:
            evidence = evidence_of(result, first_page=question.is_first_page)
            # A page of nothing but null rows may be honest: its sounds were deleted, and the index does not know yet.
            if isinstance(evidence, Evidence):
                amounts_to = self._unusable(Unusable(evidence, raw.body), raw, question, ticket)
                undecided = isinstance(amounts_to, Unusable)
                if not (undecided and evidence is Evidence.ALL_NULL and question.kind is Kind.SEARCH):
                    raise amounts_to
            elif evidence:
                self._note_useful(question.kind, result)
            elif result is None:
                self._activity.useful[question.kind] += 1
        self._gate.succeeded()
        return result

    def failing(
        self, failure: Transient, question: Question[T], ticket: Ticket, *, distance_s: int | None = None
    ) -> Transient:
        """Note a failure that says nothing about the sound, and return it."""
        self._activity.note_failure(question.kind, failure)
        try:
            self._gate.failed(ticket, failure, distance_s=distance_s)
        except ApiUnreachable:
            self._refusals.doubt.close(concerns_all=True)
            raise
        if failure.delay_s:
            # All fetchers wait: the server speaks for itself, not for one request.
            # Without --forever no wait is longer than PATIENCE_S.
            longest_s = failure.delay_s if self._forever else min(failure.delay_s, PATIENCE_S)
            self._gate.close(
                f"the server asks for a pause: {failure.reason}", self._now_us() + round(longest_s * SECOND_US)
            )
        return failure

    def doubted(self, failed: FetchFailed, question: Question[T]) -> FetchFailed:
        """Return a failure that is final; without a useful answer since the last one, its sound may be innocent."""
        if failed.doubt is None:
            self._refusals.refused(question.key)
            failed.doubt = self._refusals.doubt
        return failed

    def _note_useful(self, kind: Kind, result: object) -> None:
        self._activity.useful[kind] += 1
        self._shape.usable(kind)
        self._refusals.answered()
        if isinstance(result, SimilarPage | RecordsPage):
            for name in self._core_fields.read(result.records, result.oddities):
                self._on_event(
                    f"nearly every record comes without a valid `{name}`: the API may have changed; "
                    "the harvest goes on, incomplete records never replace complete ones"
                )

    def _unusable(
        self, unusable: Unusable, raw: RawResponse, question: Question[T], ticket: Ticket
    ) -> Transient | FetchFailed:
        """Return what an unusable answer amounts to; raises `AnswerChanged` when all of its kind are so by now."""
        kind, gated = question.kind, self._gate.in_outage and not self._gate.is_probe(ticket)
        changed = self._shape.unusable(kind, unusable.evidence, question.key, raw.body)
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
                f"the API at {self._address} has changed: {changed}{kept}; the sounds of these answers wait on, "
                "everything fetched so far is kept; look for a newer harvester, or check --api-url"
            )
        failure = Transient(f"the API has changed: {changed}{kept}", raw.body, systemic=True)
        return self.failing(failure, question, ticket, distance_s=None if gated else self._shape.next_probe_s(kind))

    def _not_served(self, failed: FetchFailed, question: Question[T], ticket: Ticket) -> Transient | FetchFailed:
        """Return what a refusal in the API's own words amounts to: about this request, or an outage of everything."""
        refused = isinstance(failed, RequestRefused)
        if question.is_plain_search or (question.kind is Kind.SEARCH and question.is_first_page and not refused):
            return self.failing(Transient(failed.reason, failed.body, systemic=True), question, ticket)
        if self._refusals.refused(question.key):
            reason = f"every request fails: {failed.reason}"
            distance_s = None if self._gate.in_outage else FIRST_DISTANCE_S
            return self.failing(Transient(reason, failed.body, systemic=True), question, ticket, distance_s=distance_s)
        self._activity.note_failure(question.kind, failed)
        self._gate.succeeded()
        failed.doubt = self._refusals.doubt
        return failed
