"""A view whose sounds stay on disk: it is the view that a load gives, and only where the checkpoint alone says all."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.format import encode_checkpoint
from harvester.errors import LibraryCorrupt
from harvester.graph import OnDiskState
from harvester.journal import Journal
from harvester.library.reader import LibraryView, load_view
from harvester.model import Gone, Known
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.samples import NOW_US, SOURCE, content_of, grow, make_events, make_state, open_store


def make(folder: Path, *, backup: bool = False) -> None:
    with open_store(folder, source=SOURCE) as store:
        grow(store, [*make_events(4), Gone(2, NOW_US)])
        store.checkpoint(backup=backup)


def put_checkpoint(folder: Path, count: int) -> None:
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(count)))))


def told(view: LibraryView) -> tuple[object, ...]:
    state = view.state
    return (
        content_of(state), list(state.graph), state.list_count, state.record_count, state.gone_count, view.deferrals,
        view.unsaved, view.last_checkpoint_at, view.last_backup_at, view.notices, str(view.dropped),
    )  # fmt: skip


def is_stored(folder: Path) -> bool:
    """Tell whether a view has its sounds on disk; it says the same in either case."""
    view = load_view(folder, on_disk=True)
    assert told(view) == told(load_view(folder))
    return isinstance(view.state, OnDiskState)


@pytest.mark.parametrize("backup", [False, True])
def test_after_a_checkpoint_the_sounds_stay_on_disk(tmp_path: Path, backup: bool) -> None:
    make(tmp_path, backup=backup)
    assert is_stored(tmp_path)


def test_rows_that_the_checkpoint_has_change_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(4))
        store.checkpoint(backup=False)
        assert is_stored(tmp_path)


def test_a_checkpoint_without_a_journal_says_all_unless_there_are_backups(tmp_path: Path) -> None:
    make(tmp_path, backup=True)
    (tmp_path / JOURNAL).unlink()
    assert not is_stored(tmp_path)
    for backup in tmp_path.glob("*backup*"):
        backup.unlink()
    assert is_stored(tmp_path)


def add_row(folder: Path) -> None:
    with open_store(folder) as store:
        grow(store, [Known(9, 1)])


def pull(folder: Path) -> None:
    """Put another checkpoint in its place while rows of the journal wait for a backup."""
    with open_store(folder) as store:
        grow(store, [Known(9, 1)])
        store.checkpoint(backup=False)
    put_checkpoint(folder, 3)


def rot(folder: Path) -> None:
    content = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).write_bytes(content[:-1])


def damage_journal(folder: Path) -> None:
    (folder / JOURNAL).write_bytes(b"rot" * 4_000)


def damage_journal_but_its_rows(folder: Path) -> None:
    note_head(folder, backed=99)
    with closing(sqlite3.connect(folder / JOURNAL)) as connection:
        connection.execute("CREATE VIEW v AS SELECT 1")


def note_head(folder: Path, **changes: Any) -> None:
    with closing(Journal(folder / JOURNAL)) as journal:
        journal.update(**changes)


def begin_restore(folder: Path) -> None:
    (backup,) = folder.glob("*backup*")
    add_row(folder)
    with open_store(folder) as store:
        store.checkpoint(backup=False)
    note_head(folder, restore=backup.name)


def lose_checkpoint(folder: Path) -> None:
    (folder / CHECKPOINT).unlink()


@pytest.mark.parametrize(
    "change",
    [
        rot, damage_journal, damage_journal_but_its_rows, lose_checkpoint, begin_restore,
        lambda folder: note_head(folder, recovered=True),
    ],
)  # fmt: skip
def test_where_it_takes_more_than_the_checkpoint_the_library_is_loaded(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    make(tmp_path, backup=True)
    change(tmp_path)
    assert not is_stored(tmp_path)


def test_a_checkpoint_that_git_put_there_is_stored(tmp_path: Path) -> None:
    make(tmp_path, backup=True)
    put_checkpoint(tmp_path, 6)
    assert is_stored(tmp_path)
    assert len(load_view(tmp_path, on_disk=True).state) == 6


@pytest.mark.parametrize("change", [add_row, pull])
def test_rows_of_the_journal_lie_over_the_sounds_on_disk(tmp_path: Path, change: Callable[[Path], None]) -> None:
    make(tmp_path, backup=True)
    change(tmp_path)
    assert is_stored(tmp_path)
    assert 9 in load_view(tmp_path, on_disk=True).state


def test_a_corrupt_library_is_refused_as_by_a_load(tmp_path: Path) -> None:
    make(tmp_path)
    rot(tmp_path)
    (tmp_path / JOURNAL).unlink()
    with pytest.raises(LibraryCorrupt) as loaded:
        load_view(tmp_path)
    with pytest.raises(LibraryCorrupt) as stored:
        load_view(tmp_path, on_disk=True)
    assert str(stored.value) == str(loaded.value)


@pytest.mark.parametrize("full", ["nowhere", "/dev/full"])
def test_without_room_for_a_temporary_file_the_library_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    make(tmp_path)
    if full == "nowhere":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    else:
        opened = Path(full).open("r+b", 0)  # noqa: SIM115  # as the temporary file, it is closed with its owner
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda buffering: opened)
    assert not is_stored(tmp_path)
