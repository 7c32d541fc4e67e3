"""`harvester find` on a library grown offline."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harvester
from harvester.clock import SystemClock
from harvester.library.reader import load_view
from harvester.storage.paths import VECTORS
from harvester.vectors.store import Vectors
from tests.support.command import call
from tests.support.processes import Ended, run


def test_find_answers_people_and_programs_alike(tmp_path: Path) -> None:
    assert run("harvest", "--samples", 10, "--library", "library", cwd=tmp_path, key=None).code == 0
    ended = run("find", "a", "--limit", 3, "--library", "library", cwd=tmp_path)
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 3
    assert "the best 3 shown" in ended.err
    answer = json.loads(run("find", "a", "--limit", 3, "--json", "--library", "library", cwd=tmp_path).out)
    assert [f"{sound['id']:>8}" for sound in answer["sounds"]] == [line[:8] for line in ended.out.splitlines()]
    assert answer["total"] > 3


def test_find_ranks_by_likeness_what_a_sweep_brought(tmp_path: Path) -> None:
    sweep = ("harvest", "--sandbox", "--sweep", "--query", "rain", "--vectors", "laion_clap", "--library", "swept")
    assert run(*sweep, cwd=tmp_path, key=None).code == 0

    def find(*arguments: object, code: int = 0) -> Ended:
        ended = call("find", *arguments, "--library", "swept", cwd=tmp_path)
        assert ended.code == code, ended.err
        return ended

    def ranked(*arguments: object) -> list[tuple[int, float]]:
        return [(one["id"], one["score"]) for one in json.loads(find(*arguments, "--json", "--limit", 0).out)["sounds"]]

    state, contents = load_view(tmp_path / "swept").state, Vectors(tmp_path / "swept", SystemClock())
    vectors = {one: np.array(vector, dtype=np.float64) for one, vector in contents.items()}
    units = {one: vector / np.linalg.norm(vector) for one, vector in vectors.items()}
    bare = min(set(state.graph) - set(units))
    first, second = sorted(units)[:2]

    def brute_force(mean: Any, *given: int) -> list[tuple[int, float]]:
        scores = {one: (1 + float(unit @ mean) / np.linalg.norm(mean)) / 2 for one, unit in units.items()}
        scored = [(one, round(float(score), 6)) for one, score in scores.items() if one not in given]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))

    def alike(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> bool:
        return [one for one, _ in found] == [one for one, _ in expected] and [score for _, score in found] == (
            pytest.approx([score for _, score in expected], abs=1.01e-6)
        )

    one, both = ranked("--like", first), ranked("--like", f"{second}, {first}")
    assert alike(one, brute_force(units[first], first))
    assert alike(both, brute_force(units[first] + units[second], first, second))
    page = f"https://freesound.org/people/someone/sounds/{first}/"
    assert ranked("--like", page) == one
    assert ranked("--like", first, "--like", f"{second}__user__a name, with comma.wav") == both
    library = harvester.Library.open(tmp_path / "swept")
    assert list(library.like([first, page, second], limit=0)) == both
    assert library.like(np.int64(first), limit=3) == tuple(one[:3])
    # Another process says the same, and words keep only those that have them.
    again = run("find", "--like", second, "--like", first, "--limit", 0, "--library", "swept", cwd=tmp_path)
    assert [(int(line.split()[1]), line.split()[0]) for line in again.out.splitlines()] == [
        (found, f"{score:.4f}") for found, score in both
    ]
    words = find("thunder", "--like", first, "--json", "--limit", 0)
    with_words = {hit["id"] for hit in json.loads(find("thunder", "--json", "--limit", 0).out)["sounds"]}
    assert [hit["id"] for hit in json.loads(words.out)["sounds"]] == [hit for hit, _ in one if hit in with_words]
    told = find("--like", first, "--limit", 3)
    assert told.err == f"{len(one)} of {len(state)} sounds in swept ranked by likeness, the best 3 shown\n"
    named = find(str(bare), "--like", first)
    assert (named.out, named.err.splitlines()[0]) == (
        "", "1 sound with these words cannot be ranked: the vector is not here",
    )  # fmt: skip

    # No list is here, so the map's cards name what the vectors say.
    assert call("map", "-o", "map.html", "--library", "swept", cwd=tmp_path).code == 0
    arrays = json.loads(re.findall(r'id="arrays"[^>]*>(.*?)</script>', (tmp_path / "map.html").read_text())[0])
    counts = base64.b64decode(arrays["nearestCounts"])
    assert (len(counts), max(counts)) == (len(state), 5)
    place = np.frombuffer(base64.b64decode(arrays["nearest"]), "<u2")[sum(counts[: sorted(state.graph).index(first)])]
    assert sorted(state.graph)[place] == one[0][0]

    for arguments, says in {
        (): "find needs words that a sound must have, or --like ID; nothing was searched",
        (
            "--like",
            "http://example.com/5",
        ): "--like: 'http://example.com/5' names no sound; give its id, its",
        ("--like", " ,"): "--like names no sound; give an id or the address of a sound",
        ("--like", "999999999"): "sound 999999999 is not in swept; `harvester harvest --seed 999999999` fetches it",
        ("--like", bare): f"swept has no vector of sound {bare}; `harvester harvest --sweep --query TEXT --vectors",
    }.items():
        assert find(*arguments, code=2).err.startswith(f"harvester: {says}"), arguments
    with pytest.raises(harvester.SettingsError, match=r"^like: 'x' names no sound"):
        library.like("x")
    (tmp_path / "swept" / VECTORS).unlink()
    assert find("--like", first, code=2).err.startswith("harvester: swept holds no vectors: fetch them with `harvester")
