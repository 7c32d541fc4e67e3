"""Records, tables and graphs of others: what becomes a record, a relation or a similar list, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvester.errors import HarvesterError, LibraryCorrupt, SettingsError, WrongSource
from harvester.exports import save_export
from harvester.graph import SoundGraph, select
from harvester.importing.old_library import ImportReport, import_old
from harvester.library import load_view
from harvester.model import RECORD_FIELDS, Known, Linked, Related, Seen, SimilarList
from tests.support.recorded import read_rows
from tests.support.samples import NOW_US, FixedClock, make_events, make_record, make_state
from tests.support.view_samples import make_library
from tests.support.view_samples import make_record as make_varied


def imported(path: Path, folder: Path, **options: Any) -> tuple[SoundGraph, ImportReport]:
    report = import_old(path, folder, clock=FixedClock(), **options)
    return load_view(folder).state, report


def relations(state: SoundGraph) -> dict[tuple[int, int], dict[str, Any]]:
    return {(a, b): dict(edge) for a, b, edge in state.graph.edges(data=True)}


def test_records_as_the_api_returns_them_come_in_from_every_form_of_json(real_records: Path, tmp_path: Path) -> None:
    records = read_rows(real_records / "real_sounds_300.jsonl")[:40]
    assert not {"added_at", "neighbours"} & set(records[0])
    forms = {
        "lines": "".join(json.dumps(one) + "\n" for one in records),
        "list": json.dumps(records, indent=1),
        "answer": json.dumps({"count": 40, "next": None, "previous": None, "results": records}),
        "answers": "\n".join(json.dumps({"count": 40, "results": records[at : at + 10]}) for at in range(0, 40, 10)),
    }  # fmt: skip
    for form, text in forms.items():
        (tmp_path / form).write_text(text, encoding="utf-8")
        state, report = imported(tmp_path / form, tmp_path / f"of {form}")
        for record in records:
            kept = state.record(record["id"])
            assert kept is not None
            assert {name: kept[name] for name in RECORD_FIELDS if name in record} == {
                name: record[name] for name in RECORD_FIELDS if name in record
            }
        assert (report.nodes, report.edges, state.source) == (40, 0, "https://freesound.org/apiv2/")
    (tmp_path / "one.json").write_text(json.dumps(records[0]), encoding="utf-8")
    assert list(imported(tmp_path / "one.json", tmp_path / "one")[0].graph) == [records[0]["id"]]


def test_a_line_ends_at_a_line_feed_only(tmp_path: Path) -> None:
    names = ["a\u2028b", "c\x85d", "e\x0bf\x0c"]
    lines = [json.dumps(make_record(1 + place, name=name), ensure_ascii=False) for place, name in enumerate(names)]
    (tmp_path / "out.jsonl").write_bytes("\r\n".join([*lines, "", ""]).encode())
    state, _ = imported(tmp_path / "out.jsonl", tmp_path / "new")
    assert [state.attributes(sound_id)["name"] for sound_id in sorted(state.graph)] == names


@pytest.mark.parametrize("format", ["csv", "graphml", "gexf"])
def test_our_own_tables_and_graphs_come_back_as_far_as_they_say_it(format: str, tmp_path: Path) -> None:
    records = [make_varied(1 + place, geotag="-33.5 -70.25", pack_name="a, b") for place in range(4)]
    state = make_state([*(Seen(record["id"], record, NOW_US - 5) for record in records), Known(9, 7)])
    state.apply(Linked(1, SimilarList(((2, 0.75),), NOW_US, 25)))
    state.apply(Related(1, 2, "pack", NOW_US))
    state.apply(Related(2, 3, "tag, or [not]", NOW_US, -0.5))
    state.apply(Related(2, 3, "user", NOW_US))
    path = tmp_path / f"sounds.{format}"
    save_export(select(state), format, path)
    again, report = imported(path, tmp_path / "new")
    assert relations(again) == relations(state)
    for record in records:
        kept = again.record(record["id"])
        assert kept is not None
        # What is null for every sound has no column.
        assert {name: value for name, value in kept.items() if value is not None} == {
            name: value for name, value in record.items() if value is not None
        }
        assert again.attributes(record["id"])["fetched_at"] == NOW_US - 5
    assert again.record(9) is None
    assert report.tally.dropped.keys() == {
        name for name in report.tally.dropped if name.startswith("housekeeping fields")
    }


def test_typed_columns_of_pandas_and_arrow_become_the_fields_they_are_named_after(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": [1.0, 2.0, None], "name": ["a", None, "b"], "tags": [["x", "y"], [], None], "mine": [1, 2, 3],
            "duration": [1.5, 2.0, 3.0], "num_downloads": [7.0, None, 1.0],
            "created": pd.to_datetime(["2020-01-02T03:04:05Z"] * 3),
            "fetched_at": [datetime(2021, 1, 1, tzinfo=UTC)] * 3, "preview_hq_mp3": ["u", None, None],
        }
    )  # fmt: skip
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    for name in ("t.parquet", "t.csv"):
        state, report = imported(tmp_path / name, tmp_path / f"of {name}")
        first, second = state.record(1), state.record(2)
        assert first is not None
        assert second is not None
        assert (first["name"], first["duration"], first["num_downloads"]) == ("a", 1.5, 7)
        assert type(first["num_downloads"]) is int
        assert (second["name"], second["num_downloads"]) == (None, None)
        assert first["previews"] == {"preview-hq-mp3": "u"}
        assert state.attributes(1)["fetched_at"] == 1_609_459_200_000_000
        assert report.tally.dropped["column mine"] == 3
        assert any("rows without the id of a sound (1)" in notice for notice in report.notices)
    state, _ = imported(tmp_path / "t.parquet", tmp_path / "tags")
    assert state.attributes(1)["tags"] == ["x", "y"]
    assert state.attributes(1)["created"] == "2020-01-02T03:04:05Z"


Relations = dict[tuple[int, int], dict[str, Any]]
PLAIN: Relations = {(1, 2): {"relation": ["mine"], "weights": {"mine": 0.5}}, (2, 3): {"relation": ["mine"]}}
OF_FILE: Relations = {(1, 2): {"relation": ["pack"], "weights": {"pack": 0.5}}, (2, 3): {"relation": ["tag"]}}
GRAPHML = (
    '<graphml><key id="w" for="edge" attr.name="weight" attr.type="double"/><key id="k" for="edge" attr.name="kind"/>'
    '<key id="n" for="node" attr.name="name"/><graph edgedefault="directed"><node id="1"/><node id="2"/><node id="3"/>'
)
GEXF = '<gexf><graph defaultedgetype="directed"><nodes><node id="1"/><node id="2"/><node id="3"/></nodes><edges>'
EDGES: dict[str, tuple[str, Relations]] = {
    "header.csv": ("source,target,weight\n1,2,0.5\n2,3,\n", PLAIN),
    "kinds.csv": ("source,target,weight,kind\n1,2,0.5,pack\n2,3,,tag\n", OF_FILE),
    "Gephi.csv": ("Source,Target,Type,Id,Label,Weight\n1,2,Directed,0,,0.5\n2,3,Directed,1,,\n", PLAIN),
    "from-to.tsv": ("from\tto\tweight\trelation\r\n1\t2\t0.5\tpack\r\n2\t3\t\ttag\r\n", OF_FILE),
    "bare.csv": ("1,2,0.5,pack\n2,3,,tag\n", OF_FILE),
    "pairs.edgelist": ("# by networkx\n1 2 0.5\n2 3\n", PLAIN),
    "pairs.txt": ("1 2 0.5 pack\n\n2\t3 0 tag\n", {**OF_FILE, (2, 3): {"relation": ["tag"], "weights": {"tag": 0.0}}}),
    "dicts.edgelist": ("1 2 {'weight': 0.5}\n2 3 {}\n", PLAIN),
    "own.graphml": (
        f'{GRAPHML}<edge source="1" target="2"><data key="w">0.5</data><data key="k">pack</data></edge>'
        '<edge source="2" target="3"><data key="k">tag</data></edge></graph></graphml>', OF_FILE,
    ),
    "own.gexf": (
        f'{GEXF}<edge source="1" target="2" weight="0.5" kind="pack"/><edge source="2" target="3" kind="tag"/>'
        "</edges></graph></gexf>", OF_FILE,
    ),
    "own.json": (
        '{"directed":true,"nodes":[{"id":1},{"id":2},{"id":3}],"links":[{"source":1,"target":2,"weight":0.5},'
        '{"source":2,"target":3}]}', PLAIN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_own_edges_become_relations_with_kind_and_weight(name: str, tmp_path: Path) -> None:
    text, expected = EDGES[name]
    (tmp_path / name).write_bytes(text.encode())
    state, report = imported(tmp_path / name, tmp_path / "new", relation="mine")
    assert relations(state) == expected
    assert report.notices == ()
    # A sound is known since the import, and a library that knew it before keeps its own time.
    assert {state.attributes(sound_id)["added_at"] for sound_id in (1, 2, 3)} == {NOW_US}


def test_edges_come_into_a_library_beside_its_similar_edges_and_change_nothing_else(tmp_path: Path) -> None:
    events = make_events(3)
    save_export(select(make_state(events)), "jsonl", tmp_path / "lib.jsonl")
    imported(tmp_path / "lib.jsonl", tmp_path / "lib")
    (tmp_path / "mine.csv").write_text("source,target,weight,kind\n1,2,2,pack\n1,2,3,user\n")
    state, _ = imported(tmp_path / "mine.csv", tmp_path / "lib")
    expected = make_state([*events, Related(1, 2, "pack", NOW_US * 2, 2.0), Related(1, 2, "user", NOW_US * 2, 3.0)])
    assert relations(state) == relations(expected)
    assert [dict(one) for one in state.graph.nodes.values()] == [dict(one) for one in expected.graph.nodes.values()]


def test_undirected_graphs_have_an_edge_in_each_direction_and_programs_may_number_the_nodes(tmp_path: Path) -> None:
    graph = nx.Graph()
    graph.add_node("n0", name="77")
    graph.add_node("n1", name="88")
    graph.add_edge("n0", "n1", weight=0.25)
    nx.write_graphml(graph, tmp_path / "numbered.graphml")
    nx.write_gexf(nx.relabel_nodes(graph, {"n0": 77, "n1": 88}), tmp_path / "own.gexf")
    edge = {"relation": ["related"], "weights": {"related": 0.25}}
    for name in ("numbered.graphml", "own.gexf"):
        state, _ = imported(tmp_path / name, tmp_path / f"of {name}")
        assert relations(state) == {(77, 88): edge, (88, 77): edge}, name


def test_rows_that_cannot_be_used_are_counted_and_named_and_the_others_come_in(tmp_path: Path) -> None:
    rows = ["id,name,duration", "1,a,1.5", "x,b,1", ",c,2", '2,"d', 'e",long', "3,f"]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    state, report = imported(tmp_path / "t.csv", tmp_path / "new")
    assert sorted(state.graph) == [1, 2]
    assert report.notices == (
        "not imported: rows with another number of cells than the header (1), rows without the id of a sound (2); "
        "see line 3, line 4, line 7",
    )
    assert state.attributes(2)["name"] == "d\ne"
    assert report.tally.mapped["field duration: mistyped field"] == 1
    edges = ["source,target,weight,score", "1,2,heavy,", "1,x,1,", "5,5,1,", "1,2,1,1.5", "1,2,nan,", "1,3,1,"]
    (tmp_path / "e.csv").write_text("\n".join(edges))
    state, report = imported(tmp_path / "e.csv", tmp_path / "edges")
    assert relations(state) == {(1, 3): {"relation": ["related"], "weights": {"related": 1.0}}}
    assert report.notices == (
        "not imported: edges from a sound to itself (1), edges whose score is not between 0 and 1 (1), edges whose "
        "weight is not a finite number (2), edges without two sounds (1); see line 2, line 3, line 4, line 5, line 6",
    )


@dataclass(frozen=True)
class Refused:
    """A file that is refused as a whole: how it is made, and what is said."""

    make: Callable[[Path], bytes]
    error: type[HarvesterError]
    said: str


def _text(text: str) -> Callable[[Path], bytes]:
    return lambda _: text.encode("utf-8", "surrogatepass")


def _export(format: str, change: Callable[[bytes], bytes]) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        save_export(select(make_library()), format, folder / "made")
        return change((folder / "made").read_bytes())

    return make


def _parquet(**columns: Any) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        pq.write_table(pa.table(columns), folder / "made")
        return (folder / "made").read_bytes()

    return make


LINE = '{"id":5,"added_at":1,"processed":false,"neighbours":[]}'
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    '<graphml><graph><node id="&b;"/></graph></graphml>'
)
MADE_UP = '{"id":5,"url":"https://sandbox.invalid/people/a/sounds/5/","name":"x"}'
DEEP = '"name":' + "[" * 200_000
OF_A_SANDBOX = json.dumps({"id": 5, "library": '{"format":1,"source":"sandbox:a"}', "name": "x"})
REFUSED = {
    "cut.parquet": Refused(_export("parquet", lambda raw: raw[: len(raw) // 2]), LibraryCorrupt, "its end is missing"),
    "spoilt.parquet": Refused(
        _export("parquet", lambda raw: raw[:4] + bytes(len(raw) - 12) + raw[-8:]), LibraryCorrupt, "is damaged"
    ),
    "pages.parquet": Refused(
        _export("parquet", lambda raw: raw[:4] + bytes(2_000) + raw[2_004:]), LibraryCorrupt, "content is damaged"
    ),
    "empty.parquet": Refused(_text(""), LibraryCorrupt, "no whole Parquet file"),
    "a text.parquet": Refused(_text("id,name\n1,a\n" * 9), LibraryCorrupt, "no whole Parquet file"),
    "others.parquet": Refused(_parquet(a=[1], b=["x"]), SettingsError, "is a Parquet file"),
    "edited.parquet": Refused(_parquet(id=[5], record=["{"]), LibraryCorrupt, "row 1: it is not JSON"),
    "twice.parquet": Refused(_parquet(id=[5, 5], name=["a", "b"]), LibraryCorrupt, "sound 5 stands in row 1 already"),
    "bomb.graphml": Refused(_text(BOMB), LibraryCorrupt, "document type"),
    "coded.graphml": Refused(_text('<?xml version="1.0" encoding="no"?><graphml/>'), LibraryCorrupt, "an encoding"),
    "other.xml": Refused(_text("<html><body>1</body></html>"), SettingsError, "an HTML or XML text"),
    "cut.graphml": Refused(_export("graphml", lambda raw: raw[:-30]), LibraryCorrupt, "its XML is damaged"),
    "deep.gexf": Refused(_text("<gexf>" + "<nodes>" * 5_000), LibraryCorrupt, "nested too deep"),
    "deep.jsonl": Refused(_text('{"id":5,' + DEEP), LibraryCorrupt, "it is not JSON (its values"),
    "deep-line.jsonl": Refused(_text(f'{LINE}\n{{"id":6,{DEEP}'), LibraryCorrupt, "line 2: it is not JSON"),
    "cut.jsonl": Refused(_export("jsonl", lambda raw: raw[:-9]), LibraryCorrupt, "line 11: it is not JSON"),
    "cut.json": Refused(_export("node-link", lambda raw: raw[:-9]), LibraryCorrupt, "it is not JSON"),
    "twice.jsonl": Refused(_text(f"{LINE}\n{LINE}\n"), LibraryCorrupt, "line 2: sound 5 stands in line 1 already"),
    "mixed.jsonl": Refused(_text(f'{LINE}\n{{"id":5,"name":"x"}}\n'), LibraryCorrupt, "stands in line 1 already"),
    "twice.csv": Refused(_text("id,name\n5,a\n6,b\n5,c\n"), LibraryCorrupt, "line 4: sound 5 stands in line 2 already"),
    "stamps.jsonl": Refused(_text(LINE.replace("1,", '"1",')), LibraryCorrupt, "line 1: sound 5: invalid added_at"),
    "large.jsonl": Refused(_text('{"id":9007199254740992,"name":"x"}'), LibraryCorrupt, "is not a sound's id"),
    "zero.csv": Refused(_text("id,name\n1,a\n0,b\n"), LibraryCorrupt, "line 3: 0 is not a sound's id"),
    "large.csv": Refused(_text(f"source,target\n1,{2**53}\n"), LibraryCorrupt, "line 2: 9007199254740992 is not"),
    "minus.edgelist": Refused(_text("1 2\n-1 2\n"), LibraryCorrupt, "line 2: -1 is not a sound's id"),
    "newer.jsonl": Refused(_text('{"library":"{\\"format\\":2}"}'), HarvesterError, "update harvester"),
    "no id.csv": Refused(_text("name,duration\na,1\n"), SettingsError, "it is a text"),
    "no row.csv": Refused(_text("id,name\nx,a\n"), SettingsError, "no sound; nothing was changed (not imported: rows"),
    "notes.txt": Refused(_text("dear diary, today I heard 5 sounds\n"), SettingsError, "it is a text"),
    "words.txt": Refused(_text("hello world\n"), SettingsError, "it is a text"),
    "ids.txt": Refused(_text("5\n6\n"), SettingsError, "it is a text"),
    "odd.json": Refused(_text('{"a": [1, 2]}'), SettingsError, "a JSON text"),
    "number.json": Refused(_text("[1, 2, 3]"), SettingsError, "a JSON text"),
    "long.csv": Refused(_text('id,name\n1,"' + "x" * ((1 << 24) + 9)), LibraryCorrupt, "its table cannot be read"),
    "sandbox.jsonl": Refused(_text(MADE_UP), WrongSource, "made up by a sandbox"),
    "of a sandbox.jsonl": Refused(_text(OF_A_SANDBOX), WrongSource, "made-up sounds"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trusted_is_refused_with_one_line_and_changes_nothing(name: str, tmp_path: Path) -> None:
    case = REFUSED[name]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    path.write_bytes(case.make(tmp_path))
    source = "https://freesound.org/apiv2/" if name.startswith("of a sandbox") else None
    with pytest.raises(case.error) as caught:
        imported(path, tmp_path / "new", source=source)
    told = str(caught.value)
    assert case.said in told
    assert told.startswith(str(path))
    assert "nothing was changed" in told or "update harvester" in told
    assert "\n" not in told
    assert len(told) < 400
    assert not (tmp_path / "new").exists()


def test_edges_beside_a_table_belong_to_it_and_are_named_where_they_are_damaged(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "t.edges.csv").write_text("source,target\n1,2\n5,5\n")
    state, report = imported(tmp_path / "t.csv", tmp_path / "new")
    assert relations(state) == {(1, 2): {"relation": ["related"]}}
    assert [path.name for path, _ in report.taken] == ["t.csv", "t.edges.csv"]
    assert report.notices == (
        f"{tmp_path / 't.edges.csv'}: not imported: edges from a sound to itself (1); see line 3",
    )
    (tmp_path / "t.edges.csv").write_text("source,target\n1,0\n")
    with pytest.raises(LibraryCorrupt, match=r"t\.csv: in t\.edges\.csv beside it, line 2: 0 is not a sound's id"):
        imported(tmp_path / "t.csv", tmp_path / "other")


def test_a_parquet_file_cannot_unpack_to_far_more_than_its_size(tmp_path: Path) -> None:
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), ["x" * 1_000_000])
    table = pa.table({"id": list(range(1, 1_001)), "description": shared})
    pq.write_table(table, tmp_path / "bomb.parquet", compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000
    with pytest.raises(LibraryCorrupt, match="far more bytes"):
        imported(tmp_path / "bomb.parquet", tmp_path / "new")


def test_a_cell_may_be_as_long_as_a_description_and_the_limit_of_python_stays_as_it_was(tmp_path: Path) -> None:
    of_python = 1 << 17
    csv.field_size_limit(of_python)
    (tmp_path / "t.csv").write_text(f"id,description\n1,{'x' * 190_000}\n")
    state, _ = imported(tmp_path / "t.csv", tmp_path / "new")
    assert len(state.attributes(1)["description"]) == 190_000
    assert csv.field_size_limit() == of_python


def test_a_key_in_a_record_is_left_out(tmp_path: Path) -> None:
    record = make_record(
        1, api_key="FaKeKey0123456789abcdef", url="https://freesound.org/s/1/?token=FaKeKey0123456789abcdef"
    )
    (tmp_path / "t.jsonl").write_text(json.dumps(record))
    state, report = imported(tmp_path / "t.jsonl", tmp_path / "new")
    assert report.keys == 1
    assert "FaKeKey" not in repr(state.attributes(1))
