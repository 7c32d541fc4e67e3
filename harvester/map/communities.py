"""Find communities: groups with more edges inside than by chance.

Leiden's method (Traag and others, 2019, arXiv:1810.08473) with all nodes of a sweep judged at once, a random part of
them free to move so that two neighbours do not change places for ever: nodes move, each community is split into parts
that hold together, the parts become the nodes of a smaller graph, and all is repeated from the communities found until
the modularity no longer rises. Deterministic: seeded, and every sum is one of whole numbers, which no order changes.

Why no package does this: networkx takes many times as long, igraph would be 18 MB more to install, and what either
finds changes with its release, while equal libraries give equal maps. `tests/unit/map/test_layout.py` compares the
modularity with igraph's.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Indices = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]

_SEED = 7
_SWEEPS = 10
_ROUNDS, _VAIN, _GAIN = 30, 3, 1e-4
_LEAST, _ABOVE_CHANCE, _FAR_ABOVE = 0.3, 1.1, 1.5
"""Random graphs reach 0.92 to 1.06 of their shuffled copies, planted groups that can be found again 1.18 on."""
_FEW, _FREE, _FREE_OF_FEW = 500, 0.5, 0.2
"""Below `_FEW` nodes a move changes much for the others: fewer move at once, in more sweeps."""


def find_communities(count: int, source: Indices, target: Indices) -> Indices:
    """Return each sound's community, numbered from 0, largest first."""
    low, high = distinct_edges(count, source, target)
    labels: Indices = np.arange(count)
    if not len(low):
        return labels
    ones = np.ones(2 * len(low))
    ends = np.concatenate([low, high]), np.concatenate([high, low])
    graph: Any = sparse.csr_matrix((ones, ends), shape=(count, count))
    chance = np.random.Generator(np.random.PCG64(_SEED))
    best, reached, vain = labels, modularity(labels, low, high), 0
    for _ in range(_ROUNDS):
        labels = _numbered(_round(graph, labels, chance))
        now = modularity(labels, low, high)
        vain = 0 if now > reached + _GAIN else vain + 1
        if now > reached:
            best, reached = labels, now
        if vain == _VAIN:
            break
    return number_by_size(best)


def distinct_edges(count: int, source: Indices, target: Indices) -> tuple[Indices, Indices]:
    """Return each edge once, without direction, and no loops."""
    low, high = np.minimum(source, target), np.maximum(source, target)
    edges = np.unique(low[low != high] * count + high[low != high])
    return edges // max(count, 1), edges % max(count, 1)


def modularity(labels: Indices, low: Indices, high: Indices) -> float:
    """Return how clear communities are: at most 1, 0 without an edge.

    It is the share of the edges inside them, less the share by chance. `low` and `high` are distinct edges.
    """
    if not len(low):
        return 0.0
    inside = float((labels[low] == labels[high]).mean())
    ends = np.bincount(labels[low], minlength=int(labels.max()) + 1) + np.bincount(
        labels[high], minlength=int(labels.max()) + 1
    )
    return inside - float(((ends / (2 * len(low))) ** 2).sum())


class Clarity:
    """How clear communities are; each figure is computed once.

    `labels` are each sound's community, `low` and `high` distinct edges.
    """

    def __init__(self, labels: Indices, low: Indices, high: Indices) -> None:
        self.labels, self._low, self._high = labels, low, high

    @cached_property
    def modularity(self) -> float:
        """Return the share of edges inside, less the share by chance."""
        return modularity(self.labels, self._low, self._high)

    @property
    def are_clear(self) -> bool:
        """Tell whether the communities are clear enough for a name."""
        return self.modularity >= _LEAST and self.exceed_chance

    @cached_property
    def exceed_chance(self) -> bool:
        """Tell whether communities are more than chance makes of any edges.

        A sparse random graph has communities of a high modularity too. So they must be clearer than those of a copy of
        the graph in which every node keeps its degree and nothing else.
        """
        low, high = self._low, self._high
        if not len(low):
            return False
        degrees = np.bincount(np.concatenate([low, high]))
        degrees = degrees[degrees > 0]
        # What chance reaches in a dense graph (Reichardt and Bornholdt, 2006). Sparse ones reach up to 1.4 times of it.
        if self.modularity >= _FAR_ABOVE * 0.97 * float(np.sqrt(degrees).mean() / degrees.mean()):
            return True
        ends = np.random.Generator(np.random.PCG64(_SEED)).permutation(np.concatenate([low, high]))
        count = len(self.labels)
        source, target = distinct_edges(count, ends[: len(low)], ends[len(low) :])
        by_chance = modularity(find_communities(count, source, target), source, target)
        return self.modularity >= _ABOVE_CHANCE * by_chance

    def is_of(self, labels: Indices, low: Indices, high: Indices) -> bool:
        """Tell whether these are its communities and edges."""
        own = self.labels, self._low, self._high
        return all(np.array_equal(one, other) for one, other in zip(own, (labels, low, high), strict=True))


def _round(graph: Any, start: Indices, chance: np.random.Generator) -> Indices:
    """Return better communities of the nodes of a graph than these."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    nodes = np.arange(graph.shape[0])  # of the graph as it is now, for each first node
    community = start
    while True:
        community = _numbered(_move(graph, degree, community, chance))
        parts = _numbered(_move(_inside(graph, community), degree, np.arange(graph.shape[0]), chance))
        size = int(parts.max()) + 1
        if size == graph.shape[0]:
            return community[nodes]
        of_part = np.empty(size, dtype=np.int64)
        of_part[parts] = community
        belongs = sparse.csr_matrix((np.ones(len(parts)), (np.arange(len(parts)), parts)), shape=(len(parts), size))
        graph = (belongs.T @ graph @ belongs).tocsr()
        degree = np.bincount(parts, weights=degree, minlength=size).astype(np.float64)
        nodes, community = parts[nodes], of_part


def _inside(graph: Any, community: Indices) -> Any:
    """Return the graph without the edges between communities."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    inside = community[rows] == community[graph.indices]
    ends = rows[inside], graph.indices[inside]
    return sparse.csr_matrix((graph.data[inside], ends), shape=graph.shape)


def _move(graph: Any, degree: Weights, community: Indices, chance: np.random.Generator) -> Indices:
    """Return each node's preferred community.

    It is reached by sweeps that raise the modularity.
    """
    size = graph.shape[0]
    total = float(degree.sum())
    rows = np.repeat(np.arange(size), np.diff(graph.indptr))
    apart = rows != graph.indices
    # An edge to itself lets each node see its own community, also where it has no other edge into it.
    ends = np.concatenate([rows[apart], np.arange(size)]), np.concatenate([graph.indices[apart], np.arange(size)])
    links = sparse.csr_matrix((np.concatenate([graph.data[apart], np.ones(size)]), ends), shape=graph.shape)
    community = community.copy()
    few = size < _FEW
    share, sweeps = (_FREE_OF_FEW, 4 * _SWEEPS) if few else (_FREE, _SWEEPS)
    for _ in range(sweeps):
        mass = np.bincount(community, weights=degree, minlength=size)
        members = sparse.csr_matrix((np.ones(size), community, np.arange(size + 1)), shape=graph.shape)
        near: Any = links @ members
        nodes = np.repeat(np.arange(size), np.diff(near.indptr))
        at_home = near.indices == community[nodes]
        gain = near.data - at_home - degree[nodes] * (mass[near.indices] - at_home * degree[nodes]) / total
        gain += at_home * 1e-9
        first = near.indptr[:-1]
        most = np.maximum.reduceat(gain, first)
        wanted = np.minimum.reduceat(np.where(gain == most[nodes], near.indices, size), first)
        wishes = wanted != community
        if not wishes.any():
            break
        free = wishes & (chance.random(size) < share)
        community[free] = wanted[free]
    return community


def _numbered(labels: Indices) -> Indices:
    numbered: Indices = np.unique(labels, return_inverse=True)[1]
    return numbered


def number_by_size(labels: Indices) -> Indices:
    """Return labels numbered from 0, that of the most members first."""
    if not len(labels):
        return labels
    sizes = np.bincount(labels)
    first = np.full(len(sizes), len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    result: Indices = rank[labels]
    return result
