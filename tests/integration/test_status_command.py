"""`harvester status` as people and programs meet it: on a terminal, off it, again and again."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import environment, run, start
from tests.support.samples import grow as grow_store
from tests.support.samples import make_events, open_store


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a small library, sitting in the working folder of every command here."""
    grow(tmp_path / "lib", 1)
    return tmp_path / "lib"


def grow(folder: Path, first: int) -> None:
    with open_store(folder) as store:
        if not store.state.source:
            store.set_source("https://freesound.org/apiv2/")
        grow_store(store, make_events(4, first=first))
        store.checkpoint(backup=True)


@contextmanager
def on_a_terminal(cwd: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command on a terminal of its own, and give the process and what the terminal shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "harvester", *arguments]
    with subprocess.Popen(command, cwd=cwd, env=environment(cwd / "state"), stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def read_until(descriptor: int, wanted: bytes) -> bytes:
    shown = b""
    while wanted not in shown:
        shown += os.read(descriptor, 4096)
    return shown


def test_every_documented_key_is_there_and_no_other(library: Path) -> None:
    facts = json.loads(run("status", "--json", "--library", "lib", cwd=library.parent).out)
    guide = (Path(__file__).parents[2] / "harvester" / "guide" / "status.md").read_text(encoding="utf-8")
    table = guide.split("## What status tells programs")[1].split("\n#")[0]
    documented = {
        name for row in table.splitlines() if row.startswith("| `") for name in row.split("|")[1].split("`")[1::2]
    }
    assert set(facts) == documented


def test_watched_on_a_terminal_it_shows_growth_in_place_and_ctrl_c_ends_it_in_peace(library: Path) -> None:
    with on_a_terminal(library.parent, "status", "--watch", "--library", "lib") as (process, terminal):
        first = read_until(terminal, b"users")
        assert b"4 of 4 sounds" in first
        assert first.count(b"\x1b[2J") == 1
        grow(library, 5)
        again = read_until(terminal, b"8 of 8 sounds")
        assert b"\x1b[H" in again
        assert b"\x1b[2J" not in again
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_watched_by_a_program_it_gives_a_line_of_json_each_time(library: Path) -> None:
    process = start("status", "--watch", "--json", "--library", "lib", cwd=library.parent)
    assert process.stdout is not None
    first, second = (json.loads(process.stdout.readline()) for _ in range(2))
    assert first["nodes"] == second["nodes"] == 4
    assert first["at"] < second["at"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
