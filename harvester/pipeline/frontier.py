"""Hold the known sounds to process, and hand out claims on them.

The frontier is derived from the graph and never stored. Invariants: at most one fetcher claims a sound; the similar
lists that are claimed or harvested never exceed the target. State changes in short steps without `await`. Knows neither
network nor disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from harvester.clock import Clock, Stop
from harvester.errors import Stopped
from harvester.model import API_PAGE
from harvester.pipeline.condition import Condition
from harvester.pipeline.in_flight import InFlight
from harvester.pipeline.messages import (
    Claim,
    ConfirmClaim,
    DecideClaim,
    DetailsClaim,
    JudgeClaim,
    SeedClaim,
    SimilarClaim,
    SweepClaim,
)
from harvester.pipeline.order import Rank
from harvester.pipeline.queues import AwaitingJudgement, AwaitingList, AwaitingRecord, Deferred, DeferredSound
from harvester.pipeline.scope import Scope

EXHAUSTED, TARGET = "exhausted", "target reached"
NO_HITS = "the search found nothing"


class Frontier:
    """Hands out claims and takes them back.

    The plan of `scope` bounds the samples of this run and the claims in flight; a claim is in flight until its outcome
    is committed, so a crash repeats at most that many requests. With `forever` the run waits for deferred sounds
    instead of ending. All pages of the sweep come before the first similar list. A sound that the scope no longer wants
    is skipped. `order(sound_id)` ranks waiting sounds, smallest first; this run's seeds come before all others, in the
    order they were added.
    """

    def __init__(self, scope: Scope, order: Callable[[int], Rank], *, clock: Clock, stop: Stop) -> None:
        self._scope = scope
        self._sweep = scope.sweep
        self._target = scope.plan.target
        self._forever = scope.plan.forever
        self._clock = clock
        self._stop = stop
        self._awaiting_list = AwaitingList(order)
        self._awaiting_record = AwaitingRecord()
        self._awaiting_judgement = AwaitingJudgement(order)
        self._deferred = Deferred()
        self._in_flight = InFlight()
        self._harvested = 0
        self._next_seed_page: int | None = 1 if scope.searches_seeds else None
        self._seeds_first = scope.searches_seeds and scope.seeds_first
        self._changed = Condition(clock, stop)

    @property
    def waiting(self) -> int:
        """How many sounds wait for their similar list or their record."""
        return len(self._awaiting_list) + len(self._awaiting_record)

    @property
    def in_flight(self) -> int:
        """How many claims are in flight."""
        return len(self._in_flight)

    @property
    def harvested(self) -> int:
        """How many samples this run has made."""
        return self._harvested

    @property
    def deferred(self) -> int:
        """How many sounds are deferred."""
        return len(self._deferred)

    def rank_of(self, sound_id: int) -> Rank:
        """Return the rank of a sound that waits or was just claimed."""
        return self._awaiting_list.rank_of(sound_id)

    def awaits_list(self, sound_id: int) -> bool:
        """Tell whether the sound waits for its similar list."""
        return sound_id in self._awaiting_list

    def add_seeds(self, sound_ids: Iterable[int]) -> None:
        """Rank these sounds first, in this order; call before `discover`."""
        self._awaiting_list.add_seeds(sound_ids)

    def discover(self, sound_id: int, *, has_record: bool) -> None:
        """Queue a pending sound for its similar list, or for its record first.

        A sound that waits already may get a better rank.
        """
        if sound_id in self._deferred or self._in_flight.has_list_of(sound_id):
            return
        if has_record:
            self._awaiting_record.drop(sound_id)
            self._awaiting_list.put(sound_id)
        elif sound_id not in self._awaiting_list:
            self._awaiting_record.put(sound_id, is_seed=self._awaiting_list.is_seed(sound_id))
        self._changed.notify_all()

    def reread(self, sound_id: int) -> None:
        """Queue a sound to fetch its record again before its similar list."""
        self._awaiting_list.drop(sound_id)
        self._awaiting_record.put(sound_id, is_seed=False)
        self._changed.notify_all()

    def defer(self, sound_id: int, next_try_at: int, *, has_record: bool, judged: bool = True) -> None:
        """Defer a sound until `next_try_at` (microseconds UTC).

        A later call replaces an earlier one. A sound that is not `judged` awaits judgement then.
        """
        self._awaiting_list.drop(sound_id)
        self._awaiting_record.drop(sound_id)
        self._deferred.put(sound_id, DeferredSound(next_try_at, has_record, judged))

    def await_judgement(self, sound_id: int) -> None:
        """Queue a sound to ask, once a run, whether it matches the filter."""
        if sound_id not in self._deferred:
            self._awaiting_judgement.put(sound_id)
            self._changed.notify_all()

    # --- claims go out and come back -------------------------------------------------------------------------------

    async def claim(self) -> Claim:
        """Wait for the next piece of work and return it.

        Closes the run when the target is reached or nothing is left. Raises `Stopped` when the run is closed. A
        cancellation while waiting claims nothing.
        """
        while not self._stop.closed:
            self._queue_due()
            claim = self._next()
            if claim is not None:
                self._mark_in_flight(claim)
                return claim
            self._close_when_done()
            if not self._stop.closed:
                await self._changed.wait(self._deferred.next_at)
        raise Stopped(self._stop.reason)

    def settle(self, claim: Claim, *, harvested: bool = False, missing: Iterable[int] = ()) -> None:
        """End a claim whose outcome is durable.

        Call it after the sounds that the outcome brought were discovered or deferred. `harvested`: it made a sample.
        `missing`: sounds absent from a batch, to be confirmed by their own resource. Closes the run when the target is
        reached or nothing is left.
        """
        self._unmark_in_flight(claim)
        if isinstance(claim, ConfirmClaim):
            self._awaiting_record.unread_seeds.discard(claim.sound_id)
        self._harvested += harvested
        if harvested and isinstance(claim, SimilarClaim):
            # A fetch of its record may have failed meanwhile: there is nothing left to retry.
            self._deferred.drop(claim.sound_id)
        for sound_id in missing:
            self._awaiting_record.put_missing(sound_id)
        self._close_when_done()
        self._changed.notify_all()

    def settle_seeds(self, claim: SeedClaim, *, has_next: bool) -> None:
        """End a seed claim, after its sounds were added and discovered."""
        self._next_seed_page = claim.page + 1 if has_next else None
        self._seeds_first = False
        self.settle(claim)

    def release(self, claim: Claim) -> None:
        """Undo a claim: its sounds wait again, and nothing is recorded."""
        self._unmark_in_flight(claim)
        match claim:
            case SimilarClaim(sound_id):
                self.discover(sound_id, has_record=True)
            case DetailsClaim(sound_ids):
                for sound_id in sound_ids:
                    self.discover(sound_id, has_record=False)
            case ConfirmClaim(sound_id):
                self._awaiting_record.put_missing(sound_id)
            case JudgeClaim(sound_ids):
                self._awaiting_judgement.put_back(sound_ids)
            case SeedClaim(page):
                self._next_seed_page = page
            case SweepClaim() if self._sweep is not None:
                self._sweep.release(claim)
        self._changed.notify_all()

    def park(self, claim: Claim) -> None:
        """Park a claim whose failure is in doubt.

        It is no longer in flight, so that fetchers can claim others. When nothing else is left, `claim` returns a
        `DecideClaim`.
        """
        self._in_flight.park(claim)
        self._changed.notify_all()

    def split(self, claim: Claim) -> None:
        """Undo the claim of a sweep page and divide the page, if it can be."""
        if isinstance(claim, SweepClaim) and self._sweep is not None and self._sweep.split(claim):
            self._unmark_in_flight(claim)
            self._changed.notify_all()
        else:
            self.release(claim)

    def _next(self) -> Claim | None:
        if self.in_flight >= self._scope.plan.concurrency:
            return None
        if self._seeds_first:
            # This run's seeds come first: one fetcher reads the page, the others wait for it.
            return None if self._in_flight.others else self._seed_claim()
        if self._sweep is not None and (page := self._sweep.next()) is not None:
            return page
        awaiting_record = self._awaiting_record
        if awaiting_record.has_batch:
            return DetailsClaim(awaiting_record.take_batch())
        if awaiting_record.missing:
            return ConfirmClaim(awaiting_record.missing.popleft())
        if awaiting_record.unread_seeds:
            return self._decide_claim()
        if self._may_list() and (sound_id := self._next_wanted(self._awaiting_list)) is not None:
            return SimilarClaim(sound_id)
        if awaiting_record.has_unread:
            return DetailsClaim(awaiting_record.take_batch())
        if self._may_list() and self.in_flight == 0:
            # Ask about unjudged sounds only when no sound that is known to match is left.
            unjudged = tuple(islice(iter(lambda: self._next_wanted(self._awaiting_judgement), None), API_PAGE))
            if unjudged:
                return JudgeClaim(unjudged)
            if (seeds := self._seed_claim()) is not None:
                return seeds
        return self._decide_claim()

    def _next_wanted(self, queue: AwaitingList | AwaitingJudgement) -> int | None:
        """Remove and return the first sound that the scope still wants."""
        while (sound_id := queue.pop()) is not None:
            if self._scope.wants(sound_id):
                return sound_id
        return None

    def _decide_claim(self) -> DecideClaim | None:
        return DecideClaim() if self._in_flight.parked and self.in_flight == 0 else None

    def _may_list(self) -> bool:
        if self._sweep is not None and not self._sweep.done:
            return False
        return self._target is None or self._harvested + self._in_flight.lists < self._target

    def _seed_claim(self) -> SeedClaim | None:
        page, self._next_seed_page = self._next_seed_page, None
        return None if page is None else SeedClaim(page)

    def _mark_in_flight(self, claim: Claim) -> None:
        self._in_flight.add(claim)
        match claim:
            case DetailsClaim(sound_ids):
                self._awaiting_record.mark_reading(sound_ids)
            case ConfirmClaim(sound_id):
                self._awaiting_record.mark_reading([sound_id])

    def _unmark_in_flight(self, claim: Claim) -> None:
        self._in_flight.remove(claim)
        match claim:
            case DetailsClaim(sound_ids):
                self._awaiting_record.unmark_reading(sound_ids)
            case ConfirmClaim(sound_id):
                self._awaiting_record.unmark_reading([sound_id])

    def _queue_due(self) -> None:
        for sound_id, deferred in self._deferred.take_due(self._clock.time_us()):
            if deferred.judged:
                self.discover(sound_id, has_record=deferred.has_record)
            else:
                self.await_judgement(sound_id)

    def _close_when_done(self) -> None:
        if self._sweep is not None and not self._sweep.done:
            return
        if self._target is not None and self._harvested >= self._target and not self._records_to_read():
            self._stop.close(TARGET)
        elif self.in_flight == self.waiting == self._in_flight.parked == 0 and not (
            self._may_find_more() or self._may_wait()
        ):
            self._stop.close(EXHAUSTED)

    def _records_to_read(self) -> bool:
        """Tell whether known ids still lack records: 150 cost one request."""
        return len(self._awaiting_record) > 0 or self._in_flight.others > 0

    def _may_find_more(self) -> bool:
        return self._next_seed_page is not None or len(self._awaiting_judgement) > 0

    def _may_wait(self) -> bool:
        return self._forever and len(self._deferred) > 0
