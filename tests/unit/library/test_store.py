"""The store: journal, checkpoint, backup, and only then are events let go; nothing foreign is overwritten."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harvester.checkpoint.format import encode_checkpoint
from harvester.errors import LibraryCorrupt, LibraryLocked, LibraryUnwritable, NewerFormat, WrongSource
from harvester.journal.reader import load_contents
from harvester.library.presence import holds_library
from harvester.model import Deferral, Known
from harvester.storage.paths import CHECKPOINT, JOURNAL, LOCK
from tests.support.samples import (
    NOW_US,
    SOURCE,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_state,
    names_in,
    open_store,
)


def _rows(folder: Path) -> int:
    contents = load_contents(folder / JOURNAL)
    assert contents is not None
    return len(contents.rows)


def test_an_empty_folder_becomes_a_library_that_grows(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "library"
    with open_store(folder, source=SOURCE) as store:
        assert (len(store.state), store.notices, store.unsaved) == (0, [], 0)
        grow(store, make_events(3))
        assert store.unsaved == 7
        info = store.checkpoint(backup=False)
        assert (info.nodes, info.edges, info.backup, store.unsaved) == (3, 6, None, 0)
        assert info.size_bytes == store.checkpoint_size_bytes == (folder / CHECKPOINT).stat().st_size
    with open_store(folder) as store:
        assert content_of(store.state) == content_of(make_state(make_events(3)))
        assert store.last_checkpoint_at == NOW_US


def test_what_was_appended_survives_without_any_checkpoint(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        store.append(make_events(2), [Deferral(1, "timeout", 1, 5)])
    with open_store(tmp_path) as store:
        assert content_of(store.state) == content_of(make_state(make_events(2)))
        assert store.deferrals == {1: Deferral(1, "timeout", 1, 5)}
        assert store.state.source == SOURCE


def test_append_does_not_touch_the_state(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.append(make_events(2), [Deferral(1, "x", 1, 1)])
        assert len(store.state) == 0
        assert store.deferrals == {}


def test_an_unchanged_state_rewrites_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        grow(store, make_events(2))
        store.checkpoint()
        before = (tmp_path / CHECKPOINT).stat()
        assert store.checkpoint().unchanged
        # An event that teaches nothing new costs a row, not a file.
        grow(store, make_events(2)[:2])
        assert store.checkpoint().unchanged
        after = (tmp_path / CHECKPOINT).stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert store.unsaved == 0


def test_events_leave_the_journal_only_when_checkpoint_and_backup_hold_them(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        grow(store, make_events(2))
        store.checkpoint(backup=False)
        assert _rows(tmp_path) == 1
        info = store.checkpoint(backup=True)
        assert _rows(tmp_path) == 0
    assert info.backup is not None
    assert info.backup.read_bytes() == (tmp_path / CHECKPOINT).read_bytes()
    assert info.backup.stat().st_nlink == (tmp_path / CHECKPOINT).stat().st_nlink == 1


def test_a_backup_is_due_after_so_many_new_sounds(tmp_path: Path) -> None:
    with open_store(tmp_path, backup_every=10) as store:
        grow(store, make_events(9))
        assert not store.backup_due(stopping=True)
        grow(store, make_events(10))
        assert store.backup_due()
        store.checkpoint(backup=True)
        assert not store.backup_due(stopping=True)
    with open_store(tmp_path, backup_every=10) as store:
        grow(store, make_events(9, first=100))
        assert not store.backup_due(stopping=True)
        grow(store, make_events(1, first=200))
        assert store.backup_due(stopping=True)


class _SlowClock(FixedClock):
    """A clock by which every look at it takes a second."""

    def monotonic_s(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_backups_are_put_off_while_they_would_take_too_much_of_the_time(tmp_path: Path) -> None:
    clock = _SlowClock()
    with open_store(tmp_path, clock, backup_every=1) as store:
        grow(store, [Known(1, 1)])
        store.checkpoint(backup=True)
        grow(store, [Known(2, 1)])
        assert not store.backup_due()
        assert store.backup_due(stopping=True)
        clock.now_s += 3600
        assert store.backup_due()


def test_the_next_backup_of_a_library_that_has_grown_tenfold_is_not_taken_for_as_quick_as_the_last(
    tmp_path: Path,
) -> None:
    clock = _SlowClock()
    with open_store(tmp_path, clock, backup_every=1) as store:
        grow(store, make_events(10))
        store.checkpoint(backup=True)
        clock.now_s += 1000  # enough for a few like the last
        grow(store, [Known(1000, 1)])
        assert store.backup_due()
        grow(store, make_events(1000, first=2000))
        assert not store.backup_due()
        clock.now_s += 100_000
        assert store.backup_due()


def test_a_checkpoint_is_put_off_where_it_takes_too_much_of_the_time_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.library.schedule.JOURNAL_BOUND_BYTES", 4000)
    clock = _SlowClock()
    with open_store(tmp_path, clock) as store:
        for first in range(1, 10_000, 100):
            if store.checkpoint_due():
                break
            grow(store, make_events(10, first=first))
        store.checkpoint()
        due_bytes = max(4000, store.checkpoint_size_bytes)
        while store._unsaved_bytes <= due_bytes:
            first += 100
            grow(store, make_events(10, first=first))
        assert not store.checkpoint_due()
        clock.now_s += 10_000
        assert store.checkpoint_due()
        clock.now_s -= 10_000
        while store._unsaved_bytes <= 4 * due_bytes:
            first += 100
            grow(store, make_events(10, first=first))
        assert store.checkpoint_due()


def test_an_empty_library_is_never_backed_up(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.checkpoint(backup=True).backup is None
        assert store.back_up().backup is None


def test_a_checkpoint_is_due_when_the_journal_has_grown_past_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.library.schedule.JOURNAL_BOUND_BYTES", 2000)
    with open_store(tmp_path) as store:
        grow(store, make_events(2))
        assert not store.checkpoint_due()
        grow(store, make_events(60))
        assert store.checkpoint_due()
        store.checkpoint()
        assert not store.checkpoint_due()
        grow(store, make_events(300, first=100))
    with open_store(tmp_path) as store:
        assert store.checkpoint_due(), "what a killed run left counts"


def test_a_checkpoint_is_due_when_it_has_lacked_something_for_a_day(tmp_path: Path) -> None:
    clock = FixedClock()
    with open_store(tmp_path, clock, backup_every=1) as store:
        grow(store, [Known(1, 1)])
        store.checkpoint(backup=True)
        clock.now_s += 86_401
        assert not store.checkpoint_due(), "it lacks nothing"
        grow(store, [Known(2, 1)])
        assert store.checkpoint_due()
        store.checkpoint()
        grow(store, [Known(3, 1)])
        store.back_up()
        clock.now_s += 86_000
        assert not store.checkpoint_due()
        clock.now_s += 401
        assert store.checkpoint_due()


def test_another_source_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(2))
        store.checkpoint()
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(WrongSource, match=r"sandbox:1.*nothing was changed"):
        open_store(tmp_path, source="sandbox:1")
    with open_store(tmp_path) as store, pytest.raises(WrongSource):
        store.set_source("sandbox:1")
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_the_source_is_remembered_before_anything_is_harvested(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.set_source(SOURCE)
    with pytest.raises(WrongSource):
        open_store(tmp_path, source="sandbox:1")


def test_a_second_writer_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(LibraryLocked, match=f"process {os.getpid()} on "):
        open_store(tmp_path)
    open_store(tmp_path).close()


def test_a_failed_opening_leaves_the_lock_free(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"rot")
    with pytest.raises(LibraryCorrupt, match="no valid backup can replace it, nothing was changed"):
        open_store(tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"rot"
    (tmp_path / CHECKPOINT).unlink()
    open_store(tmp_path).close()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("")
    with pytest.raises(LibraryUnwritable, match="library"):
        open_store(tmp_path / "library")


def test_a_checkpoint_of_a_newer_version_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.checkpoint.format.version_for", lambda _has_weights: 3)
    newer = b"".join(encode_checkpoint(make_state(make_events(1))))
    monkeypatch.undo()
    (tmp_path / CHECKPOINT).write_bytes(newer)
    with pytest.raises(NewerFormat, match="update harvester"):
        open_store(tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == newer


def test_a_copied_backup_is_loaded_with_the_journal_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    clock = FixedClock()
    with open_store(tmp_path, clock) as store:
        grow(store, make_events(3))
        first = store.checkpoint(backup=True).backup
        clock.now_us += 5_000_000
        grow(store, make_events(3, first=10))
        store.checkpoint(backup=True)
        grow(store, [Known(99, 1)])
    assert first is not None
    shutil.copy(first, tmp_path / CHECKPOINT)
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == {1, 2, 3, 99}
        (line,) = store.notices
        assert "3 sounds and 3 similar lists" in line
        assert "harvester merge freesound_library_backup_6nodes_" in line
        assert store.checkpoint_due()
        assert store.checkpoint().backup is not None
    with open_store(tmp_path) as store:
        assert (len(store.state), store.notices) == (4, [])


def test_a_clone_without_journal_is_a_library_and_gets_a_backup_first(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(3)))))
    with open_store(tmp_path, source=SOURCE) as store:
        assert store.notices == []
        assert store.checkpoint_due()
        assert store.checkpoint().backup is not None
        assert not store.checkpoint_due()


def test_a_lost_checkpoint_without_any_backup_is_rebuilt_from_the_journal(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=False)
    (tmp_path / CHECKPOINT).write_bytes(b"rot")
    with open_store(tmp_path) as store:
        assert len(store.state) == 3
        assert any("nothing is lost" in line for line in store.notices)


def test_temporaries_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    (tmp_path / f".{CHECKPOINT}.123.tmp").write_bytes(b"half")
    open_store(tmp_path).close()
    assert f".{CHECKPOINT}.123.tmp" not in names_in(tmp_path)


def test_closing_twice_is_safe(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()


def test_a_run_that_finds_nothing_after_a_killed_one_leaves_no_journal_that_names_a_lost_checkpoint(
    tmp_path: Path,
) -> None:
    open_store(tmp_path, source=SOURCE).close()  # as a kill leaves it
    assert not holds_library(tmp_path)
    store = open_store(tmp_path)
    assert store.state.source == SOURCE
    store.checkpoint()
    store.close(keep_nothing=False)
    assert names_in(tmp_path) <= {LOCK}
    assert not holds_library(tmp_path)


def test_a_run_that_finds_nothing_leaves_an_earlier_library_as_it_is(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        store.append(make_events(2))
    store = open_store(tmp_path)
    store.close(keep_nothing=False)
    with open_store(tmp_path) as store:
        assert content_of(store.state) == content_of(make_state(make_events(2)))
