"""Which layout a graph gets, and that its picture keeps what the graph says."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree

from harvester.map.communities import Clarity, distinct_edges, find_communities, modularity
from harvester.map.force import FEW_STEPS, STEPS, force_layout
from harvester.map.layout import SPAN, Layout, lay_out
from harvester.sandbox.generated import GeneratedCatalogue

Edges = tuple[int, Any, Any, Any]


@pytest.fixture(scope="module")
def walked() -> Edges:
    """Return a short harvest: the lists of the 50 most popular sounds, and three without an edge."""
    catalogue = GeneratedCatalogue(5_000)
    edges = [
        (one, int(other), score)
        for one in list(catalogue.ordered("downloads_desc"))[:50]
        for other, score in catalogue.neighbours(one, "laion_clap")[:25]
    ]
    known = sorted({end for one, other, _ in edges for end in (one, other)})
    place = {sound_id: at for at, sound_id in enumerate(known)}
    source, target = np.array([(place[one], place[other]) for one, other, _ in edges]).T
    return len(known) + 3, source, target, np.array([edge[2] for edge in edges])


def kept(layout: Layout, edges: Edges) -> float:
    """Return the share of a sound's neighbours in the graph that are among its nearest dots: as many, at least 10."""
    count, source, target, _ = edges
    low, high = distinct_edges(count, source, target)
    near = [set[int]() for _ in range(count)]
    for one, other in zip(low.tolist(), high.tolist(), strict=True):
        near[one].add(other)
        near[other].add(one)
    linked = [one for one in range(count) if near[one]]
    places = layout.places[linked].astype(float)
    tree = cKDTree(places)
    shares = []
    for at, one in enumerate(linked):
        nearest = tree.query(places[at], max(len(near[one]), 10) + 1)[1]
        shares.append(len(near[one] & {linked[other] for other in nearest}) / len(near[one]))
    return float(np.mean(shares))


def digest(places: npt.NDArray[np.uint16]) -> str:
    return hashlib.sha256(places.tobytes()).hexdigest()[:16]


def test_after_a_short_harvest_the_sounds_of_a_list_lie_around_it(walked: Edges) -> None:
    layout = lay_out(*walked)
    assert layout.kind == "samples first"
    assert kept(layout, walked) >= 0.8
    # Equal in every process and on every processor; a change of the layout changes this on purpose.
    assert digest(layout.places) == "f012882fba6b97fc"


def test_sounds_without_an_edge_lie_in_a_strip_below_all_others(walked: Edges) -> None:
    layout = lay_out(*walked)
    count = walked[0]
    assert np.flatnonzero(layout.alone).tolist() == [count - 3, count - 2, count - 1]
    above, strip = layout.places[~layout.alone], layout.places[layout.alone]
    assert above[:, 1].max() < strip[:, 1].min() < above[:, 1].max() + SPAN / 10
    assert len({tuple(place) for place in layout.places.tolist()}) == count
    nothing = np.zeros(0, dtype=np.int64)
    assert not lay_out(9, nothing, nothing).alone.any()
    many = lay_out(5_000, np.array([0, 1]), np.array([1, 0]))
    assert many.alone.sum() == 4_998
    assert many.places[many.alone, 1].min() > SPAN * 0.6


def groups(inside: int, across: int) -> tuple[int, Any, Any]:
    """Return four groups of 60 sounds with so many edges of each sound inside its group and to any sound."""
    chance = np.random.Generator(np.random.PCG64(3))
    source = np.repeat(np.arange(240), inside + across)
    target = chance.integers(0, 60, (240, inside + across)) + np.arange(240)[:, None] // 60 * 60
    target[:, inside:] = chance.integers(0, 240, (240, across))
    return 240, source, target.ravel()


def test_islands_that_run_into_each_other_are_drawn_apart_and_clear_ones_are_left_alone() -> None:
    def purity(layout: Layout) -> float:
        places = layout.places.astype(float)
        nearest = cKDTree(places).query(places, 11)[1][:, 1:]
        return float((nearest // 60 == np.arange(240)[:, None] // 60).mean())

    blurred, clear = groups(5, 7), groups(8, 1)
    truth = np.arange(240) // 60
    low, high = distinct_edges(*blurred)
    layout = lay_out(*blurred, communities=Clarity(truth, low, high))
    assert layout.kind == "communities"
    unweighted = lay_out(*blurred, communities=Clarity(np.zeros(240, dtype=np.int64), low, high))
    assert unweighted.kind == "forces"
    assert purity(layout) > purity(unweighted) + 0.1
    assert lay_out(*clear).kind == "forces"


@pytest.mark.parametrize("degree", [8, 20])
def test_random_edges_are_drawn_without_the_islands_of_chance(degree: int) -> None:
    chance = np.random.Generator(np.random.PCG64(5))
    count, edges = 600, 300 * degree
    graph = count, chance.integers(0, count, edges), chance.integers(0, count, edges)
    labels = find_communities(*graph)
    layout = lay_out(*graph)
    assert layout.kind == "forces"
    nearest = cKDTree(layout.places.astype(float)).query(layout.places.astype(float), 11)[1][:, 1:]
    assert (labels[nearest] == labels[:, None]).mean() < 0.5  # 0.97 if they shape the layout


def test_a_graph_of_clear_groups_needs_few_steps_and_a_blurred_one_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(count: int, low: Any, high: Any, weights: Any, steps: int) -> Any:
        asked.append(steps)
        return force_layout(count, low, high, weights, steps)

    monkeypatch.setattr("harvester.map.layout.force_layout", counted)
    lay_out(*groups(12, 1))
    lay_out(*groups(5, 7))
    assert asked == [FEW_STEPS, STEPS]


@pytest.mark.parametrize("names", [1, 2, 30])
def test_one_list_alone_is_a_flower(names: int) -> None:
    layout = lay_out(names + 1, np.zeros(names, dtype=np.int64), np.arange(1, names + 1))
    assert len({tuple(place) for place in layout.places.tolist()}) == names + 1
    if names == 30:
        assert layout.kind == "samples first"
        away = np.linalg.norm(layout.places.astype(float) - layout.places[0], axis=1)
        assert away.max() < 0.7 * SPAN


def test_communities_are_as_clear_as_those_of_igraph(walked: Edges) -> None:
    igraph = pytest.importorskip("igraph")
    import random

    for count, source, target in (walked[:3], groups(5, 7), groups(8, 1)):
        low, high = distinct_edges(count, source, target)
        graph = igraph.Graph(n=count, edges=list(zip(low.tolist(), high.tolist(), strict=True)))
        igraph.set_random_number_generator(random.Random(1))
        try:
            theirs = graph.community_leiden(objective_function="modularity", n_iterations=-1)
        finally:
            igraph.set_random_number_generator(random)
        ours = find_communities(count, source, target)
        assert modularity(ours, low, high) == pytest.approx(graph.modularity(ours.tolist()))
        assert modularity(ours, low, high) > graph.modularity(theirs.membership) - 0.01


def test_a_graph_without_an_edge_has_no_clear_groups() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert find_communities(3, nothing, nothing).tolist() == [0, 1, 2]
    assert modularity(np.arange(3), nothing, nothing) == 0.0
