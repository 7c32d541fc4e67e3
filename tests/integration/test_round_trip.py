"""Export and import as users run them: the same library again, from every form, and data of others beside it."""

from __future__ import annotations

import json
from pathlib import Path

import joblib

from tests.support.command import call
from tests.support.processes import run
from tests.support.samples import grow, make_events, open_store


def _digest(folder: Path) -> str:
    return str(joblib.load(folder / "freesound_library.pkl")["metadata"]["digest"])


def test_a_harvested_library_comes_back_from_every_lossless_export_and_grows_on(tmp_path: Path) -> None:
    assert run("harvest", "--samples", 5, "--library", "lib", cwd=tmp_path, key=None).code == 0
    ids = sorted(joblib.load(tmp_path / "lib/freesound_library.pkl")["processed_ids"])
    (tmp_path / "mine.csv").write_text(f"source,target,weight,kind\n{ids[0]},{ids[1]},0.5,pack\n{ids[1]},{ids[2]},,\n")
    ended = call("import", "mine.csv", "--library", "lib", "--relation", "mine", cwd=tmp_path)
    assert ended.code == 0, ended.err
    (tmp_path / "real.csv").write_text("id,name\n1,real\n")
    refused = call("import", "real.csv", "--library", "lib", cwd=tmp_path)
    assert (refused.code, refused.err.count("\n")) == (23, 1), refused.err
    assert call("forget", ids[3], "--yes", "--library", "lib", cwd=tmp_path).code == 0
    whole = _digest(tmp_path / "lib")
    forms = {"jsonl": (), "node-link": (), "parquet": (), "parts": ("--partition-rows", 60), "sqlite": ()}
    for form, options in forms.items():
        format = "parquet" if form == "parts" else form
        assert call("export", format, "-o", f"out.{form}", "--library", "lib", *options, cwd=tmp_path).code == 0
        ended = call("import", f"out.{form}", "--library", f"of-{form}", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert _digest(tmp_path / f"of-{form}") == whole, form
        again = call("import", f"out.{form}", "--library", "lib", cwd=tmp_path)
        assert (again.code, _digest(tmp_path / "lib")) == (0, whole), form
    for form in ("jsonl", "parquet"):
        real = call("import", f"out.{form}", cwd=tmp_path)
        assert (real.code, real.err.count("\n")) == (23, 1), real.err
    assert not (tmp_path / "freesound_library").exists()
    piped = call("export", "jsonl", "--library", "lib", cwd=tmp_path)
    (tmp_path / "piped.jsonl").write_text(piped.out, encoding="utf-8")
    assert call("import", "piped.jsonl", "--library", "piped", cwd=tmp_path).code == 0
    assert _digest(tmp_path / "piped") == whole
    grown = run("harvest", "--sandbox", "--samples", 1, "--library", "of-jsonl", cwd=tmp_path, key=None)
    assert grown.code == 0, grown.err
    assert call("check", "--library", "of-parquet", cwd=tmp_path).code == 0


def test_a_part_and_tables_of_others_come_in_and_a_bad_row_is_named(tmp_path: Path) -> None:
    with open_store(tmp_path / "lib") as store:
        grow(store, make_events(6))
        store.set_source("https://freesound.org/apiv2/")
        store.rewrite()
        before = _digest(tmp_path / "lib")
    for format in ("jsonl", "parquet", "node-link", "sqlite"):
        assert (
            call("export", format, "-o", f"part.{format}", "--tag", "tag1", "--library", "lib", cwd=tmp_path).code == 0
        )
        assert call("import", f"part.{format}", "--library", "lib", cwd=tmp_path).code == 0
        assert _digest(tmp_path / "lib") == before, format
    for format in ("csv", "graphml", "gexf"):
        assert call("export", format, "-o", f"out.{format}", "--library", "lib", cwd=tmp_path).code == 0
        ended = call("import", f"out.{format}", "--library", f"of-{format}", cwd=tmp_path)
        assert ended.code == 0, ended.err
        sounds = call("status", "--json", "--library", f"of-{format}", cwd=tmp_path)
        assert json.loads(sounds.out)["nodes"] == len(joblib.load(tmp_path / "lib/freesound_library.pkl")["graph"])
    (tmp_path / "mine.csv").write_text("id,name\n1,a\n,b\n")
    ended = call("import", "mine.csv", "--library", "of-csv", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "not imported: rows without the id of a sound (1); see line 3" in ended.err
    (tmp_path / "out.jsonl").write_bytes((tmp_path / "part.jsonl").read_bytes()[:-20])
    cut = call("import", "out.jsonl", "--library", "lib", cwd=tmp_path)
    assert (cut.code, cut.err.count("\n")) == (22, 1), cut.err
    assert _digest(tmp_path / "lib") == before
