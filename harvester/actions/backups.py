"""List, remove and restore the backups of a library."""

from __future__ import annotations

from pathlib import Path

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import check_flag, check_whole
from harvester.clock import SystemClock
from harvester.library import (
    Backup,
    BackupReport,
    RestoreReport,
    Retention,
    perform,
    require_library,
    restore_library,
    verify_backup,
)
from harvester.library import list_backups as find_backups
from harvester.settings import COUNT
from harvester.storage import WriterLock, read_path


def list_backups(library: StrPath | None = None) -> tuple[BackupReport, ...]:
    """Load every backup to verify it, and return the results.

    `library` is its folder; None: the default folder. The newest comes first. A backup that cannot be loaded has its
    reason in `problem`. Without backups, the tuple is empty. Needs no lock, and writes nothing. Raises
    `LibraryNotFound` or `LibraryUnwritable`.
    """
    folder = find_library(library)
    require_library(folder)
    return tuple(verify_backup(backup) for backup in find_backups(folder))


@naming_keywords
def prune_backups(
    library: StrPath | None = None, *, keep_backups: int = 5, dry_run: bool = False
) -> tuple[Backup, ...]:
    """Remove old backups, and return those that were removed.

    `library` is its folder; None: the default folder. The newest `keep_backups` verified backups are kept, and always
    the largest one. With `dry_run` nothing is removed, and those are returned that would be. A cancelled call leaves
    whole files. Raises `LibraryNotFound`, or `LibraryLocked` while another process writes the library.
    """
    kept = check_whole("--keep-backups", keep_backups, COUNT)
    return perform(lambda folder: _prune(folder, kept), find_library(library), dry_run=check_flag("--dry-run", dry_run))


def _prune(folder: Path, kept: int) -> tuple[Backup, ...]:
    require_library(folder)
    lock = WriterLock(folder)
    lock.acquire(SystemClock().time_us())
    try:
        return tuple(Retention(folder, kept).prune())
    finally:
        lock.release()


@naming_keywords
def restore(backup: StrPath | None = None, *, library: StrPath | None = None, dry_run: bool = False) -> RestoreReport:
    """Restore the library from a backup; durable on return.

    `backup` is a name or a path of a backup in the library's folder; None takes the largest verified one. `library` is
    its folder; None: the default folder. The present state is copied to a folder under `quarantine/` first, which is a
    library of its own. A crash leaves the state before, or a rollback that the next writing command finishes. With
    `dry_run` nothing is changed, and the report says what would be done.

    Raises `LibraryNotFound`, `SettingsError` for an unknown backup, `LibraryCorrupt` without a valid backup (all three
    change nothing), `LibraryLocked`, `LibraryNotFetched`, `DiskFull`, `LibraryUnwritable`, or
    `BackupFailed` when only the backup of the restored state is missing.
    """
    chosen = read_path(backup) if backup else None
    return perform(
        lambda folder: restore_library(folder, chosen, clock=SystemClock()),
        find_library(library),
        dry_run=check_flag("--dry-run", dry_run),
    )
