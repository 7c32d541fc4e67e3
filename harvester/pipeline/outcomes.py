"""Decide what each outcome means: what to journal and what to change.

Owns what a missing or an empty answer proves; `news` decides what to journal, `deferral` when to retry. Reads graph,
notes and deferrals, changes nothing: the writer does, after the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harvester.clock import Clock
from harvester.errors import AnswerChanged
from harvester.filters import contradicts, join_filters
from harvester.model import Known, Linked, Note, Record, Seeded, SimilarList, is_complete
from harvester.pipeline.batches import BatchReader
from harvester.pipeline.deferral import Backoff, deferral_entry
from harvester.pipeline.frontier import NO_HITS
from harvester.pipeline.messages import (
    AdvanceSweep,
    CheckSweep,
    Close,
    ConfirmClaim,
    Confirmed,
    CountHits,
    Decided,
    DetailsClaim,
    DetailsFetched,
    Discover,
    EndDeferral,
    Entry,
    Failed,
    FrontierChange,
    JudgeClaim,
    Judged,
    MarkAsked,
    Outcome,
    Reread,
    SeedsFetched,
    Settle,
    SettleList,
    SettleSeeds,
    SimilarClaim,
    SimilarFetched,
    Start,
    Swept,
)
from harvester.pipeline.news import News
from harvester.pipeline.ports import SoundStore
from harvester.pipeline.scope import DIFFERS, MATCHES, PLACE, Scope

UNUSABLE = "no usable neighbour in its similar list"
CONTRADICTION = "does not match the filter"
OTHER_USER = "is of another user, whose name holds the words of the name"
SEARCHES, LISTS = "the results of the search", "the similar lists"


class OutcomeReader:
    """Turns the outcomes of one run into entries."""

    def __init__(self, store: SoundStore, scope: Scope, clock: Clock) -> None:
        self._state = store.state
        self._scope = scope
        self._clock = clock
        self._news = News(store)
        self._backoff = Backoff(store)
        self._batches = BatchReader(store, scope, self._news, self._backoff)

    def read(self, outcome: Outcome) -> Entry:
        """Return the entry of an outcome; may raise `AnswerChanged`."""
        entry = self._read(outcome)
        if (
            self._scope.plan.listed_ids
            and isinstance(outcome, (DetailsFetched, Failed))
            and isinstance(outcome.claim, DetailsClaim)
        ):
            entry = self._with_unknown(entry, outcome.claim)
        if isinstance(outcome, (Confirmed, Failed, Decided)):
            return entry
        # Whatever brings the record of an absent sound ends its absence.
        back = tuple(
            one["id"] for one in outcome.page.records if is_complete(one) and self._backoff.if_absent(one["id"])
        )
        if not back:
            return entry
        return replace(entry, undeferred=(*entry.undeferred, *back), changes=(EndDeferral(back), *entry.changes))

    def _with_unknown(self, entry: Entry, claim: DetailsClaim) -> Entry:
        """Return the entry with the sounds of a list that the library lacked.

        Also those without a record: they have deferrals, so that no later run asks about them too early.
        """
        unknown = tuple(sound_id for sound_id in claim.sound_ids if sound_id not in self._state)
        if not unknown:
            return entry
        now_us = self._clock.time_us()
        known = (Known(sound_id, now_us) for sound_id in unknown)
        return replace(entry, events=(*known, *entry.events, Seeded(unknown)))

    def _read(self, outcome: Outcome) -> Entry:
        match outcome:
            case SimilarFetched():
                return self._similar(outcome)
            case DetailsFetched():
                return self._batches.details(outcome)
            case SeedsFetched():
                return self._seeds(outcome)
            case Judged():
                return self._judged(outcome)
            case Swept():
                return self._swept(outcome)
            case Confirmed():
                return self._batches.confirmed(outcome)
            case Decided(claim):
                return Entry(changes=(Settle(claim),))
            case Failed(claim, reason):
                return self._failed(claim, reason)

    def _failed(self, claim: SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim, reason: str) -> Entry:
        if isinstance(claim, JudgeClaim):
            line = f"cannot tell which of {len(claim.sound_ids)} sounds match ({reason}): the next run retries"
            return Entry(lines=(line,), changes=(Settle(claim),))
        if isinstance(claim, ConfirmClaim):
            return Entry(changes=(Settle(claim),))  # it is deferred as absent
        now_us = self._clock.time_us()
        if isinstance(claim, SimilarClaim):
            return deferral_entry(claim, self._backoff.deferral(claim.sound_id, reason, now_us))
        # A record that came with a similar list meanwhile needs no retry.
        lacking = [one for one in claim.sound_ids if self._scope.rereads or not self._state.has_record(one)]
        return deferral_entry(claim, *(self._backoff.record_failed(one, reason, now_us) for one in lacking))

    def _seeds(self, outcome: SeedsFetched) -> Entry:
        claim, page = outcome.claim, outcome.page
        seeds, oddities = self._matching(page.records, page.oddities)
        found_nothing = claim.page == 1 and not page.records and not (page.count and page.has_next)
        # The user asked for certain sounds: do not fetch others instead.
        closing = (Close(NO_HITS),) if found_nothing else ()
        return Entry(
            events=(*self._news.new_records(page.records, page.fetched_at), Seeded(seeds)),
            # Without these notes a later run would have to ask which waiting sounds match.
            notes=tuple(self._news.new_notes(self._scope.filter_topic, seeds, MATCHES)) if self._scope.filter else (),
            oddities=oddities,
            changes=(
                *closing,
                Start(seeds, first=True),
                SettleSeeds(claim, page.has_next),
                *self._count_hits(SEARCHES, seeds, page.records),
            ),
        )

    def _swept(self, outcome: Swept) -> Entry:
        scope, claim, page = self._scope, outcome.claim, outcome.page
        assert scope.sweep is not None
        if claim.window and page.records and all(contradicts(claim.window, record) for record in page.records):
            raise AnswerChanged(
                f"none of the {len(page.records)} sounds on page {claim.page} of the sweep matches {claim.window}: the "
                "server ignores the filter; what was read before is kept; the next run fetches this page again"
            )
        records, others = self._by_users(page.records)
        hits, oddities = self._matching(records, page.oddities, within=claim.window)
        oddities.update({OTHER_USER: others} if others else {})
        taken = set(hits)
        ahead = scope.sweep.after(claim, page)
        notes = [*self._news.hit_notes(scope, hits, page), Note(scope.topic, PLACE, ahead.place())]
        if scope.filter and scope.topic != scope.filter_topic:
            # Without these notes a later run under the filter would have to ask which hits match.
            notes += self._news.new_notes(scope.filter_topic, hits, MATCHES)
        changes: list[FrontierChange] = [AdvanceSweep(claim, page), Start(hits, first=False)]
        if ahead.done and not ahead.total:
            changes.append(Close(NO_HITS))
        changes += [Settle(claim), CheckSweep(), *self._count_hits(SEARCHES, hits, records)]
        return Entry(
            events=(*self._news.new_records(records, page.fetched_at), Seeded(hits)),
            notes=tuple(notes),
            vectors={i: vector for i, vector in self._news.vectors(page).items() if i in taken},
            oddities=oddities,
            lines=(ahead.describe(),) if ahead.done else (),
            changes=tuple(changes),
        )

    def _judged(self, outcome: Judged) -> Entry:
        claim, page = outcome.claim, outcome.page
        found, oddities = self._matching(page.records, page.oddities)
        hits = set(found)
        matching = [sound_id for sound_id in claim.sound_ids if sound_id in hits]
        others = [sound_id for sound_id in claim.sound_ids if sound_id not in hits]
        notes, lines = self._news.new_notes(self._scope.filter_topic, sorted(hits), MATCHES), []
        if len(page.records) == page.count:
            notes += self._news.new_notes(self._scope.filter_topic, others, DIFFERS)
        else:
            lines.append(
                f"cannot tell which of {len(others)} sounds match (more hits than records): the next run retries"
            )
        return Entry(
            events=tuple(self._news.new_records(page.records, page.fetched_at)),
            notes=tuple(notes),
            oddities=oddities,
            lines=tuple(lines),
            changes=(Discover(tuple(matching)), Settle(claim), *self._count_hits(SEARCHES, found, page.records)),
        )

    def _similar(self, outcome: SimilarFetched) -> Entry:
        claim, page = outcome.claim, outcome.page
        sound_id = claim.sound_id
        if page.count == 0 and self._backoff.lacks_vector(sound_id, page.fetched_at):
            deferral = self._backoff.until_vector(sound_id, page.fetched_at)
            return deferral_entry(claim, deferral, oddities=page.oddities)
        known = self._state.similar(sound_id)
        if page.count == 0 and known is not None and known.neighbours:
            # The known list is kept. The sound may be deleted: a batch of records tells more.
            return Entry(oddities=page.oddities, changes=(MarkAsked(sound_id), Reread(sound_id), Settle(claim)))
        hits, oddities = self._matching(page.records, page.oddities)
        matching = set(hits)
        neighbours = tuple(pair for pair in page.neighbours if pair[0] in matching)
        counted = self._count_hits(LISTS, hits, page.records)
        if page.count > 0 and not neighbours:
            deferral = self._backoff.deferral(sound_id, UNUSABLE, page.fetched_at)
            return deferral_entry(claim, deferral, oddities=oddities, more_changes=counted)
        similar = SimilarList(
            neighbours=neighbours,
            linked_at=self._state.stamp(sound_id, "linked_at", page.fetched_at),
            limit=outcome.limit,
            space=self._state.space,
            filter=self._scope.filter,
        )
        seen = self._news.new_records(page.records, page.fetched_at)
        neighbour_ids = tuple(neighbour_id for neighbour_id, _ in neighbours)
        relisted = sound_id in self._state.processed
        unchanged = frozenset(neighbour_ids).difference(event.sound_id for event in seen)
        return Entry(
            events=(*seen, Linked(sound_id, similar)),
            undeferred=self._backoff.if_deferred(sound_id),
            oddities=oddities,
            changes=(MarkAsked(sound_id), Discover(neighbour_ids, unchanged), SettleList(claim, relisted), *counted),
        )

    def _by_users(self, records: Sequence[Record]) -> tuple[Sequence[Record], int]:
        """Return the records of the plan's users, and how many are of others.

        The index splits names into words, so a search for one name also finds longer ones.
        """
        names = {name.casefold() for name in self._scope.plan.usernames}
        if not names:
            return records, 0
        wanted = [record for record in records if str(record.get("username") or "").casefold() in names]
        return wanted, len(records) - len(wanted)

    def _matching(
        self, records: Sequence[Record], oddities: Mapping[str, int], *, within: str = ""
    ) -> tuple[tuple[int, ...], Counter[str]]:
        """Return the ids that do not contradict the filter, and the oddities.

        `within` is a second filter. The server may ignore or misread a filter: the records that contradict it are
        counted in the oddities.
        """
        counted = Counter(oddities)
        filter = join_filters(within, self._scope.filter)
        if not filter:
            return tuple(record["id"] for record in records), counted
        matching = tuple(record["id"] for record in records if not contradicts(filter, record))
        if len(matching) < len(records):
            counted[CONTRADICTION] += len(records) - len(matching)
        return matching, counted

    def _count_hits(self, kind: str, hits: Sequence[int], records: Sequence[Record]) -> tuple[CountHits, ...]:
        return (CountHits(kind, len(hits), len(records) - len(hits)),) if self._scope.filter else ()
