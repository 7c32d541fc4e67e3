"""Rank waiting sounds: the smallest number first, then the id.

Reads the graph; changes only its own distances.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable

from harvester.graph import SoundGraph
from harvester.records import value_of

ORDERS = ("popular", "breadth", "random")


class Distances:
    """Steps from the nearest seed along edges, updated with each list."""

    def __init__(self, state: SoundGraph) -> None:
        self._state = state
        self._steps: dict[int, int] = {}
        self.start(sorted(state.seeds))

    def of(self, sound_id: int) -> float:
        """Return the steps from the nearest seed, infinite without a path."""
        return self._steps.get(sound_id, float("inf"))

    def start(self, seeds: Iterable[int]) -> list[int]:
        """Set distance 0 for these; return every sound whose distance shrank."""
        return self._relax((seed, 0) for seed in seeds)

    def follow_list(self, sound_id: int) -> list[int]:
        """Follow a new similar list; return the sounds whose distance shrank."""
        steps = self._steps.get(sound_id)
        if steps is None:
            return []
        return self._relax((neighbour, steps + 1) for neighbour in self._state.graph.succ[sound_id])

    def _relax(self, candidates: Iterable[tuple[int, int]]) -> list[int]:
        shrunk: list[int] = []
        queue = deque(candidates)
        while queue:
            sound_id, steps = queue.popleft()
            if steps >= self._steps.get(sound_id, steps + 1):
                continue
            self._steps[sound_id] = steps
            shrunk.append(sound_id)
            if sound_id in self._state:
                queue.extend((neighbour, steps + 1) for neighbour in self._state.graph.succ[sound_id])
        return shrunk


def order_by(name: str, state: SoundGraph, distances: Distances | None, random_seed: int) -> Callable[[int], float]:
    """Return the order called `name`, as a function from id to rank.

    `popular`: most downloads first. `breadth`: nearest to a seed first. `random`: by a hash of the random seed and the
    id, so that it repeats.
    """
    if name == "breadth" and distances is not None:
        return distances.of
    if name == "random":
        return lambda sound_id: _hash(random_seed, sound_id)

    def by_downloads(sound_id: int) -> float:
        return -float(value_of(state.attributes(sound_id), "num_downloads") or 0)

    return by_downloads


def _hash(random_seed: int, sound_id: int) -> float:
    digest = hashlib.blake2b(f"{random_seed}:{sound_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
