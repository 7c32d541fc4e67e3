"""Hold the known sounds that a run may claim: they come in here.

Owns the queues and the claims in flight; the frontier takes from them. State changes in short steps without `await`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harvester.pipeline.condition import Condition
from harvester.pipeline.in_flight import InFlight
from harvester.pipeline.order import Rank
from harvester.pipeline.queues import (
    AwaitingConfirmation,
    AwaitingJudgement,
    AwaitingList,
    AwaitingRecord,
    Deferred,
    DeferredSound,
)


class WaitingSounds:
    """The waiting and deferred sounds of a run; `changed` wakes fetchers."""

    def __init__(self, order: Callable[[int], Rank], changed: Condition) -> None:
        self._awaiting_list = AwaitingList(order)
        self._awaiting_record = AwaitingRecord()
        self._awaiting_judgement = AwaitingJudgement(order)
        self._awaiting_confirmation = AwaitingConfirmation()
        self._deferred = Deferred()
        self._in_flight = InFlight()
        self._changed = changed

    @property
    def waiting(self) -> int:
        """How many sounds wait for their similar list or their record."""
        return len(self._awaiting_list) + len(self._awaiting_record)

    @property
    def in_flight(self) -> int:
        """How many claims are in flight."""
        return len(self._in_flight)

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

    def end_deferral(self, sound_id: int) -> None:
        """Stop deferring a sound; `discover` may queue it again."""
        self._deferred.drop(sound_id)
        self._awaiting_record.drop(sound_id)
        self._awaiting_confirmation.drop(sound_id)

    def await_confirmation(self, sound_ids: Iterable[int]) -> None:
        """Queue absent sounds, which stay deferred, for their own resource."""
        self._awaiting_confirmation.put(sound_ids)

    def await_judgement(self, sound_id: int) -> None:
        """Queue a sound to ask, once a run, whether it matches the filter."""
        if sound_id not in self._deferred:
            self._awaiting_judgement.put(sound_id)
            self._changed.notify_all()
