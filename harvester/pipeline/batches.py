"""Decide what a batch of records proves about the ids in it.

Owns when an absent id counts as deleted: by repeated absences (`deferral` has the schedule), or by its own resource.
Reads graph and deferrals, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from harvester.model import Deferral, Gone, RecordsPage, is_complete
from harvester.pipeline.deferral import ABSENT, Backoff, deferral_entry, deferral_lines
from harvester.pipeline.messages import (
    AwaitConfirmation,
    Confirmed,
    Defer,
    DetailsClaim,
    DetailsFetched,
    Discover,
    EndDeferral,
    Entry,
    Settle,
    Start,
)
from harvester.pipeline.news import News
from harvester.pipeline.ports import SoundStore
from harvester.pipeline.scope import Scope

INCOMPLETE = "its record lacks core fields"
OTHER_ROWS = "the answer to its batch holds other rows than it counts or was asked for"


@dataclass(frozen=True, slots=True)
class _Lacking:
    """Sounds of a batch without a complete record: deferred or deleted."""

    deferrals: tuple[Deferral, ...]
    deleted: tuple[Gone, ...]


def _ids(those: Iterable[Deferral | Gone]) -> tuple[int, ...]:
    return tuple(one.sound_id for one in those)


class BatchReader:
    """Turns batches of records, and single records, into entries."""

    def __init__(self, store: SoundStore, scope: Scope, news: News, backoff: Backoff) -> None:
        self._store = store
        self._state = store.state
        self._scope = scope
        self._news = news
        self._backoff = backoff

    def details(self, outcome: DetailsFetched) -> Entry:
        """Return the entry of a batch: records found, absent or deleted sounds."""
        claim, page = outcome.claim, outcome.page
        found = {record["id"] for record in page.records if is_complete(record)}
        lacking = self._lacking(claim, page, found)
        absent = tuple(one for one in lacking.deferrals if one.reason == ABSENT)
        waiting = (AwaitConfirmation(_ids(absent), min(one.next_try_at for one in absent)),) if absent else ()
        failed = [one for one in lacking.deferrals if one.reason != ABSENT]
        hits = [sound_id for sound_id in claim.sound_ids if sound_id in found] if self._scope.plan.vectors else []
        return Entry(
            events=(
                *self._news.reread_records(page, claim.sound_ids),
                *self._news.new_records(page.records, page.fetched_at),
                *lacking.deleted,
            ),
            deferrals=lacking.deferrals,
            # Samples are deferred when a re-read fails. Other sounds stay deferred until their list comes.
            undeferred=(*(found & self._store.deferrals.keys() & self._state.processed), *_ids(lacking.deleted)),
            notes=tuple(self._news.hit_notes(self._scope, hits, page)),
            vectors=self._news.vectors(page),
            oddities=page.oddities,
            lines=deferral_lines(failed),
            changes=(
                # Sounds of a list are where distances begin, as the hits of a sweep are.
                Start(tuple(found), first=False) if self._scope.plan.listed_ids else Discover(tuple(found)),
                *(Defer(one.sound_id, one.next_try_at) for one in lacking.deferrals),
                *waiting,
                *((EndDeferral(_ids(lacking.deleted)),) if lacking.deleted else ()),
                Settle(claim),
            ),
        )

    def _lacking(self, claim: DetailsClaim, page: RecordsPage, found: Set[int]) -> _Lacking:
        """Return what becomes of sounds without a complete record in a batch."""
        present = {record["id"] for record in page.records}
        rows = len(page.records) + page.oddities.get("null result", 0)
        # A server that ignores the ids, or cuts its pages, proves no absence.
        proves_absence = present.issubset(claim.sound_ids) and page.count <= rows
        deferrals: list[Deferral] = []
        deleted: list[Gone] = []
        for sound_id in claim.sound_ids:
            if sound_id in found:
                continue
            if sound_id in present:
                deferrals.append(self._backoff.deferral(sound_id, INCOMPLETE, page.fetched_at))
            elif not proves_absence:
                deferrals.append(self._backoff.record_failed(sound_id, OTHER_ROWS, page.fetched_at))
            elif (absence := self._backoff.absence(sound_id, page.fetched_at)) is not None:
                deferrals.append(absence)
            else:
                deleted.append(Gone(sound_id, self._state.stamp(sound_id, "gone_at", page.fetched_at)))
        return _Lacking(tuple(deferrals), tuple(deleted))

    def confirmed(self, outcome: Confirmed) -> Entry:
        """Return the entry of a sound's own resource."""
        claim, sound_id = outcome.claim, outcome.claim.sound_id
        if outcome.record is None:
            return Entry(
                events=(Gone(sound_id, self._state.stamp(sound_id, "gone_at", outcome.fetched_at)),),
                undeferred=self._backoff.if_deferred(sound_id),
                changes=(EndDeferral((sound_id,)), Settle(claim)),
            )
        if not is_complete(outcome.record):
            entry = deferral_entry(claim, self._backoff.deferral(sound_id, INCOMPLETE, outcome.fetched_at))
            return replace(entry, changes=(EndDeferral((sound_id,)), *entry.changes))
        withdrawn = self._news.is_withdrawn(sound_id)
        return Entry(
            events=() if withdrawn else (self._news.seen(outcome.record, outcome.fetched_at),),
            undeferred=self._backoff.if_absent(sound_id),
            changes=(EndDeferral((sound_id,)), Discover((sound_id,)), Settle(claim)),
        )
