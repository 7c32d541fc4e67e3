"""Disk trouble through the real command line: full, read-only, vanished, replaced under a running harvest."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import pytest

from harvester.clock import SystemClock
from harvester.library.check import check_library
from harvester.library.reader import load_view
from harvester.storage.paths import CHECKPOINT
from tests.support.mounts import file_system, memory_disk, remount
from tests.support.processes import ROOT, Ended, SandboxProcess, run, sandbox_process, start, wait_until


def harvest(folder: Path, sandbox: SandboxProcess, samples: int = 5000) -> tuple[object, ...]:
    return (
        "harvest", "--library", folder, "--api-url", sandbox.url, "--level", 99, "--samples", samples,
        "--backup-every", 50,
    )  # fmt: skip


def processed_in(folder: Path) -> set[int]:
    return set(load_view(folder).state.processed)


def one_line(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, ended.err
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("harvester: ")
    assert "Traceback" not in ended.err
    assert all(word in last for word in words), last


@contextmanager
def small_disk(kind: str, folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """Give a disk with some hundred kilobytes left, and the ballast on it (None: it can be made larger instead)."""
    if kind == "tmpfs":
        with memory_disk(folder, 400 << 10) as path:
            yield path, None
        return
    with file_system(kind, folder) as mount:
        ballast = mount.path / "ballast"
        free = shutil.disk_usage(mount.path).free
        ballast.write_bytes(bytes(free - (400 << 10)))
        yield mount.path, ballast


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_disk_that_fills_up_ends_the_run_with_25_and_space_lets_it_go_on(kind: str, tmp_path: Path) -> None:
    # Three real processes and a file system.
    with small_disk(kind, tmp_path) as (disk, ballast), sandbox_process(tmp_path, "--no-throttle") as sandbox:
        folder = disk / "library"
        one_line(run(*harvest(folder, sandbox), cwd=tmp_path), 25, "no space left")
        assert list(folder.glob(".*.tmp")) == []
        kept = processed_in(folder)
        assert len(kept) > 5
        assert kept <= set(sandbox.lists_asked())

        again = run(*harvest(folder, sandbox), cwd=tmp_path)
        one_line(again, 25, "no space left")
        assert kept <= processed_in(folder)

        if ballast is None:
            remount(disk, "size=64m")
        else:
            ballast.unlink()
        ended = run(*harvest(folder, sandbox, 10), cwd=tmp_path)
        assert ended.code == 0, ended.err
        library = joblib.load(folder / CHECKPOINT)
        assert kept < library["processed_ids"]
        assert check_library(folder, clock=SystemClock()).clean


def write_to_the_last_block(kind: str, folder: Path, lefts: range) -> list[list[int]]:
    """Let writers fill a disk with blocks of 1 KiB; return (bytes left, exit code, acknowledged, kept) of each."""
    with file_system(kind, folder, block_bytes=1024) as mount:
        arguments = (str(mount.path / "library"), *map(str, lefts))
        command = [sys.executable, "-m", "tests.support.full_disk_writer", *arguments]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return [[int(number) for number in line.split()] for line in ended.stdout.splitlines()]


def test_a_disk_that_is_full_to_the_last_block_is_an_error_and_never_a_signal(tmp_path: Path) -> None:
    # Before the room was made first, SQLite's write into the mapped index was a SIGBUS from 5 to 25 KiB on.
    for left, code, acked, kept in write_to_the_last_block("ext4", tmp_path, range(4 << 10, 30 << 10, 4 << 10)):
        assert code == 25, left
        assert kept >= acked


@pytest.mark.chaos
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_every_last_kibibyte(kind: str, tmp_path: Path) -> None:
    lives = write_to_the_last_block(kind, tmp_path, range(0, 64 << 10, 1 << 10))
    print(f"{kind}: {len(lives)} writers on a full disk, {sum(acked for _, _, acked, _ in lives)} commits, all kept")
    assert {code for _, code, _, _ in lives} == {25}
    assert all(kept >= acked for _, _, acked, kept in lives)


def test_a_read_only_disk_is_one_line_and_exit_21_and_can_still_be_read(tmp_path: Path) -> None:
    with memory_disk(tmp_path, 64 << 20) as disk, sandbox_process(tmp_path, "--no-throttle") as sandbox:
        folder = disk / "library"
        assert run(*harvest(folder, sandbox, 10), cwd=tmp_path).code == 0
        before = processed_in(folder)
        remount(disk, "ro")
        one_line(run(*harvest(folder, sandbox, 10), cwd=tmp_path), 21)
        shown = run("status", "--library", folder, cwd=tmp_path)
        assert shown.code == 0, shown.err
        assert processed_in(folder) == before
        remount(disk, "rw")
        assert run(*harvest(folder, sandbox, 10), cwd=tmp_path).code == 0
        assert len(processed_in(folder)) == 20


def test_a_folder_that_vanishes_ends_the_run_with_21_and_nothing_that_was_counted_is_lost(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 10) as sandbox:
        folder, away = tmp_path / "library", tmp_path / "away"
        process = start(*harvest(folder, sandbox), cwd=tmp_path)
        wait_until(lambda: len(sandbox.lists_asked()) > 20, what="some lists")
        before = processed_in(folder)
        folder.rename(away)
        _, err = process.communicate(timeout=30)
        one_line(Ended(process.wait(), "", err), 21)
        assert not folder.exists()
        assert before <= processed_in(away)
        away.rename(folder)
        assert run(*harvest(folder, sandbox, 10), cwd=tmp_path).code == 0
        assert before < processed_in(folder)
        assert check_library(folder, clock=SystemClock()).clean


def test_a_checkpoint_pulled_in_under_a_running_harvest_is_joined_and_nothing_of_either_is_lost(
    tmp_path: Path,
) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 10) as sandbox:
        ours, theirs = tmp_path / "ours", tmp_path / "theirs"
        ended = run(*harvest(theirs, sandbox, 40), "--order", "random", "--random-seed", 9, cwd=tmp_path)
        assert ended.code == 0, ended.err
        pulled = processed_in(theirs)
        assert run(*harvest(ours, sandbox, 5), cwd=tmp_path).code == 0
        before = len(sandbox.requests())
        process = start(*harvest(ours, sandbox), cwd=tmp_path)
        wait_until(lambda: len(sandbox.requests()) > before + 20, what="a running harvest")
        known = processed_in(ours)
        # As `git pull` does: written beside, then renamed over what is there.
        shutil.copyfile(theirs / CHECKPOINT, ours / "pulled")
        (ours / "pulled").replace(ours / CHECKPOINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "was merged" in err
        library = joblib.load(ours / CHECKPOINT)
        assert pulled - known
        assert pulled | known <= library["processed_ids"]
        assert check_library(ours, clock=SystemClock()).clean
