"""The key is in no file, log, process list, URL, error or access log: everything that real runs leave is searched."""

from __future__ import annotations

import base64
import getpass
import platform
from pathlib import Path

import pytest

from harvester.library import KILLED, load_history
from harvester.storage import HISTORY
from tests.support.processes import run, sandbox_process, start_interpreter, wait_until
from tests.support.quick_clock import QUICK

KEY = "Zq7kVtheKEYw3Lx9PmB4nRsT2uYdGhJcFa5eK8oQ"
FORMS = (
    KEY.encode(),
    base64.b64encode(KEY.encode()),
    KEY.encode().hex().encode(),
    KEY[:20].encode(),
    KEY[-20:].encode(),
)


def leaks_in(data: bytes) -> list[bytes]:
    return [form for form in FORMS if form in data]


def search(folder: Path) -> tuple[list[str], int]:
    """Return the files below `folder` that hold the key, in bytes or in their name, and how many were searched."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".env"]
    return [str(path) for path in files if leaks_in(path.read_bytes()) or KEY in str(path)], len(files)


def test_no_artefact_of_real_runs_holds_the_key(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / ".env").write_text(f"FREESOUND_API_KEY={KEY}\n")
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 600, "--latency-ms", 5, "--token", KEY) as sandbox:
        options = ("--api-url", sandbox.url, "--level", 99)
        process = start_interpreter("-vv", "harvest", *options, "--samples", 5000, cwd=tmp_path, key=None)
        wait_until(lambda: len(sandbox.requests()) > 30, what="a running harvest")
        proc = Path(f"/proc/{process.pid}")
        if proc.exists():
            assert b"harvest" in (proc / "cmdline").read_bytes()
            assert not leaks_in((proc / "cmdline").read_bytes())
            # Read from .env, it is not even in the environment that other processes of the user see.
            assert not leaks_in((proc / "environ").read_bytes())
        running, _ = search(tmp_path)
        assert running == []
        process.kill()
        said += process.communicate()
        for command in (
            ("harvest", *options, "--samples", 20, "-vv", "--log-json"),
            ("harvest", *options, "--sweep", "--tag", "rain", "--samples", 3),
            ("plan", *options, "--query", "rain", "--json"),
            ("refresh", *options, "--older-than", "0s", "--limit", 10),
            ("-vv", "previews", "--api-url", sandbox.url, "--max-duration", "2s", "--max-files", 3),
            ("status", "--json"),
            ("check",),
            ("history",),
        ):
            ended = run(*command, cwd=tmp_path, key=None)
            assert ended.code == 0, ended.err
            said += [ended.out, ended.err]
        assert sandbox.requests()
    assert not leaks_in("".join(said).encode())
    runs = load_history(tmp_path / "sandbox_library").runs
    assert [run.end for run in runs] == [KILLED, "target reached", "target reached", "exhausted"]
    shared = (tmp_path / "sandbox_library" / HISTORY).read_text()
    assert not [name for name in (platform.node(), getpass.getuser(), str(tmp_path), sandbox.url) if name in shared]
    found, searched = search(tmp_path)
    assert found == []
    assert searched >= 6  # checkpoint, backup, journal, status.json, ledger, access log


@pytest.mark.parametrize("fault", ["truncate", "reset", "401"])
def test_no_error_shows_the_key(tmp_path: Path, fault: str) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--token", KEY, "--fault", fault) as sandbox:
        ended = run("-v", "harvest", "--api-url", sandbox.url, "--time-limit", "2s", cwd=tmp_path, key=KEY, first=QUICK)
    assert not leaks_in((ended.out + ended.err).encode())
    assert search(tmp_path)[0] == []


def test_a_bug_of_ours_prints_a_traceback_without_the_key(tmp_path: Path) -> None:
    broken = (
        "import harvester.freesound.client as c\n"
        "def burst(*a, **k): raise ZeroDivisionError('injected')\n"
        "c.read_records = c.read_similar = burst\n"
    )
    with sandbox_process(tmp_path, "--no-throttle", "--token", KEY) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, "--level", 99, cwd=tmp_path, key=KEY, first=broken)
    assert ended.code == 70
    assert "injected" in ended.err
    assert not leaks_in((ended.out + ended.err).encode())
    assert search(tmp_path)[0] == []
