"""Repair a library: check it first, then replace what is corrupt.

Corrupt files move to `quarantine/`, and a complete library is written from the rest. Deletes nothing.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from harvester.checkpoint import load_checkpoint
from harvester.clock import DAY_US, Clock
from harvester.counts import graph_size
from harvester.errors import LibraryCorrupt
from harvester.graph import STAMPS, SoundGraph
from harvester.jobs import Processes, Team
from harvester.library.backups import list_backups
from harvester.library.check import ERROR, LONGEST_WAIT_US, NOTE, CheckReport, check_library
from harvester.library.recovery import open_journal
from harvester.library.store import Store
from harvester.storage import (
    CHECKPOINT,
    JOURNAL_PARTS,
    QUARANTINE,
    REAL_FILES,
    Files,
    WriterLock,
    disk_errors,
    refuse_placeholders,
    set_aside,
)

_ALONE = Processes()


def repair_library(folder: Path, *, clock: Clock, team: Team = _ALONE, files: Files = REAL_FILES) -> CheckReport:
    """Check, repair what can be repaired, and return the findings.

    The rest moves to `quarantine/`. Ends with a checkpoint and a verified backup of all valid data, so that the next
    check is clean. Raises `LibraryNotFound` when there is no library, `LibraryLocked` beside a running writer,
    `LibraryCorrupt` when no valid file is left to replace the checkpoint, `LibraryNotFetched` beside a placeholder,
    `BackupFailed`, `DiskFull`, `LibraryUnwritable`; nothing is ever deleted.
    """
    refuse_placeholders(folder)
    report = check_library(folder, clock=clock, team=team)
    if report.clean:
        return report
    now_us, before = clock.time_us(), _names_aside(folder)
    lock = WriterLock(folder)
    droppable = {finding.path for finding in report.findings if finding.droppable}
    with disk_errors(folder, "nothing was deleted"):
        lock.acquire(now_us)
        try:
            moved = _quarantine_corrupt_files(folder, report, now_us, files)
        finally:
            lock.release()
    with Store.open(folder, clock=clock, files=files) as store:
        late = [one.sound_id for one in store.deferrals.values() if one.next_try_at > now_us + LONGEST_WAIT_US]
        store.append((), undeferred=late)
        _limit_future_stamps(store.state, now_us)
        if any(finding.path == store.vectors.path for finding in report.findings):
            store.vectors.mend()
        info = store.rewrite()
        for backup in list_backups(folder):
            if backup.path in droppable:
                set_aside(backup.path, folder, now_us, files)
        left = graph_size(info.nodes, info.edges, len(store.state.processed))
        notices = (*moved, *store.notices)
    repaired = (replace(one, repaired=one.severity != NOTE and not one.by_hand) for one in report.findings)
    aside = _names_aside(folder) != before
    return CheckReport(tuple(repaired), report.files, left, notices, aside)


def _names_aside(folder: Path) -> set[str]:
    place = folder / QUARANTINE
    return {path.name for path in place.iterdir()} if place.is_dir() else set()


def _quarantine_corrupt_files(folder: Path, report: CheckReport, now_us: int, files: Files) -> list[str]:
    """Move corrupt files to `quarantine/`; return notices.

    They are about files that the findings do not explain.
    """
    notices = []
    corrupt = {
        finding.path
        for finding in report.findings
        if finding.severity == ERROR and not (finding.droppable or finding.by_hand)
    }
    for name in JOURNAL_PARTS:
        path = folder / name
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            link = path.is_symlink()
            moved = set_aside(path, folder, now_us, files)  # renaming a link changes nothing behind it
            kept = "; the file behind it is unchanged, but what only that file holds is no longer in the library"
            notices.append(
                f"{name} was {'a symbolic link' if link else 'not a regular file'} and was moved to "
                f"{moved.relative_to(folder)}{kept if link else ''}"
            )
    backups = list_backups(folder)
    for backup in backups:
        if backup.path in corrupt:
            set_aside(backup.path, folder, now_us, files)
    checkpoint = folder / CHECKPOINT
    if checkpoint in corrupt and all(backup.path in corrupt for backup in backups) and not _loads(checkpoint):
        # No valid backup is left. Keep what the journal holds: from now on it does not rely on another file.
        if checkpoint.exists():
            set_aside(checkpoint, folder, now_us, files)
        journal = open_journal(folder, now_us, files, [])
        journal.update(
            digest="", next_digest="", saved=journal.head.safe, backed=journal.head.safe, has_foreign_state=True
        )
        journal.close()
    return notices


def _limit_future_stamps(state: SoundGraph, now_us: int) -> None:
    """Set stamps from the future to now.

    Until that time they would win over every newer response.
    """
    for attributes in state.graph.nodes.values():
        for name in STAMPS:
            if attributes.get(name, 0) > now_us + DAY_US:
                attributes[name] = now_us


def _loads(path: Path) -> bool:
    try:
        load_checkpoint(path)
    except (LibraryCorrupt, FileNotFoundError):
        return False
    return True
