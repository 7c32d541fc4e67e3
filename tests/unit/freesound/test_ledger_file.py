"""The ledger's file when things go wrong: what is durable, what a full or failing disk costs, where damage goes."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harvester.clock import DAY_US
from harvester.errors import DiskFull, LibraryUnwritable
from harvester.freesound.ledger import LEDGER, FileLedger, count_requests

NOW_US = 1_790_000_000_000_000
FULL, NORMAL = 2, 1
OUTCOME = "the API may refuse some requests until tomorrow"


class Watched(sqlite3.Connection):
    """A connection that notes how durable each commit is, and that fails where a test says so."""

    commits: list[int] = []  # noqa: RUF012 - shared by all connections of a test, emptied by the fixture
    failing: dict[str, sqlite3.Error] = {}  # noqa: RUF012
    closing_fails = False

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        for beginning, error in self.failing.items():
            if statement.startswith(beginning):
                raise error
        if statement == "COMMIT":
            self.commits.append(super().execute("PRAGMA synchronous").fetchone()[0])
        return super().execute(statement, *parameters)

    def close(self) -> None:
        super().close()
        if self.closing_fails:
            raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    """Let every connection be a `Watched`."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    monkeypatch.setattr(Watched, "commits", [])
    monkeypatch.setattr(Watched, "failing", {})
    return Watched


def failure(code: int | None, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    if code is not None:
        error.sqlite_errorcode = code
    return error


def lease(ledger: FileLedger, count: int = 1) -> list[int]:
    return ledger.lease(NOW_US, count, NOW_US + 99, [])


def test_a_lease_outlives_a_power_cut_and_what_follows_it_need_not(tmp_path: Path, watched: type[Watched]) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    assert set(watched.commits) == {FULL}
    for action, durable in (
        (lambda: lease(ledger, 2), FULL),
        (lambda: ledger.answered(1, NOW_US), NORMAL),
        (lambda: ledger.give_back([2]), NORMAL),
        (lambda: lease(ledger), FULL),
        (lambda: ledger.spent(0), FULL),
    ):
        watched.commits.clear()
        action()
        assert watched.commits == [durable]
    watched.commits.clear()
    ledger.give_back([])
    assert watched.commits == [], "nothing to give back is no transaction"


def test_the_ledger_is_opened_for_many_processes_and_threads(tmp_path: Path, watched: type[Watched]) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    connection = ledger._connection
    assert connection is not None
    figures = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "busy_timeout", "fullfsync", "checkpoint_fullfsync", "user_version")
    }
    assert figures == {
        "journal_mode": "wal",
        "busy_timeout": 30_000,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "user_version": 1,
    }
    rows: list[int] = []
    thread = threading.Thread(target=lambda: rows.extend(lease(ledger)))
    thread.start()
    thread.join()
    assert rows == [1]


def test_a_full_disk_stops_a_lease_and_costs_an_answer_only_its_early_slot(
    tmp_path: Path, watched: type[Watched]
) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    lease(ledger, 2)
    watched.failing["COMMIT"] = failure(sqlite3.SQLITE_FULL | 1 << 8, "database or disk is full")
    with pytest.raises(DiskFull) as caught:
        lease(ledger)
    assert str(caught.value) == f"{ledger.path}: no space left for the ledger of requests; nothing was sent"
    ledger.answered(1, NOW_US + 5)
    ledger.give_back([2])
    watched.failing.clear()
    assert ledger.spent(0) == [NOW_US + 99] * 2
    assert lease(ledger) == [3], "the failed transactions were rolled back"
    assert not list(tmp_path.glob("*.damaged*"))


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, None])
def test_a_failing_disk_is_named_and_nothing_is_set_aside(
    tmp_path: Path, watched: type[Watched], code: int | None
) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    error = failure(code, "disk I/O error")
    # Not even the rollback works: the first error is the one that is told.
    watched.failing |= {"INSERT": error, "ROLLBACK": failure(None, "no transaction")}
    with pytest.raises(LibraryUnwritable) as caught:
        lease(ledger)
    assert str(caught.value) == (
        f"{ledger.path}: cannot write the ledger of requests (disk I/O error); set HARVESTER_STATE"
    )
    assert caught.value.__cause__ is error
    assert [path.name for path in tmp_path.iterdir() if "damaged" in path.name] == []


@pytest.mark.parametrize("where", ["allocating", "asking"])
def test_a_disk_without_room_for_the_index_is_told_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger = FileLedger("s", "k", tmp_path)
    if where == "asking":
        ledger.close()
        monkeypatch.setattr(shutil, "disk_usage", full)
    else:
        ledger.close()
        monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskFull) as caught:
        lease(ledger)
    assert str(caught.value) == (
        f"{ledger.path}: no space left on the disk (No space left on device); nothing was sent"
    )
    monkeypatch.undo()
    assert lease(ledger) == [1]


def test_each_damaged_ledger_gets_a_name_of_its_own_and_a_line(tmp_path: Path, watched: type[Watched]) -> None:
    path, told = tmp_path / LEDGER, list[str]()
    names = ["ledger.sqlite.damaged", "ledger.sqlite.damaged.2", "ledger.sqlite.damaged.3", "ledger.sqlite.damaged.4"]
    for number, name in enumerate(names):
        path.write_bytes(b"rot %d " % number * 1000)
        ledger = FileLedger("s", "k", tmp_path, told.append)
        assert lease(ledger) == [1]
        assert (tmp_path / name).read_bytes() == b"rot %d " % number * 1000
        ledger.close()
    assert told == [
        f"the ledger of requests was corrupt (file is not a database): it was renamed to {name}, and a new one was "
        f"created without the earlier requests; {OUTCOME}"
        for name in names
    ]


def test_a_lease_is_durable_too_where_the_ledger_was_damaged_under_it(tmp_path: Path, watched: type[Watched]) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    with sqlite3.connect(ledger.path) as other:
        other.execute("DROP TABLE sends")
    other.close()
    watched.commits.clear()
    assert lease(ledger) == [1]
    assert watched.commits == [FULL, FULL], "that of the new file, and that of the lease"


def test_what_lies_beside_a_damaged_ledger_moves_with_it(tmp_path: Path, watched: type[Watched]) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    lease(ledger)
    watched.failing["BEGIN"] = failure(sqlite3.SQLITE_CORRUPT, "database disk image is malformed")
    endings = ("-shm", "-wal", "")
    # SQLite removes the files beside it when the last connection closes: another process still has one open.
    with sqlite3.connect(ledger.path) as other:
        assert other.execute("SELECT count(*) FROM sends").fetchone() == (1,)
        with pytest.raises(LibraryUnwritable, match="malformed"):
            lease(ledger)
        assert all((tmp_path / f"{LEDGER}.damaged{ending}").exists() for ending in endings)
        assert not (tmp_path / f"{LEDGER}-wal").exists()
    other.close()


def test_a_connection_that_cannot_even_be_closed_is_left(tmp_path: Path, watched: type[Watched]) -> None:
    ledger = FileLedger("s", "k", tmp_path)
    lease(ledger)
    watched.closing_fails = True
    try:
        ledger.close()
    finally:
        watched.closing_fails = False
    assert lease(ledger) == [2]


def test_a_ledger_that_another_program_removed_is_told_in_a_line(tmp_path: Path) -> None:
    told: list[str] = []
    ledger = FileLedger("s", "k", tmp_path, told.append)
    lease(ledger)
    ledger.path.unlink()
    assert lease(ledger) == [1]
    assert told == [
        f"another program removed the ledger of requests {ledger.path}: a new one was created without the earlier "
        f"requests; {OUTCOME}"
    ]


def test_a_state_folder_is_made_with_the_folders_above_it_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTER_STATE", str(tmp_path / "a" / "b"))
    lease(FileLedger("s", "k"))
    assert (tmp_path / "a" / "b" / LEDGER).exists()
    assert count_requests("s", "k", NOW_US) == 1


def test_a_state_folder_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryUnwritable) as caught:
        FileLedger("s", "k", tmp_path / "file" / "state")
    assert str(caught.value) == (
        f"{tmp_path / 'file' / 'state'}: no folder for the ledger of requests (Not a directory); set HARVESTER_STATE"
    )


@pytest.mark.parametrize(("later_us", "count"), [(DAY_US - 1, 2), (DAY_US, 0), (-DAY_US, 2)])
def test_requests_are_counted_for_a_day_without_a_ledger_being_made(tmp_path: Path, later_us: int, count: int) -> None:
    FileLedger("s", "k", tmp_path).lease(NOW_US, 2, NOW_US, [])
    assert count_requests("s", "k", NOW_US + later_us, tmp_path) == count
    assert count_requests("s", "k", NOW_US, tmp_path / "nowhere") == 0
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_ledger_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"rot" * 1000)
    assert count_requests("s", "k", NOW_US, tmp_path) == 0
