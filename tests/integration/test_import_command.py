"""`harvester import` as users run it: an old library with foreign objects and a key in it grows on as ours."""

from __future__ import annotations

import csv
import json
import zlib
from pathlib import Path

import joblib
import pytest

from harvester.model import RECORD_FIELDS
from tests.support.old_libraries import KEY, make_old_folder, make_old_library
from tests.support.processes import run, sandbox_process
from tests.support.samples import make_record


def test_an_old_library_with_a_key_is_imported_grown_and_exported_without_it(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 400) as sandbox:
        first = run(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 1, "--library", "probe", cwd=tmp_path
        )
        assert first.code == 0, first.err
        probe = joblib.load(tmp_path / "probe/freesound_library.pkl")
        records = [
            {name: record[name] for name in RECORD_FIELDS if name in record}
            for record in list(probe["sound_cache"].values())[:10]
        ]
        ids = {record["id"] for record in records}
        old = make_old_library(tmp_path, json.dumps(records))
        before = old.read_bytes()
        ended = run("import", old, "--library", "new", "--source", probe["metadata"]["source"], cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert "revoke it" in ended.err
        assert KEY not in ended.err + ended.out
        assert "dashes restored" in ended.err
        imported = joblib.load(tmp_path / "new/freesound_library.pkl")
        assert set(imported["graph"]) == {*ids, 999999}
        for record in records:
            kept = imported["sound_cache"][record["id"]]
            assert {name: kept[name] for name in record} == record
        assert imported["processed_ids"] == set()

        asked = sandbox.counted()
        ended = run(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 20, "--library", "new", cwd=tmp_path
        )
        assert ended.code == 0, ended.err
        # Two more for the sound without a record, which the sandbox does not know either; no search for seeds.
        assert sandbox.counted() - asked <= 20 + 2
    grown = joblib.load(tmp_path / "new/freesound_library.pkl")
    assert len(grown["processed_ids"]) == 20
    related = [edge for edge in grown["graph"].edges(data=True) if "relation" in edge[2]]
    assert len(related) == 2 * len(ids) + 1
    exported = run("export", "jsonl", "-o", "out.jsonl", "--library", "new", cwd=tmp_path)
    assert exported.code == 0, exported.err
    assert old.read_bytes() == before
    for path in [*(tmp_path / "new").rglob("*"), tmp_path / "out.jsonl"]:
        if path.is_file():
            raw = path.read_bytes()
            assert KEY.encode() not in raw, path
            if path.suffix == ".pkl":
                assert KEY.encode() not in zlib.decompress(raw), path


def test_a_folder_tells_which_file_it_took_for_what_and_keeps_weights_and_times(tmp_path: Path) -> None:
    make_old_folder(
        tmp_path / "old", {i: make_record(i) for i in (1, 2)}, at="2025-11-22T05:10:37+00:00",
        last_updated="2025-11-20T01:02:03+00:00",
    )  # fmt: skip
    ended = run("import", "old", cwd=tmp_path)
    assert ended.code == 0, ended.err
    told = ended.err.splitlines()
    assert told[:8] == [
        "old: a folder of 3 files",
        "  taken    checkpoint_metadata.json: the checkpoint's metadata in JSON",
        "  taken    graph_topology.gpickle: a pickled networkx.classes.digraph.DiGraph",
        "  taken    metadata_cache.db: an SQLite cache",
        "  left     README.md: no file of an older tool has this ending",
        "  left     backup_manifest.json: it is not a file of a tool that harvester knows",
        "  left     backups: a folder; to import it too, name it",
        "  left     graph_topology_backup_5nodes.gpickle: a backup; to import it too, name the file",
    ]
    [housekeeping] = [line for line in told if "housekeeping" in line]
    names = "collected_at, dormant_since, is_dormant, last_updated, priority_score, timestamp, type"
    assert housekeeping.endswith(f"housekeeping fields ({names})")
    edges = run("export", "csv", "-o", "sounds.csv", cwd=tmp_path)
    assert edges.code == 0, edges.err
    [_, edge] = csv.reader((tmp_path / "sounds.edges.csv").read_text().splitlines())
    assert edge == ["1", "2", "", '["similar"]', '{"similar":0.5}']
    status = json.loads(run("status", "--json", cwd=tmp_path).out)
    assert status["oldest_record"]["fetched"] == "2025-11-20T01:02:03Z"
    assert status["last_news_at"] == 1_763_788_237_000_000
    assert run("status", "--exit-code", cwd=tmp_path).code == 1


@pytest.mark.parametrize("library", [(), ("--library", "elsewhere")], ids=["default", "named"])
def test_without_a_key_an_imported_library_asks_for_one_and_gets_no_sound_of_the_sandbox(
    library: tuple[str, ...], tmp_path: Path
) -> None:
    make_old_folder(tmp_path / "old", {1: make_record(1)}, at="2025-11-22", last_updated="2025-11-20")
    assert run("import", "old", *library, cwd=tmp_path).code == 0
    folder = library[-1] if library else "freesound_library"
    before = (tmp_path / folder / "freesound_library.pkl").read_bytes()
    asked = (
        "harvester: this library is Freesound's: set a key, FREESOUND_API_KEY, in the environment or in .env; "
        f"{folder} is unchanged. A free key: https://freesound.org/apiv2/apply/; for made-up sounds, use --sandbox\n"
    )
    for command in (("harvest", "--samples", 1), ("plan", "--query", "rain")):
        ended = run(*command, *library, cwd=tmp_path, key=None)
        assert (ended.code, ended.out, ended.err) == (2, "", asked)
    assert (tmp_path / folder / "freesound_library.pkl").read_bytes() == before
    assert not (tmp_path / "sandbox_library").exists()
    if not library:
        assert run("harvest", "--sandbox", "--samples", 1, cwd=tmp_path, key=None).code == 0
        assert (tmp_path / "sandbox_library").is_dir()


def test_a_library_of_another_api_asks_for_its_address_too(tmp_path: Path) -> None:
    make_old_folder(tmp_path / "old", {1: make_record(1)}, at="2025-11-22", last_updated="2025-11-20")
    assert run("import", "old", "--source", "https://sounds.example/apiv2/", cwd=tmp_path).code == 0
    ended = run("harvest", cwd=tmp_path, key=None)
    assert ended.code == 2
    assert "this library is of https://sounds.example/apiv2/: set a key, FREESOUND_API_KEY, in" in ended.err
    assert "and give --api-url https://sounds.example/apiv2/;" in ended.err


def test_a_file_of_another_kind_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    ended = run("import", "notes.txt", cwd=tmp_path)
    assert ended.code in (2, 22)
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "freesound_library").exists()
