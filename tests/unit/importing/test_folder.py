"""A folder of an older tool: which files belong together, and what each of them brings."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import networkx as nx
import pytest

from harvester.checkpoint import digest_of
from harvester.errors import LibraryCorrupt, SettingsError
from harvester.exports.sqlite import encode_sqlite
from harvester.graph import SoundGraph, select
from harvester.importing.old_library import ImportReport, import_old
from harvester.library.reader import load_view
from tests.support.old_libraries import make_old_folder
from tests.support.recorded import read_rows
from tests.support.samples import SOURCE, FixedClock, grow, make_events, make_record, names_in, open_store
from tests.support.view_samples import make_library

AT, UPDATED = "2025-11-22T05:10:37+00:00", "2025-11-20T01:02:03+00:00"


def stamp(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def import_folder(folder: Path, tmp_path: Path) -> tuple[SoundGraph, ImportReport]:
    report = import_old(folder, tmp_path / "new", source=SOURCE, clock=FixedClock())
    return load_view(tmp_path / "new").state, report


def named(files: tuple[tuple[Path, str], ...]) -> dict[str, str]:
    return {path.name: what for path, what in files}


def test_graph_cache_and_checkpoint_become_one_library(tmp_path: Path) -> None:
    old = tmp_path / "old"
    make_old_folder(old, {i: make_record(i) for i in (1, 2, 3)}, at=AT, last_updated=UPDATED)
    before = {path.name: path.read_bytes() for path in old.iterdir() if path.is_file()}
    state, report = import_folder(old, tmp_path)
    assert set(state.graph) == {1, 2, 3, 999999}
    assert state.record(2) == make_record(2)
    assert {state.attributes(i)["fetched_at"] for i in (1, 2, 3)} == {stamp(UPDATED)}
    assert state.record(999999) == {"id": 999999, "name": "known by its node", "username": "anna"}
    assert state.attributes(999999)["fetched_at"] == stamp(AT)
    assert dict(state.graph.adj[1]) == {2: {"relation": ["similar"], "weights": {"similar": 0.5}}}
    assert state.processed == set()
    assert report.form == "a folder of 3 files"
    assert named(report.taken) == {
        "checkpoint_metadata.json": "the checkpoint's metadata in JSON",
        "graph_topology.gpickle": "a pickled networkx.classes.digraph.DiGraph",
        "metadata_cache.db": "an SQLite cache",
    }
    assert named(report.left) == {
        "README.md": "no file of an older tool has this ending",
        "backup_manifest.json": (
            "it is a JSON text, not a library of an older tool (a .pkl, a .gpickle, an SQLite cache, "
            "or the JSON beside them)"
        ),
        "backups": "a folder; to import it too, name it",
        "graph_topology_backup_5nodes.gpickle": "a backup; to import it too, name the file",
    }
    assert report.tally.mapped["processed sounds to pending: their lists have no scores"] == 3
    assert {path.name: path.read_bytes() for path in old.iterdir() if path.is_file()} == before
    assert set(names_in(old)) == {*before, "backups"}


def test_real_records_come_through_a_folder_as_they_were(tmp_path: Path, real_records: Path) -> None:
    rows = read_rows(real_records / "real_sounds_300.jsonl")
    rows += [row["sound"] for row in read_rows(real_records / "edge_cases.jsonl")]
    records = {row["id"]: row for row in rows}
    house = {"priority_score": 1.5, "is_dormant": False, "collected_at": AT}
    make_old_folder(tmp_path / "old", {i: record | house for i, record in records.items()}, at=AT, last_updated=UPDATED)
    state, report = import_folder(tmp_path / "old", tmp_path)
    assert {i: state.record(i) for i in records} == records
    assert {state.attributes(i)["fetched_at"] for i in records} == {stamp(AT)}
    assert state.edge_count == len(records) - 1
    assert not [what for what in report.tally.dropped if what.startswith("field")]


def test_of_two_states_of_a_record_in_a_folder_the_newer_one_wins(tmp_path: Path) -> None:
    old = tmp_path / "old"
    make_old_folder(old, {1: make_record(1, name="newer")}, at=AT, last_updated=UPDATED)
    earlier = {"sound_cache": {1: make_record(1, name="earlier")}, "metadata": {"timestamp": "2024-01-01T00:00:00"}}
    (old / "freesound_library.pkl").write_bytes(pickle.dumps(earlier))
    state, report = import_folder(old, tmp_path)
    assert state.attributes(1)["name"] == "newer"
    assert state.attributes(1)["added_at"] == stamp("2024-01-01T00:00:00")
    assert "freesound_library.pkl" in named(report.taken)


def test_backups_are_taken_where_there_is_nothing_else(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for place in (1, 2):
        content = {"sound_cache": {place: make_record(place)}}
        (old / f"library_backup_{place}.pkl").write_bytes(pickle.dumps(content))
    state, report = import_folder(old, tmp_path)
    assert set(named(report.taken)) == {"library_backup_1.pkl", "library_backup_2.pkl"}
    assert report.left == ()
    assert set(state.graph) == {1, 2}


def test_a_library_of_harvester_in_the_folder_is_left_with_the_command_for_it(tmp_path: Path) -> None:
    old = tmp_path / "old"
    with open_store(old) as store:
        store.set_source(SOURCE)
        grow(store, make_events(2))
        store.checkpoint()
    (old / "graph.gpickle").write_bytes(pickle.dumps(nx.DiGraph([(8, 9)])))
    state, report = import_folder(old, tmp_path)
    assert set(state.graph) == {8, 9}
    assert "`harvester merge" in named(report.left)["freesound_library.pkl"]


def test_a_corrupt_file_beside_good_ones_is_named(tmp_path: Path) -> None:
    old = tmp_path / "old"
    make_old_folder(old, {1: make_record(1)}, at=AT, last_updated=UPDATED)
    (old / "checkpoint_metadata.json").write_text("{not json")
    _, report = import_folder(old, tmp_path)
    assert named(report.left)["checkpoint_metadata.json"].startswith("it is not JSON")
    [notice] = report.notices
    assert notice.startswith(f"{old / 'checkpoint_metadata.json'}: it is not JSON (")
    assert notice.endswith("); it was left out")


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({}, SettingsError, "no file of a tool"),
        ({"notes.txt": b"hello"}, SettingsError, "no file of a tool"),
        ({"a.json": b'{"a": 1}'}, SettingsError, "no file of a tool"),
        ({"a.json": b'{"a": 1}', "b.pkl": b"\x80\x04]\x8c\x05graphb."}, LibraryCorrupt, "b.pkl"),
        ({"a.json": json.dumps({"processed_ids": []}).encode()}, SettingsError, "holds no sound"),
    ],
)
def test_a_folder_without_a_usable_file_is_refused(
    tmp_path: Path, files: dict[str, bytes], error: type[Exception], says: str
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name, content in files.items():
        (old / name).write_bytes(content)
    with pytest.raises(error, match=says) as caught:
        import_folder(old, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_of_an_export_in_a_folder_the_only_one_is_imported_and_beside_an_older_tool_none(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "lib.sqlite").write_bytes(b"".join(encode_sqlite(select(make_library()))))
    (exports / "notes.txt").write_text("mine")
    (exports / "gone.db").symlink_to("nowhere")
    report = import_old(exports, tmp_path / "same", clock=FixedClock())
    assert digest_of(load_view(tmp_path / "same").state) == digest_of(make_library())
    assert [path.name for path, _ in report.taken] == ["lib.sqlite"]
    (exports / "second").write_bytes((exports / "lib.sqlite").read_bytes())
    with pytest.raises(SettingsError, match=r"it has 2 exports \(lib.sqlite, second\): name one of them"):
        import_old(exports, tmp_path / "none", clock=FixedClock())
    old = tmp_path / "old"
    make_old_folder(old, {1: make_record(1)}, at=AT, last_updated=UPDATED)
    (old / "lib.sqlite").write_bytes((exports / "lib.sqlite").read_bytes())
    _, report = import_folder(old, tmp_path)
    assert named(report.left)["lib.sqlite"] == "an export of harvester; to import it too, name the file"
    assert "lib.sqlite" not in named(report.taken)
