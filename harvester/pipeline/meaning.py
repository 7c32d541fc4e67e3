"""What an outcome means: the events, deferrals and notes it becomes, and what follows once they are durable.

Owns what a missing or an empty answer proves; what is news and when to try again are asked of `news` and `patience`.
Reads the graph, never changes it; the writer does, after the journal.
"""

from __future__ import annotations

from collections.abc import Sequence

from harvester.clock import Clock, iso
from harvester.filters import contradicts
from harvester.model import (
    Deferral,
    Event,
    Gone,
    Linked,
    Note,
    Record,
    RecordsPage,
    Seeded,
    Seen,
    SimilarList,
    is_complete,
)
from harvester.pipeline.deferral import Patience
from harvester.pipeline.frontier import NO_HITS, Frontier
from harvester.pipeline.messages import (
    ConfirmClaim,
    Confirmed,
    Decided,
    DetailsClaim,
    DetailsFetched,
    Entry,
    Failed,
    JudgeClaim,
    Judged,
    Outcome,
    SeedClaim,
    SeedsFetched,
    SimilarClaim,
    SimilarFetched,
    Store,
    Swept,
)
from harvester.pipeline.news import News
from harvester.pipeline.order import Distances
from harvester.pipeline.progress import Progress
from harvester.pipeline.sweep import refuse_large
from harvester.pipeline.walk import ASKED, DIFFERS, MATCHES, PLACE, Walk

UNUSABLE = "no usable neighbour in its similar list"
CONTRADICTION = "does not match the filter"


class Meaning:
    """Reads outcomes for one run."""

    def __init__(
        self,
        store: Store,
        frontier: Frontier,
        walk: Walk,
        *,
        clock: Clock,
        progress: Progress,
        distances: Distances | None,
    ) -> None:
        self._store = store
        self._state = store.state
        self._frontier = frontier
        self._walk = walk
        self._clock = clock
        self._progress = progress
        self._distances = distances
        self._news = News(store)
        self._patience = Patience(store)

    def of(self, outcome: Outcome) -> Entry:
        """Return what `outcome` means for journal, graph and frontier. Changes nothing yet but the place of a sweep."""
        match outcome:
            case SimilarFetched(_, page):
                self._progress.oddities.update(page.oddities)
                return self._similar(outcome)
            case DetailsFetched(claim, records):
                self._progress.oddities.update(records.oddities)
                return self._details(claim, records)
            case SeedsFetched(claim, hits):
                self._progress.oddities.update(hits.oddities)
                return self._seeds(claim, hits)
            case Judged(claim, records):
                self._progress.oddities.update(records.oddities)
                return self._judged(claim, records)
            case Swept(claim, hits):
                self._progress.oddities.update(hits.oddities)
                return self._swept(outcome)
            case Confirmed():
                return self._confirmed(outcome)
            case Decided(claim):
                return Entry(then=lambda: self._frontier.settle(claim))
            case Failed(claim, reason):
                if isinstance(claim, JudgeClaim):
                    return self._not_judged(claim, reason)
                now_us = self._clock.time_us()
                sound_ids = self._without(claim)
                return self._deferring([self._patience.deferral(i, reason, now_us) for i in sound_ids], outcome)

    def _seeds(self, claim: SeedClaim, hits: RecordsPage) -> Entry:
        seeds = self._hits(hits.records)
        events: list[Event] = [*self._news.of(hits.records, hits.fetched_at), Seeded(seeds)]
        # Without this a later run would have to ask which of those that still wait match.
        notes = self._news.marks(self._walk.filter_topic, seeds, MATCHES) if self._walk.filter else []

        def seeded() -> None:
            if claim.page == 1 and not hits.records and not (hits.count and hits.has_next):
                # Whoever asked for certain sounds does not want others instead.
                self._frontier.close(NO_HITS)
            self.start_from(seeds)
            self._frontier.settle_seeds(claim, has_next=hits.has_next)

        return Entry(events=events, notes=notes, then=seeded)

    def _swept(self, outcome: Swept) -> Entry:
        sweep, hits = self._walk.sweep, outcome.page
        assert sweep is not None
        found = self._hits(hits.records)
        sweep.read(outcome.claim, hits)
        notes = [*self._news.hits(self._walk, found, hits), Note(self._walk.topic, PLACE, sweep.place())]
        if self._walk.filter and self._walk.topic != self._walk.filter_topic:
            # Without this a later walk under the filter would have to ask which of them match.
            notes += self._news.marks(self._walk.filter_topic, found, MATCHES)
        events = [*self._news.of(hits.records, hits.fetched_at), Seeded(found)]

        def swept() -> None:
            if self._distances is not None:
                self._distances.start(found)
            for sound_id in found:
                self.discover(sound_id)
            if sweep.done:
                self._progress.tell(sweep.describe())
                if not sweep.total:
                    self._frontier.close(NO_HITS)
            self._frontier.settle(outcome.claim)
            if not self._walk.permitted:
                refuse_large(sweep.total)

        hit_ids = set(found)
        vectors = {i: vector for i, vector in self._news.vectors(hits).items() if i in hit_ids}
        return Entry(events=events, notes=notes, vectors=vectors, then=swept)

    def _judged(self, claim: JudgeClaim, page: RecordsPage) -> Entry:
        matching = set(self._hits(page.records))
        topic = self._walk.filter_topic
        others = [sound_id for sound_id in claim.sound_ids if sound_id not in matching]
        notes = self._news.marks(topic, sorted(matching), MATCHES)
        whole = len(page.records) == page.count
        if whole:
            notes += self._news.marks(topic, others, DIFFERS)

        def judged() -> None:
            if not whole:
                self._progress.tell(
                    f"which of {len(others)} sounds match is not known (a result without a sound): the next run asks"
                )
            for sound_id in claim.sound_ids:
                if sound_id in matching:
                    self.discover(sound_id)
            self._frontier.settle(claim)

        return Entry(events=list(self._news.of(page.records, page.fetched_at)), notes=notes, then=judged)

    def _not_judged(self, claim: JudgeClaim, reason: str) -> Entry:
        def left() -> None:
            self._progress.tell(
                f"which of {len(claim.sound_ids)} sounds match is not known ({reason}): the next run asks"
            )
            self._frontier.settle(claim)

        return Entry(then=left)

    def _similar(self, outcome: SimilarFetched) -> Entry:
        claim, page = outcome.claim, outcome.page
        sound_id = claim.sound_id
        if page.count == 0 and self._patience.lacks_vector(sound_id, page.fetched_at):
            return self._deferring([self._patience.until_vector(sound_id, page.fetched_at)], outcome)
        known = self._state.similar(sound_id)
        if page.count == 0 and known is not None and known.neighbours:
            return self._lost(claim, same_question=known.filter == self._walk.filter)
        hits = set(self._hits(page.records))
        neighbours = tuple(pair for pair in page.neighbours if pair[0] in hits)
        if page.count > 0 and not neighbours:
            return self._deferring([self._patience.deferral(sound_id, UNUSABLE, page.fetched_at)], outcome)
        similar = SimilarList(
            neighbours=neighbours,
            linked_at=self._state.stamp(sound_id, "linked_at", page.fetched_at),
            limit=outcome.limit,
            space=self._state.space,
            filter=self._walk.filter,
        )
        events: list[Event] = [*self._news.of(page.records, page.fetched_at), Linked(sound_id, similar)]
        notes = self._news.marks(self._walk.asked_topic, [sound_id], ASKED) if self._walk.filter else []
        told = {event.sound_id for event in events if isinstance(event, Seen)}

        def linked() -> None:
            self._walk.listed(sound_id)
            for neighbour_id, _ in neighbours:
                # Only a record can better the place of a sound that waits already, in any order but by distance.
                if neighbour_id in told or not self._frontier.awaits_list(neighbour_id):
                    self.discover(neighbour_id)
            if self._distances is not None:
                for nearer in self._distances.linked(sound_id):
                    self.discover(nearer)
            # The join has the last word: a list that it refused makes no sample.
            kept = not self._state.is_pending(sound_id, self._walk.filter)
            if kept:
                self._progress.count_sample()
            self._frontier.settle(claim, harvested=kept)

        return Entry(events=events, undeferred=self._patience.if_deferred(sound_id), notes=notes, then=linked)

    def _lost(self, claim: SimilarClaim, *, same_question: bool) -> Entry:
        """An empty list where one is known: a deleted sound has none either, and nothing known is forgotten."""
        sound_id = claim.sound_id
        # The known list does not answer this walk's question: without a note every later run would ask it again.
        notes = [] if same_question else self._news.marks(self._walk.asked_topic, [sound_id], ASKED)

        def lost() -> None:
            self._walk.listed(sound_id)
            # That nothing near it passes a filter says nothing of the sound itself.
            self._frontier.settle(claim, missing=[sound_id] if same_question or not self._walk.filter else [])

        return Entry(notes=notes, then=lost)

    def _details(self, claim: DetailsClaim, page: RecordsPage) -> Entry:
        found = {record["id"] for record in page.records if is_complete(record)}

        # A sample whose record could not be read again was deferred too; of others the list decides.
        undeferred = [i for i in found if i in self._store.deferrals and i in self._state.processed]

        def read() -> None:
            for sound_id in found:
                self.discover(sound_id)
            self._frontier.settle(claim, missing=[i for i in claim.sound_ids if i not in found])

        events: list[Event] = [*self._news.reread(page, claim.sound_ids), *self._news.of(page.records, page.fetched_at)]
        asked = [i for i in claim.sound_ids if i in found] if self._walk.vectors else []
        notes = self._news.hits(self._walk, asked, page)
        return Entry(events=events, undeferred=undeferred, notes=notes, vectors=self._news.vectors(page), then=read)

    def _confirmed(self, outcome: Confirmed) -> Entry:
        claim = outcome.claim
        sound_id = claim.sound_id
        if outcome.record is None:

            def gone() -> None:
                self._progress.gone += 1
                self._progress.tell(f"sound {sound_id} is gone from Freesound: kept with a tombstone, not asked again")
                self._frontier.settle(claim)

            stamp = self._state.stamp(sound_id, "gone_at", outcome.fetched_at)
            return Entry(events=[Gone(sound_id, stamp)], undeferred=self._patience.if_deferred(sound_id), then=gone)
        if not is_complete(outcome.record):
            deferral = self._patience.deferral(sound_id, "its record lacks core fields", outcome.fetched_at)
            return self._deferring([deferral], outcome)

        def found() -> None:
            self.discover(sound_id)
            self._frontier.settle(claim)

        events = [] if self._news.is_forgotten(sound_id) else [self._news.seen(outcome.record, outcome.fetched_at)]
        return Entry(events=[*events], then=found)

    def _hits(self, records: Sequence[Record]) -> tuple[int, ...]:
        """Return the ids of the records but for those that contradict the walk's filter, which are counted.

        A filter that the server read in another way than meant, or not at all, must not lead the walk astray.
        """
        if not self._walk.filter:
            return tuple(record["id"] for record in records)
        hits = tuple(record["id"] for record in records if not contradicts(self._walk.filter, record))
        if len(hits) < len(records):
            self._progress.oddities[CONTRADICTION] += len(records) - len(hits)
        return hits

    def _without(self, claim: SimilarClaim | DetailsClaim | ConfirmClaim) -> list[int]:
        """Return the sounds of a failed claim that still lack what it was to bring."""
        if isinstance(claim, SimilarClaim):
            return [claim.sound_id]
        sound_ids = claim.sound_ids if isinstance(claim, DetailsClaim) else (claim.sound_id,)
        # A record that came along with a list meanwhile leaves nothing to try again.
        return [i for i in sound_ids if self._walk.rereads or not self._state.has_record(i)]

    def _deferring(self, deferrals: list[Deferral], outcome: SimilarFetched | Confirmed | Failed) -> Entry:
        def deferred() -> None:
            for deferral in deferrals:
                if self._walk.wants(deferral.sound_id):
                    has_record = self._state.has_record(deferral.sound_id)
                    self._frontier.defer(deferral.sound_id, deferral.next_try_at, has_record=has_record)
                self._progress.deferred += 1
                self._progress.tell(
                    f"sound {deferral.sound_id} deferred until {iso(deferral.next_try_at)}: {deferral.reason}"
                )
            self._frontier.settle(outcome.claim)

        return Entry(deferrals=deferrals, then=deferred)

    def discover(self, sound_id: int) -> None:
        """Let a sound wait that is this run's business."""
        if self._walk.wants(sound_id):
            self._frontier.discover(sound_id, has_record=self._state.has_record(sound_id))

    def start_from(self, seeds: Sequence[int]) -> None:
        """Put these sounds at the head of the frontier."""
        self._frontier.add_seeds(seeds)
        if self._distances is not None:
            self._distances.start(seeds)
        for sound_id in seeds:
            self.discover(sound_id)
