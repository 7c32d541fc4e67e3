"""The columns of every export with their types, by value: programs of others read them by these names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from lxml import etree

from harvester.exports.export import save_export
from harvester.graph.selection import Selected, select
from tests.support.view_samples import make_record, make_state

STAMP = "timestamp[us, tz=UTC]"
COLUMNS = {
    # column: its type in parquet, its type in graphml and gexf
    "id": ("int64", None),
    "url": ("string", "string"),
    "name": ("string", "string"),
    "tags": ("list<element: string>", "string"),
    "description": ("string", "string"),
    "category": ("string", "string"),
    "subcategory": ("string", "string"),
    "geotag": ("string", "string"),
    "created": (STAMP, "string"),
    "license": ("string", "string"),
    "type": ("string", "string"),
    "channels": ("int64", "long"),
    "filesize": ("int64", "long"),
    "bitrate": ("int64", "long"),
    "bitdepth": ("int64", "long"),
    "duration": ("double", "double"),
    "samplerate": ("double", "double"),
    "username": ("string", "string"),
    "pack": ("string", "string"),
    "preview_hq_mp3": ("string", "string"),
    "image_waveform_m": ("string", "string"),
    "num_downloads": ("int64", "long"),
    "avg_rating": ("double", "double"),
    "num_ratings": ("int64", "long"),
    "num_comments": ("int64", "long"),
    "pack_name": ("string", "string"),
    "gen_ai_preference": ("string", "string"),
    "md5": ("string", "string"),
    "is_explicit": ("bool", "boolean"),
    "added_at": (STAMP, "long"),
    "fetched_at": (STAMP, "long"),
    "processed": ("bool", "boolean"),
    "linked_at": (STAMP, "long"),
    "link_origin": ("string", "string"),
    "link_space": ("string", "string"),
    "link_limit": ("int64", "long"),
    "link_filter": ("string", "string"),
}
EDGES = {"source": "int64", "target": "int64", "score": "double", "relation": "string", "weights": "string"}
JSON_KEYS = [
    "id", "url", "name", "tags", "description", "category", "subcategory", "geotag", "created", "license", "type",
    "channels", "filesize", "bitrate", "bitdepth", "duration", "samplerate", "username", "pack", "previews", "images",
    "num_downloads", "avg_rating", "num_ratings", "num_comments", "pack_name", "gen_ai_preference", "md5",
    "is_explicit", "added_at", "fetched_at", "linked_at", "link_origin", "link_space", "link_limit", "link_filter",
    "processed",
]  # fmt: skip
CREDITS = ["id", "title", "author", "url", "license", "license_url", "mark", "fetched", "gen_ai_preference"]


@pytest.fixture
def selected() -> Selected:
    """A sound with every field, in an edge to one without a record."""
    record = make_record(
        1, description="d", subcategory="s", geotag="1.5 -2.5", type="wav", channels=2, filesize=10, bitrate=1,
        bitdepth=16, samplerate=44100.0, pack="https://freesound.org/apiv2/packs/3/", avg_rating=4.5, num_ratings=3,
        num_comments=1, pack_name="p", md5="0" * 32, is_explicit=False,
    )  # fmt: skip
    return select(make_state([record], {1: [(2, 0.75)]}))


def test_csv_has_these_columns(selected: Selected, tmp_path: Path) -> None:
    found = []
    for path in save_export(selected, "csv", tmp_path / "out.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found.append(next(csv.reader(file)))
    assert found == [list(COLUMNS), list(EDGES)]


def test_parquet_has_these_columns_and_types(selected: Selected, tmp_path: Path) -> None:
    sounds, edges = save_export(selected, "parquet", tmp_path / "out.parquet")
    assert [(one.name, str(one.type)) for one in pq.read_schema(sounds)] == [
        *((name, kind) for name, (kind, _) in COLUMNS.items()), ("record", "string"), ("library", "string"),
    ]  # fmt: skip
    assert [(one.name, str(one.type)) for one in pq.read_schema(edges)] == list(EDGES.items())


@pytest.mark.parametrize("format", ["graphml", "gexf"])
def test_xml_has_these_attributes_and_types(format: str, selected: Selected, tmp_path: Path) -> None:
    [path] = save_export(selected, format, tmp_path / "out.xml")
    tree = etree.parse(path)
    if format == "graphml":
        keys = tree.findall("{*}key")
        found = {
            place: [(key.get("attr.name"), key.get("attr.type")) for key in keys if key.get("for") == place]
            for place in ("node", "edge")
        }
        edge = [("score", "double"), ("weight", "double"), ("relation", "string"), ("weights", "string")]
    else:
        found = {
            group.get("class"): [(one.get("title"), one.get("type")) for one in group]
            for group in tree.iterfind(".//{*}attributes")
        }
        edge = [("score", "double"), ("relation", "string"), ("weights", "string")]
    assert found == {"node": [(name, kind) for name, (_, kind) in COLUMNS.items() if kind], "edge": edge}


def test_json_has_these_keys(selected: Selected, tmp_path: Path) -> None:
    [lines] = save_export(selected, "jsonl", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert list(rows[0]) == [*JSON_KEYS, "neighbours", "library"]
    assert rows[0]["neighbours"] == [{"id": 2, "score": 0.75}]
    assert list(rows[1]) == ["id", "added_at", "processed", "neighbours"]
    [whole] = save_export(selected, "node-link", tmp_path / "out.json")
    content = json.loads(whole.read_text(encoding="utf-8"))
    assert list(content) == ["directed", "multigraph", "graph", "nodes", "edges"]
    assert list(content["graph"]) == ["source", "similarity_space", "library"]
    assert list(content["nodes"][0]) == [*JSON_KEYS, "record"]
    assert content["edges"] == [{"source": 1, "target": 2, "score": 0.75}]


def test_the_table_of_credits_has_these_columns(selected: Selected) -> None:
    from harvester.exports.credits import encode_credits, list_credits

    told = "".join(encode_credits(list_credits(selected), "csv", faithful=False))
    assert next(csv.reader(told.splitlines())) == CREDITS
