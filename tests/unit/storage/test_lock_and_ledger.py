"""The lock is the operating system's; the ledger belongs to the key and is shared by every process."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from pwd import struct_passwd
from typing import Any

import pytest
from platformdirs import user_state_path
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from harvester.errors import LibraryLocked, LibraryUnwritable, SettingsError
from harvester.freesound.ledger import LEDGER, FileLedger, count_requests, state_folder
from harvester.freesound.quota import Ledger, MemoryLedger
from harvester.storage.lock import WriterLock, read_owner

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
NOW_US = 1_790_000_000_000_000


def _holder(folder: Path) -> subprocess.Popen[str]:
    program = (
        "import sys; from pathlib import Path; from harvester.storage.lock import WriterLock;"
        f"lock = WriterLock(Path(sys.argv[1])); lock.acquire({NOW_US}); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_another_process_is_refused_by_name_and_free_after_a_kill(tmp_path: Path) -> None:
    with _holder(tmp_path) as child:
        with pytest.raises(LibraryLocked, match=f"process {child.pid} on "):
            WriterLock(tmp_path).acquire(NOW_US)
        owner = read_owner(tmp_path)
        assert owner is not None
        assert (owner.pid, owner.started) == (child.pid, NOW_US)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert read_owner(tmp_path) is None
        lock = WriterLock(tmp_path)
        lock.acquire(NOW_US + 2)
        lock.release()


def test_nobody_owns_a_library_that_is_not_there(tmp_path: Path) -> None:
    assert read_owner(tmp_path / "nowhere") is None
    WriterLock(tmp_path).acquire(NOW_US)


def test_asking_who_writes_does_not_keep_a_writer_out(tmp_path: Path) -> None:
    for _ in range(20):
        lock = WriterLock(tmp_path)
        lock.acquire(NOW_US)
        assert read_owner(tmp_path) is not None
        lock.release()
        assert read_owner(tmp_path) is None


@pytest.mark.parametrize("started", [0, 1_704_067_199_999_999, 4_102_444_800_000_000, 10**18, -1])
def test_a_process_whose_clock_is_not_set_writes_no_library(started: int, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the clock of this machine says .*: set it first; nothing was changed"):
        WriterLock(tmp_path).acquire(started)
    assert not list(tmp_path.iterdir())


def test_where_the_system_has_no_locks_nobody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WriterLock(tmp_path).acquire(NOW_US)

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    assert read_owner(tmp_path) is None
    with pytest.raises(LibraryUnwritable, match="this file system has no locks: move the folder to a local disk"):
        WriterLock(tmp_path).acquire(NOW_US)


def test_the_ledger_is_what_pacing_asks_for(tmp_path: Path) -> None:
    ledger: Ledger = FileLedger("server", "key", tmp_path)
    assert ledger.lease(NOW_US, 1, NOW_US + 1, []) == [1]


def test_file_and_memory_ledger_agree(tmp_path: Path) -> None:
    windows = [(4, MINUTE_US), (7, DAY_US)]
    story: list[tuple[str, tuple[Any, ...]]] = [
        ("lease", (NOW_US, 3, NOW_US + 10_000_000, windows)), ("answered", (1, NOW_US + 5)), ("give_back", ([2],)),
        ("spent", (0,)), ("lease", (NOW_US + 10, 5, NOW_US + 10_000_010, windows)), ("spent", (NOW_US,)),
        ("lease", (NOW_US + 2 * MINUTE_US, 9, NOW_US + 3 * MINUTE_US, windows)), ("spent", (NOW_US,)),
        ("lease", (NOW_US - DAY_US, 2, NOW_US - DAY_US + 5, windows)), ("spent", (0,)),
        ("lease", (NOW_US + DAY_US, 9, NOW_US + DAY_US + 5, windows)), ("spent", (NOW_US,)),
    ]  # fmt: skip
    file, memory = FileLedger("server", "key", tmp_path), MemoryLedger()
    for method, arguments in story:
        assert getattr(file, method)(*arguments) == getattr(memory, method)(*arguments), (method, arguments)


def test_keys_and_servers_are_counted_apart(tmp_path: Path) -> None:
    one, two, three = (FileLedger(*who, tmp_path) for who in (("a", "x"), ("a", "y"), ("b", "x")))
    assert len(one.lease(NOW_US, 5, NOW_US + 9, [(5, DAY_US)])) == 5
    assert one.lease(NOW_US, 1, NOW_US + 9, [(5, DAY_US)]) == []
    assert two.spent(0) == three.spent(0) == []
    assert count_requests("a", "x", NOW_US, tmp_path) == 5
    assert count_requests("a", "x", NOW_US + 2 * DAY_US, tmp_path) == 0
    assert count_requests("a", "x", NOW_US, tmp_path / "nowhere") == 0


def test_processes_together_never_take_more_than_there_is(tmp_path: Path) -> None:
    program = (
        "import sys, json; from pathlib import Path; from harvester.freesound.ledger import FileLedger;"
        "ledger = FileLedger('s', 'k', Path(sys.argv[1]));"
        f"leases = [ledger.lease({NOW_US}, 1, {NOW_US + 99}, [(50, {DAY_US})]) for _ in range(30)];"
        "print(json.dumps([row for rows in leases for row in rows]))"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    rows = [row for child in children for row in json.loads(child.communicate()[0])]
    assert len(rows) == len(set(rows)) == 50


def test_a_lease_is_durable_before_it_returns(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from harvester.freesound.ledger import FileLedger;"
        f"FileLedger('s', 'k', Path(sys.argv[1])).lease({NOW_US}, 4, {NOW_US + 99}, []); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert FileLedger("s", "k", tmp_path).spent(0) == [NOW_US + 99] * 4


def test_a_damaged_ledger_is_set_aside_loudly(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"rot" * 1000)
    told: list[str] = []
    ledger = FileLedger("s", "k", tmp_path, told.append)
    assert ledger.lease(NOW_US, 1, NOW_US + 1, []) == [1]
    (line,) = told
    assert "ledger.sqlite.damaged" in line
    assert (tmp_path / "ledger.sqlite.damaged").read_bytes() == b"rot" * 1000


@pytest.mark.parametrize("harm", ["damaged", "removed"])
def test_a_ledger_lost_during_a_run_is_told_once_and_counting_goes_on(tmp_path: Path, harm: str) -> None:
    path, told = tmp_path / LEDGER, []

    def tell(line: str) -> None:
        told.append((line, len(ledger.spent(0))))  # who is told may look

    ledger = FileLedger("s", "k", tmp_path, tell)
    ledger.lease(NOW_US, 3, NOW_US + 99, [])
    if harm == "damaged":
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE sends")
        other.close()
    else:
        path.unlink()
    assert ledger.lease(NOW_US + 1, 2, NOW_US + 99, [(5, DAY_US)]) == [1, 2]
    ledger.answered(1, NOW_US + 2)
    ((line, seen),) = told
    assert harm in line
    assert "the API may refuse some requests" in line
    assert seen == 2
    assert len(FileLedger("s", "k", tmp_path).spent(0)) == 2
    assert (tmp_path / "ledger.sqlite.damaged").exists() == (harm == "damaged")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryUnwritable, match="HARVESTER_STATE"):
        FileLedger("s", "k", tmp_path / "file" / "state")


def test_the_state_folder_follows_the_environment() -> None:
    assert state_folder({"HARVESTER_STATE": "here"}) == Path("here")
    assert state_folder({"XDG_STATE_HOME": "/there"}) == Path("/there/harvester")


def test_without_a_variable_the_state_folder_is_the_one_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # its specification says to ignore it
    assert state_folder({"XDG_STATE_HOME": "relative"}) == tmp_path / ".local/state/harvester"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder({}) == Path(user_state_path("harvester"))
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: Unix(name).user_state_path)
    assert state_folder({}) == tmp_path / ".local/state/harvester"
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: MacOS(name).user_state_path)
    assert state_folder({}) == tmp_path / "Library/Application Support/harvester"


def test_a_ledger_of_an_earlier_version_stays_in_use_on_macos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: MacOS(name).user_state_path)
    earlier = tmp_path / ".local/state/harvester"
    FileLedger("s", "k", earlier).lease(NOW_US, 3, NOW_US + 1, [])
    monkeypatch.setattr("harvester.freesound.ledger.state_folder", lambda: state_folder({}))
    assert count_requests("s", "k", NOW_US) == 3
    assert len(FileLedger("s", "k").lease(NOW_US, 5, NOW_US + 1, [(4, DAY_US)])) == 1
    assert not (tmp_path / "Library").exists()


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_entry(_: int) -> struct_passwd:
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    monkeypatch.setattr("harvester.freesound.ledger.state_folder", lambda: state_folder({}))
    with pytest.raises(LibraryUnwritable, match="no home folder for the ledger of requests; set HARVESTER_STATE"):
        FileLedger("s", "k")
    assert count_requests("s", "k", NOW_US) == 0


def test_the_ledger_forgets_what_no_longer_counts(tmp_path: Path) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    ledger.lease(NOW_US, 5, NOW_US + 1, [])
    ledger.lease(NOW_US + 3 * DAY_US, 1, NOW_US + 3 * DAY_US + 1, [])
    assert len(ledger.spent(0)) == 1
