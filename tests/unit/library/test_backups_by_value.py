"""Backups by value: what is listed, how one is named, reported and refused, and which of them retention removes."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.format import digest_of, encode_checkpoint
from harvester.errors import BackupFailed, DiskFull, LibraryUnwritable
from harvester.graph import SoundGraph
from harvester.journal import Journal
from harvester.library.backups import (
    Backup,
    BackupReport,
    Retention,
    list_backups,
    save_backup,
    to_remove,
    verify_backup,
)
from harvester.storage.paths import JOURNAL
from tests.support.faulty_files import FaultyFiles
from tests.support.samples import NOW_US, SOURCE, make_events, make_state

SECOND_US = 1_000_000
KEPT = "the checkpoint and the journal hold everything"


def state_of(count: int) -> SoundGraph:
    return make_state(make_events(count))


def save(folder: Path, count: int, seconds: int = 0, files: FaultyFiles | None = None) -> Path:
    """Save a backup of `count` sounds, taken so many seconds after `NOW_US`."""
    state = state_of(count)
    return save_backup(
        folder,
        encode_checkpoint(state),
        digest=digest_of(state),
        nodes=count,
        now_us=NOW_US + seconds * SECOND_US,
        files=files or FaultyFiles(),
    )


def rot_unseen(path: Path) -> None:
    """Change one byte of a file, and neither its size nor its time."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_backups_are_the_regular_files_with_a_backups_name_newest_then_largest_first(tmp_path: Path) -> None:
    names = [
        "freesound_library_backup_7nodes_20260921_141321.pkl",
        "freesound_library_backup_10nodes_20260921_141320.pkl",
        "freesound_library_backup_9nodes_20260921_141320.pkl",
    ]
    for size, name in enumerate(reversed(names), 1):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "freesound_library_backup_of_mine.pkl").write_bytes(b"x")
    (tmp_path / "freesound_library_backup_8nodes_20260921_141320.pkl").mkdir()
    (tmp_path / "freesound_library_backup_6nodes_20260921_141320.pkl").symlink_to("nowhere")
    assert list_backups(tmp_path) == [
        Backup(tmp_path / names[0], 7, NOW_US + SECOND_US, 3),
        Backup(tmp_path / names[1], 10, NOW_US, 2),
        Backup(tmp_path / names[2], 9, NOW_US, 1),
    ]
    assert list_backups(tmp_path / "nowhere") == []


def test_a_backups_report_is_its_counts_and_digest_or_what_is_wrong(tmp_path: Path) -> None:
    path = save(tmp_path, 5)
    [backup] = list_backups(tmp_path)
    assert verify_backup(backup) == BackupReport(backup, 5, 10, 5, digest_of(state_of(5)), source=SOURCE)
    path.write_bytes(b"rot")
    report = verify_backup(backup)
    assert not report.verified
    assert report == BackupReport(backup, problem=report.problem)
    assert report.problem.startswith(str(path))


def test_backups_of_the_same_second_are_named_by_the_seconds_after_it(tmp_path: Path) -> None:
    assert [save(tmp_path, 2).name for _ in range(3)] == [
        f"freesound_library_backup_2nodes_20260921_1413{second}.pkl" for second in (20, 21, 22)
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errno.ENOSPC, "no space left on the disk (No space left on device)"),
        (errno.EIO, "cannot be written (Input/output error)"),
    ],
)
def test_a_backup_that_cannot_be_written_says_why_and_what_holds_everything(
    tmp_path: Path, error: int, reason: str
) -> None:
    path = tmp_path / "freesound_library_backup_2nodes_20260921_141320.pkl"
    with pytest.raises(BackupFailed) as caught:
        save(tmp_path, 2, files=FaultyFiles(1, error))
    assert str(caught.value) == f"no backup: {path}: {reason}; {KEPT}"
    assert isinstance(caught.value.__cause__, DiskFull if error == errno.ENOSPC else LibraryUnwritable)
    assert list_backups(tmp_path) == []


def test_a_backup_that_does_not_verify_says_why_and_where_it_is(tmp_path: Path) -> None:
    state, name = state_of(2), "freesound_library_backup_2nodes_20260921_141320.pkl"
    with pytest.raises(BackupFailed) as caught:
        save_backup(tmp_path, encode_checkpoint(state), digest="x", nodes=2, now_us=NOW_US)
    assert str(caught.value) == (
        f"{name}: the new backup could not be verified (its digest is not that of what was written), moved to "
        f"quarantine/20260921_141320_{name}; {KEPT}"
    )
    with pytest.raises(BackupFailed) as caught:
        save_backup(tmp_path, [b"rot"], digest="x", nodes=2, now_us=NOW_US)
    assert str(caught.value).startswith(f"{name}: the new backup could not be verified (it")
    assert str(tmp_path) not in str(caught.value)


def test_a_backup_that_does_not_verify_stays_where_it_cannot_be_moved(tmp_path: Path) -> None:
    (tmp_path / "quarantine").write_text("a file")
    with pytest.raises(BackupFailed) as caught:
        save_backup(tmp_path, encode_checkpoint(state_of(2)), digest="x", nodes=2, now_us=NOW_US)
    assert str(caught.value) == (
        "freesound_library_backup_2nodes_20260921_141320.pkl: the new backup could not be verified (its digest is not "
        f"that of what was written), left in place (it is not a folder; move it away); {KEPT}"
    )
    assert len(list_backups(tmp_path)) == 1


@pytest.mark.parametrize(
    ("nodes", "keep", "corrupt", "removed"),
    [
        # nodes of the backups, oldest first; which of them are corrupt; which retention removes, newest first
        ([1, 2], 1, [], [1]), ([2, 1], 1, [], []), ([1, 2], 2, [], []), ([1, 2, 3], 2, [], [1]),
        ([1, 2, 3], 0, [], [2, 1]), ([9, 1, 2, 3], 1, [], [2, 1]), ([5, 5, 1], 1, [], [5]),
        ([1, 2, 3], 1, [3], [1]), ([1, 2, 3], 1, [1, 2, 3], []), ([1, 2, 9, 3, 4], 2, [9], [2, 1]),
    ],
)  # fmt: skip
def test_retention_removes_all_valid_ones_but_the_newest_and_the_largest(
    nodes: list[int], keep: int, corrupt: list[int], removed: list[int]
) -> None:
    backups = [Backup(Path(str(place)), count, place, 1) for place, count in enumerate(nodes)]
    found = to_remove(backups, keep, lambda backup: backup.nodes not in corrupt)
    assert [backup.nodes for backup in found] == removed
    if nodes == [5, 5, 1]:
        assert found[0].taken_at == 0, "of two that are as large the newer stays"


def test_few_backups_are_not_even_read() -> None:
    def is_good(backup: Backup) -> bool:
        raise AssertionError(f"{backup.path} was read")

    backups = [Backup(Path(str(place)), place, place, 1) for place in range(5)]
    assert to_remove(backups, 5, is_good) == []
    assert to_remove(backups[:1], 0, is_good) == []


def test_a_backup_verified_just_now_is_not_read_again_and_any_other_is(tmp_path: Path) -> None:
    path, digest, retention = save(tmp_path, 3), digest_of(state_of(3)), Retention(tmp_path)
    retention.trust(path, digest)
    rot_unseen(path)
    [backup] = list_backups(tmp_path)
    assert retention.is_good(backup)
    assert retention.holds(digest, verified=path)
    assert not retention.holds(digest)
    assert not retention.is_good(backup)


def test_a_backup_that_is_not_there_is_not_good_and_trusting_it_is_no_error(tmp_path: Path) -> None:
    path, retention = save(tmp_path, 3), Retention(tmp_path)
    [backup] = list_backups(tmp_path)
    path.unlink()
    retention.trust(path, "digest")
    assert not retention.is_good(backup)
    assert not retention.holds(digest_of(state_of(3)))


@pytest.mark.parametrize(
    ("head", "removed"),
    [
        ({}, [2, 1]),
        ({"backup_digest": digest_of(state_of(3))}, [2, 1]),
        ({"backup_digest": digest_of(state_of(2))}, [1]),
        ({"backup_digest": "that of a backup which is gone"}, [2, 1]),
        ({"restore": "freesound_library_backup_1nodes_20260921_141320.pkl"}, [2]),
    ],
)
def test_what_the_journal_or_a_restore_relies_on_stays(
    tmp_path: Path, head: dict[str, Any], removed: list[int]
) -> None:
    for seconds, count in enumerate((1, 2, 3)):
        save(tmp_path, count, seconds)
    with closing(Journal(tmp_path / JOURNAL)) as journal:
        journal.update(**head)
    assert [backup.nodes for backup in Retention(tmp_path, keep=1).plan()] == removed


def test_a_copy_of_what_the_journal_relies_on_is_not_kept(tmp_path: Path) -> None:
    for seconds, count in enumerate((4, 3, 3)):
        save(tmp_path, count, seconds)
    with closing(Journal(tmp_path / JOURNAL)) as journal:
        journal.update(backup_digest=digest_of(state_of(3)))
    removed = Retention(tmp_path, keep=1).prune()
    assert [(backup.nodes, backup.taken_at) for backup in removed] == [(3, NOW_US + SECOND_US)]


@pytest.mark.parametrize("failing", ["unlink", "sync_folder"])
@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (errno.ENOSPC, DiskFull, "no space left on the disk (No space left on device)"),
        (errno.EACCES, LibraryUnwritable, "cannot be written (Permission denied)"),
    ],
)
def test_a_backup_that_cannot_be_removed_is_named(
    tmp_path: Path, failing: str, error: int, kind: type[Exception], reason: str
) -> None:
    for seconds, count in enumerate((1, 2)):
        save(tmp_path, count, seconds)
    oldest = list_backups(tmp_path)[-1].path
    files = FaultyFiles(1 if failing == "unlink" else 2, error)
    with pytest.raises(kind) as caught:
        Retention(tmp_path, 1, files).prune()
    assert files.operations == ["unlink", "sync_folder"][: 1 if failing == "unlink" else 2]
    what = oldest if failing == "unlink" else tmp_path
    assert str(caught.value) == f"{what}: {reason}; the other backups are unchanged"
