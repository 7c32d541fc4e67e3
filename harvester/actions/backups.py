"""List, remove and restore the backups of a library."""

from __future__ import annotations

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import check_whole
from harvester.clock import SystemClock
from harvester.library import (
    Backup,
    BackupReport,
    RestoreReport,
    Retention,
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
    reason in `problem`. Without backups, or without the folder, the tuple is empty. Needs no lock, and writes nothing.
    """
    return tuple(verify_backup(backup) for backup in find_backups(find_library(library)))


@naming_keywords
def prune_backups(library: StrPath | None = None, *, keep_backups: int = 5) -> tuple[Backup, ...]:
    """Remove old backups, and return those that were removed.

    `library` is its folder; None: the default folder. The newest `keep_backups` verified backups are kept, and always
    the largest one. A cancelled call leaves whole files. Raises `LibraryNotFound`, or `LibraryLocked` while another
    process writes the library.
    """
    kept = check_whole("--keep-backups", keep_backups, COUNT)
    folder = find_library(library)
    require_library(folder)
    lock = WriterLock(folder)
    lock.acquire(SystemClock().time_us())
    try:
        return tuple(Retention(folder, kept).prune())
    finally:
        lock.release()


def restore(backup: StrPath | None = None, *, library: StrPath | None = None) -> RestoreReport:
    """Restore the library from a backup; durable on return.

    `backup` is a name or a path of a backup in the library's folder; None takes the largest verified one. `library` is
    its folder; None: the default folder. The present state is copied to a folder under `quarantine/` first, which is a
    library of its own. A crash leaves the state before, or a rollback that the next writing command finishes.

    Raises `LibraryNotFound`, `SettingsError` for an unknown backup, `LibraryCorrupt` without a valid backup (all three
    change nothing), `LibraryLocked`, `LibraryNotFetched`, `DiskFull`, `LibraryUnwritable`, or
    `BackupFailed` when only the backup of the restored state is missing.
    """
    return restore_library(find_library(library), read_path(backup) if backup else None, clock=SystemClock())
