"""Relations are edges: imported and computed ones are counted, shown, drawn and exported alike by the real commands."""

from __future__ import annotations

import csv
import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow.parquet as pq
import pytest
from lxml import html

import harvester
from harvester.model import Related
from tests.support.command import call
from tests.support.processes import run
from tests.support.samples import files_of, make_record

IDS = range(1, 9)
Kinds = dict[str, int]


def make_old_file(path: Path) -> None:
    """Write the library of an older tool: a graph of relations with weights, and one scored edge that has one too."""
    graph = nx.DiGraph()
    graph.add_nodes_from(map(str, IDS))
    for one in IDS:
        graph.add_edge(str(one), str(one % 8 + 1), edge_type="by_same_user")
        graph.add_edge(str(one), str((one + 1) % 8 + 1), edge_type="tag_overlap", weight=one / 2)
    graph.add_edge("1", "5", score=0.9)
    graph.add_edge("2", "3", score=0.8, edge_type="by_same_user")
    records = {one: make_record(one, username=f"user{one % 2}", tags=["rain", f"tag{one % 3}"]) for one in IDS}
    path.write_bytes(pickle.dumps({"graph": graph, "sound_cache": records, "processed_ids": set(), "metadata": {}}))


def kinds_of(edges: Iterable[tuple[Any, Any]]) -> Kinds:
    """Count edges, given as (score, JSON text of their relations), in all and by kind."""
    tally: Counter[str] = Counter()
    for score, relation in edges:
        tally["edges"] += 1
        tally["similar"] += score not in (None, "")
        tally.update(f"relation:{kind}" for kind in json.loads(relation or "[]"))
    return {name: count for name, count in tally.items() if count}


def of_jsonl(path: Path) -> Kinds:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    edges = [edge for row in rows for edge in row["neighbours"]]
    return kinds_of((edge.get("score"), _text(edge.get("relation"))) for edge in edges)


def of_node_link(path: Path) -> Kinds:
    edges = json.loads(path.read_text(encoding="utf-8"))["edges"]
    return kinds_of((edge.get("score"), _text(edge.get("relation"))) for edge in edges)


def of_csv(path: Path) -> Kinds:
    rows = csv.DictReader(path.with_suffix(".edges.csv").read_text(encoding="utf-8").splitlines())
    return kinds_of((row["score"], row["relation"]) for row in rows)


def of_parquet(path: Path) -> Kinds:
    rows = pq.read_table(path.with_suffix(".edges.parquet")).to_pylist()
    return kinds_of((row["score"], row["relation"]) for row in rows)


def of_graph(read: Callable[[Path], Any]) -> Callable[[Path], Kinds]:
    return lambda path: kinds_of((edge.get("score"), edge.get("relation")) for *_, edge in read(path).edges(data=True))


READERS: dict[str, Callable[[Path], Kinds]] = {
    "jsonl": of_jsonl, "node-link": of_node_link, "csv": of_csv, "parquet": of_parquet,
    "graphml": of_graph(nx.read_graphml), "gexf": of_graph(nx.read_gexf),
}  # fmt: skip


def _text(relation: Any) -> Any:
    return json.dumps(relation) if isinstance(relation, list) else relation


def of_status(folder: Path) -> Kinds:
    facts = json.loads(call("status", "--json", "--library", "lib", cwd=folder).out)
    return {"edges": facts["edges"] - facts["hidden_edges"], **facts["edge_kinds"]}


def of_show(folder: Path) -> Kinds:
    tally: Counter[str] = Counter()
    for one in IDS:
        shown = json.loads(call("show", one, "--json", "--library", "lib", cwd=folder).out)
        if not shown["gone"]:
            neighbours, related = shown["neighbours"], shown["related"]
            tally["edges"] += len({edge["id"] for edge in (*neighbours, *related)})
            tally["similar"] += len(neighbours)
            tally.update(f"relation:{kind}" for edge in related for kind in edge["relations"])
    return dict(tally)


def of_map(folder: Path, *arguments: object) -> Kinds:
    drawn = call("map", "-o", "map.html", "--library", "lib", *arguments, cwd=folder)
    assert drawn.code == 0, drawn.err
    page = html.fromstring((folder / "map.html").read_text(encoding="utf-8"))
    head = json.loads(page.xpath("string(//script[@id='head'])"))
    assert f"{head['sounds']} sounds and " in drawn.err
    return {"edges": int(drawn.err.split(" edges")[0].split()[-1]), **dict(head["kinds"])}


def of_program(folder: Path) -> Kinds:
    library = harvester.Library.open(folder / "lib")
    edges = [edge for sound_id in library for edge in library.edges_of(sound_id)]
    return kinds_of((edge.score, edge.relation) for edge in edges)


def of_export(folder: Path, format: str, *arguments: object) -> Kinds:
    path = folder / f"out.{format}"
    ended = call("export", format, "-o", path, "--library", "lib", *arguments, cwd=folder)
    assert ended.code == 0, ended.err
    return READERS[format](path)


def everywhere(folder: Path) -> dict[str, Kinds]:
    """Return what each place tells of the edges."""
    places = {"status": of_status(folder), "show": of_show(folder), "map": of_map(folder), "Python": of_program(folder)}
    return places | {format: of_export(folder, format) for format in READERS}


def test_every_place_tells_the_same_edges_of_an_old_library(tmp_path: Path) -> None:
    make_old_file(tmp_path / "old.pkl")
    # A real process once: the rest runs the same commands in this one.
    assert run("import", "old.pkl", "--library", "lib", cwd=tmp_path).code == 0
    old = {"edges": 17, "similar": 2, "relation:by_same_user": 8, "relation:tag_overlap": 8}
    places = everywhere(tmp_path)
    assert places == dict.fromkeys(places, old)

    assert call("forget", 8, "--yes", "--library", "lib", cwd=tmp_path).code == 0
    fewer = {"edges": 13, "similar": 2, "relation:by_same_user": 6, "relation:tag_overlap": 6}
    places = everywhere(tmp_path)
    assert places == dict.fromkeys(places, fewer)
    assert "4 of sounds that are gone" in " ".join(call("status", "--library", "lib", cwd=tmp_path).out.split())

    for typed, wanted in {
        "similar": {"edges": 2, "similar": 2},
        "relation:tag_overlap": {"edges": 6, "relation:tag_overlap": 6},
        "relation:tag_overlap,similar": {"edges": 8, "similar": 2, "relation:tag_overlap": 6},
    }.items():
        assert of_map(tmp_path, "--edges", typed) == wanted
        assert {
            format: of_export(tmp_path, format, "--edges", typed) for format in ("csv", "jsonl", "gexf")
        } == dict.fromkeys(("csv", "jsonl", "gexf"), wanted)
    around = call("map", "--ego", 3, "--depth", 1, "--library", "lib", cwd=tmp_path)
    assert "laying out 5 sounds" in around.err


def test_relate_adds_edges_that_every_place_tells_and_a_second_run_adds_none(tmp_path: Path) -> None:
    make_old_file(tmp_path / "old.pkl")
    assert call("import", "old.pkl", "--library", "lib", cwd=tmp_path).code == 0
    before = files_of(tmp_path / "lib")
    relate = ("relate", "--by", "user,tags", "--max", 3, "--library", "lib", "--json")
    planned = call(*relate, "--dry-run", cwd=tmp_path)
    assert files_of(tmp_path / "lib") == before
    done = call(*relate, cwd=tmp_path)
    assert done.code == 0, done.err
    told = [json.loads(one.out) for one in (planned, done)]
    assert [one | {"seconds": 0} for one in told] == [told[1] | {"seconds": 0}] * 2
    assert {kind: (one["found"], one["new"], one["cut"]) for kind, one in told[1]["kinds"].items()} == {
        "user": (24, 24, 0), "tags": (24, 24, 8),
    }  # fmt: skip
    assert told[1]["saved"]
    places = everywhere(tmp_path)
    assert places == dict.fromkeys(places, places["status"])
    assert (places["status"]["relation:user"], places["status"]["relation:tags"]) == (24, 24)
    assert places["status"]["edges"] == told[1]["edges"]

    saved = files_of(tmp_path / "lib")
    again = call(*relate, cwd=tmp_path)
    assert (again.code, json.loads(again.out)["saved"]) == (0, False)
    stricter = call("relate", "--min-jaccard", 0.9, "--by", "tags", "--library", "lib", cwd=tmp_path)
    assert "of earlier runs or imports stay" in stricter.err
    assert {name: raw for name, raw in files_of(tmp_path / "lib").items() if name.endswith(".pkl")} == {
        name: raw for name, raw in saved.items() if name.endswith(".pkl")
    }


def test_a_crash_before_the_relations_are_saved_leaves_the_library_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_file(tmp_path / "old.pkl")
    assert call("import", "old.pkl", "--library", "lib", cwd=tmp_path).code == 0
    edges = of_status(tmp_path)

    def fail(*_given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr("harvester.library.store.Store.rewrite", fail)
        with pytest.raises(MemoryError):
            harvester.relate(tmp_path / "lib")
    assert of_status(tmp_path) == edges
    assert harvester.relate(tmp_path / "lib").saved


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "users"), "--by users is not known; choose from user, pack, tags"),
        (("--by", ","), "--by names no kind; choose from user, pack, tags"),
        (("--min-jaccard", 0), "--min-jaccard must be above 0: sounds without a common tag are never alike"),
        (("--max", 0), "--max"), (("--edges", "sims"), "'sims' is no kind of edges; use similar, relation:KIND"),
    ],
)  # fmt: skip
def test_what_cannot_be_related_is_refused_in_one_line(
    arguments: tuple[object, ...], told: str, tmp_path: Path
) -> None:
    ended = call("relate", *arguments, cwd=tmp_path)
    assert ended.code == 2
    assert told in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_program_gets_the_same_relations(tmp_path: Path) -> None:
    make_old_file(tmp_path / "old.pkl")
    assert call("import", "old.pkl", "--library", "lib", cwd=tmp_path).code == 0
    result = harvester.relate(tmp_path / "lib", by="user", max=1)
    assert {kind: (one.found, one.new, one.cut) for kind, one in result.kinds.items()} == {"user": (8, 8, 8)}
    library = harvester.Library.open(tmp_path / "lib")
    assert [(edge.target, edge.kinds) for edge in library.select(edges="relation:user").edges_of(1)] == [
        (3, ("relation:user",))
    ]
    assert any(isinstance(event, Related) for event in library.view.state.events())
    with pytest.raises(harvester.SettingsError, match=r"^min_jaccard must be"):
        harvester.relate(tmp_path / "lib", min_jaccard=2)
