"""`--jobs` of `check`, `link` and `map` as users run it: Ctrl-C, kills, and the same bytes for any number."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.processes import run, start_interpreter, wait_until
from tests.support.samples import make_events, open_store
from tests.support.vector_library import add


def members(group: int) -> list[str]:
    """Return the commands of a process group that still live."""
    table = subprocess.run(["ps", "-Awwo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    return [command for of_group, state, command in rows if int(of_group) == group and state[0] != "Z"]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with three backups."""
    folder = tmp_path / "library"
    with open_store(folder) as store:
        for event in make_events(50):
            store.state.apply(event)
        for _ in range(3):
            store.rewrite()
    return folder


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_a_check_in_two_processes_ends_with_all_of_them(library: Path, number: signal.Signals, code: int) -> None:
    # A pipe that nothing writes to: what loads it waits for ever.
    (library / CHECKPOINT).unlink()
    os.mkfifo(library / CHECKPOINT)
    process = start_interpreter("check", "--library", library, "--jobs", 2, cwd=library.parent, start_new_session=True)
    wait_until(lambda: sum("popen_loky" in one for one in members(process.pid)) == 2, what="two processes")
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    wait_until(lambda: not members(process.pid), timeout_s=10, what="the end of all processes")
    assert out == ""
    if number != signal.SIGKILL:
        assert len(err.splitlines()) == 1, err
    places = (Path(os.environ.get("TMPDIR", "/tmp")), Path("/dev/shm"))
    assert not [folder for place in places for folder in place.glob(f"joblib_memmapping_folder_{process.pid}_*")]


INTERRUPTED_THREAD = """
import os, threading
from harvester.similarity import knn
knn.QUERIES = 8
plain, left = knn._nearest, [{number}]
def nearest(*given):
    assert threading.current_thread() is not threading.main_thread()
    if left:
        os.kill(os.getpid(), left.pop())
    return plain(*given)
knn._nearest = nearest
"""
"""The first block of vectors that a thread compares sends the signal."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_map_in_two_threads_ends_in_one_line(number: signal.Signals, tmp_path: Path) -> None:
    add(tmp_path / "library", {one: one for one in range(1, 60)})
    (tmp_path / "map.html").write_text("an earlier one")
    words = ("map", "--library", "library", "--layout", "vectors", "--jobs", 2)
    done = run(*words, cwd=tmp_path, first=INTERRUPTED_THREAD.format(number=int(number)), key=None)
    assert (done.code, done.out) == (128 + number, "")
    told, line = done.err.splitlines()
    assert told == "laying out 59 sounds and 0 edges"  # it is told before the search, which may take minutes
    assert line.endswith("no file is left half written: run the command again")
    assert (tmp_path / "map.html").read_text() == "an earlier one"


def test_a_check_finds_the_same_for_any_number_of_jobs(library: Path) -> None:
    (library / CHECKPOINT).write_bytes(b"rubbish")
    said = [run("check", "--library", library, "--jobs", jobs, "--json", cwd=library.parent) for jobs in (1, 3, -1)]
    assert {ended.code for ended in said} == {1}
    assert len({ended.out for ended in said}) == 1
    assert CHECKPOINT in said[0].out


def test_no_jobs_at_all_are_refused(library: Path) -> None:
    ended = call("check", "--library", library, "--jobs", 0, cwd=library.parent)
    assert ended.code == 2
    assert "--jobs: expected 1 or more, or -1 for all cores, got 0" in ended.err
