"""What the guide shows for graphs beyond one memory runs, and every engine finds what networkx finds."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from typing import Any

import dask
import networkx as nx
import pytest

from harvester.exports.export import save_export
from harvester.graph import SoundGraph, select
from harvester.model import Gone, Known, Linked, Related, Seen, SimilarList
from tests.support.dask_cluster import shared_cluster
from tests.support.processes import ROOT
from tests.support.view_samples import NOW_US, make_record

GUIDE = ROOT / "harvester" / "guide" / "large.md"
ENGINES = dict(re.findall(r"^### (\w+)\n.*?```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.M))


def make_graph() -> SoundGraph:
    """Return sounds in parts of several sizes, sounds without an edge or an out-edge, relations, and a gone sound."""
    dice, state = Random(5), SoundGraph("https://freesound.org/apiv2/")
    for sound_id in range(1, 91):
        state.apply(Seen(sound_id, make_record(sound_id), NOW_US))
    for first, last in ((1, 40), (41, 60), (61, 66)):
        for sound_id in range(first, last, 2 if first == 41 else 1):
            others = dice.sample([one for one in range(first, last + 1) if one != sound_id], 4)
            pairs = sorted(((one, round(dice.uniform(0.8, 1), 3)) for one in others), key=lambda pair: -pair[1])
            state.apply(Linked(sound_id, SimilarList(tuple(pairs), NOW_US + 1, 25)))
    for sound_id in range(70, 79):  # a long chain, of whose lists each names the one before too
        pairs = [(sound_id + 1, 0.95)] + ([(sound_id - 1, 0.92)] if sound_id > 70 else [])
        state.apply(Linked(sound_id, SimilarList(tuple(pairs), NOW_US + 1, 25)))
    for event in (
        Related(66, 80, "user", NOW_US),
        Related(5, 3, "tags", NOW_US, 0.5),
        Gone(12, NOW_US + 9),
        Known(99, NOW_US),
    ):
        state.apply(event)
    return state


@pytest.fixture(scope="module")
def graph() -> nx.DiGraph:
    selected = select(make_graph())
    found = nx.DiGraph()
    found.add_nodes_from(selected.sound_ids)
    found.add_edges_from((edge.source, edge.target, {"score": edge.score}) for edge in selected.edges())
    return found


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    save_export(select(make_graph()), "parquet", tmp_path / "lib", partition_rows=80)
    assert len(list((tmp_path / "lib" / "edges").iterdir())) > 2
    monkeypatch.chdir(tmp_path)
    with dask.config.set({"scheduler-address": shared_cluster()}):
        yield tmp_path


def named_by_smallest(groups: Any) -> dict[int, int]:
    return {one: min(group) for group in groups for one in group}


def test_the_guide_shows_three_engines() -> None:
    assert list(ENGINES) == ["DuckDB", "Dask", "Spark"]


def test_a_process_of_dask_that_imports_the_program_starts_nothing() -> None:
    imported: dict[str, Any] = {"__name__": "__mp_main__"}
    exec(ENGINES["Dask"], imported)
    assert "components" in imported
    assert "client" not in imported


# Dask calls pandas in a way that pandas 3 means to drop.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("engine", ["DuckDB", "Dask"])
def test_each_engine_finds_what_networkx_finds(engine: str, parts: Path, graph: nx.DiGraph) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    told = io.StringIO()
    try:
        with redirect_stdout(told):
            exec(ENGINES[engine], names)
    finally:
        for name in ("db", "client"):
            if name in names:
                names[name].close()
    component = named_by_smallest(nx.weakly_connected_components(graph))
    assert names["component"] == component
    strong = nx.Graph(
        (one, other)
        for one, other, score in graph.edges(data="score")
        if score is not None and score >= 0.9 and (graph.get_edge_data(other, one) or {}).get("score", 0) >= 0.9
    )
    strong.add_nodes_from(graph)
    group = named_by_smallest(nx.connected_components(strong))
    assert names["group"] == group
    assert 10 < len(set(group.values())) < len(graph)
    rank = nx.pagerank(graph, alpha=0.85, weight=None, tol=1e-12, max_iter=500)
    assert names["rank"].keys() == rank.keys()
    assert max(abs(names["rank"][one] - rank[one]) for one in rank) < 1e-6
    best = sorted(rank, key=lambda one: (-round(rank[one], 6), one))[:5]
    assert told.getvalue().splitlines() == [
        f"components {len(set(component.values()))}",
        *(f"{one} {rank[one]:.6f}" for one in best),
        f"groups {len(set(group.values()))}",
    ]
