"""Power cuts on real file systems: ext4 and XFS stop in mid-work; what was acknowledged is there after."""

from __future__ import annotations

import os
import random
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import pytest

from harvester.clock import SystemClock
from harvester.library.check import check_library
from harvester.library.reader import load_view
from harvester.library.store import Store
from harvester.storage.paths import CHECKPOINT
from tests.support.mounts import Mount, file_system
from tests.support.processes import ROOT, run, sandbox_process, start, wait_until

KINDS = ("ext4", "xfs")


def write_until_cut(mount: Mount, folder: Path, rng: random.Random) -> int:
    """Let a writer work for a moment, cut its power, and return the last number it had acknowledged before."""
    command = [sys.executable, "-m", "tests.support.power_cut_writer", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        acked = process.stdout.readline()
        threading.Event().wait(rng.uniform(0, 0.15))
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            while waiting.select(timeout=0):
                acked += os.read(process.stdout.fileno(), 1 << 16)
                # What comes in while we read must not keep us from cutting.
                if len(acked) > 1 << 20:
                    break
            mount.cut_power()
        rest = process.stdout.read()
        complaint = process.stderr.read().decode()
        assert process.wait(timeout=10) in (21, 26), (complaint, rest)
        assert complaint == ""
    return int(acked.rstrip(b"0123456789").split()[-1])


def cut_again_and_again(kind: str, cwd: Path, cuts: int) -> str:
    rng, began_s, in_write, acked = random.Random(cuts), time.monotonic(), 0, 0
    with file_system(kind, cwd) as mount:
        folder = mount.path / "library"
        for _ in range(cuts):
            acked = write_until_cut(mount, folder, rng)
            mount.come_back()
            in_write += bool(list(folder.glob(".*.tmp")))
            seen = set(load_view(folder).state.graph)
            assert seen == set(range(1, len(seen) + 1))
            assert len(seen) >= acked
            with Store.open(folder, clock=SystemClock()) as store:
                assert set(store.state.graph) == seen
                assert store.notices == []
            assert check_library(folder, clock=SystemClock()).clean
    return f"{kind}: {cuts} cuts ({in_write} inside a write), {acked} sounds, {time.monotonic() - began_s:.0f} s"


def test_what_was_acknowledged_before_a_power_cut_is_there_after_it(tmp_path: Path) -> None:
    # Two processes and a file system that is made, cut and mounted again. XFS, which few machines can make, comes with
    # the long form; what it does without a sync is among the crash states of every run.
    print(cut_again_and_again("ext4", tmp_path, 2))


@pytest.mark.chaos
@pytest.mark.parametrize("kind", KINDS)
def test_many_power_cuts(kind: str, tmp_path: Path) -> None:
    print(cut_again_and_again(kind, tmp_path, 60))


@pytest.mark.chaos
@pytest.mark.parametrize("kind", KINDS)
def test_a_harvest_whose_power_is_cut_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    rng, cuts = random.Random(3), 12
    with file_system(kind, tmp_path) as mount, sandbox_process(tmp_path, "--no-throttle", "--sounds", 600) as sandbox:
        folder = mount.path / "library"
        arguments = (
            "harvest", "--library", folder, "--api-url", sandbox.url, "--level", 99, "--samples", 5000,
            "--neighbours", 5, "--backup-every", 10,
        )  # fmt: skip
        done = 0
        for _ in range(cuts):
            goal = done + rng.randint(5, 40)
            process = start(*arguments, cwd=tmp_path)
            wait_until(lambda at=goal: sum(sandbox.lists_asked().values()) >= at, what="some lists")
            seen = set(load_view(folder).state.processed)
            mount.cut_power()
            _, err = process.communicate(timeout=60)
            assert process.returncode == 21, err
            assert "Traceback" not in err
            assert err.strip().splitlines()[-1].startswith("harvester: ")
            mount.come_back()
            after = set(load_view(folder).state.processed)
            assert seen <= after
            done = sum(sandbox.lists_asked().values())
        ended = run(*arguments, cwd=tmp_path, timeout_s=120)
        assert ended.code == 0, ended.err
        assert set(sandbox.lists_asked()) == joblib.load(folder / CHECKPOINT)["processed_ids"]
        assert check_library(folder, clock=SystemClock()).clean
        print(f"{kind}: {cuts} cuts in mid-harvest, {len(sandbox.lists_asked())} samples")
