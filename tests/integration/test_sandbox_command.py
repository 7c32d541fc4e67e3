"""`harvester sandbox` as a process: its one line, its life until a signal, its refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "harvester", "sandbox"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_well_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    # A whole interpreter with aiohttp has to start: half a second.
    catalogue = tmp_path / "some.jsonl"
    catalogue.write_text('{"id": 12, "name": "one"}\n{"why": [], "sound": {"id": 13}}\n', encoding="utf-8")
    log = tmp_path / "access.jsonl"
    options = ["--catalogue", catalogue, "--token", "k1", "--token", "k2", "--access-log", log, "--no-throttle"]
    with subprocess.Popen(
        [*COMMAND, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        assert line.endswith("/apiv2/\n")
        request = urllib.request.Request(f"{line.split()[-1]}sounds/12/", headers={"Authorization": "Token k2"})
        with urllib.request.urlopen(request, timeout=30) as response:
            assert json.load(response) == {"id": 12, "name": "one"}
        assert json.loads(log.read_text(encoding="utf-8"))["path"] == "/apiv2/sounds/12/"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    "options",
    [["--fault", "teapot"], ["--catalogue", "missing.jsonl"], ["--sounds", "0"], ["--access-log", "no/where.jsonl"]],
)
def test_a_bad_option_is_one_clear_line_and_exit_code_2(tmp_path: Path, options: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=20,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1
