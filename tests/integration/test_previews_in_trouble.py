"""Kills, bad answers and signals during `harvester previews`: each file is whole or absent, none is fetched twice."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.preview_trouble import FAULTS, Troubled
from tests.support.processes import run, sandbox_process

KEY = "Zq7kVtheKEYw3Lx9PmB4nRsT2uYdGhJcFa5eK8oQ"


def test_each_preview_is_whole_or_absent_whatever_happens_and_none_is_fetched_twice(tmp_path: Path) -> None:
    faults = [word for rule in FAULTS for word in ("--fault", rule)]
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 200, "--token", KEY, *faults) as sandbox:
        grown = run(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--library", "lib", "--sweep", "--filter",
            "duration:[0 TO 1]", cwd=tmp_path, key=KEY,
        )  # fmt: skip
        assert grown.code == 0, grown.err
        troubled = Troubled(tmp_path / "lib", sandbox, ("--all", "--max-files", 24), KEY)
        troubled.kill_after(6, tmp_path)
        assert troubled.kill_after(3, tmp_path, signal.SIGTERM) == 0
        ended = troubled.run(tmp_path)
        assert ended.code == 0, ended.err
        troubled.check_manifest()
        lost = (troubled.previews / "lost.jsonl").read_text()
        assert "HTTP 404" in lost
        assert {200, 404, 429} <= troubled.statuses().keys()
        assert not [one for one in sandbox.requests() if "/previews/" in one["path"] and one["key"]]
    artefacts = [path for path in troubled.previews.iterdir() if path.is_file()]
    assert not [path for path in artefacts if KEY.encode() in path.read_bytes()]
    assert KEY not in ended.err


def test_a_signal_ends_a_run_at_once_while_the_server_is_silent(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--fault", "no-answer@path=/previews/@from=3") as sandbox:
        grown = run(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--library", "lib", "--samples", 2, cwd=tmp_path
        )
        assert grown.code == 0, grown.err
        troubled = Troubled(tmp_path / "lib", sandbox, ("--max-duration", "2s"), "sandbox")
        assert troubled.kill_after(4, tmp_path, signal.SIGINT, within_s=2) == 0
        assert len(troubled.files()) == 2
        troubled.check_manifest()
