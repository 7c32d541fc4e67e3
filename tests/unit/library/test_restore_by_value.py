"""Restore by value: its report, the journal's head at each step, what is set aside, and every refusal in full."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.format import digest_of, encode_checkpoint
from harvester.errors import BackupFailed, DiskFull, LibraryCorrupt, LibraryNotFetched, LibraryNotFound, SettingsError
from harvester.journal import Head, Journal, load_head
from harvester.library.backups import save_backup
from harvester.library.restore import RestoreReport, best_backup, restore_library
from harvester.model import Event, Known, Linked, Seen, SimilarList
from harvester.storage.lock import WriterLock, read_owner
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.faulty_files import FaultyFiles, Killed
from tests.support.samples import (
    NOW_US,
    SOURCE,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_record,
    make_state,
    names_in,
    open_store,
    reload_content,
)

SECOND_US = 1_000_000
LATER = FixedClock(NOW_US + 60 * SECOND_US)
EARLY = make_state(make_events(3))
SMALL = "freesound_library_backup_3nodes_20260921_141320.pkl"
LARGE = "freesound_library_backup_6nodes_20260921_141330.pkl"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two backups, of three and of six sounds, and one more sound in the journal."""
    folder = tmp_path / "library"
    clock = FixedClock()
    with open_store(folder, clock, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
        clock.now_us += 10 * SECOND_US
        grow(store, make_events(3, first=10))
        store.checkpoint(backup=True)
        grow(store, [Known(99, 1)])
    return folder


def restore(folder: Path, backup: Path | None = None, files: FaultyFiles | None = None) -> RestoreReport:
    return restore_library(folder, backup, clock=LATER, files=files or FaultyFiles())


def head_of(folder: Path) -> Head:
    head = load_head(folder / JOURNAL)
    assert head is not None
    return head


def test_a_restore_reports_what_it_used_and_what_it_wrote(library: Path) -> None:
    report = restore(library, Path(SMALL))
    aside = library / "quarantine" / "20260921_141420_before_restore"
    fresh = library / "freesound_library_backup_3nodes_20260921_141420.pkl"
    assert report == RestoreReport(library / SMALL, 3, 6, 3, aside, fresh, ())
    assert names_in(aside) == {CHECKPOINT, JOURNAL}
    assert (library / CHECKPOINT).read_bytes() == fresh.read_bytes() == (library / SMALL).read_bytes()
    WriterLock(library).acquire(NOW_US)


def test_the_journal_knows_afterwards_what_checkpoint_and_backup_hold(library: Path) -> None:
    before = head_of(library)
    assert (before.last, before.saved, before.safe, before.timeline) == (3, 2, 2, 0)
    restore(library, Path(SMALL))
    digest = digest_of(EARLY)
    assert head_of(library) == Head(
        source=SOURCE,
        last=3,
        saved=3,
        safe=3,
        backed=3,
        digest=digest,
        checkpoint_at=before.checkpoint_at,
        backup_at=NOW_US + 60 * SECOND_US,
        backup_digest=digest,
        backup_nodes=3,
        timeline=2,
        has_foreign_state=True,
    )


class Observed(FaultyFiles):
    """Files that note what is put in place, and since when the library is locked meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.renamed: list[str] = []
        self.locked_since: set[int | None] = set()

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        owner = read_owner(target.parents[2] if target.parent.name.endswith("restore") else target.parent)
        self.locked_since.add(owner.started if owner is not None else None)
        self.renamed.append(f"{target.parent.name}/{target.name}")


def test_all_files_are_written_durably_and_under_the_lock(library: Path) -> None:
    with closing(Journal(library / JOURNAL)) as journal:
        journal.update(recovered=True, next_digest="that of one about to be renamed")
    files = Observed()
    restore(library, Path(SMALL), files)
    aside = "20260921_141420_before_restore"
    assert files.renamed == [
        f"{aside}/{CHECKPOINT}",
        f"{aside}/{LARGE}",
        f"library/{CHECKPOINT}",
        "library/freesound_library_backup_3nodes_20260921_141420.pkl",
    ]
    assert files.locked_since == {NOW_US + 60 * SECOND_US}
    assert head_of(library).next_digest == ""


class StopAtTheCheckpoint(FaultyFiles):
    """Files that end the process when the library's checkpoint is about to be replaced."""

    def rename(self, source: Path, target: Path) -> None:
        if target.name == CHECKPOINT and target.parent.name == "library":
            raise Killed
        super().rename(source, target)


def test_a_crash_before_the_checkpoint_is_replaced_leaves_a_head_that_names_the_target(library: Path) -> None:
    before = head_of(library)
    with pytest.raises(Killed):
        restore(library, Path(SMALL), StopAtTheCheckpoint())
    assert head_of(library) == Head(
        source=SOURCE,
        last=3,
        saved=3,
        safe=3,
        backed=3,
        digest=before.digest,
        checkpoint_at=before.checkpoint_at,
        backup_at=before.backup_at,
        backup_nodes=6,
        restore=SMALL,
        restore_digest=digest_of(EARLY),
        timeline=1,
        has_foreign_state=True,
        backup_required=True,
    )
    # The next restore finishes this one first, and says so.
    report = restore(library, Path(LARGE))
    assert report.notices == (f"an interrupted restore of {SMALL} was finished",)
    assert head_of(library).timeline == 3


def test_a_restore_whose_new_backup_fails_is_done_and_still_owes_it(library: Path) -> None:
    class NoBackup(FaultyFiles):
        def rename(self, source: Path, target: Path) -> None:
            if target.name.startswith("freesound_library_backup_") and target.parent == library:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().rename(source, target)

    with pytest.raises(BackupFailed, match="no backup: "):
        restore(library, Path(SMALL), NoBackup())
    head = head_of(library)
    assert (head.backup_required, head.restore, head.backup_digest, head.timeline) == (True, "", "", 2)
    assert reload_content(library) == content_of(EARLY)


def test_a_disk_that_fills_up_leaves_the_state_before(library: Path) -> None:
    present = (library / CHECKPOINT).read_bytes()
    with pytest.raises(DiskFull) as caught:
        restore(library, Path(SMALL), FaultyFiles(2))
    assert str(caught.value) == (
        f"{library}: no space left on the disk (No space left on device); the state before the restore is kept"
    )
    assert (library / CHECKPOINT).read_bytes() == present
    assert 99 in reload_content(library)[0]
    WriterLock(library).acquire(NOW_US)


def test_a_restore_removes_what_killed_processes_left(library: Path) -> None:
    left = library / f".{CHECKPOINT}.1.tmp"
    left.write_bytes(b"half")
    restore(library)
    assert not left.exists()


def test_a_corrupt_journal_is_recovered_first_and_that_is_told(library: Path) -> None:
    (library / JOURNAL).write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    report = restore(library, Path(SMALL))
    assert len(report.notices) == 1
    assert report.notices[0].startswith("the journal was corrupt (")
    assert report.set_aside is not None
    assert reload_content(library) == content_of(EARLY)


@pytest.mark.parametrize(
    ("checkpoint", "rows", "kept"),
    [(True, True, {CHECKPOINT, JOURNAL}), (True, False, {CHECKPOINT}), (False, True, {JOURNAL}), (False, False, None)],
)
def test_the_state_before_a_restore_is_what_there_was(
    tmp_path: Path, checkpoint: bool, rows: bool, kept: set[str] | None
) -> None:
    save_backup(tmp_path, encode_checkpoint(EARLY), digest=digest_of(EARLY), nodes=3, now_us=NOW_US)
    if checkpoint:
        (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(EARLY)))
    if rows:
        with closing(Journal(tmp_path / JOURNAL)) as journal:
            journal.append([Known(99, 1)])
    report = restore(tmp_path)
    assert (None if report.set_aside is None else names_in(report.set_aside)) == kept
    assert reload_content(tmp_path) == content_of(EARLY)


def test_the_backup_that_alone_may_hold_lost_rows_is_set_aside_too(library: Path) -> None:
    with closing(Journal(library / JOURNAL)) as journal:
        assert journal.head.backup_digest
        journal.update(recovered=True)
    report = restore(library, Path(SMALL))
    assert report.set_aside is not None
    assert names_in(report.set_aside) == {CHECKPOINT, JOURNAL, LARGE}
    assert (report.set_aside / LARGE).read_bytes() == (library / LARGE).read_bytes()
    assert not head_of(library).recovered


# --- which backup ----------------------------------------------------------------------------------------------------


def save(folder: Path, seconds: int, events: list[Event]) -> Path:
    state = make_state(events)
    at_us = NOW_US + seconds * SECOND_US
    return save_backup(folder, encode_checkpoint(state), digest=digest_of(state), nodes=len(state), now_us=at_us)


def sounds(count: int, lists: dict[int, int]) -> list[Event]:
    """`count` sounds with records, and lists of so many neighbours for some."""
    found: list[Event] = [Seen(sound_id, make_record(sound_id), 5) for sound_id in range(1, count + 1)]
    for sound_id, length in lists.items():
        pairs = tuple((other, 0.5) for other in range(1, count + 1) if other != sound_id)[:length]
        found.append(Linked(sound_id, SimilarList(pairs, 5, 25)))
    return found


@pytest.mark.parametrize(
    ("less", "more"),
    [
        # samples, then sounds, then edges, then the newer
        (sounds(9, {1: 8}), sounds(3, {1: 0, 2: 0})), (sounds(3, {1: 2}), sounds(4, {1: 0})),
        (sounds(3, {1: 1}), sounds(3, {1: 2})), (sounds(3, {1: 1}), sounds(3, {1: 1})),
    ],
)  # fmt: skip
def test_the_best_backup_has_the_most_samples_then_sounds_then_edges(
    tmp_path: Path, less: list[Event], more: list[Event]
) -> None:
    same = less == more
    first = save(tmp_path, 0, less if same else more)
    second = save(tmp_path, 1, less)
    assert best_backup(tmp_path).backup.path == (second if same else first)
    third = save(tmp_path, 2, more)
    assert best_backup(tmp_path).backup.path == third


def test_without_a_valid_backup_each_one_is_named_with_its_fault(library: Path) -> None:
    for name in (SMALL, LARGE):
        (library / name).write_bytes(b"")
    with pytest.raises(LibraryCorrupt) as caught:
        restore(library)
    assert str(caught.value) == (
        f"{library}: there is no valid backup to restore; {library / LARGE}: its end is missing; "
        f"{library / SMALL}: its end is missing; nothing was changed"
    )


def test_a_backup_is_named_by_its_name_or_its_path(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (library.parent / "link").symlink_to(library)
    monkeypatch.chdir(library.parent)
    for path in (Path(SMALL), library / SMALL, Path("library") / SMALL, Path("link") / SMALL):
        assert restore(library, path).nodes == 3


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        (Path("freesound_library_backup_4nodes_20260921_141320.pkl"), "did you mean freesound_library_backup_"),
        (Path("elsewhere") / SMALL, f"did you mean {SMALL}?"),
        (Path("mine.pkl"), "`harvester backups list` shows the backups"),
    ],
)
def test_a_backup_that_is_not_in_the_library_is_refused(library: Path, path: Path, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        restore(library, path)
    assert str(caught.value).startswith(f"{path}: there is no such backup in {library}; {hint}")


def test_a_corrupt_backup_is_refused_with_its_fault(library: Path) -> None:
    (library / SMALL).write_bytes(b"")
    with pytest.raises(LibraryCorrupt) as caught:
        restore(library, Path(SMALL))
    assert str(caught.value) == f"{library / SMALL}: its end is missing; nothing was changed"


def test_a_backup_that_the_system_does_not_let_us_read_is_refused_once(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if Path(path).name in (SMALL, LARGE):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    problem = "it cannot be read (Permission denied)"
    with pytest.raises(LibraryCorrupt) as caught:
        restore(library, Path(SMALL))
    assert str(caught.value) == f"{library / SMALL}: {problem}; nothing was changed"
    with pytest.raises(LibraryCorrupt) as caught:
        restore(library)
    assert str(caught.value) == (
        f"{library}: there is no valid backup to restore; {library / LARGE}: {problem}; {library / SMALL}: {problem}; "
        f"nothing was changed"
    )


def test_a_library_that_is_not_there_or_not_fetched_is_refused(library: Path, tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound) as caught:
        restore(tmp_path / "typo")
    assert str(caught.value) == (
        f"{tmp_path / 'typo'}: there is no library here (no such folder); `harvester harvest` makes one"
    )
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    (library / CHECKPOINT).write_bytes(pointer)
    with pytest.raises(LibraryNotFetched):
        restore(library)
    assert (library / CHECKPOINT).read_bytes() == pointer
