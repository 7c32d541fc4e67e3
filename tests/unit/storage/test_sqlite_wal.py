"""The index of a WAL has its room on the disk before SQLite writes there through memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harvester.errors import DiskFull
from harvester.freesound.ledger import LEDGER, FileLedger
from harvester.journal.writer import Journal
from harvester.model import Known
from harvester.storage.sqlite_wal import REGION_BYTES, REGION_FRAMES, WalIndex, index_size
from tests.support.samples import make_events, open_store

only_linux = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="there is no posix_fallocate here")


def test_each_four_thousand_frames_take_a_region() -> None:
    assert [index_size(frames) for frames in (0, REGION_FRAMES - 1, REGION_FRAMES, 3 * REGION_FRAMES)] == [
        REGION_BYTES, REGION_BYTES, 2 * REGION_BYTES, 4 * REGION_BYTES,
    ]  # fmt: skip


@only_linux
def test_the_index_has_room_for_what_a_commit_may_write(tmp_path: Path) -> None:
    journal, index = Journal(tmp_path / "journal"), tmp_path / "journal-shm"
    WalIndex(tmp_path / "journal", 1024).hold(8 << 20)
    assert index.stat().st_size >= index_size(8 << 10)
    assert index.stat().st_blocks * 512 >= index.stat().st_size
    journal.append([Known(1, 1)])
    journal.close()
    assert not index.exists()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@only_linux
def test_no_room_for_the_index_is_a_full_disk_and_nothing_of_the_commit_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as store:
        store.append(make_events(2))
        monkeypatch.setattr(os, "posix_fallocate", _full)
        store._journal._index._held_bytes = 0
        with pytest.raises(DiskFull, match="everything accepted so far is kept"):
            store.append([Known(7, 1)])
        monkeypatch.undo()
        store.append([Known(8, 1)])
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == {1, 2, 8}


@only_linux
def test_no_room_for_the_ledgers_index_is_a_full_disk_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", _full)
    with pytest.raises(DiskFull, match=f"{LEDGER}.*nothing was sent"):
        FileLedger("https://freesound.org", "key", tmp_path)


def test_where_there_is_no_room_to_begin_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        total, used, free = 1 << 20, 1 << 20, 60 << 10

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    with pytest.raises(DiskFull, match="no space left on the disk"):
        Journal(tmp_path / "journal")
    assert list(tmp_path.iterdir()) == []


@only_linux
def test_an_answer_that_finds_the_ledgers_disk_full_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = FileLedger("https://freesound.org", "key", tmp_path)
    rows = ledger.lease(5, 2, 99, [])
    monkeypatch.setattr(os, "posix_fallocate", _full)
    ledger._index._held_bytes = 0
    ledger.answered(rows[0], 7)
    ledger.give_back(rows)
    monkeypatch.undo()
    assert ledger.spent(0) == [99, 99]
