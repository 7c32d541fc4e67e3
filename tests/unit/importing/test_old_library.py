"""Old libraries: read without running anything of theirs, mapped to our words, nothing lost without a word."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import zlib
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from harvester.errors import LibraryCorrupt, SettingsError
from harvester.exports.text import encode_jsonl
from harvester.graph import UNKNOWN_TIME, SoundGraph, select
from harvester.importing.names import STAMPS
from harvester.importing.old_library import ImportReport, import_old
from harvester.importing.unpickle import Inert, load_foreign
from harvester.library.reader import load_view
from harvester.model import Seen
from harvester.storage.paths import CHECKPOINT
from tests.support.old_libraries import make_sqlite_cache
from tests.support.samples import SOURCE, FixedClock, grow, make_events, make_record, names_in, open_store

OLD_KEY = "abcdef0123456789ABCDEF"


def import_from(content: Any, tmp_path: Path, *, protocol: int = 4) -> tuple[SoundGraph, ImportReport]:
    old = tmp_path / "old.pkl"
    old.write_bytes(zlib.compress(pickle.dumps(content, protocol), 3))
    return import_file(old, tmp_path)


def import_file(old: Path, tmp_path: Path) -> tuple[SoundGraph, ImportReport]:
    report = import_old(old, tmp_path / "new", source=SOURCE, clock=FixedClock())
    return load_view(tmp_path / "new").state, report


def a_graph(kind: type = nx.DiGraph) -> Any:
    graph = kind()
    graph.add_nodes_from(["1", "2", "3"])
    graph.add_edge("1", "2")
    graph.add_edge("1", "3", type="similar", weight=3)
    graph.add_edge("2", "3", score=0.9)
    graph.edges, graph.nodes, graph.adj  # noqa: B018  the views are cached in the object
    return graph


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_the_same_library(tmp_path: Path, protocol: int) -> None:
    content = {
        "graph": a_graph(),
        "processed_ids": {"1", "2"},
        "sound_cache": OrderedDict({1: make_record(1), "2": make_record(2)}),
        "metadata": {"timestamp": datetime(2024, 5, 6, 7, 8, 9)},
    }
    state, report = import_from(content, tmp_path, protocol=protocol)
    assert set(state.graph) == {1, 2, 3}
    assert dict(state.graph.adj[1]) == {
        2: {"relation": ["related"]},
        3: {"relation": ["similar"], "weights": {"similar": 3.0}},
    }
    assert dict(state.graph.adj[2]) == {3: {"score": 0.9}}
    assert state.record(1) == make_record(1)
    assert state.attributes(1)["fetched_at"] == 1_714_979_289_000_000
    assert state.processed == {2}
    assert sorted(state.pending()) == [1, 3]
    assert state.source == SOURCE
    assert report.tally.dropped == {"housekeeping fields (timestamp)": 1}
    assert report.tally.kept["weights of relations"] == 1
    assert report.tally.mapped["processed sounds to pending: their lists have no scores"] == 1
    assert report.keys == 0
    assert report.backup is not None


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph, nx.MultiDiGraph])
def test_a_bare_graph_is_a_library_too(tmp_path: Path, kind: type) -> None:
    old = tmp_path / "old.gpickle"
    old.write_bytes(pickle.dumps(a_graph(kind)))
    state, report = import_file(old, tmp_path)
    assert set(state.graph) == {1, 2, 3}
    assert state.graph.adj[1][2] == {"relation": ["related"]}
    assert (3 in state.graph.adj[2], 2 in state.graph.adj[3]) == (True, kind is nx.Graph)
    assert state.record_count == 0
    assert report.form.startswith("a pickled networkx.")
    assert sum(1 for _ in state.pending()) == (1 if kind is nx.Graph else 3) or sum(1 for _ in state.pending()) == 3


def test_attributes_of_nodes_are_a_record_where_the_cache_has_none(tmp_path: Path) -> None:
    graph = nx.DiGraph()
    graph.add_node("5", **make_record(5, name="from the node"), colour="red")
    graph.add_node(6, name="short", tags=("a", "b"))
    state, report = import_from({"graph": graph, "sound_cache": {"5": {"id": 5, "name": "from the cache"}}}, tmp_path)
    assert state.record(5) == make_record(5, name="from the cache")
    assert state.record(6) == {"id": 6, "name": "short", "tags": ["a", "b"]}
    assert not state.has_record(6)
    assert report.tally.dropped == {"attribute colour of nodes": 1}


def test_an_sqlite_cache_gives_its_records(tmp_path: Path) -> None:
    old = tmp_path / "cache.db"
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE metadata (sample_id TEXT PRIMARY KEY, data TEXT, last_updated TEXT)")
        connection.execute("CREATE TABLE other (a)")
        rows = [("7", json.dumps(make_record(7)), "x"), ("8", "{no json", "x"), ("nine", json.dumps({"id": 9}), "x")]
        connection.executemany("INSERT INTO metadata VALUES (?, ?, ?)", rows)
    connection.close()
    before = old.read_bytes()
    state, report = import_file(old, tmp_path)
    assert set(state.graph) == {7}
    assert state.record(7) == make_record(7)
    assert report.tally.dropped == {
        "housekeeping fields (last_updated)": 1, "table other": 1, "rows without a record": 1,
        "records with the id of another sound": 1,
    }  # fmt: skip
    assert old.read_bytes() == before
    assert {name for name in names_in(tmp_path) if name.startswith("cache")} == {"cache.db"}


def test_a_key_is_found_by_its_name_and_kept_out_of_every_text(tmp_path: Path) -> None:
    record = make_record(1, description=f"see https://x.invalid/?token={OLD_KEY}", md5=f"..{OLD_KEY}..")
    content = {
        "graph": a_graph(),
        "sound_cache": {1: record, 2: make_record(2, username=OLD_KEY)},
        "client": {"session": {"headers": [("a", 1)], "header": f"Token {OLD_KEY}"}},
    }
    state, report = import_from(content, tmp_path)
    assert report.keys == 1
    assert "description" not in state.attributes(1)
    assert "username" not in state.attributes(2)
    assert 1 in set(state.pending())
    for path in (tmp_path / "new").iterdir():
        raw = path.read_bytes()
        assert OLD_KEY.encode() not in (zlib.decompress(raw) if path.suffix == ".pkl" else raw)
    assert report.tally.dropped["part client"] == 1
    assert report.tally.dropped["field description (it held a key)"] == 1


def test_what_is_no_json_is_dropped_and_counted_and_times_are_ours_alone(tmp_path: Path) -> None:
    record = make_record(
        1, odd=b"bytes", giant=10**5000, when=datetime(2020, 1, 1), fetched_at=5, score=0.5, avg_rating=float("nan")
    )
    state, report = import_from({"sound_cache": {1: record}, "metadata": {"page": 3}}, tmp_path)
    kept = state.record(1)
    assert kept is not None
    assert kept == make_record(1, avg_rating=None)
    assert report.tally.dropped == {
        "field odd (bytes)": 1, "field giant (int)": 1, "field when (datetime.datetime)": 1,
        "housekeeping fields (fetched_at, score)": 2, "metadata page": 1,
    }  # fmt: skip


def test_a_value_of_another_type_is_converted_or_null_as_in_an_answer(tmp_path: Path) -> None:
    odd = {"num_downloads": "12", "avg_rating": 1e308, "tags": "rain", "name": "a\ud800", "duration": {"a": 1}}
    unknown = {f"shiny_{number}": "x" * 300_000 if number == 0 else number for number in range(70)}
    state, report = import_from({"sound_cache": {1: make_record(1) | odd | unknown}}, tmp_path)
    kept = state.record(1)
    assert kept is not None
    right = {"num_downloads": 12, "avg_rating": None, "tags": ["rain"], "name": "a\ufffd", "duration": None}
    assert {name: kept[name] for name in odd} == right
    assert sum(name.startswith("shiny") for name in kept) == 64
    assert kept["shiny_0"] is None
    assert report.tally.mapped == {
        "field num_downloads: converted field": 1,
        "field avg_rating: value out of range": 1,
        "field tags: converted field": 1,
        "field name: repaired text": 1,
        "field duration: mistyped field": 1,
        "field shiny_0: field too large": 1,
        "records without a time to the oldest time": 1,
    }
    assert report.tally.dropped == {"fields beyond 64 unknown ones of a sound": 6}


def test_previews_get_their_dashes_back(tmp_path: Path) -> None:
    record = make_record(1, previews={"preview_hq_mp3": "a", "preview-lq-ogg": "b", "other_one": "c"})
    state, _ = import_from({"sound_cache": {1: record}}, tmp_path)
    assert state.attributes(1)["previews"] == {"preview-hq-mp3": "a", "preview-lq-ogg": "b", "other_one": "c"}


def test_an_import_joins_what_is_there_and_twice_changes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "new") as store:
        store.set_source(SOURCE)
        grow(store, make_events(3))
    content = {"graph": a_graph(), "sound_cache": {1: make_record(1, name="older")}, "metadata": {"timestamp": 1.5e9}}
    state, _ = import_from(content, tmp_path)
    assert state.record(1) == make_record(1)
    assert {1, 2, 3} == state.processed
    saved = (tmp_path / "new" / CHECKPOINT).read_bytes()
    import_from(content, tmp_path)
    assert (tmp_path / "new" / CHECKPOINT).read_bytes() == saved


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress, bytes])
def test_every_compression_of_joblib_is_read(tmp_path: Path, pack: Any) -> None:
    old = tmp_path / "old.pkl"
    old.write_bytes(pack(pickle.dumps({"sound_cache": {1: make_record(1)}})))
    assert import_file(old, tmp_path)[0].record(1) == make_record(1)
    old.write_bytes(pack(pickle.dumps({"sound_cache": {1: make_record(1)}}))[:-9])
    with pytest.raises((LibraryCorrupt, SettingsError)):
        import_file(old, tmp_path)


class _Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def test_no_code_of_the_file_runs(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    state, report = import_from(
        {"sound_cache": {1: make_record(1, odd=_Runs(witness))}, "extra": _Runs(witness)}, tmp_path
    )
    assert not witness.exists()
    assert state.record(1) == make_record(1)
    assert report.tally.dropped == {"field odd (io.open)": 1, "part extra": 1}


@pytest.mark.parametrize(
    "stream",
    [
        b"\x80\x04Nr\xff\xff\xff\x1f.",  # a memo bomb
        b"\x80\x04\x96\x00\x00\x00\x00\x02\x00\x00\x00.",  # a buffer that is not there
        b"\x80\x05\x97.",  # a buffer out of band
        b"Pabc\n.",  # an object by reference
        b"\x80\x04\x82\x01.",  # a registered extension
        b"\x80\x04]b.",
        b"\x80\x04cos\nsystem\n\x8c\x02hi\x85RR.",
        b"\x80\x04cbuiltins\nset\n}\x8c\x0c__setstate__Nsb.",
        b"",
        b"hello",
    ],
)
def test_hostile_and_broken_streams_are_refused_in_one_line(tmp_path: Path, stream: bytes) -> None:
    old = tmp_path / "old.pkl"
    for packed in (stream, zlib.compress(stream)):
        old.write_bytes(packed)
        with pytest.raises((LibraryCorrupt, SettingsError)) as caught:
            import_file(old, tmp_path)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "new").exists()


def test_nothing_hides_behind_the_end_of_a_frame() -> None:
    # An argument goes over the end: the unpickler forgets two of its bytes and reads four others, so that it would run
    # what looks like a short text. Here a memo bomb is in it.
    bomb = b"\x80\x04\x95\x03\0\0\0\0\0\0\0J\x01\x01\0\0\x8c\x080Nr\0\0\0\x0100."
    within = b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N0N."
    for stream in (bomb, within):
        with pytest.raises(LibraryCorrupt, match="its pickled data is damaged"):
            load_foreign(stream)


def test_a_stand_in_cannot_be_made_to_change_what_it_is() -> None:
    # BUILD on the class itself, and with slots: both would set attributes of a class that is not inert.
    stream = b"\x80\x04cx\nY\n(N}\x8c\x05state\x8c\x01asltb."
    with pytest.raises(LibraryCorrupt):
        load_foreign(stream)
    value = load_foreign(b"\x80\x04cx\nY\n)\x81}\x8c\x0c__setstate__Nsb.")
    assert isinstance(value, Inert)
    assert value.attributes == {"__setstate__": None}


def test_containers_shared_a_thousandfold_cannot_make_an_import_endless(tmp_path: Path) -> None:
    bomb: list[Any] = []
    for _ in range(12):
        bomb = [bomb] * 10
    with pytest.raises(LibraryCorrupt, match="shared"):
        import_from({"sound_cache": {1: {"id": 1, "odd": bomb}}}, tmp_path)


def test_a_library_of_ours_and_a_stranger_are_refused_with_a_hint(tmp_path: Path) -> None:
    with open_store(tmp_path / "ours") as store:
        store.set_source(SOURCE)
        grow(store, make_events(2))
        store.checkpoint()
    with pytest.raises(SettingsError, match="harvester merge"):
        import_file(tmp_path / "ours" / CHECKPOINT, tmp_path)
    with pytest.raises(SettingsError, match="it is a Python pickle, not an export, records"):
        import_from([1, 2], tmp_path)
    with pytest.raises(SettingsError, match="cannot be read"):
        import_file(tmp_path / "nowhere.pkl", tmp_path)


def test_a_file_without_a_sound_makes_no_library(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="it holds no sound"):
        import_from({"graph": _Runs(tmp_path / "witness"), "sound_cache": {}}, tmp_path)
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize("stamp", ["rubbish", 1e300, "9999-01-01T00:00:00", "1970-01-02T00:00:00", None, -1, True])
def test_a_time_that_cannot_be_or_lies_ahead_is_none(tmp_path: Path, stamp: object) -> None:
    state, _ = import_from({"sound_cache": {1: make_record(1)}, "metadata": {"timestamp": stamp}}, tmp_path)
    assert state.attributes(1)["fetched_at"] == UNKNOWN_TIME
    assert state.sound(1).fetched_at is None


DAY = 86_400
AT_S = 1_700_000_000
"""A time in seconds at which old tools wrote."""


def at(days: int) -> Any:
    return datetime.fromtimestamp(AT_S + days * DAY, UTC)


def stamp(days: int) -> int:
    return (AT_S + days * DAY) * 1_000_000


@pytest.mark.parametrize("name", STAMPS)
@pytest.mark.parametrize(
    "form", [lambda t: t.isoformat(), lambda t: t.timestamp(), lambda t: int(t.timestamp() * 1000), lambda t: t]
)
def test_a_records_own_time_counts_in_every_form(tmp_path: Path, name: str, form: Any) -> None:
    content = {"sound_cache": {1: make_record(1, **{name: form(at(3))}), 2: make_record(2)}}
    state, report = import_from(content | {"metadata": {"timestamp": at(9).isoformat()}}, tmp_path)
    assert state.attributes(1)["fetched_at"] == state.attributes(1)["added_at"] == stamp(3)
    assert state.attributes(2)["fetched_at"] == stamp(9)
    assert state.record(1) == make_record(1)
    names = ", ".join(sorted({name, "timestamp"}))
    assert report.tally.dropped == {f"housekeeping fields ({names})": 2}


def test_of_several_times_of_a_record_the_last_update_counts(tmp_path: Path) -> None:
    times = {"collected_at": at(1), "last_updated": at(2), "last_metadata_update_at": at(3)}
    given = [{name: moment.isoformat() for name, moment in list(times.items())[:count]} for count in (1, 2, 3)]
    content = {"sound_cache": {i: make_record(i, **stamps) for i, stamps in enumerate(given, 1)}}
    state, _ = import_from(content, tmp_path)
    assert [state.attributes(i)["fetched_at"] for i in (1, 2, 3)] == [stamp(1), stamp(2), stamp(3)]


def test_the_time_of_the_file_says_nothing(tmp_path: Path) -> None:
    old = tmp_path / "old.pkl"
    old.write_bytes(pickle.dumps({"graph": a_graph(), "sound_cache": {1: make_record(1)}}))
    seen = []
    for place, moment_s in enumerate((AT_S, AT_S + 10 * DAY)):
        os.utime(old, (moment_s, moment_s))
        report = import_old(old, tmp_path / str(place), source=SOURCE, clock=FixedClock())
        seen.append(dict(load_view(report.target).state.graph.nodes(data=True)))
    assert seen[0] == seen[1]
    assert {attributes["added_at"] for attributes in seen[0].values()} == {UNKNOWN_TIME}


@pytest.mark.parametrize("first", ["harvested", "imported"])
def test_a_record_without_a_time_never_wins_over_a_harvested_one(tmp_path: Path, first: str) -> None:
    def harvested() -> None:
        with open_store(tmp_path / "new") as store:
            store.set_source(SOURCE)
            grow(store, [Seen(1, make_record(1, name="harvested"), 1)])
            store.checkpoint(backup=True)

    def imported() -> None:
        import_from({"sound_cache": {1: make_record(1, name="imported")}}, tmp_path)

    for step in (harvested, imported) if first == "harvested" else (imported, harvested):
        step()
    assert load_view(tmp_path / "new").state.attributes(1)["name"] == "harvested"


def test_an_sqlite_row_has_the_time_of_its_column_unless_the_record_has_one(tmp_path: Path) -> None:
    old = tmp_path / "cache.db"
    make_sqlite_cache(old, {7: make_record(7), 8: make_record(8, collected_at=at(1).isoformat())}, at(5).isoformat())
    state, report = import_file(old, tmp_path)
    assert [state.attributes(i)["fetched_at"] for i in (7, 8)] == [stamp(5), stamp(1)]
    names = "collected_at, dormant_since, is_dormant, last_updated, priority_score"
    assert report.tally.dropped == {f"housekeeping fields ({names})": 5}


HOUSE = {
    "priority_score": 0.5, "is_dormant": False, "dormant_since": None, "last_existence_check_at": None,
    "audio_url": "https://x.invalid/", "type": "sample",
}  # fmt: skip


@pytest.mark.parametrize("place", ["node", "cache"])
def test_housekeeping_has_one_fate_in_a_node_and_in_a_record(tmp_path: Path, place: str) -> None:
    graph = nx.DiGraph()
    graph.add_node("5")
    content: dict[str, Any] = {"graph": graph, "metadata": {"timestamp": at(0).isoformat()}}
    if place == "node":
        graph.nodes["5"].update(name="rain", user="anna", **HOUSE)
    else:
        content["sound_cache"] = {5: {"name": "rain", "user": "anna", **HOUSE}}
    state, report = import_from(content, tmp_path)
    assert state.record(5) == {"id": 5, "name": "rain", "username": "anna"}
    names = ", ".join(sorted([*HOUSE, "timestamp"]))
    assert report.tally.dropped == {f"housekeeping fields ({names})": len(HOUSE) + 1}


EDGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"relation": ["related"]}),
    ({"edge_type": "tag"}, {"relation": ["tag"]}),
    ({"edge_type": "tag", "type": "pack"}, {"relation": ["tag"]}),
    ({"relation": "pack", "weight": 2}, {"relation": ["pack"], "weights": {"pack": 2.0}}),
    ({"kind": "user", "weight": -0.5}, {"relation": ["user"], "weights": {"user": -0.5}}),
    ({"weight": 0.25}, {"relation": ["related"], "weights": {"related": 0.25}}),
    ({"similarity": 0.9}, {"relation": ["similarity"], "weights": {"similarity": 0.9}}),
    (
        {"type": "similar", "weight": 3, "similarity": 0.9},
        {"relation": ["similar", "similarity"], "weights": {"similar": 3.0, "similarity": 0.9}},
    ),
    ({"score": 0.5}, {"score": 0.5}),
    ({"score": 0.5, "type": "similar"}, {"score": 0.5, "relation": ["similar"]}),
    ({"score": 0.5, "weight": 0.5}, {"score": 0.5, "relation": ["related"], "weights": {"related": 0.5}}),
    ({"score": 1.5, "weight": float("nan"), "similarity": "high"}, {"relation": ["related"]}),
]


@pytest.mark.parametrize(("given", "kept"), EDGES)
def test_what_an_edge_was_is_kept(tmp_path: Path, given: dict[str, Any], kept: dict[str, Any]) -> None:
    graph = nx.DiGraph()
    graph.add_edge(1, 2, **given)
    state, _ = import_from({"graph": graph}, tmp_path)
    assert dict(state.graph.adj[1]) == {2: kept}
    exported = [json.loads(line) for line in encode_jsonl(select(state))]
    [neighbour] = exported[0]["neighbours"]
    read = {name: json.loads(value) if isinstance(value, str) else value for name, value in neighbour.items()}
    assert read == {"id": 2, **kept}


def test_parallel_edges_keep_each_of_their_kinds(tmp_path: Path) -> None:
    graph = nx.MultiDiGraph()
    for given in ({"edge_type": "tag", "weight": 0.2}, {"edge_type": "user"}, {"edge_type": "tag", "weight": 0.3}):
        graph.add_edge(1, 2, **given)
    state, _ = import_from({"graph": graph}, tmp_path)
    assert dict(state.graph.adj[1]) == {2: {"relation": ["tag", "user"], "weights": {"tag": 0.3}}}


def test_a_plain_stream_keeps_its_bytes_apart_from_text() -> None:
    buffer = io.BytesIO()
    pickle.Pickler(buffer, 2).dump({"a": "ü", "b": {1, 2}})
    loaded = load_foreign(buffer.getvalue())
    assert loaded["a"] == "ü"
