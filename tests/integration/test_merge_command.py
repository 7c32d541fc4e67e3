"""`harvester merge` as users run it."""

from __future__ import annotations

from pathlib import Path

import joblib

from harvester.library import load_history
from harvester.storage import HISTORY
from tests.support.processes import run


def test_merge_tells_what_came_from_where_and_refuses_in_one_line(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        ended = run(
            "harvest", "--samples", 5, "--neighbours", 5, "--order", "random", "--random-seed", seed,
            "--library", name, cwd=tmp_path, key=None,
        )  # fmt: skip
        assert ended.code == 0, ended.err
    merged = run("merge", "one", "two", "-o", "both", cwd=tmp_path)
    assert merged.code == 0, merged.err
    assert "one (" in merged.err
    assert "new sounds" in merged.err
    both = joblib.load(tmp_path / "both/freesound_library.pkl")
    sides = [joblib.load(tmp_path / name / "freesound_library.pkl") for name in ("one", "two")]
    assert both["processed_ids"] == sides[0]["processed_ids"] | sides[1]["processed_ids"]
    history = tmp_path / "both" / HISTORY
    runs = [run for name in ("one", "two") for run in load_history(tmp_path / name).runs]
    assert load_history(history.parent).runs == tuple(sorted(runs, key=lambda run: (run.started, run.run)))
    saved, told = (tmp_path / "both/freesound_library.pkl").read_bytes(), history.stat().st_mtime_ns
    again = run("merge", "two", "one", "--library", "both", cwd=tmp_path)
    assert "new sounds" not in again.err
    assert (tmp_path / "both/freesound_library.pkl").read_bytes() == saved
    assert history.stat().st_mtime_ns == told
    refused = run("merge", "nowhere", "--library", "both", cwd=tmp_path)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
