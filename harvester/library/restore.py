"""Roll the library back to a backup; a crash cannot leave it half done.

Owns the order: copy the present state to `quarantine/` as a library of its own; in one journal transaction drop the
events since the backup and name the target; replace the checkpoint; write a new backup of the restored state. A crash
before the transaction changes nothing; after a crash behind it, the next command that writes finishes the rollback.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from harvester.checkpoint import load_checkpoint
from harvester.clock import Clock
from harvester.errors import HarvesterError, LibraryCorrupt, SettingsError, WrongSource
from harvester.journal import Journal
from harvester.library.backups import Backup, BackupReport, list_backups, save_backup, verify_backup
from harvester.library.presence import require_library
from harvester.library.recovery import finish_restore, open_journal
from harvester.library_source import join_sources
from harvester.storage import (
    CHECKPOINT,
    JOURNAL,
    REAL_FILES,
    Files,
    WriterLock,
    describe_file,
    disk_errors,
    quarantine_path,
    read_backup_name,
    read_pieces,
    refuse_placeholders,
    sweep_temporaries,
    write_atomically,
)


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """Result of a restore: the backup, its counts, and what was written.

    `target` is the folder of the library; `nodes`, `edges` and `processed` count its sounds, their edges and the
    processed sounds. `set_aside` is the folder with the state before it (None: there was none), `backup` the new,
    verified backup of the restored state. `notices` has one line each.
    """

    target: Path
    nodes: int
    edges: int
    processed: int
    set_aside: Path | None
    backup: Path
    notices: tuple[str, ...] = ()


def restore_library(
    folder: Path, backup: Path | None = None, *, clock: Clock, files: Files = REAL_FILES
) -> RestoreReport:
    """Roll the library back to `backup` or the best one; durable on return.

    The best has the most processed sounds, then sounds, then edges; it need not be the newest. The present checkpoint
    and journal are copied to a folder under `quarantine/`, which is a library that can be merged again. Deferrals stay.
    Raises `LibraryLocked`, `LibraryCorrupt` when no backup is valid or the named one is not (then nothing is changed),
    `LibraryNotFetched`, `DiskFull`, `LibraryUnwritable`, `BackupFailed` when only the new backup is missing,
    `WrongSource` for a backup of another catalogue, `LibraryNotFound`, or `SettingsError` for an unknown backup.
    """
    require_library(folder)
    named = _named(folder, backup) if backup is not None else None
    refuse_placeholders(folder)
    now_us = clock.time_us()
    lock = WriterLock(folder)
    journal: Journal | None = None
    notices: list[str] = []
    try:
        with disk_errors(folder, "the state before the restore is kept"):
            lock.acquire(now_us)
            sweep_temporaries(folder)
            chosen = _verified(named) if named is not None else best_backup(folder)
            journal = open_journal(folder, now_us, files, notices)
            finish_restore(folder, journal, files, notices)
            _check_source(folder, journal, chosen)
            aside = _set_present_aside(folder, journal, now_us, files)
            _roll_back(folder, journal, chosen, files)
        target = chosen.backup.path
        fresh = save_backup(
            folder, read_pieces(target), digest=chosen.digest, nodes=chosen.nodes, now_us=now_us, files=files
        )
        journal.update(backup_required=False, backup_at=now_us, backup_digest=chosen.digest, backup_nodes=chosen.nodes)
    finally:
        if journal is not None:
            journal.close()
        lock.release()
    return RestoreReport(target, chosen.nodes, chosen.edges, chosen.processed, aside, fresh, tuple(notices))


def best_backup(folder: Path) -> BackupReport:
    """Return the valid backup with most data, or raise `LibraryCorrupt`."""
    reports = [verify_backup(backup) for backup in list_backups(folder)]
    good = [report for report in reports if report.verified]
    if not good:
        problems = "".join(f"; {report.problem}" for report in reports)
        raise LibraryCorrupt(f"{folder}: there is no valid backup to restore{problems}; nothing was changed")
    return max(good, key=lambda report: (report.processed, report.nodes, report.edges, report.backup.taken_at))


def _verified(backup: Backup) -> BackupReport:
    report = verify_backup(backup)
    if report.verified:
        return report
    raise LibraryCorrupt(f"{report.problem}; nothing was changed")


def _named(folder: Path, path: Path) -> Backup:
    """Return the backup with this name or path, or raise `SettingsError`."""
    for backup in list_backups(folder):
        if backup.path.name == path.name and (path.parent == Path() or path.resolve() == backup.path.resolve()):
            return backup
    if path.exists() and read_backup_name(path.name) is None:
        raise SettingsError(
            f"{path}: it is {describe_file(path)}, not a backup of {folder}; `harvester backups list` shows the backups"
        )
    near = get_close_matches(path.name, [backup.path.name for backup in list_backups(folder)], n=1)
    hint = f"did you mean {near[0]}?" if near else "`harvester backups list` shows the backups"
    raise SettingsError(f"{path}: there is no such backup in {folder}; {hint}")


def _check_source(folder: Path, journal: Journal, chosen: BackupReport) -> None:
    """Raise `WrongSource` if the backup is of another catalogue."""
    known = journal.head.source
    if not known:
        with suppress(HarvesterError, OSError):  # without a journal and a valid checkpoint, the catalogue is not known
            known = load_checkpoint(folder / CHECKPOINT).state.source
    if join_sources(known, chosen.source) is None:
        raise WrongSource(
            f"{chosen.backup.path} is a backup of {chosen.source}, and this library was harvested from {known}; "
            f"nothing was changed: name another backup, or move that file away"
        )


def _set_present_aside(folder: Path, journal: Journal, now_us: int, files: Files) -> Path | None:
    """Copy checkpoint and journal to a new folder in `quarantine/`.

    The copy is an unchanged library; durable on return. The backup comes too if the copy is not complete without it.
    """
    checkpoint = folder / CHECKPOINT
    if not checkpoint.exists() and not journal.head.last:
        return None
    aside = quarantine_path(folder, "before_restore", now_us)
    files.make_folder(aside)
    try:
        if checkpoint.exists():
            write_atomically(aside / CHECKPOINT, read_pieces(checkpoint), files)
        if journal.head.last:
            journal.copy_to(aside / JOURNAL)
        if journal.head.recovered:
            # This backup alone may hold what a corrupt journal lost.
            for backup in list_backups(folder):
                if verify_backup(backup).digest == journal.head.backup_digest:
                    write_atomically(aside / backup.path.name, read_pieces(backup.path), files)
    except BaseException:
        # Half a copy looks like a library to go back to; the original is still in place.
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):
            aside.parent.rmdir()  # unless it holds other files
        raise
    files.sync_folder(aside)
    files.sync_folder(aside.parent)
    files.sync_folder(folder)
    return aside


def _roll_back(folder: Path, journal: Journal, chosen: BackupReport, files: Files) -> None:
    head = journal.head
    journal.update(
        forget=True,
        saved=head.last,
        backed=head.last,
        has_foreign_state=True,
        backup_required=True,
        recovered=False,
        backup_digest="",
        restore=chosen.backup.path.name,
        restore_digest=chosen.digest,
        timeline=head.timeline + 1,
    )
    write_atomically(folder / CHECKPOINT, read_pieces(chosen.backup.path), files)
    journal.update(restore="", restore_digest="", digest=chosen.digest, next_digest="", timeline=head.timeline + 2)
