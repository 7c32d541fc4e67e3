"""Check: every file of the folder looked at, findings with a severity, and what can be mended mended.

Owns what counts as a finding (something a person must see) and what is only a note. Reads in one walk; `repair` does
the same walk, then sets damaged files aside and writes a whole library from what is good. Deletes nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harvester.checkpoint import digest_of, load_checkpoint
from harvester.clock import DAY_US, Clock, iso
from harvester.errors import HarvesterError, LibraryCorrupt, LibraryNotFetched, LibraryUnwritable, NewerFormat
from harvester.graph import STAMPS, Dropped, SoundGraph
from harvester.jobs import each_in_processes
from harvester.journal import JournalContents, load_contents
from harvester.library.backups import list_backups
from harvester.library.load import load_state
from harvester.library.recovery import open_journal
from harvester.library.store import Store
from harvester.storage import (
    CHECKPOINT,
    JOURNAL,
    JOURNAL_PARTS,
    LOCK,
    QUARANTINE,
    REAL_FILES,
    TEMPORARY_SUFFIX,
    VECTORS,
    Files,
    WriterLock,
    disk_errors,
    path_text,
    read_backup_name,
    read_owner,
    refuse_placeholders,
    set_aside,
)
from harvester.vectors import load_header, load_vectors

ERROR, WARNING, NOTE = "error", "warning", "note"
OLD_BACKUP_US = 30 * DAY_US
LONGEST_WAIT_US = 366 * DAY_US
_KNOWN = {
    CHECKPOINT,
    JOURNAL,
    JOURNAL_PARTS,
    f"{JOURNAL}-wal",
    f"{JOURNAL}-shm",
    LOCK,
    "status.json",
    "harvest.log",
    "README.md",
    QUARANTINE,
    VECTORS,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that check saw. `error` and `warning` are findings, a `note` is not. `mended`: repair took care.

    `by_hand`: repair leaves the file as it is, only a person can bring what is missing.
    """

    severity: str
    path: Path
    problem: str
    mended: bool = False
    droppable: bool = False
    """What is wrong can be left out, and the rest of the file kept."""
    by_hand: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data, for `--json`."""
        file, problem = path_text(self.path), path_text(self.problem)
        return {"severity": self.severity, "file": file, "problem": problem, "mended": self.mended}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check saw, worst first. `clean` when nothing needs a person."""

    folder: Path
    findings: tuple[Finding, ...]
    files: int
    left: str = ""
    """What the library holds after a repair that had something to mend."""
    notices: tuple[str, ...] = ()
    """What the repair did, a line each."""
    aside: bool = False
    """Whether the repair moved something to `quarantine/`."""

    @property
    def clean(self) -> bool:
        return all(finding.severity == NOTE or finding.mended for finding in self.findings)


def check_library(folder: Path, *, clock: Clock, jobs: int = 1) -> CheckReport:
    """Verify every file of the library, `jobs` of them at once, and report; writes nothing, needs no lock.

    Beside a running writer its files are looked at in the order in which they may change, so that no false alarm
    comes of it. Raises only when the folder cannot be read.
    """
    if not folder.exists():
        return CheckReport(folder, (), 0)
    if not folder.is_dir():
        raise LibraryUnwritable(f"{folder}: it is not a folder; nothing was changed")
    now_us = clock.time_us()
    order = {ERROR: 0, WARNING: 1, NOTE: 2}
    findings = sorted(_look(folder, now_us, jobs), key=lambda finding: order[finding.severity])
    return CheckReport(folder, tuple(findings), sum(1 for path in folder.iterdir() if path.is_file()))


def repair_library(folder: Path, *, clock: Clock, jobs: int = 1, files: Files = REAL_FILES) -> CheckReport:
    """Check, mend what can be mended, set the rest aside in `quarantine/`; return what was found before.

    Ends with a checkpoint and a verified backup of all that is good, so that a check after it is clean. Raises
    `LibraryLocked` beside a running writer, `LibraryCorrupt` when nothing good is left to stand in,
    `LibraryNotFetched` beside a placeholder, `BackupFailed`, `DiskFull`, `LibraryUnwritable`; nothing is deleted in
    any case.
    """
    refuse_placeholders(folder)
    report = check_library(folder, clock=clock, jobs=jobs)
    if report.clean:
        return report
    now_us, before = clock.time_us(), _names_aside(folder)
    lock = WriterLock(folder)
    droppable = {finding.path for finding in report.findings if finding.droppable}
    with disk_errors(folder, "nothing was deleted"):
        lock.acquire(now_us)
        try:
            _set_rotten_aside(folder, report, now_us, files)
        finally:
            lock.release()
    with Store.open(folder, clock=clock, files=files) as store:
        late = [one.sound_id for one in store.deferrals.values() if one.next_try_at > now_us + LONGEST_WAIT_US]
        store.append((), undeferred=late)
        _calm_stamps(store.state, now_us)
        if any(finding.path == store.vectors.path for finding in report.findings):
            store.vectors.mend()
        info = store.rewrite()
        for backup in list_backups(folder):
            if backup.path in droppable:
                set_aside(backup.path, folder, now_us, files)
        left = f"{len(store.state.processed)} samples, {info.nodes} sounds, {info.edges} edges"
        notices = tuple(store.notices)
    mended = (replace(one, mended=one.severity != NOTE and not one.by_hand) for one in report.findings)
    aside = _names_aside(folder) != before
    return CheckReport(folder, tuple(mended), report.files, left, notices, aside)


def _names_aside(folder: Path) -> set[str]:
    place = folder / QUARANTINE
    return {path.name for path in place.iterdir()} if place.is_dir() else set()


def _set_rotten_aside(folder: Path, report: CheckReport, now_us: int, files: Files) -> None:
    rotten = {
        finding.path
        for finding in report.findings
        if finding.severity == ERROR and not (finding.droppable or finding.by_hand)
    }
    for name in JOURNAL_PARTS:
        path = folder / name
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            set_aside(path, folder, now_us, files)  # to rename a link, a pipe or a folder touches nothing behind it
    backups = list_backups(folder)
    for backup in backups:
        if backup.path in rotten:
            set_aside(backup.path, folder, now_us, files)
    checkpoint = folder / CHECKPOINT
    if checkpoint in rotten and all(backup.path in rotten for backup in backups) and not _loads(checkpoint):
        # Nothing whole is left to stand in. What the journal holds is what there is: it stands on its own from here.
        if checkpoint.exists():
            set_aside(checkpoint, folder, now_us, files)
        journal = open_journal(folder, now_us, files, [])
        journal.update(digest="", next_digest="", saved=journal.head.safe, backed=journal.head.safe, adopted=True)
        journal.close()


def _look(folder: Path, now_us: int, jobs: int) -> Iterator[Finding]:
    contents = load_contents(folder / JOURNAL)
    if contents is not None:
        yield from _look_at_journal(folder / JOURNAL, contents, now_us)
    paths = [folder / CHECKPOINT, *(backup.path for backup in list_backups(folder))]
    looks = each_in_processes(_look_at_state, [path for path in paths if path.exists()], jobs)
    yield from (finding for _, findings in looks for finding in findings)
    good = sum(is_good for is_good, _ in looks)
    yield from _look_together(folder, contents, now_us, good)
    yield from _look_at_vectors(folder)
    yield from _look_around(folder)


def _look_at_state(path: Path) -> tuple[bool, list[Finding]]:
    """Load a checkpoint or a backup; return whether it is a good backup, and the findings."""
    is_backup = path.name != CHECKPOINT
    dropped = Dropped()
    try:
        decoded = load_checkpoint(path, dropped)
    except FileNotFoundError:
        return False, []  # pruned while we were looking
    except LibraryNotFetched as error:
        return False, [Finding(WARNING if is_backup else ERROR, path, str(error), by_hand=True)]
    except HarvesterError as error:
        severity = NOTE if isinstance(error, NewerFormat) and is_backup else ERROR
        return False, [Finding(severity, path, str(error).removeprefix(f"{path}: "))]
    if dropped:
        return False, [Finding(ERROR, path, _told(dropped), droppable=True)]
    if digest_of(decoded.state) != decoded.digest:
        problem = "it is not in canonical form: something else than harvester wrote it"
        return is_backup, [Finding(ERROR, path, problem)]
    return is_backup, []


def _look_at_journal(path: Path, contents: JournalContents, now_us: int) -> Iterator[Finding]:
    if contents.damage:
        yield Finding(ERROR, path, f"the journal is damaged ({contents.damage})")
    if contents.dropped:
        yield Finding(ERROR, path, _told(contents.dropped), droppable=True)
    if contents.head.restore:
        yield Finding(WARNING, path, f"a restore of {contents.head.restore} is not finished: the next opening does it")
    if contents.unsaved:
        yield Finding(NOTE, path, f"{contents.unsaved} events are not in the checkpoint yet")
    ahead = [one for one in contents.deferrals.values() if one.next_try_at > now_us + LONGEST_WAIT_US]
    if ahead:
        yield Finding(WARNING, path, f"{len(ahead)} deferred sounds wait for more than a year")


def _told(dropped: Dropped) -> str:
    return f"it holds {dropped}, which no library can hold; everything else in it is kept"


def _look_at_vectors(folder: Path) -> Iterator[Finding]:
    path, again = folder / VECTORS, "the next sweep with --vectors fetches them again"
    try:
        vectors = load_vectors(folder)
    except HarvesterError as error:
        yield Finding(WARNING, path, str(error).removeprefix(f"{path}: "))
        return
    if vectors.damage:
        yield Finding(ERROR, path, f"the vectors cannot be used ({vectors.damage}): {again}")
    if vectors.rotten:
        yield Finding(WARNING, path, f"{vectors.rotten} vectors are damaged: {again}")
    if vectors.torn_bytes and read_owner(folder) is None:
        yield Finding(NOTE, path, "a killed process left a row half written: the next sweep cuts it off")


def _look_together(folder: Path, contents: JournalContents | None, now_us: int, good_backups: int) -> Iterator[Finding]:
    checkpoint = folder / CHECKPOINT
    try:
        loaded = load_state(folder, contents)
    except LibraryCorrupt:
        yield Finding(ERROR, checkpoint, "nothing that is good stands in for it")
        return
    except LibraryNotFetched as error:
        yield Finding(ERROR, folder, str(error), by_hand=True)
        return
    except HarvesterError as error:
        yield Finding(ERROR, checkpoint, str(error))
        return
    state, vectors = loaded.state, load_header(folder)
    if vectors is not None and (
        (state.source and vectors[0].source != state.source) or (state.list_count and vectors[0].space != state.space)
    ):
        whose = f"{vectors[0].space} from {vectors[0].source}"
        yield Finding(
            NOTE, folder / VECTORS, f"its vectors are of {whose}, so they cannot be linked here: move it away"
        )
    latest = latest_stamp(loaded.state)
    if latest > now_us + DAY_US:
        yield Finding(WARNING, checkpoint, f"it holds stamps from the future ({iso(latest)}): a clock was wrong")
    if loaded.foreign and contents is not None and contents.head.digest and read_owner(folder) is None:
        yield Finding(NOTE, checkpoint, "it was replaced by hand, or by Git: the next harvest joins it")
    if not checkpoint.exists() and contents is not None and contents.head.digest:
        yield Finding(ERROR, checkpoint, "it is missing")
    if contents is not None and contents.head.safe and len(loaded.state) and not good_backups:
        yield Finding(WARNING, folder, "there is no good backup")
    newest = contents.head.backup_at if contents is not None else None
    if newest is not None and newest < now_us - OLD_BACKUP_US:
        yield Finding(NOTE, folder, f"the last backup is of {iso(newest)}")


def _look_around(folder: Path) -> Iterator[Finding]:
    running = read_owner(folder) is not None
    for path in sorted(folder.iterdir()):
        name = path.name
        if name == QUARANTINE and not path.is_dir():
            yield Finding(ERROR, path, "it is not a folder, so nothing can be set aside: move it away", by_hand=True)
        elif name == QUARANTINE:
            if count := sum(1 for _ in path.iterdir()):
                yield Finding(NOTE, path, f"{count} things were set aside here")
        elif name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
            if not running:
                yield Finding(WARNING, path, "a killed process left it half written: the next opening removes it")
        elif name not in _KNOWN and read_backup_name(name) is None and not name.startswith("."):
            yield Finding(NOTE, path, "it does not belong to the library")


def latest_stamp(state: SoundGraph) -> int:
    """Return the latest stamp in a state, in microseconds UTC."""
    return max((attributes.get(name, 0) for attributes in state.graph.nodes.values() for name in STAMPS), default=0)


def _calm_stamps(state: SoundGraph, now_us: int) -> None:
    """Bring stamps from the future back to now: they would win over every later answer until their time came."""
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
