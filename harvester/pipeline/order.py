"""Rank waiting sounds: the smallest number first, then the id.

Reads the graph; changes only its own distances. An order is a function of a view of the graph and the random seed; it
returns a function from the id of a waiting sound to its number. Other packages add orders, whose failures never stop a
harvest.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable
from numbers import Real
from typing import TypeAlias

from harvester.extension_points import ORDERS, PLUGIN_ERRORS, WrongKind, error_text
from harvester.graph import GraphView, SoundGraph

Order: TypeAlias = Callable[[GraphView, int], Callable[[int], float]]
"""Makes ranks of waiting sounds from the graph and the random seed; the smallest number comes first, then the id."""

Rank: TypeAlias = tuple[int, float]
"""Smaller comes first, then the id: (0, position) for this run's seeds, (1, the order's number) for others, (2, the
default's number) for those that an order cannot rank."""


class Distances:
    """Steps from the nearest seed along edges, updated with each list."""

    def __init__(self, graph: GraphView) -> None:
        self._graph = graph
        self._steps: dict[int, int] = {}
        self.start(graph.seeds)

    def __call__(self, sound_id: int) -> float:
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
        return self._relax((neighbour, steps + 1) for neighbour in self._graph.targets(sound_id))

    def _relax(self, candidates: Iterable[tuple[int, int]]) -> list[int]:
        shrunk: list[int] = []
        queue = deque(candidates)
        while queue:
            sound_id, steps = queue.popleft()
            if steps >= self._steps.get(sound_id, steps + 1):
                continue
            self._steps[sound_id] = steps
            shrunk.append(sound_id)
            if sound_id in self._graph:
                queue.extend((neighbour, steps + 1) for neighbour in self._graph.targets(sound_id))
        return shrunk


def by_downloads(graph: GraphView, _random_seed: int) -> Callable[[int], float]:
    """Rank the most downloaded sounds first."""
    return lambda sound_id: -float(graph.value(sound_id, "num_downloads") or 0)


def by_distance(graph: GraphView, _random_seed: int) -> Distances:
    """Rank the sounds nearest to a seed first."""
    return Distances(graph)


def by_hash(_graph: GraphView, random_seed: int) -> Callable[[int], float]:
    """Rank sounds by a hash of the random seed and the id: it repeats."""
    return lambda sound_id: _hash(random_seed, sound_id)


def load_order(name: str) -> Order:
    """Return the order of this name.

    Raises `SettingsError` for an unknown one, and `PluginFailed` if the package that adds it cannot be used.
    """
    order: Order = ORDERS.load(name, _problem_of)
    return order


class Ranking:
    """Ranks waiting sounds by the order `name`.

    A rank is a pair: (1, the order's number). A sound that the order of another package cannot rank, because it raises
    an error or returns no number, comes after the others, as (2, its rank by downloads); `on_event` gets one line about
    it in a run. `distances` are those of the order by distance, else None.
    """

    def __init__(self, name: str, state: SoundGraph, random_seed: int, on_event: Callable[[str], None]) -> None:
        graph = GraphView(state)
        self._extension = ORDERS.get(name)
        self._on_event = on_event
        self._told = False
        self._default = by_downloads(graph, random_seed)
        self._number: Callable[[int], float] | None = None
        order = load_order(name)
        if not self._extension.package:
            self._number = order(graph, random_seed)
        else:
            self._start(order, graph, random_seed)
        self.distances = self._number if isinstance(self._number, Distances) else None

    def __call__(self, sound_id: int) -> Rank:
        """Return a sound's rank: smallest first, then the id."""
        if not self._extension.package:
            assert self._number is not None
            return 1, self._number(sound_id)
        if self._number is not None:
            try:
                return 1, _checked(self._number(sound_id))
            except PLUGIN_ERRORS as error:
                self._tell_once(
                    f"failed for sound {sound_id} ({error_text(error)}); the run goes on: sounds that it cannot rank "
                    "come last, the most downloaded first"
                )
        return 2, self._default(sound_id)

    def _start(self, order: Order, graph: GraphView, random_seed: int) -> None:
        try:
            number = order(graph, random_seed)
            problem = "" if callable(number) else f"it returned {type(number).__name__}, not a function"
        except PLUGIN_ERRORS as error:
            problem = error_text(error)
        if problem:
            self._tell_once(f"failed at the start ({problem}); the run goes on: the most downloaded sounds come first")
        else:
            self._number = number

    def _tell_once(self, what: str) -> None:
        if not self._told:
            self._told = True
            self._on_event(f"the order '{self._extension.name}' of {self._extension.origin} {what}")


def _checked(number: object) -> float:
    """Return a plugin's rank as a float; raise if it cannot be compared."""
    if not isinstance(number, Real):
        raise WrongKind(f"its rank is of type {type(number).__name__}, not a number")
    if math.isnan(number):
        raise WrongKind("its rank is NaN")
    return float(number)


def _problem_of(found: object) -> str:
    return "" if callable(found) else f"it is of type {type(found).__name__}, not a function"


def _hash(random_seed: int, sound_id: int) -> float:
    digest = hashlib.blake2b(f"{random_seed}:{sound_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
