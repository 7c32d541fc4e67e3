"""A backup alone, in the middle of a run: the checkpoint stays as it is, and any one file may be lost all the same."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import encode_checkpoint
from harvester.journal.reader import load_contents
from harvester.library.backups import list_backups
from harvester.library.reader import load_view
from harvester.library.restore import restore_library
from harvester.library.store import Store
from harvester.model import Known
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.samples import NOW_US, SOURCE, FixedClock, content_of, grow, make_events, make_state, open_store


def _rows(folder: Path) -> int:
    contents = load_contents(folder / JOURNAL)
    assert contents is not None
    return len(contents.rows)


def _lacking(folder: Path) -> Store:
    """Open a library whose newest backup holds sounds that its checkpoint lacks: three sounds, then two, then one."""
    clock = FixedClock()
    store = open_store(folder, clock, source=SOURCE)
    grow(store, make_events(3))
    store.back_up()
    clock.now_us += 5_000_000
    grow(store, make_events(2, first=10))
    store.back_up()
    grow(store, [Known(50, 1)])
    return store


def test_the_first_backup_comes_with_a_checkpoint_and_a_later_one_alone(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        first = store.back_up()
        assert not first.unchanged
        assert first.backup is not None
        before = (tmp_path / CHECKPOINT).read_bytes()
        assert first.backup.read_bytes() == before
        grow(store, make_events(2, first=10))
        alone = store.back_up()
        assert alone.unchanged
        assert alone.backup is not None
        assert (alone.nodes, alone.size_bytes) == (5, alone.backup.stat().st_size)
        assert (tmp_path / CHECKPOINT).read_bytes() == before
        assert content_of(load_checkpoint(alone.backup).state) == content_of(store.state)
        assert store.unsaved == 5
    with open_store(tmp_path) as store:
        assert (store.unsaved, store.last_backup_at) == (5, NOW_US)


def test_what_only_the_backup_holds_stays_in_the_journal_until_the_checkpoint_has_it(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        assert _rows(tmp_path) == 2
        store.back_up()
        assert _rows(tmp_path) == 2
        store.checkpoint()
        assert _rows(tmp_path) == 0
        grow(store, [Known(51, 1)])
        store.checkpoint()
        assert _rows(tmp_path) == 1, "no backup holds the last one"


def test_rows_stay_when_the_backup_that_held_them_has_gone(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        info = store.back_up()
        assert info.backup is not None
        info.backup.unlink()
        store.checkpoint()
        assert _rows(tmp_path) == 2
        (tmp_path / CHECKPOINT).unlink()
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == {1, 2, 3, 10, 11, 50}


def test_rows_stay_when_the_checkpoint_that_held_them_has_rotted(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        path = tmp_path / CHECKPOINT
        good, status = path.read_bytes(), path.stat()
        with path.open("r+b") as file:  # as a disk rots: nothing but the content tells
            file.write(bytes([good[0] ^ 0x10]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        grow(store, [Known(50, 1)])
        assert store.back_up().unchanged
        assert _rows(tmp_path) == 2
        path.write_bytes(good)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        store.back_up()
        assert _rows(tmp_path) == 1


@pytest.mark.parametrize("name", ["freesound_library.pkl", "*_3nodes_*.pkl", "*_5nodes_*.pkl"])
@pytest.mark.parametrize("how", ["gone", "rotten"])
def test_any_one_file_may_be_lost_after_a_backup_alone(tmp_path: Path, name: str, how: str) -> None:
    with _lacking(tmp_path) as store:
        whole = content_of(store.state)
    (lost,) = tmp_path.glob(name)
    if how == "gone":
        lost.unlink()
    else:
        lost.write_bytes(b"rot")
    assert content_of(load_view(tmp_path).state) == whole
    with open_store(tmp_path) as store:
        assert content_of(store.state) == whole
        if lost.name == CHECKPOINT:
            assert any("nothing is lost" in line for line in store.notices)
        grow(store, [Known(51, 1)])
        info = store.back_up()
        assert info.unchanged == (lost.name != CHECKPOINT), "a checkpoint that was lost is written again"
        whole = content_of(store.state)
    assert content_of(load_view(tmp_path).state) == whole


def test_a_strangers_checkpoint_is_joined_by_a_backup_too(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        (tmp_path / CHECKPOINT).unlink()
        (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(2, first=100)))))
        info = store.back_up()
        assert (info.joined, info.unchanged, len(store.state)) == (2, False, 8)
    assert len(load_checkpoint(tmp_path / CHECKPOINT).state) == 8


def test_a_damaged_journal_costs_nothing_that_the_newest_backup_holds(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        whole = set(store.state.graph)
    with closing(sqlite3.connect(tmp_path / JOURNAL)) as connection, connection:
        connection.execute("DELETE FROM events WHERE seq = 2")
    assert set(load_view(tmp_path).state.graph) == whole
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == whole
        assert any("was merged" in line for line in store.notices)
        assert store._journal.head.backed == 0, "of the rows of the new journal no backup holds any"
    # Salvaged by now, and still no file but the backup holds them.
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == whole
        store.back_up()
    with open_store(tmp_path) as store:
        assert (set(store.state.graph), store.notices) == (whole, [])


def test_a_journal_that_was_lost_costs_nothing_that_the_newest_backup_holds(tmp_path: Path) -> None:
    _lacking(tmp_path).close()
    for path in tmp_path.glob(f"{JOURNAL}*"):
        path.unlink()
    held = {1, 2, 3, 10, 11}
    view = load_view(tmp_path)
    assert set(view.state.graph) == held
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == held
        for (line,) in (view.notices, store.notices):
            assert "it holds 2 sounds and 2 similar lists that the checkpoint lacks" in line
            assert "harvester restore" in line
        assert store.checkpoint_due()
        store.checkpoint()
    # However many come after, what only that backup held is in them.
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == held
    with open_store(tmp_path) as store:
        assert (set(store.state.graph), store.notices) == (held, [])


def test_a_journal_whose_head_is_unreadable_costs_nothing_that_the_newest_backup_holds(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        whole = set(store.state.graph)
    with closing(sqlite3.connect(tmp_path / JOURNAL)) as connection, connection:
        connection.execute("UPDATE head SET body = x'00'")
        connection.execute("DELETE FROM events WHERE seq = 2")
    assert set(load_view(tmp_path).state.graph) == whole
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == whole
        store.checkpoint()
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == whole


def test_an_older_backup_beside_a_checkpoint_without_a_journal_is_not_worth_a_word(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.back_up()
        grow(store, make_events(2, first=10))
        store.checkpoint()
    for path in tmp_path.glob(f"{JOURNAL}*"):
        path.unlink()
    with open_store(tmp_path) as store:
        assert (set(store.state.graph), store.notices) == ({1, 2, 3, 10, 11}, [])


def test_a_backup_that_cannot_be_read_is_told_where_it_might_hold_more(tmp_path: Path) -> None:
    _lacking(tmp_path).close()
    for path in tmp_path.glob(f"{JOURNAL}*"):
        path.unlink()
    newest = list_backups(tmp_path)[0].path
    newest.write_bytes(newest.read_bytes()[:-1])
    with open_store(tmp_path) as store:
        assert any(f"{newest.name} may hold more" in line for line in store.notices)


def test_rows_stay_when_the_backup_that_held_them_has_rotted_without_a_trace(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        rows = _rows(tmp_path)
        path = list_backups(tmp_path)[0].path
        status, rotten = path.stat(), bytearray(path.read_bytes())
        rotten[len(rotten) // 2] ^= 0x55
        with path.open("r+b") as file:
            file.write(rotten)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        store.checkpoint()
        assert _rows(tmp_path) == rows
        whole = set(store.state.graph)
    (tmp_path / CHECKPOINT).unlink()
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == whole


def test_what_a_restore_sets_aside_is_whole_although_its_journal_was_damaged(tmp_path: Path) -> None:
    with _lacking(tmp_path) as store:
        whole = set(store.state.graph)
    with closing(sqlite3.connect(tmp_path / JOURNAL)) as connection, connection:
        connection.execute("DELETE FROM events WHERE seq = 2")
    open_store(tmp_path).close()
    first = list_backups(tmp_path)[-1].path
    restore_library(tmp_path, first, clock=FixedClock(NOW_US + 60_000_000))
    (aside,) = (tmp_path / "quarantine").glob("*before_restore*")
    assert set(load_view(aside).state.graph) == whole
