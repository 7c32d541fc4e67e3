"""Readers beside a running harvest: threads and processes, every view whole, and the library never shrinks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import pytest

from harvester import Library
from harvester.library.reader import load_view
from harvester.storage.paths import CHECKPOINT
from tests.support.processes import ROOT, SandboxProcess, sandbox_process, start, wait_until
from tests.support.reading import look_at_graph, read_until

THREADS, PROCESSES = 8, 2


def test_a_view_that_is_not_whole_is_noticed(tmp_path: Path) -> None:
    library = load_view(tmp_path)
    library.state.graph.add_edge(1, 2, score=0.9)
    with pytest.raises(AssertionError):
        look_at_graph(library.state.graph, {1})


def read_beside_a_harvest(cwd: Path, seconds: float) -> str:
    """Harvest in one process; read in threads of this one and in others for so long."""
    with sandbox_process(cwd, "--no-throttle", "--sounds", 3000, "--latency-ms", 20) as sandbox:
        return _read(cwd / "library", cwd, sandbox, seconds)


def _read(folder: Path, cwd: Path, sandbox: SandboxProcess, seconds: float) -> str:
    harvest = start(
        "harvest", "--library", folder, "--api-url", sandbox.url, "--level", 99, "--samples", 100_000,
        "--neighbours", 5, "--concurrency", 2, "--backup-every", 20, cwd=cwd,
    )  # fmt: skip
    wait_until(lambda: (folder / CHECKPOINT).exists() and len(load_view(folder).state.processed) > 5, what="a start")
    deadline = time.time() + seconds
    command = [sys.executable, "-m", "tests.support.reading", str(folder), str(deadline)]
    others = [subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True) for _ in range(PROCESSES)]
    with ThreadPoolExecutor(THREADS) as threads:
        looks = [threads.submit(read_until, folder, deadline, kind) for kind in range(THREADS)]
        seen = [look.result() for look in looks]
    for other in others:
        out, err = other.communicate(timeout=60)
        assert other.returncode == 0, err
        seen.append((int(out.split()[0]), int(out.split()[1])))
    was_running = harvest.poll() is None
    harvest.send_signal(signal.SIGINT)
    _, err = harvest.communicate(timeout=60)
    assert harvest.returncode == 0, err
    library = joblib.load(folder / CHECKPOINT)
    assert len(Library.open(folder)) == len(library["graph"]) >= max(nodes for _, nodes in seen)
    assert all(views > 0 for views, _ in seen)
    backups = err.count("backup: ")
    return (
        f"{sum(views for views, _ in seen)} views by {THREADS} threads and {PROCESSES} processes in {seconds:g} s "
        f"beside a harvest {'that went on' if was_running else 'that ended meanwhile'}: "
        f"{len(library['graph'])} sounds, {backups} backups"
    )


def test_every_view_beside_a_running_harvest_is_whole_and_none_is_smaller_than_the_last(tmp_path: Path) -> None:
    # Real processes for a while: what is looked for only shows when many look.
    print(read_beside_a_harvest(tmp_path, 1.5))


@pytest.mark.chaos
def test_a_minute_of_readers(tmp_path: Path) -> None:
    print(read_beside_a_harvest(tmp_path, 60))
