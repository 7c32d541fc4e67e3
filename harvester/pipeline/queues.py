"""Queue sounds for a similar list, a record, a judgement or a retry.

The frontier chooses the queue to serve. A sound is in a queue at most once: stale heap entries are skipped. Plain data,
changed without `await`; knows neither claims nor time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from harvester.model import API_PAGE
from harvester.pipeline.order import Rank


class AwaitingList:
    """Sounds that wait for a similar list: seeds first, then by `order`."""

    def __init__(self, order: Callable[[int], Rank]) -> None:
        self._order = order
        self._heap: list[tuple[Rank, int]] = []
        self._ranks: dict[int, Rank] = {}
        self._seed_places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self._ranks

    def add_seeds(self, sound_ids: Iterable[int]) -> None:
        """Rank these sounds first, in this order, once they are put here."""
        for sound_id in sound_ids:
            self._seed_places.setdefault(sound_id, len(self._seed_places))

    def is_seed(self, sound_id: int) -> bool:
        """Tell whether a sound is one of this run's seeds."""
        return sound_id in self._seed_places

    def rank_of(self, sound_id: int) -> Rank:
        """Return the rank that a sound gets here now."""
        place = self._seed_places.get(sound_id)
        return self._order(sound_id) if place is None else (0, float(place))

    def put(self, sound_id: int) -> None:
        """Queue a sound; one that waits already may get a better rank."""
        rank = self.rank_of(sound_id)
        standing = self._ranks.get(sound_id)
        if standing is None or rank < standing:
            self._ranks[sound_id] = rank
            heapq.heappush(self._heap, (rank, sound_id))

    def drop(self, sound_id: int) -> None:
        """Remove a sound, if it waits."""
        self._ranks.pop(sound_id, None)

    def pop(self) -> int | None:
        """Remove and return the first sound; None when none waits."""
        while self._heap:
            rank, sound_id = heapq.heappop(self._heap)
            # An entry is stale if its sound was dropped or got a better rank.
            if self._ranks.get(sound_id) == rank:
                del self._ranks[sound_id]
                return sound_id
        return None


class AwaitingRecord:
    """Sounds that wait for their record, first come, first served.

    `missing`: sounds absent from a batch, to be confirmed one by one. `unread_seeds`: this run's seeds without a
    record; no other sound may overtake them.
    """

    def __init__(self) -> None:
        self.unread_seeds: set[int] = set()
        self.missing: deque[int] = deque()
        self._unread: dict[int, None] = {}
        self._reading: set[int] = set()  # missing, or in a claim for records

    def __len__(self) -> int:
        return len(self._unread) + len(self.missing)

    @property
    def has_batch(self) -> bool:
        """Whether to fetch records first: the batch is full or has a seed."""
        return len(self._unread) >= API_PAGE or any(seed in self._unread for seed in self.unread_seeds)

    @property
    def has_unread(self) -> bool:
        """Whether any sound waits for its record."""
        return bool(self._unread)

    def put(self, sound_id: int, *, is_seed: bool) -> None:
        """Queue a sound, unless its record is being fetched."""
        if sound_id not in self._reading:
            self._unread[sound_id] = None
            if is_seed:
                self.unread_seeds.add(sound_id)

    def drop(self, sound_id: int) -> None:
        """Remove a sound, if it waits."""
        self._unread.pop(sound_id, None)
        self.unread_seeds.discard(sound_id)

    def take_batch(self) -> tuple[int, ...]:
        """Remove and return the first sounds, as many as a request holds."""
        sound_ids = tuple(islice(self._unread, API_PAGE))
        for sound_id in sound_ids:
            del self._unread[sound_id]
        return sound_ids

    def put_missing(self, sound_id: int) -> None:
        """Queue a sound that was absent from a batch, to be confirmed."""
        self._reading.add(sound_id)
        self.missing.append(sound_id)

    def mark_reading(self, sound_ids: Iterable[int]) -> None:
        """Note that these records are being fetched."""
        self._reading.update(sound_ids)

    def unmark_reading(self, sound_ids: Iterable[int]) -> None:
        """Note that these records are no longer being fetched."""
        self._reading.difference_update(sound_ids)


class AwaitingJudgement:
    """Sounds that may match the filter, by `order`, each once a run."""

    def __init__(self, order: Callable[[int], Rank]) -> None:
        self._order = order
        self._heap: list[tuple[Rank, int]] = []
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, sound_id: int) -> None:
        """Queue a sound, unless it was queued before in this run."""
        if sound_id not in self._known:
            self._known.add(sound_id)
            heapq.heappush(self._heap, (self._order(sound_id), sound_id))

    def put_back(self, sound_ids: Iterable[int]) -> None:
        """Queue sounds again whose claim was released."""
        for sound_id in sound_ids:
            self._known.discard(sound_id)
            self.put(sound_id)

    def pop(self) -> int | None:
        """Remove and return the first sound; None when none waits."""
        return heapq.heappop(self._heap)[1] if self._heap else None


@dataclass(frozen=True, slots=True)
class DeferredSound:
    """When a deferred sound is retried (microseconds UTC), and how."""

    next_try_at: int
    has_record: bool
    judged: bool


class Deferred:
    """Deferred sounds, by the time of their next try."""

    def __init__(self) -> None:
        self._sounds: dict[int, DeferredSound] = {}
        self._heap: list[tuple[int, int]] = []  # (next try at, sound)

    def __len__(self) -> int:
        return len(self._sounds)

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self._sounds

    @property
    def next_at(self) -> int | None:
        """When the next one may be due, in microseconds UTC, or None."""
        return self._heap[0][0] if self._heap else None

    def put(self, sound_id: int, deferred: DeferredSound) -> None:
        """Defer a sound; a later call replaces an earlier one."""
        self._sounds[sound_id] = deferred
        heapq.heappush(self._heap, (deferred.next_try_at, sound_id))

    def drop(self, sound_id: int) -> None:
        """Remove a sound, if it is deferred."""
        self._sounds.pop(sound_id, None)

    def take_due(self, now_us: int) -> Iterator[tuple[int, DeferredSound]]:
        """Remove and yield every sound that is due."""
        while self._heap and self._heap[0][0] <= now_us:
            next_try_at, sound_id = heapq.heappop(self._heap)
            deferred = self._sounds.get(sound_id)
            # An entry is stale if its sound was deferred again or became a sample.
            if deferred is not None and deferred.next_try_at == next_try_at:
                del self._sounds[sound_id]
                yield sound_id, deferred
