"""`harvester analyse` of 26,748 sounds and 379,094 edges: whole, and part by part beside networkx.

Goal: the whole in a minute. Times are of the processor. networkx has no Leiden: its Louvain stands beside it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import igraph
import networkx as nx

from harvester.actions import analyse
from harvester.analysis.measure import pagerank_of
from harvester.checkpoint.format import encode_checkpoint
from harvester.graph import SoundGraph
from harvester.model import Linked, Seen, SimilarList
from tests.bench.beside.libraries import SOURCE, START_US, record_of
from tests.bench.beside.measuring import in_fresh_process, peak_bytes
from tests.bench.table import Table

SOUNDS, EDGES = 26_748, 379_094
_GROUP, _INSIDE = 900, 0.9
_SOURCES, _FEW_SOURCES = 256, 8


def edges_between() -> list[tuple[int, int]]:
    """Return the places of the ends of all edges: most of them within groups, as similar sounds are."""
    chance = random.Random(3)
    edges: set[tuple[int, int]] = set()
    for place in range(SOUNDS):
        wanted = EDGES * (place + 1) // SOUNDS
        begin = place // _GROUP * _GROUP
        while len(edges) < wanted:
            inside = chance.random() < _INSIDE
            other = chance.randrange(begin, min(begin + _GROUP, SOUNDS)) if inside else chance.randrange(SOUNDS)
            if other != place:
                edges.add((place, other))
    return sorted(edges)


def save(folder: Path) -> None:
    """Write a library with these edges."""
    state = SoundGraph(SOURCE)
    ids = []
    for place in range(SOUNDS):
        record = record_of(place)
        ids.append(record["id"])
        state.apply(Seen(record["id"], record, START_US + place))
    lists: dict[int, list[tuple[int, float]]] = {place: [] for place in range(SOUNDS)}
    for source, target in edges_between():
        lists[source].append((ids[target], 0.99 - len(lists[source]) / 100))
    for place, similar in lists.items():
        state.apply(Linked(ids[place], SimilarList(tuple(similar), START_US + place, 25)))
    folder.mkdir()
    (folder / "freesound_library.pkl").write_bytes(b"".join(encode_checkpoint(state)))


def whole(folder: Path) -> tuple[float, float, int, float]:
    """Return wall and processor time of an analysis from the file to the file, peak bytes, and modularity."""
    began_s, used_s = time.perf_counter(), time.process_time()
    report = analyse(folder)
    assert (report.figures.sounds, report.figures.edges) == (SOUNDS, EDGES)
    took = time.perf_counter() - began_s, time.process_time() - used_s
    return *took, peak_bytes(), report.figures.modularity or 0.0


def _cpu_s(act: Callable[[], object]) -> float:
    began_s = time.process_time()
    act()
    return time.process_time() - began_s


def by_harvester() -> list[float]:
    """Return the seconds of each part; see `_PARTS`."""
    directed = igraph.Graph(n=SOUNDS, edges=edges_between(), directed=True)
    mutual = directed.as_undirected(mode="collapse").simplify()
    sources = sorted(random.Random(0).sample(range(SOUNDS), _SOURCES))
    return [
        _cpu_s(lambda: mutual.community_leiden(objective_function="modularity", n_iterations=-1)),
        _cpu_s(lambda: pagerank_of(directed)),
        _cpu_s(mutual.coreness),
        _cpu_s(directed.reciprocity),
        _cpu_s(lambda: mutual.transitivity_local_undirected(mode="zero")),
        _cpu_s(lambda: (directed.connected_components("weak"), directed.connected_components("strong"))),
        _cpu_s(lambda: [mutual.distances(source=[one]) for one in sources[:64]]),
        _cpu_s(lambda: mutual.betweenness(directed=False, sources=sources)),
    ]


def by_networkx() -> list[float]:
    """Return the seconds of each part; betweenness is computed from eight sounds and scaled."""
    directed = nx.DiGraph(edges_between())
    mutual = nx.Graph(directed)
    places = list(range(SOUNDS))
    return [
        _cpu_s(lambda: nx.community.louvain_communities(mutual, seed=0)),
        _cpu_s(lambda: nx.pagerank(directed)),
        _cpu_s(lambda: nx.core_number(mutual)),
        _cpu_s(lambda: nx.overall_reciprocity(directed)),
        _cpu_s(lambda: nx.clustering(mutual)),
        _cpu_s(
            lambda: (list(nx.weakly_connected_components(directed)), list(nx.strongly_connected_components(directed)))
        ),
        _cpu_s(lambda: [nx.single_source_shortest_path_length(mutual, one) for one in places[:64]]),
        _cpu_s(lambda: nx.betweenness_centrality_subset(mutual, places[:_FEW_SOURCES], places))
        * (_SOURCES / _FEW_SOURCES),
    ]


_PARTS = (
    "communities (Leiden, Louvain)", "PageRank", "cores", "reciprocity", "clustering", "components",
    "paths from 64 sounds", f"betweenness from {_SOURCES} sounds",
)  # fmt: skip


def run() -> Table:
    table = Table(
        f"Analysing {SOUNDS:,} sounds and {EDGES:,} edges", ("part", "harvester, s", "networkx, s", "times as long")
    )
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "library"
        in_fresh_process(save, folder)
        wall_s, cpu_s, peak, modularity = in_fresh_process(whole, folder)
    for part, ours_s, theirs_s in zip(
        _PARTS, in_fresh_process(by_harvester), in_fresh_process(by_networkx), strict=True
    ):
        table.rows.append((part, ours_s, theirs_s, theirs_s / ours_s if ours_s else 0.0))
    table.notes.append(
        f"the whole, from the library's file to analysis.json: {wall_s:.1f} s, {cpu_s:.1f} s of the processor, "
        f"{peak / 1e9:.2f} GB at most; modularity {modularity:.4f}"
    )
    table.notes.append("goal: the whole in 60 s; betweenness by networkx: measured from 8 sounds and scaled")
    return table
