"""Every export is read back by a reader that is not ours and compared with the library."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import networkx as nx
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from lxml import etree

from harvester.errors import SettingsError
from harvester.exports import parquet as parquet_module
from harvester.exports.arrow import SoundRows
from harvester.exports.export import save_export
from harvester.exports.parquet import encode_parquet
from harvester.extension_points import FORMATS
from harvester.graph import SoundGraph
from harvester.graph.selection import Selected, select
from tests.support.view_samples import load_edge_cases, make_library, make_record, make_state

LONE = re.compile("[\ud800-\udfff]")
UNSAFE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@pytest.fixture(params=["made up", "edge cases"])
def selected(request: pytest.FixtureRequest) -> Selected:
    if request.param == "made up":
        return select(make_library())
    return select(load_edge_cases(request.getfixturevalue("real_records")))


def flat(attributes: dict[str, Any], text: Callable[[str], str]) -> dict[str, Any]:
    """Return what a table must hold of a sound, worked out apart from the code under test."""
    cells: dict[str, Any] = {}
    for name, value in attributes.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, one in inner:
            prefix = {"previews": "", "images": "image_"}.get(name, f"{name}_") if key else name
            if isinstance(one, list):
                plain = all(isinstance(part, str) for part in one)
                one = "|".join(one) if plain else json.dumps(one, sort_keys=True)
            if one is not None:
                cells[prefix + key.replace("-", "_")] = text(LONE.sub("\ufffd", one)) if isinstance(one, str) else one
    return cells


def assert_sound_equals(found: dict[str, Any], attributes: dict[str, Any], text: Callable[[str], str] = str) -> None:
    expected = {name: value for name, value in flat(attributes, text).items() if value != ""}
    found = {name: value for name, value in found.items() if value is not None and value != ""}
    found.pop("processed")
    found.pop("label", None)
    expected.pop("huge", None)  # beyond 64 bits: no value of a record
    assert {**found, "id": 0} == {**expected, "id": 0}


def scores(selected: Selected) -> dict[tuple[int, int], float]:
    graph = selected.state.graph
    return {(a, b): score for a, b, score in graph.edges(data="score") if a in selected and b in selected}


def xml_safe(value: str) -> str:
    return UNSAFE.sub("", value)


def test_graphml_reads_back_in_networkx_as_the_library(selected: Selected, tmp_path: Path) -> None:
    [path] = save_export(selected, "graphml", tmp_path / "out.graphml")
    graph = nx.read_graphml(path, node_type=int)
    assert list(graph) == selected.sound_ids
    for sound_id, attributes in graph.nodes(data=True):
        assert_sound_equals(attributes, selected.state.attributes(sound_id), xml_safe)
    assert {(a, b): score for a, b, score in graph.edges(data="score")} == scores(selected)


def test_gexf_reads_back_in_networkx_as_the_library(selected: Selected, tmp_path: Path) -> None:
    [path] = save_export(selected, "gexf", tmp_path / "out.gexf")
    graph = nx.read_gexf(path, node_type=int)
    assert list(graph) == selected.sound_ids
    for sound_id, attributes in graph.nodes(data=True):
        assert attributes["label"] == xml_safe(selected.state.attributes(sound_id).get("name", str(sound_id)))
        assert_sound_equals(attributes, selected.state.attributes(sound_id), xml_safe)
    assert {(a, b): weight for a, b, weight in graph.edges(data="weight")} == scores(selected)


@pytest.mark.parametrize("format", ["graphml", "gexf"])
def test_xml_is_well_formed_for_lxml_and_keeps_every_name(selected: Selected, tmp_path: Path, format: str) -> None:
    [path] = save_export(selected, format, tmp_path / "out.xml")
    tree = etree.parse(path, etree.XMLParser(huge_tree=False, resolve_entities=False))
    nodes = tree.findall(".//{*}node")
    assert [int(node.get("id")) for node in nodes] == selected.sound_ids
    texts = set(tree.xpath("//text()")) | set(tree.xpath("//@value"))
    for sound_id in selected.sound_ids:
        name = selected.state.attributes(sound_id).get("name")
        assert name is None or xml_safe(name) in texts


def strict(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON carries of a sound: halves of surrogate pairs are replaced."""
    return {name: LONE.sub("\ufffd", one) if isinstance(one, str) else one for name, one in attributes.items()}


def test_jsonl_keeps_every_value_and_the_neighbours(selected: Selected, tmp_path: Path) -> None:
    [path] = save_export(selected, "jsonl", tmp_path / "out.jsonl")
    sounds = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [sound["id"] for sound in sounds] == selected.sound_ids
    found = {(sound["id"], n["id"]): n["score"] for sound in sounds for n in sound.pop("neighbours")}
    assert found == scores(selected)
    for sound in sounds:
        sound = {name: value for name, value in sound.items() if name not in ("record", "library")}
        assert sound.pop("processed") is (sound["id"] in selected.state.processed)
        assert sound == {**strict(selected.state.attributes(sound["id"])), "id": sound["id"]}


def test_node_link_reads_back_in_networkx_as_the_library(selected: Selected, tmp_path: Path) -> None:
    [path] = save_export(selected, "node-link", tmp_path / "out.json")
    graph = nx.node_link_graph(json.loads(path.read_bytes()), edges="edges")
    assert graph.is_directed()
    assert {(a, b): score for a, b, score in graph.edges(data="score")} == scores(selected)
    for sound_id, attributes in graph.nodes(data=True):
        attributes.pop("processed")
        attributes.pop("record")
        assert {**attributes, "id": 0} == {**strict(selected.state.attributes(sound_id)), "id": 0}


def test_csv_reads_back_in_pandas_as_the_library(selected: Selected, tmp_path: Path) -> None:
    path, edges_path = save_export(selected, "csv", tmp_path / "out.csv", faithful=True)
    assert edges_path.name == "out.edges.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert [int(one) for one in table["id"]] == selected.sound_ids
    for row in table.to_dict("records"):
        attributes = selected.state.attributes(int(row["id"]))
        expected = flat(attributes, lambda text: text.replace("\0", ""))
        for name, value in expected.items():
            if name in ("id", "huge"):
                continue
            kind = float if isinstance(value, int) and name == "duration" else type(value)
            found = row[name] == "true" if kind is bool else kind(row[name])
            assert found == value, (row["id"], name)
    edges = pd.read_csv(edges_path)
    found = {(a, b): score for a, b, score in zip(edges["source"], edges["target"], edges["score"], strict=True)}
    assert found == scores(selected)


CELLS = ["a\rb", "\r", "a\r\nb", "a\nb", 'say "hi"', "a,b", " a ", "'a", "", "\u2028", "\x85", "\x0b", "\t", "=1+1"]


def test_csv_reads_back_alike_in_three_readers_whatever_breaks_a_line(tmp_path: Path) -> None:
    records = [make_record(1 + place, name=cell, tags=[cell]) for place, cell in enumerate(CELLS)]
    path, _ = save_export(select(make_state(records)), "csv", tmp_path / "out.csv", faithful=True)
    with path.open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == CELLS
    assert list(pd.read_csv(path, dtype=str, keep_default_na=False)["name"]) == CELLS
    whole = pyarrow.csv.ParseOptions(newlines_in_values=True)
    assert pyarrow.csv.read_csv(path, parse_options=whole)["name"].to_pylist() == CELLS


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_a_csv_is_a_formula_unless_it_is_wanted_faithful(tmp_path: Path, text: str) -> None:
    record = make_record(1, name=text, tags=[text, "b"], latitude=-1.5) | {text: "x"}
    for faithful, mark in ((False, "'"), (True, "")):
        path, _ = save_export(select(make_state([record])), "csv", tmp_path / "out.csv", faithful=faithful)
        with path.open(encoding="utf-8", newline="") as file:
            [row] = csv.DictReader(file)
        assert (row["name"], row["tags"], row[mark + text]) == (mark + text, f"{mark}{text}|b", "x")
        assert row["latitude"] == "-1.5", "a number is no formula"


def test_parquet_is_typed_and_reads_back_in_pyarrow_as_the_library(selected: Selected, tmp_path: Path) -> None:
    path, edges_path = save_export(selected, "parquet", tmp_path / "out.parquet")
    schema = {field.name: str(field.type) for field in pq.read_schema(path)}
    expected_types = {"id": "int64", "duration": "double", "name": "string", "created": "timestamp[us, tz=UTC]"}
    expected_types |= {"fetched_at": "timestamp[us, tz=UTC]", "tags": "list<element: string>", "processed": "bool"}
    assert {name: schema[name] for name in expected_types} == expected_types
    rows = pq.read_table(path).to_pylist()
    assert [row["id"] for row in rows] == selected.sound_ids
    for row in rows:
        row = {name: value for name, value in row.items() if name not in ("record", "library")}
        attributes = selected.state.attributes(row["id"])
        for name in ("created", "added_at", "fetched_at", "linked_at"):
            stamp = row.pop(name, None)
            known = attributes.get(name)
            if isinstance(known, int):
                assert int(stamp.timestamp()) * 1_000_000 + stamp.microsecond == known
            elif known:
                assert stamp.strftime("%Y-%m-%dT%H:%M:%SZ") == known
        row["tags"] = "|".join(row["tags"]) if row["tags"] is not None else None
        known = {name: one for name, one in attributes.items() if name not in ("created",) and not name.endswith("_at")}
        assert_sound_equals(row, known)
    edges = pq.read_table(edges_path).to_pylist()
    assert {(edge["source"], edge["target"]): edge["score"] for edge in edges} == scores(selected)


def test_a_parquet_file_has_the_bytes_of_whole_groups_of_rows() -> None:
    selected = select(make_state([make_record(one, description=f"{one} " * (one % 90)) for one in range(1, 2_600)]))
    sounds = SoundRows(selected, whole=True)
    expected = io.BytesIO()
    with pq.ParquetWriter(expected, sounds.schema, **parquet_module._PINNED) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist(list(sounds.rows()), schema=sounds.schema))
    assert b"".join(encode_parquet(sounds.schema, sounds.rows())) == expected.getvalue()


def test_one_group_of_rows_at_most_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "ROWS_A_BATCH", 200)
    schema, held = pa.schema([("text", pa.string())]), list[int]()

    def rows() -> Iterator[dict[str, str]]:
        for number in range(2_000):
            held.append(pa.total_allocated_bytes())
            yield {"text": f"{number:09}" * 1_000}

    before = pa.total_allocated_bytes()
    written = b"".join(encode_parquet(schema, rows()))
    assert pq.read_metadata(io.BytesIO(written)).num_row_groups == 10
    # A group has 1.8 MB; what it was is gone when the first row of the next one is asked for.
    assert max(held) - before < 1_000_000


def test_parquet_in_parts_has_one_schema_and_all_rows_in_order(tmp_path: Path) -> None:
    selected = select(make_library())
    [folder] = save_export(selected, "parquet", tmp_path / "out", partition_rows=4)
    parts = sorted((folder / "sounds").iterdir())
    assert [pq.read_metadata(part).num_rows for part in parts] == [4, 4, 3]
    assert len({str(pq.read_schema(part)) for part in parts}) == 1
    ids = duckdb.execute(f"SELECT id FROM '{folder}/sounds/*.parquet'").fetchall()
    assert [one for (one,) in ids] == selected.sound_ids
    count = duckdb.execute(f"SELECT count(*) FROM '{folder}/edges/*.parquet'").fetchall()
    assert count == [(len(scores(selected)),)]


def test_parts_replace_an_earlier_export_but_nothing_else(tmp_path: Path) -> None:
    selected = select(make_library())
    save_export(selected, "parquet", tmp_path / "out", partition_rows=2)
    save_export(selected, "parquet", tmp_path / "out", partition_rows=100)
    assert [path.name for path in (tmp_path / "out" / "sounds").iterdir()] == ["part-00000.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(SettingsError, match="not an earlier export"):
        save_export(selected, "parquet", tmp_path / "out", partition_rows=2)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("format", FORMATS)
def test_equal_states_give_equal_bytes_and_an_empty_library_gives_a_valid_file(tmp_path: Path, format: str) -> None:
    one = save_export(select(make_library()), format, tmp_path / "one.csv")
    other = save_export(select(make_library()), format, tmp_path / "other.csv")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    empty = save_export(select(SoundGraph()), format, tmp_path / "empty.csv")
    assert all(path.exists() for path in empty)


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_fails_leaves_the_old_file_and_no_temporary(tmp_path: Path, format: str) -> None:
    out = tmp_path / "out.csv"
    old = save_export(select(make_library()), format, out)
    before = {path: path.read_bytes() for path in old}
    broken = make_library()
    broken.graph.nodes[5]["link_filter"] = object()
    with pytest.raises((TypeError, ValueError)):
        save_export(select(broken), format, out)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before or format in ("csv", "parquet")
    assert out.read_bytes() == before[out]


def test_an_export_never_replaces_a_file_of_a_library(tmp_path: Path) -> None:
    (tmp_path / "freesound_library.pkl").write_bytes(b"precious")
    for name in ("freesound_library.pkl", "freesound_library.journal", "other.pkl"):
        with pytest.raises(SettingsError, match="libraries use"):
            save_export(select(make_library()), "jsonl", tmp_path / name)
    assert (tmp_path / "freesound_library.pkl").read_bytes() == b"precious"
