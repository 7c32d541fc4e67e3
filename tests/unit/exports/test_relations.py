"""An imported relation comes back from every export with its kinds and weights, beside the scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow.parquet as pq
import pytest

from harvester.exports.export import save_export
from harvester.graph import SoundGraph, select
from harvester.model import Event, Linked, Related, SimilarList
from tests.support.samples import NOW_US, SOURCE

EVENTS: list[Event] = [
    Linked(1, SimilarList(((2, 0.75),), NOW_US, 25)),
    Related(1, 2, "pack", NOW_US),
    Related(1, 2, "tag", NOW_US, 0.1 + 0.2),
    Related(1, 3, 'a "b" <c> & ü', NOW_US, -3.0),
    Related(3, 2, "user", NOW_US),
    Related(3, 2, "similarity", NOW_US, 1e-300),
]

Row = tuple[int, int, Any, Any, Any]


def of_jsonl(path: Path) -> Iterator[Row]:
    for line in path.read_text(encoding="utf-8").splitlines():
        sound = json.loads(line)
        for one in sound["neighbours"]:
            yield sound["id"], one["id"], one.get("score"), one.get("relation"), one.get("weights")


def of_node_link(path: Path) -> Iterator[Row]:
    for one in json.loads(path.read_text(encoding="utf-8"))["edges"]:
        yield one["source"], one["target"], one.get("score"), one.get("relation"), one.get("weights")


def of_csv(path: Path) -> Iterator[Row]:
    edges = path.with_name(f"{path.stem}.edges.csv").read_text(encoding="utf-8").splitlines()
    for one in csv.DictReader(edges):
        score = float(one["score"]) if one["score"] else None
        yield int(one["source"]), int(one["target"]), score, one["relation"] or None, one["weights"] or None


def of_parquet(path: Path) -> Iterator[Row]:
    for one in pq.read_table(path.with_name(f"{path.stem}.edges.parquet")).to_pylist():
        yield one["source"], one["target"], one["score"], one["relation"], one["weights"]


def of_graph(read: Callable[[Path], nx.DiGraph]) -> Callable[[Path], Iterator[Row]]:
    def rows(path: Path) -> Iterator[Row]:
        for source, target, one in read(path).edges(data=True):
            yield int(source), int(target), one.get("score"), one.get("relation"), one.get("weights")

    return rows


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "jsonl": of_jsonl, "node-link": of_node_link, "csv": of_csv, "parquet": of_parquet,
    "graphml": of_graph(nx.read_graphml), "gexf": of_graph(nx.read_gexf),
}  # fmt: skip


@pytest.mark.parametrize("format", READERS)
def test_kinds_weights_and_scores_come_back(format: str, tmp_path: Path) -> None:
    state = SoundGraph(SOURCE)
    for event in EVENTS:
        state.apply(event)
    path = tmp_path / f"out.{format}"
    save_export(select(state), format, path)
    back: dict[int, dict[int, dict[str, Any]]] = {1: {}, 2: {}, 3: {}}
    for source, target, score, relation, weights in READERS[format](path):
        found = {
            "score": score,
            "relation": relation and json.loads(relation),
            "weights": weights and json.loads(weights),
        }
        back[source][target] = {name: value for name, value in found.items() if value is not None}
    assert back == {source: dict(targets) for source, targets in state.graph.adj.items()}
