"""`harvester find` on a library grown offline."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.processes import run


def test_find_answers_people_and_programs_alike(tmp_path: Path) -> None:
    assert run("harvest", "--samples", 10, "--library", "library", cwd=tmp_path, key=None).code == 0
    ended = run("find", "a", "--limit", 3, "--library", "library", cwd=tmp_path)
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 3
    assert "the best 3 shown" in ended.err
    answer = json.loads(run("find", "a", "--limit", 3, "--json", "--library", "library", cwd=tmp_path).out)
    assert [f"{sound['id']:>8}" for sound in answer["sounds"]] == [line[:8] for line in ended.out.splitlines()]
    assert answer["total"] > 3
