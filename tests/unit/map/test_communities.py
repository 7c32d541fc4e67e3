"""Communities are named only where they are more than what chance makes of any edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from harvester.map.communities import Clarity, distinct_edges, find_communities, modularity
from harvester.sandbox.generated import GeneratedCatalogue

Ends = npt.NDArray[np.int64]
Edges = tuple[int, Ends, Ends]


def at_random(count: int, degree: float) -> Edges:
    chance = np.random.Generator(np.random.PCG64(11))
    edges = int(count * degree / 2)
    return count, chance.integers(0, count, edges), chance.integers(0, count, edges)


def planted(count: int, groups: int, degree: float, inside: float) -> Edges:
    """Return a graph of groups of one size, with this share of the edges kept inside them."""
    chance = np.random.Generator(np.random.PCG64(11))
    edges, size = int(count * degree / 2), count // groups
    source = chance.integers(0, count, edges)
    own = source // size * size + chance.integers(0, size, edges)
    target = np.where(chance.random(edges) < inside, own, chance.integers(0, count, edges))
    return count, source, np.minimum(target, count - 1)


def harvested(samples: int) -> Edges:
    """Return the lists of the sandbox's first sounds, as a newcomer gets them."""
    catalogue = GeneratedCatalogue(5_000)
    first = list(catalogue.ordered("downloads_desc"))[:samples]
    pairs = [(one, int(other)) for one in first for other, _ in catalogue.neighbours(one, "laion_clap")[:25]]
    places = {one: place for place, one in enumerate(sorted({one for pair in pairs for one in pair}))}
    ends = np.array([(places[one], places[other]) for one, other in pairs], dtype=np.int64)
    return len(places), ends[:, 0], ends[:, 1]


CLEAR: dict[str, tuple[Edges, bool]] = {
    "no edge": ((5, np.empty(0, np.int64), np.empty(0, np.int64)), False),
    "the sandbox after 10 samples": (harvested(10), True),
    "the sandbox after 50 samples": (harvested(50), True),
    "the sandbox after 500 samples": (harvested(500), True),
    "random edges, 2 a sound": (at_random(2_000, 2), False),
    "random edges, 3 a sound": (at_random(2_000, 3), False),
    "random edges, 6 a sound": (at_random(2_000, 6), False),
    "random edges, 20 a sound": (at_random(2_000, 20), False),
    "few random edges, 3 a sound": (at_random(200, 3), False),
    "groups that edges hide, 6 a sound": (planted(1_992, 12, 6, 0.5), False),
    "groups that can be found, 6 a sound": (planted(1_992, 12, 6, 0.7), True),
    "groups that can be found, 20 a sound": (planted(1_992, 12, 20, 0.4), True),
    "four groups of 60": (planted(240, 4, 20, 0.5), True),
}


@pytest.mark.parametrize("name", CLEAR)
def test_only_groups_that_chance_does_not_make_are_clear(name: str) -> None:
    (count, source, target), expected = CLEAR[name]
    low, high = distinct_edges(count, source, target)
    assert Clarity(find_communities(count, source, target), low, high).are_clear is expected


def test_a_sparse_random_graph_has_communities_of_a_high_modularity_all_the_same() -> None:
    count, source, target = at_random(2_000, 3)
    assert modularity(find_communities(count, source, target), *distinct_edges(count, source, target)) > 0.6
