"""Sounds that wait: for their list, for their record, for a judgement, or for a later time.

Four queues of the frontier, each with its own order; which of them is served next is the frontier's business. Keeps:
a sound stands in a queue at most once (entries that were overtaken are skipped when their turn comes). Plain data,
changed without `await`; knows neither claims nor time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

BATCH = 150
"""Records per search request: the API's largest page."""

Rank = tuple[int, float]
"""Smaller comes first: (0, place) for this run's seeds, (1, number of the order) for all others; then the id."""


class Listless:
    """Sounds whose record is here and whose list is not: this run's seeds first, then by `order`, then by id."""

    def __init__(self, order: Callable[[int], float]) -> None:
        self._order = order
        self._heap: list[tuple[Rank, int]] = []
        self._ranks: dict[int, Rank] = {}
        self._seed_places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self._ranks

    def add_seeds(self, sound_ids: Iterable[int]) -> None:
        """Give these sounds the first places, in this order, once they are put here."""
        for sound_id in sound_ids:
            self._seed_places.setdefault(sound_id, len(self._seed_places))

    def is_seed(self, sound_id: int) -> bool:
        return sound_id in self._seed_places

    def put(self, sound_id: int) -> None:
        """Let a sound wait; one that waits already may better its place."""
        place = self._seed_places.get(sound_id)
        rank = (1, self._order(sound_id)) if place is None else (0, float(place))
        standing = self._ranks.get(sound_id)
        if standing is None or rank < standing:
            self._ranks[sound_id] = rank
            heapq.heappush(self._heap, (rank, sound_id))

    def drop(self, sound_id: int) -> None:
        self._ranks.pop(sound_id, None)

    def pop(self) -> int | None:
        """Take the first sound; None when none waits."""
        while self._heap:
            rank, sound_id = heapq.heappop(self._heap)
            # An entry whose rank was bettered, or whose sound was dropped, is stale.
            if self._ranks.get(sound_id) == rank:
                del self._ranks[sound_id]
                return sound_id
        return None


class Recordless:
    """Sounds known by id only, in order of arrival; and those absent from a batch, to be confirmed one by one.

    `unread_seeds` are this run's seeds whose record has not come yet: no other sound may overtake them.
    """

    def __init__(self) -> None:
        self.unread_seeds: set[int] = set()
        self.missing: deque[int] = deque()
        self._bare: dict[int, None] = {}
        self._reading: set[int] = set()  # missing, or in a claim for records

    def __len__(self) -> int:
        return len(self._bare) + len(self.missing)

    @property
    def has_batch(self) -> bool:
        """Whether a request for records is worth it before anything else: it would be full, or brings a seed."""
        return len(self._bare) >= BATCH or any(seed in self._bare for seed in self.unread_seeds)

    @property
    def has_bare(self) -> bool:
        return bool(self._bare)

    def put(self, sound_id: int, *, is_seed: bool) -> None:
        """Let a sound wait for its record, unless that is being asked for."""
        if sound_id not in self._reading:
            self._bare[sound_id] = None
            if is_seed:
                self.unread_seeds.add(sound_id)

    def drop(self, sound_id: int) -> None:
        self._bare.pop(sound_id, None)
        self.unread_seeds.discard(sound_id)

    def take_batch(self) -> tuple[int, ...]:
        """Take the first sounds known by id only, as many as one request holds."""
        sound_ids = tuple(islice(self._bare, BATCH))
        for sound_id in sound_ids:
            del self._bare[sound_id]
        return sound_ids

    def put_missing(self, sound_id: int) -> None:
        """Let a sound that was absent from a batch wait for its confirmation."""
        self._reading.add(sound_id)
        self.missing.append(sound_id)

    def reads(self, sound_ids: Iterable[int]) -> None:
        """Note that these records are being asked for."""
        self._reading.update(sound_ids)

    def has_read(self, sound_ids: Iterable[int]) -> None:
        """Note that these records were asked for."""
        self._reading.difference_update(sound_ids)


class Unjudged:
    """Sounds that may or may not match the filter: by `order`, each once in a run."""

    def __init__(self, order: Callable[[int], float]) -> None:
        self._order = order
        self._heap: list[tuple[float, int]] = []
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, sound_id: int) -> None:
        if sound_id not in self._known:
            self._known.add(sound_id)
            heapq.heappush(self._heap, (self._order(sound_id), sound_id))

    def put_back(self, sound_ids: Iterable[int]) -> None:
        """Let sounds wait again whose claim was released."""
        for sound_id in sound_ids:
            self._known.discard(sound_id)
            self.put(sound_id)

    def pop(self) -> int | None:
        """Take the first sound; None when none waits."""
        return heapq.heappop(self._heap)[1] if self._heap else None


@dataclass(frozen=True, slots=True)
class Later:
    """How a deferred sound comes back: when (microseconds UTC), and what is known of it."""

    next_try_at: int
    has_record: bool
    judged: bool


class Deferred:
    """Sounds left alone until a later time; the last time that was set for a sound stands."""

    def __init__(self) -> None:
        self._sounds: dict[int, Later] = {}
        self._heap: list[tuple[int, int]] = []  # (next try at, sound)

    def __len__(self) -> int:
        return len(self._sounds)

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self._sounds

    @property
    def next_at(self) -> int | None:
        """When the next one may be due, microseconds UTC; None when none waits."""
        return self._heap[0][0] if self._heap else None

    def put(self, sound_id: int, later: Later) -> None:
        self._sounds[sound_id] = later
        heapq.heappush(self._heap, (later.next_try_at, sound_id))

    def drop(self, sound_id: int) -> None:
        self._sounds.pop(sound_id, None)

    def take_due(self, now_us: int) -> Iterator[tuple[int, Later]]:
        """Take every sound whose time has come."""
        while self._heap and self._heap[0][0] <= now_us:
            next_try_at, sound_id = heapq.heappop(self._heap)
            later = self._sounds.get(sound_id)
            # An entry whose sound was deferred again, or became a sample, is stale.
            if later is not None and later.next_try_at == next_try_at:
                del self._sounds[sound_id]
                yield sound_id, later
