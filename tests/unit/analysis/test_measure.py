"""The measures of a graph: those of networkx, the same in every run, sensible for graphs without a sound or an edge."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import igraph
import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.analysis.figures import Degrees
from harvester.analysis.measure import measure, numbered, pagerank_of

COUNT = 80
ROOT = Path(__file__).resolve().parents[3]


def made_graph(seed: int) -> nx.DiGraph:
    """Return a graph with groups, loops, mutual edges and vertices without an edge."""
    chance = random.Random(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(COUNT))
    for _ in range(260):
        one = chance.randrange(COUNT - 9)
        graph.add_edge(one, chance.randrange(one // 20 * 20, min(one // 20 * 20 + 20, COUNT - 9)))
    graph.add_edges_from([(COUNT - 1, COUNT - 2), (COUNT - 2, COUNT - 1), (COUNT - 3, COUNT - 3)])
    return graph


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_networkx_has_the_same_values(seed: int) -> None:
    graph = made_graph(seed)
    mutual = nx.Graph(graph)
    mutual.remove_edges_from(list(nx.selfloop_edges(mutual)))
    measures, figures = measure(COUNT, sorted(graph.edges()), random_seed=0, betweenness_sources=COUNT)
    columns = {
        "pagerank": nx.pagerank(graph, tol=1e-12, max_iter=1_000),
        "betweenness": nx.betweenness_centrality(mutual),
        "clustering": nx.clustering(mutual),
        "core": nx.core_number(mutual),
        "in_degree": dict(graph.in_degree()),
        "out_degree": dict(graph.out_degree()),
    }
    for name, expected in columns.items():
        found = {place: getattr(one, name) for place, one in enumerate(measures)}
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-12), name
    weak = sorted(map(len, nx.weakly_connected_components(graph)), reverse=True)
    assert [size for _, size in sorted(Counter(one.component for one in measures).items())] == weak
    assert figures.components == len(weak)
    assert figures.largest_share == pytest.approx(weak[0] / COUNT)
    assert figures.strong_components == nx.number_strongly_connected_components(graph)
    assert (figures.sounds, figures.edges) == (COUNT, graph.number_of_edges())
    loops = nx.number_of_selfloops(graph)
    without_loops = nx.DiGraph((a, b) for a, b in graph.edges() if a != b)
    assert loops
    assert figures.reciprocity == pytest.approx(nx.overall_reciprocity(without_loops), rel=1e-5)
    assert figures.clustering == pytest.approx(nx.transitivity(mutual), rel=1e-5)
    assert figures.mean_clustering == pytest.approx(nx.average_clustering(mutual), rel=1e-5)
    lengths = Counter(
        length for _, row in nx.all_pairs_shortest_path_length(mutual) for length in row.values() if length
    )
    mean = sum(length * times for length, times in lengths.items()) / lengths.total()
    # From 64 of the 80 vertices: near the mean of all.
    assert figures.path_length == pytest.approx(mean, rel=0.1)
    assert figures.longest_path in (max(lengths) - 1, max(lengths))
    communities: dict[int, set[int]] = {}
    for place, one in enumerate(measures):
        communities.setdefault(one.community, set()).add(place)
    assert figures.communities == len(communities)
    assert figures.modularity == pytest.approx(nx.community.modularity(mutual, communities.values()), rel=1e-5)
    assert (
        figures.modularity >= nx.community.modularity(mutual, nx.community.louvain_communities(mutual, seed=1)) - 0.01
    )


@given(st.lists(st.integers(0, 6), max_size=40))
def test_groups_are_numbered_by_size_then_by_their_first_member(labels: list[int]) -> None:
    numbers = numbered(labels)
    assert len(set(zip(labels, numbers, strict=True))) == len(set(labels)) == len(set(numbers))
    sizes = Counter(numbers)
    order = [(-sizes[one], numbers.index(one)) for one in range(1, len(sizes) + 1)]
    assert order == sorted(order)


def diffuse_graph() -> list[tuple[int, int]]:
    """Return the edges of a graph in which each seed finds other communities."""
    return sorted(nx.gnm_random_graph(300, 600, seed=1, directed=True).edges())


_IN_A_PROCESS = """
import json, sys
from harvester.analysis.measure import measure
print(measure(300, list(map(tuple, json.load(sys.stdin))), random_seed=7, betweenness_sources=20))
"""


def test_it_is_the_same_twice_in_one_process_and_in_two() -> None:
    edges, state = diffuse_graph(), random.getstate()
    first = measure(300, edges, random_seed=7, betweenness_sources=20)
    assert random.getstate() == state  # the caller's random numbers go on as they would
    random.random()
    assert measure(300, edges, random_seed=7, betweenness_sources=20) == first
    told = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS], env={**os.environ, "PYTHONHASHSEED": "1"}, cwd=ROOT,
        input=json.dumps(edges), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told == f"{first}\n"
    others = [measure(300, edges, random_seed=seed, betweenness_sources=20) for seed in (8, 9)]
    for name in ("community", "betweenness"):
        assert len({tuple(getattr(one, name) for one in found) for found, _ in (first, *others)}) == 3, name


def test_pagerank_is_the_same_to_the_last_digit() -> None:
    # Rounding would hide a difference of the last digits in most graphs, not in all.
    edges = nx.gnm_random_graph(1_000, 4_000, seed=1, directed=True).edges()
    graph = igraph.Graph(n=1_000, edges=list(edges), directed=True)
    assert len({tuple(pagerank_of(graph)) for _ in range(5)}) == 1
    assert pagerank_of(graph) == pytest.approx(graph.pagerank(), rel=1e-8)


def test_a_graph_without_a_vertex_or_an_edge_has_figures_without_a_number() -> None:
    none, empty = measure(0, [], random_seed=0, betweenness_sources=9)
    assert (none, empty.sounds, empty.components, empty.communities, empty.max_core) == ([], 0, 0, 0, 0)
    assert [empty.density, empty.reciprocity, empty.modularity, empty.path_length, empty.largest_share] == [None] * 5
    assert empty.in_degree == Degrees(0.0, 0, 0, 0, 0, 0, 0)
    [one], single = measure(1, [], random_seed=0, betweenness_sources=9)
    assert (one.community, one.component, one.core, one.pagerank, one.betweenness) == (1, 1, 0, 1.0, 0.0)
    assert (single.density, single.largest_share, single.path_length) == (None, 1.0, None)
    apart, figures = measure(3, [], random_seed=0, betweenness_sources=0)
    assert [(one.community, one.component, one.betweenness) for one in apart] == [
        (1, 1, None),
        (2, 2, None),
        (3, 3, None),
    ]
    assert (figures.density, figures.communities, figures.modularity) == (0.0, 3, None)


def test_quantiles_are_degrees_that_sounds_have() -> None:
    assert Degrees.of([*range(1, 101)]) == Degrees(50.5, 1, 25, 50, 75, 95, 100)
    assert Degrees.of([3, 0]) == Degrees(1.5, 0, 0, 0, 3, 3, 3)
