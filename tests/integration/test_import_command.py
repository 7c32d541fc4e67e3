"""`harvester import` as users run it: an old library with foreign objects and a key in it grows on as ours."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import joblib

from harvester.model import RECORD_FIELDS
from tests.support.old_libraries import KEY, make_old_library
from tests.support.processes import run, sandbox_process


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


def test_a_file_of_another_kind_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    ended = run("import", "notes.txt", cwd=tmp_path)
    assert ended.code in (2, 22)
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "freesound_library").exists()
