"""Measure a graph with igraph.

Invariant: equal vertices, edges, seed and versions of igraph and Python give equal results, in any process: igraph's
random numbers begin at the seed before each method that uses them, communities and components are numbered by size
and then by their first vertex, sums have a fixed order, and numbers are rounded to 6 significant digits. Only this
module needs igraph, which the extra `analyse` installs with numpy.

Communities (Leiden's method, Traag and others, 2019, arXiv:1810.08473), cores, clustering, components, paths and
betweenness take edges without direction, and two edges between the same sounds as one.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat

import igraph
import numpy as np

from harvester.analysis.figures import Degrees, Figures, rounded
from harvester.graph import Measures

VERSION: str = igraph.__version__

_PATH_SOURCES = 64
_DAMPING, _PRECISION, _ROUNDS = 0.85, 1e-10, 300
"""PageRank: each round makes the error smaller by the damping; 0.85 is what igraph and networkx take."""


def measure(
    count: int, edges: Iterable[tuple[int, int]], *, random_seed: int, betweenness_sources: int
) -> tuple[list[Measures], Figures]:
    """Return the measures of each vertex, and the figures of the graph.

    `edges` are pairs of vertices from 0 to `count` - 1, in a stable order. Betweenness is estimated from this number of
    random vertices, exact from all; 0 leaves it out.
    """
    directed = igraph.Graph(n=count, edges=edges, directed=True)
    mutual = directed.as_undirected(mode="collapse").simplify()
    communities, modularity = _communities(mutual, random_seed)
    weak = numbered(directed.connected_components(mode="weak").membership)
    strong = numbered(directed.connected_components(mode="strong").membership)
    cores = mutual.coreness()
    pagerank = map(rounded, pagerank_of(directed))
    clustering = list(map(rounded, mutual.transitivity_local_undirected(mode="zero")))
    in_degrees, out_degrees = directed.indegree(), directed.outdegree()
    betweenness = _betweenness(mutual, random_seed, betweenness_sources)
    columns = (communities, weak, cores, pagerank, betweenness, clustering, in_degrees, out_degrees)
    path_length, longest_path, path_sources = _paths(mutual, random_seed)
    possible = count * (count - 1)
    figures = Figures(
        sounds=count,
        edges=directed.ecount(),
        density=rounded(directed.ecount() / possible) if possible else None,
        in_degree=Degrees.of(in_degrees),
        out_degree=Degrees.of(out_degrees),
        reciprocity=_known(directed.reciprocity()),
        clustering=_known(mutual.transitivity_undirected()),
        mean_clustering=rounded(math.fsum(clustering) / count) if count else None,
        components=max(weak, default=0),
        largest_share=_share(weak.count(1), count),
        strong_components=max(strong, default=0),
        largest_strong_share=_share(strong.count(1), count),
        path_length=path_length,
        longest_path=longest_path,
        path_sources=path_sources,
        communities=max(communities, default=0),
        modularity=modularity,
        max_core=max(cores, default=0),
        max_core_sounds=cores.count(max(cores, default=0)),
    )
    return [Measures(*values) for values in zip(*columns, strict=True)], figures


def numbered(labels: Sequence[int]) -> list[int]:
    """Return labels as numbers from 1, the most frequent first.

    Of two equally frequent labels the one that stands first is first.
    """
    # A Counter keeps the order of first occurrence, and sorting is stable.
    sizes = sorted(Counter(labels).items(), key=lambda pair: -pair[1])
    number_of = {label: number for number, (label, _) in enumerate(sizes, 1)}
    return [number_of[label] for label in labels]


def _communities(graph: igraph.Graph, random_seed: int) -> tuple[list[int], float | None]:
    if not graph.ecount():  # igraph 0.11 never ends without a vertex
        return numbered(range(graph.vcount())), None
    igraph.set_random_number_generator(random.Random(random_seed))
    try:
        found = graph.community_leiden(objective_function="modularity", n_iterations=-1)
    finally:
        igraph.set_random_number_generator(random)
    return numbered(found.membership), _known(graph.modularity(found.membership))


def pagerank_of(graph: igraph.Graph) -> list[float]:
    """Return each vertex's share of 1.

    By power iteration in a fixed order of sums: igraph's own method differs from call to call, by 1e-12 of the values.
    """
    count = graph.vcount()
    source, target = np.array(graph.get_edgelist(), dtype=np.int64).reshape(-1, 2).T
    out = np.bincount(source, minlength=count)
    shares = np.full(count, 1 / max(count, 1))
    for _ in range(_ROUNDS):
        passed = (shares / np.maximum(out, 1))[source]
        lost = math.fsum(shares[out == 0].tolist())
        new = (1 - _DAMPING + _DAMPING * lost) / max(count, 1) + _DAMPING * np.bincount(target, passed, count)
        done = not (np.abs(new - shares) > _PRECISION * new).any()
        shares = new
        if done:
            break
    found: list[float] = shares.tolist()
    return found


def _betweenness(graph: igraph.Graph, random_seed: int, most: int) -> Iterable[float | None]:
    """Return the share of the pairs of other vertices, for each vertex."""
    sources = _sample(graph.vcount(), random_seed, most)
    if not sources:
        return repeat(None, graph.vcount())
    others = (graph.vcount() - 1) * (graph.vcount() - 2) / 2
    scale = graph.vcount() / len(sources) / others if others else 0.0
    return [rounded(value * scale) for value in graph.betweenness(directed=False, sources=sources)]


def _paths(graph: igraph.Graph, random_seed: int) -> tuple[float | None, int | None, int]:
    """Return mean and largest distance, and from how many vertices."""
    sources = _sample(graph.vcount(), random_seed, _PATH_SOURCES)
    lengths: Counter[float] = Counter()
    for source in sources:  # one by one: all rows together take much memory
        lengths.update(graph.distances(source=[source])[0])
    steps = {int(length): number for length, number in lengths.items() if 0 < length < math.inf}
    if not steps:
        return None, None, len(sources)
    mean = sum(length * number for length, number in steps.items()) / sum(steps.values())
    return rounded(mean), max(steps), len(sources)


def _sample(count: int, random_seed: int, most: int) -> list[int]:
    return sorted(random.Random(random_seed).sample(range(count), min(most, count)))


def _share(part: int, count: int) -> float | None:
    return rounded(part / count) if count else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else rounded(value)
