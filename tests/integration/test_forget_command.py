"""`harvester forget` as users run it."""

from __future__ import annotations

import json
from pathlib import Path

import joblib

from tests.support.processes import run


def test_a_withdrawn_sound_is_blank_hidden_from_exports_and_never_asked_for(tmp_path: Path) -> None:
    assert run("harvest", "--samples", 5, "--library", "mine", cwd=tmp_path, key=None).code == 0
    library = joblib.load(tmp_path / "mine/freesound_library.pkl")
    chosen = min(library["processed_ids"])
    waiting = min(set(library["graph"]) - library["processed_ids"])
    name = library["sound_cache"][chosen]["name"]
    ended = run("forget", chosen, waiting, "--yes", "--library", "mine", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "2 sounds withdrawn" in ended.err
    assert joblib.load(tmp_path / "mine/freesound_library.pkl")["sound_cache"][chosen]["name"] is None
    shown = json.loads(run("show", chosen, "--json", "--library", "mine", cwd=tmp_path).out)
    assert shown["record"]["name"] is None
    first_line = run("show", chosen, "--library", "mine", cwd=tmp_path).out.splitlines()[0]
    assert first_line == f"(no name)   [{chosen}, withdrawn]"
    assert run("export", "jsonl", "-o", "out.jsonl", "--library", "mine", cwd=tmp_path).code == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert not {chosen, waiting} & {row.get("id") for row in rows}
    assert name not in (tmp_path / "out.jsonl").read_text()
    for wrong in ([], ["--user", "nobody at all"], [0]):
        refused = run("forget", *wrong, "--library", "mine", cwd=tmp_path)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
