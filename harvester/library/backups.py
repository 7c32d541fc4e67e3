"""Backups: complete states as checkpoint files, verified after writing.

Owns their writing, listing and retention. The largest valid backup is never removed, no backup is ever overwritten, and
a corrupt one does not count among those that are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harvester.checkpoint import Encoded, Signature, load_digest, read_signature, verify_checkpoint, verify_written
from harvester.clock import SECOND_US
from harvester.errors import BackupFailed, HarvesterError, LibraryCorrupt, LibraryUnwritable, problem_of
from harvester.journal import load_head
from harvester.storage import (
    JOURNAL,
    REAL_FILES,
    Files,
    backup_name,
    disk_error,
    disk_errors,
    read_backup_name,
    set_aside,
    write_atomically,
)

BACKUP_EVERY = 100
KEEP_BACKUPS = 5


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup in the folder, from its name and size alone.

    `path` is its file of `size_bytes` bytes, `nodes` the number of its sounds; `taken_at` is in microseconds UTC.
    """

    path: Path
    nodes: int
    taken_at: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A loaded `backup`: its counts and digest, or its `problem`.

    `nodes`, `edges` and `processed` count its sounds, their edges and the processed sounds. `digest` is that of its
    content, in hexadecimal, and `source` its catalogue.
    """

    backup: Backup
    nodes: int = 0
    edges: int = 0
    processed: int = 0
    digest: str = ""
    problem: str = ""
    source: str = ""

    @property
    def verified(self) -> bool:
        """Tell whether the backup could be loaded."""
        return not self.problem


def list_backups(folder: Path) -> list[Backup]:
    """Return a library's backups, newest first; none without the folder."""
    found = []
    for path in folder.glob("freesound_library_backup_*.pkl"):
        named, signature = read_backup_name(path.name), read_signature(path)
        if named is not None and signature is not None and path.is_file():
            found.append(Backup(path, *named, signature.size_bytes))
    return sorted(found, key=_newest_first)


def _newest_first(backup: Backup) -> tuple[int, int, str]:
    return (-backup.taken_at, -backup.nodes, backup.path.name)


def verify_backup(backup: Backup) -> BackupReport:
    """Read a backup and report its content or its problem. Raises nothing."""
    try:
        found = verify_checkpoint(backup.path)
    except (HarvesterError, OSError) as error:
        return BackupReport(backup, problem=f"{backup.path}: {problem_of(error, backup.path)}")
    return BackupReport(backup, found.nodes, found.edges, found.processed, found.digest, source=found.source)


def save_backup(
    folder: Path, chunks: Iterable[bytes], *, digest: str | Encoded, nodes: int, now_us: int, files: Files = REAL_FILES
) -> Path:
    """Write a backup under an unused name; durable and verified on return.

    `digest` is the expected digest, or an `Encoded` that has it once `chunks` is exhausted. Raises `BackupFailed`; then
    a file that did not verify is in `quarantine/`, and everything else is unchanged.
    """
    path, stamp_us = folder / backup_name(nodes, now_us), now_us
    try:
        while os.path.lexists(path):
            stamp_us += SECOND_US
            path = folder / backup_name(nodes, stamp_us)
        write_atomically(path, chunks, files)
    except OSError as error:
        reason = disk_error(error, path, "the checkpoint and the journal hold everything")
        raise BackupFailed(f"no backup: {reason}") from reason
    try:
        _verify_new(path, digest if isinstance(digest, Encoded) else Encoded(digest=digest))
        problem = ""
    except (LibraryCorrupt, LibraryUnwritable, OSError) as error:
        problem = problem_of(error, path)
    if problem:
        try:
            moved = f"moved to quarantine/{set_aside(path, folder, now_us, files).name}"
        except OSError as error:
            moved = f"left in place ({error.strerror})"
        raise BackupFailed(
            f"{path.name}: the new backup could not be verified ({problem}), {moved}; "
            f"the checkpoint and the journal hold everything"
        )
    return path


def _verify_new(path: Path, encoded: Encoded) -> None:
    if encoded.segments is not None:
        verify_written(path, encoded.segments)
    elif verify_checkpoint(path).digest != encoded.digest:
        raise LibraryCorrupt("its digest is not that of what was written")


def to_remove(backups: Sequence[Backup], keep: int, is_good: Callable[[Backup], bool]) -> list[Backup]:
    """Return the backups that retention removes.

    Those are all valid ones except the newest `keep` and the largest. `is_good` tells whether a backup is valid; it is
    called only if needed, newest first. Corrupt backups are neither counted nor removed: `check --repair` moves them to
    `quarantine/`. A last valid backup is never removed.
    """
    ordered = sorted(backups, key=_newest_first)
    if len(ordered) <= max(keep, 1):
        return []
    good = [backup for backup in ordered if is_good(backup)]
    largest = max(good, key=lambda backup: (backup.nodes, backup.taken_at), default=None)
    return [backup for backup in good[max(keep, 1) :] if backup is not largest]


class Retention:
    """Remover of old backups, which caches what it has verified."""

    def __init__(self, folder: Path, keep: int = KEEP_BACKUPS, files: Files = REAL_FILES) -> None:
        self._folder, self._keep, self._files = folder, keep, files
        self._digests: dict[Signature, str] = {}

    def trust(self, path: Path, digest: str) -> None:
        """Record that a backup was just verified, with its digest."""
        signature = read_signature(path)
        if signature is not None:
            self._digests[signature] = digest

    def is_good(self, backup: Backup) -> bool:
        """Tell whether a backup matches its digest; each file is read once."""
        return bool(self._digest_of(backup))

    def find(self, digest: str) -> Path | None:
        """Return a valid backup with this digest, or None."""
        found = (one.path for one in list_backups(self._folder) if digest and self._digest_of(one) == digest)
        return next(found, None)

    def holds(self, digest: str, *, verified: Path | None = None) -> bool:
        """Tell whether a valid backup with this digest is in the folder now.

        It is read again, because it may have become corrupt, unless it is the one `verified` just now.
        """
        for backup in list_backups(self._folder):
            if digest and self._digest_of(backup) == digest:
                if backup.path != verified:
                    self._digests.clear()
                if self._digest_of(backup) == digest:
                    return True
        return False

    def _digest_of(self, backup: Backup) -> str:
        signature = read_signature(backup.path)
        if signature is None:
            return ""
        if signature not in self._digests:
            try:
                self._digests[signature] = load_digest(backup.path)
            except (HarvesterError, OSError):
                self._digests[signature] = ""
        return self._digests[signature]

    def plan(self) -> list[Backup]:
        """Return what `prune` would remove now.

        A backup that an unfinished restore or the journal relies on is never removed. The journal drops events because
        one particular backup holds them. That backup may not be the newest by its name, because clocks can be set back.
        """
        backups = list_backups(self._folder)
        found = to_remove(backups, self._keep, self.is_good)
        head = load_head(self._folder / JOURNAL) if found else None
        if head is None:
            return found
        kept = [backup for backup in backups if backup not in found]
        if head.backup_digest and all(self._digest_of(backup) != head.backup_digest for backup in kept):
            relied = next((backup for backup in found if self._digest_of(backup) == head.backup_digest), None)
            found = [backup for backup in found if backup is not relied]
        return [backup for backup in found if backup.path.name != head.restore]

    def prune(self) -> list[Backup]:
        """Remove old backups and return them; durable on return.

        Raises `DiskFull` or `LibraryUnwritable`.
        """
        removed = []
        for backup in self.plan():
            with disk_errors(backup.path, "the other backups are unchanged"):
                self._files.unlink(backup.path)
            removed.append(backup)
        if removed:
            with disk_errors(self._folder, "the other backups are unchanged"):
                self._files.sync_folder(self._folder)
        return removed
