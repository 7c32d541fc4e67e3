"""The order on disk as literal tables: what is synced before and after each rename, with no need to trace a process."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from array import array
from pathlib import Path

import pytest

from harvester.clock import SECOND_US
from harvester.freesound.ledger import FileLedger
from harvester.library.restore import restore_library
from harvester.library.store import Store
from harvester.model import Known
from harvester.storage import write_atomically
from harvester.storage.atomic import Files
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.samples import NOW_US, SOURCE, FixedClock, grow, make_events


class Logged(Files):
    """Real files that note what is synced, renamed and removed, with the name of the file's kind or the folder."""

    def __init__(self, folder: Path) -> None:
        self.log: list[str] = []
        self._folder = folder

    def _name(self, path: Path) -> str:
        name = str(path.relative_to(self._folder)) if path != self._folder else "library"
        return "backup" if "_backup_" in name else name

    def fsync(self, descriptor: int) -> None:
        self.log.append("fsync")
        super().fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self.log.append(f"rename to {self._name(target)}")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self.log.append(f"sync {self._name(folder)}")
        super().sync_folder(folder)

    def unlink(self, path: Path) -> None:
        self.log.append(f"remove {self._name(path)}")
        super().unlink(path)

    def taken(self) -> list[str]:
        """Return the log and begin a new one."""
        log, self.log = self.log, []
        return log


REPLACED = ["fsync", "rename to freesound_library.pkl", "sync library"]
BACKED_UP = ["fsync", "rename to backup", "sync library"]
NORMAL, FULL = 1, 2
"""SQLite's `synchronous`: with NORMAL a power cut may undo the last commits, with FULL none."""
ASIDE = "quarantine/20260921_141323_before_restore"


def test_each_write_is_synced_before_it_is_relied_on(tmp_path: Path) -> None:
    folder, clock = tmp_path / "library", FixedClock()
    files = Logged(folder)
    with Store.open(folder, clock=clock, files=files, source=SOURCE, keep_backups=1) as store:
        assert files.taken() == ["sync library"]  # the journal's entry: SQLite does not sync a folder that it finds
        grow(store, make_events(3))
        store.checkpoint(backup=False)
        assert files.taken() == REPLACED
        clock.now_us += SECOND_US
        grow(store, [Known(50, 1)])
        store.checkpoint(backup=True)
        assert files.taken() == [*REPLACED, *BACKED_UP]
        clock.now_us += SECOND_US
        grow(store, [Known(51, 1)])
        store.back_up()
        assert files.taken() == [*BACKED_UP, "remove backup", "sync library"]
        store.keep_vectors({1: array("f", [0.1] * 512)})
        assert files.taken() == ["fsync", "rename to freesound_library.vectors", "sync library"]
        store.keep_vectors({2: array("f", [0.2] * 512)})
        assert files.taken() == ["fsync"]
    clock.now_us += SECOND_US
    restore_library(folder, clock=clock, files=files)
    aside = ["fsync", f"rename to {ASIDE}/{CHECKPOINT}", f"sync {ASIDE}"]
    assert files.taken() == [*aside, f"sync {ASIDE}", "sync quarantine", "sync library", *REPLACED, *BACKED_UP]


def test_each_corrupt_file_is_moved_durably_before_the_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    files = Logged(folder)
    with Store.open(folder, clock=FixedClock(), files=files, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    files.taken()
    (folder / CHECKPOINT).write_bytes(b"rot")
    Store.open(folder, clock=FixedClock(), files=files).close()
    moved = ["sync quarantine", "sync library"]
    assert files.taken() == ["rename to quarantine/20260921_141320_freesound_library.pkl", *moved]
    (folder / JOURNAL).write_bytes(b"rot" * 1000)
    Store.open(folder, clock=FixedClock(), files=files).close()
    assert files.taken() == [
        "rename to freesound_library.journal.salvaged",
        "sync library",
        "rename to quarantine/20260921_141320_freesound_library.journal",
        *moved,
        "rename to freesound_library.journal",
        "sync library",
    ]


def test_a_sync_reaches_the_operating_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = list[str](), os.fsync

    def note(descriptor: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)  # macOS syncs a file by another call
    monkeypatch.setattr(os, "fsync", note)
    write_atomically(tmp_path / "file", [b"new"])
    assert synced == ["file", "folder"]


def test_a_lease_is_synced_and_an_answer_need_not_be(tmp_path: Path) -> None:
    ledger = FileLedger("server", "key", tmp_path)
    [row] = ledger.lease(NOW_US, 1, NOW_US + 1, [])
    assert ledger._connection is not None
    assert settings_of(ledger._connection) == ("wal", FULL, 1, 1)
    ledger.answered(row, NOW_US)
    assert settings_of(ledger._connection) == ("wal", NORMAL, 1, 1)
    ledger.lease(NOW_US, 1, NOW_US + 1, [])
    assert settings_of(ledger._connection) == ("wal", FULL, 1, 1)
    ledger.close()


def settings_of(connection: sqlite3.Connection) -> tuple[object, ...]:
    names = ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync")
    return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
