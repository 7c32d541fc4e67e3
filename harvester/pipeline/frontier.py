"""The frontier: every sound that is known and not yet processed, and who may fetch what next.

Derived from the graph, never stored, so it cannot disagree with it; the only unbounded place of the ring. Invariants:
a sound is claimed by at most one fetcher; similar lists claimed never exceed target - harvested - in flight.
State changes in short steps without `await`. Knows neither network nor disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from harvester.clock import Clock, Stop
from harvester.errors import Stopped
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
from harvester.pipeline.queues import BATCH, Deferred, Later, Listless, Recordless, Unjudged
from harvester.pipeline.scope import Scope

EXHAUSTED, TARGET = "exhausted", "target reached"
NO_HITS = "the search found nothing"


class Frontier:
    """Hands out claims and takes them back.

    The plan of `scope` says how many samples this run may make, how many claims may be out at once (those whose answer
    waits for its commit included: that many requests are repeated after a crash), and whether it waits `forever` for
    deferred sounds instead of ending. All pages of the scope's sweep come before the first list. A sound whose turn
    comes is passed over when the scope does not want it any more. `order(sound_id)` gives the number by which waiting
    sounds are sorted, smallest first; this run's seeds come before all others, in the order they were added.
    """

    def __init__(self, scope: Scope, order: Callable[[int], float], *, clock: Clock, stop: Stop) -> None:
        self._scope = scope
        self._sweep = scope.sweep
        self._target = scope.plan.target
        self._forever = scope.plan.forever
        self._clock = clock
        self._stop = stop
        self._listless = Listless(order)
        self._recordless = Recordless()
        self._unjudged = Unjudged(order)
        self._deferred = Deferred()
        self._in_flight = InFlight()
        self._harvested = 0
        self._next_seed_page: int | None = 1 if scope.searches_seeds else None
        self._seeds_first = scope.searches_seeds and scope.seeds_first
        self._changed = Condition(clock, stop)

    # --- what is here ----------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many sounds wait for their list or their record."""
        return len(self._listless) + len(self._recordless)

    @property
    def in_flight(self) -> int:
        """How many claims are out."""
        return len(self._in_flight)

    @property
    def harvested(self) -> int:
        """How many samples this run has made."""
        return self._harvested

    @property
    def deferred(self) -> int:
        """How many sounds are left alone until a later time."""
        return len(self._deferred)

    def awaits_list(self, sound_id: int) -> bool:
        """Tell whether the sound waits for its list, with its record here."""
        return sound_id in self._listless

    # --- sounds come in --------------------------------------------------------------------------------------------

    def add_seeds(self, sound_ids: Iterable[int]) -> None:
        """Give these sounds the first places, in this order; call it before they are discovered."""
        self._listless.add_seeds(sound_ids)

    def discover(self, sound_id: int, *, has_record: bool) -> None:
        """Let a pending sound wait for its list, or for its record first. A known one may better its place."""
        if sound_id in self._deferred or self._in_flight.has_list_of(sound_id):
            return
        if has_record:
            self._recordless.drop(sound_id)
            self._listless.put(sound_id)
        elif sound_id not in self._listless:
            self._recordless.put(sound_id, is_seed=self._listless.is_seed(sound_id))
        self._changed.notify_all()

    def reread(self, sound_id: int) -> None:
        """Queue a sound to be read again by its id, even if its record is here, before its list is fetched."""
        self._listless.drop(sound_id)
        self._recordless.put(sound_id, is_seed=False)
        self._changed.notify_all()

    def defer(self, sound_id: int, next_try_at: int, *, has_record: bool, judged: bool = True) -> None:
        """Leave a sound alone until `next_try_at` (microseconds UTC); a later call replaces an earlier one.

        A sound that is not `judged` awaits judgement then.
        """
        self._listless.drop(sound_id)
        self._recordless.drop(sound_id)
        self._deferred.put(sound_id, Later(next_try_at, has_record, judged))

    def await_judgement(self, sound_id: int) -> None:
        """Queue a sound until the server says whether it matches the filter: once in a run."""
        if sound_id not in self._deferred:
            self._unjudged.put(sound_id)
            self._changed.notify_all()

    # --- claims go out and come back -------------------------------------------------------------------------------

    async def claim(self) -> Claim:
        """Return the next piece of work as soon as there is one.

        Raises `Stopped` when the run is closed, and closes it itself when the target is reached or nothing is left.
        A cancellation while waiting claims nothing.
        """
        while not self._stop.closed:
            self._take_up_deferred()
            claim = self._next()
            if claim is not None:
                self._send_off(claim)
                return claim
            self._close_when_done()
            if not self._stop.closed:
                await self._changed.wait(self._deferred.next_at)
        raise Stopped(self._stop.reason)

    def settle(self, claim: Claim, *, harvested: bool = False, missing: Iterable[int] = ()) -> None:
        """Take a claim back once its outcome is durable, after what it brought was discovered or deferred.

        `harvested` when it made a sample; `missing` are the sounds absent from a batch, to be confirmed by their own
        resource. Closes the run when the target is reached or nothing is left.
        """
        self._land(claim)
        if isinstance(claim, ConfirmClaim):
            self._recordless.unread_seeds.discard(claim.sound_id)
        self._harvested += harvested
        if harvested and isinstance(claim, SimilarClaim):
            # Its record may have failed to come meanwhile: there is nothing left to try again.
            self._deferred.drop(claim.sound_id)
        for sound_id in missing:
            self._recordless.put_missing(sound_id)
        self._close_when_done()
        self._changed.notify_all()

    def settle_seeds(self, claim: SeedClaim, *, has_next: bool) -> None:
        """Take a seed page back; call it after its sounds were added and discovered."""
        self._next_seed_page = claim.page + 1 if has_next else None
        self._seeds_first = False
        self.settle(claim)

    def release(self, claim: Claim) -> None:
        """Take a claim back with nothing recorded: its sounds wait again."""
        self._land(claim)
        match claim:
            case SimilarClaim(sound_id):
                self.discover(sound_id, has_record=True)
            case DetailsClaim(sound_ids):
                for sound_id in sound_ids:
                    self.discover(sound_id, has_record=False)
            case ConfirmClaim(sound_id):
                self._recordless.put_missing(sound_id)
            case JudgeClaim(sound_ids):
                self._unjudged.put_back(sound_ids)
            case SeedClaim(page):
                self._next_seed_page = page
            case SweepClaim() if self._sweep is not None:
                self._sweep.release(claim)
        self._changed.notify_all()

    def park(self, claim: Claim) -> None:
        """Set a claim aside whose failure may not be its sounds' fault, until it is settled or released.

        It is no longer in flight, so that others can be asked meanwhile. When nothing else is left to ask, a
        `DecideClaim` is handed out.
        """
        self._in_flight.park(claim)
        self._changed.notify_all()

    def split(self, claim: Claim) -> None:
        """Take a page of the sweep back that did not come in time: it is read in parts, where it can be smaller."""
        if isinstance(claim, SweepClaim) and self._sweep is not None and self._sweep.split(claim):
            self._land(claim)
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
        recordless = self._recordless
        if recordless.has_batch:
            return DetailsClaim(recordless.take_batch())
        if recordless.missing:
            return ConfirmClaim(recordless.missing.popleft())
        if recordless.unread_seeds:
            return self._decide_claim()
        if self._may_list() and (sound_id := self._next_wanted(self._listless)) is not None:
            return SimilarClaim(sound_id)
        if recordless.has_bare:
            return DetailsClaim(recordless.take_batch())
        if self._may_list() and self.in_flight == 0:
            # Whether the others match is asked once nothing that is known to match is left to do.
            unjudged = tuple(islice(iter(lambda: self._next_wanted(self._unjudged), None), BATCH))
            if unjudged:
                return JudgeClaim(unjudged)
            if (seeds := self._seed_claim()) is not None:
                return seeds
        return self._decide_claim()

    def _next_wanted(self, queue: Listless | Unjudged) -> int | None:
        """Take the first sound of a queue that the scope still wants."""
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

    def _send_off(self, claim: Claim) -> None:
        self._in_flight.add(claim)
        match claim:
            case DetailsClaim(sound_ids):
                self._recordless.reads(sound_ids)
            case ConfirmClaim(sound_id):
                self._recordless.reads([sound_id])

    def _land(self, claim: Claim) -> None:
        self._in_flight.remove(claim)
        match claim:
            case DetailsClaim(sound_ids):
                self._recordless.has_read(sound_ids)
            case ConfirmClaim(sound_id):
                self._recordless.has_read([sound_id])

    def _take_up_deferred(self) -> None:
        for sound_id, later in self._deferred.take_due(self._clock.time_us()):
            if later.judged:
                self.discover(sound_id, has_record=later.has_record)
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
        """Sounds known by id only get their records before the run ends: that costs one request per 150."""
        return len(self._recordless) > 0 or self._in_flight.others > 0

    def _may_find_more(self) -> bool:
        return self._next_seed_page is not None or len(self._unjudged) > 0

    def _may_wait(self) -> bool:
        return self._forever and len(self._deferred) > 0
