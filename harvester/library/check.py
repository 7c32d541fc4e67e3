"""Check every file of a library folder; write nothing.

Owns what counts as a finding (a person must see it) and what is only a note. A check reads each file once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvester.checkpoint import digest_of, load_checkpoint
from harvester.clock import DAY_US, Clock, iso
from harvester.errors import HarvesterError, LibraryCorrupt, LibraryNotFetched, NewerFormat, problem_of
from harvester.graph import STAMPS, Dropped, SoundGraph
from harvester.jobs import each_in_processes
from harvester.journal import JournalContents, load_contents
from harvester.library.backups import list_backups
from harvester.library.load import load_state
from harvester.library.presence import find_irregular, find_placeholders, require_library
from harvester.storage import (
    CHECKPOINT,
    JOURNAL,
    LOCK,
    QUARANTINE,
    RECOVERED,
    TEMPORARY_SUFFIX,
    VECTORS,
    belongs_to_library,
    path_text,
    read_owner,
)
from harvester.vectors import load_header, load_vectors

ERROR, WARNING, NOTE = "error", "warning", "note"
OLD_BACKUP_US = 30 * DAY_US
LONGEST_WAIT_US = 366 * DAY_US


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation of a check.

    `problem` says what is wrong with the file `path`. `severity`: `error` and `warning` are findings, a `note` is not.
    `repaired`: the repair fixed it; in JSON the key is `mended`. `by_hand`: only a person can fix it, and the repair
    leaves the file unchanged.
    """

    severity: str
    path: Path
    problem: str
    repaired: bool = False
    droppable: bool = False
    """The repair can drop the invalid values and keep the rest of the file."""
    by_hand: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data, for `--json`."""
        file, problem = path_text(self.path), path_text(self.problem)
        return {"severity": self.severity, "file": file, "problem": problem, "mended": self.repaired}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Result of a check: its `findings`, worst first; `files` were read."""

    findings: tuple[Finding, ...]
    files: int
    left: str = ""
    """The counts of the library after a repair (empty: nothing was repaired)."""
    notices: tuple[str, ...] = ()
    """The actions of the repair, one line each."""
    aside: bool = False
    """Whether the repair moved a file to `quarantine/`."""

    @property
    def clean(self) -> bool:
        """Tell whether no finding is left for a person."""
        return all(finding.severity == NOTE or finding.repaired for finding in self.findings)


def check_library(folder: Path, *, clock: Clock, jobs: int = 1) -> CheckReport:
    """Verify every file of the library and report.

    Checks `jobs` files at once, writes nothing and needs no lock. Files are read in an order that gives no false alarm
    beside a running writer. Raises `LibraryNotFound`, or `LibraryUnwritable` when the folder cannot be read.
    """
    require_library(folder)
    now_us = clock.time_us()
    order = {ERROR: 0, WARNING: 1, NOTE: 2}
    # A checkpoint of a newer version is found alone, and again when the files are read together.
    findings = sorted(dict.fromkeys(_check_files(folder, now_us, jobs)), key=lambda finding: order[finding.severity])
    return CheckReport(tuple(findings), sum(1 for path in folder.iterdir() if path.is_file()))


def _check_files(folder: Path, now_us: int, jobs: int) -> Iterator[Finding]:
    journal, absent = folder / JOURNAL, find_placeholders(folder)
    yield from (Finding(ERROR, path, problem, by_hand=True) for path, problem in absent.items())
    contents = None if journal in absent else load_contents(journal)
    if contents is not None:
        yield from _check_journal(journal, contents, now_us)
    for path, problem in find_irregular(folder).items():
        # What else is no file is in `contents.damage` already.
        if path.name == LOCK or (path.is_symlink() and path not in absent):
            yield Finding(ERROR, path, problem, by_hand=path.name == LOCK)
    paths = [folder / CHECKPOINT, *(backup.path for backup in list_backups(folder))]
    checked = each_in_processes(_check_state, [path for path in paths if path.exists() and path not in absent], jobs)
    yield from (finding for _, findings in checked for finding in findings)
    good = sum(is_good for is_good, _ in checked)
    if not absent:
        yield from _check_together(folder, contents, now_us, good)
    if folder / VECTORS not in absent:
        yield from _check_vectors(folder)
    yield from _check_other_files(folder)


def _check_state(path: Path) -> tuple[bool, list[Finding]]:
    """Load a checkpoint or backup; return its validity and the findings.

    The first value tells whether it is a valid backup.
    """
    is_backup = path.name != CHECKPOINT
    dropped = Dropped()
    try:
        decoded = load_checkpoint(path, dropped)
    except FileNotFoundError:
        return False, []  # a running writer removed the backup meanwhile
    except LibraryNotFetched as error:
        return False, [Finding(WARNING if is_backup else ERROR, path, problem_of(error, path), by_hand=True)]
    except HarvesterError as error:
        severity = NOTE if isinstance(error, NewerFormat) and is_backup else ERROR
        return False, [Finding(severity, path, problem_of(error, path))]
    if dropped:
        return False, [Finding(ERROR, path, _describe(dropped), droppable=True)]
    if digest_of(decoded.state) != decoded.digest:
        problem = "it is not in canonical form: a program other than harvester wrote it"
        return is_backup, [Finding(ERROR, path, problem)]
    return is_backup, []


def _check_journal(path: Path, contents: JournalContents, now_us: int) -> Iterator[Finding]:
    if contents.damage:
        yield Finding(ERROR, path, f"the journal is corrupt ({contents.damage})")
    if contents.dropped:
        yield Finding(ERROR, path, _describe(contents.dropped), droppable=True)
    if contents.head.restore:
        yield Finding(
            WARNING, path, f"a restore of {contents.head.restore} is not finished: the next command that writes does it"
        )
    if contents.unsaved:
        yield Finding(NOTE, path, f"{contents.unsaved} events are not in the checkpoint yet")
    ahead = [one for one in contents.deferrals.values() if one.next_try_at > now_us + LONGEST_WAIT_US]
    if ahead:
        yield Finding(WARNING, path, f"{len(ahead):,} deferred sounds are due only in more than a year")


def _describe(dropped: Dropped) -> str:
    return f"it holds {dropped}; everything else in it is kept"


def _check_vectors(folder: Path) -> Iterator[Finding]:
    path, again = folder / VECTORS, "the next sweep with --vectors fetches them again"
    try:
        vectors = load_vectors(folder)
    except HarvesterError as error:
        yield Finding(WARNING, path, problem_of(error, path))
        return
    if vectors.damage:
        yield Finding(ERROR, path, f"the vectors cannot be used ({vectors.damage}): {again}")
    if vectors.corrupt:
        yield Finding(WARNING, path, f"{vectors.corrupt} vectors are corrupt: {again}")
    if vectors.torn_bytes and read_owner(folder) is None:
        yield Finding(NOTE, path, "a killed process left an incomplete row: the next sweep cuts it off")


def _check_together(
    folder: Path, contents: JournalContents | None, now_us: int, good_backups: int
) -> Iterator[Finding]:
    checkpoint = folder / CHECKPOINT
    try:
        loaded = load_state(folder, contents)
    except LibraryCorrupt:
        yield Finding(ERROR, checkpoint, "no valid backup can replace it")
        return
    except LibraryNotFetched:
        problem = "it cannot be read, and the content of the backup that can replace it is not here yet"
        yield Finding(ERROR, checkpoint, problem, by_hand=True)
        return
    except HarvesterError as error:
        yield Finding(ERROR, checkpoint, problem_of(error, checkpoint))
        return
    state, vectors = loaded.state, load_header(folder)
    if vectors is not None and (
        (state.source and vectors[0].source != state.source) or (state.list_count and vectors[0].space != state.space)
    ):
        whose = f"{vectors[0].space} from {vectors[0].source}"
        yield Finding(
            NOTE, folder / VECTORS, f"its vectors are of {whose}, so `link` cannot use them here: move it away"
        )
    latest = latest_stamp(loaded.state)
    if latest > now_us + DAY_US:
        yield Finding(WARNING, checkpoint, f"it holds stamps from the future ({iso(latest)}): a clock was wrong")
    if loaded.foreign and contents is not None and contents.head.digest and read_owner(folder) is None:
        yield Finding(NOTE, checkpoint, "a person or Git replaced it: the next harvest merges it with the journal")
    if not checkpoint.exists() and contents is not None and contents.head.digest:
        yield Finding(ERROR, checkpoint, "it is missing")
    if contents is not None and contents.head.safe and len(loaded.state) and not good_backups:
        yield Finding(WARNING, folder, "there is no valid backup")
    newest = contents.head.backup_at if contents is not None else None
    if newest is not None and newest < now_us - OLD_BACKUP_US:
        yield Finding(NOTE, folder, f"the last backup is of {iso(newest)}")


def _check_other_files(folder: Path) -> Iterator[Finding]:
    running = read_owner(folder) is not None
    for path in sorted(folder.iterdir()):
        name = path.name
        if name == QUARANTINE and not path.is_dir():
            yield Finding(ERROR, path, "it is not a folder, so no file can move there: move it away", by_hand=True)
        elif name == QUARANTINE:
            if count := sum(1 for _ in path.iterdir()):
                yield Finding(NOTE, path, f"{count:,} files were moved here")
        elif name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
            if not running:
                yield Finding(WARNING, path, "a killed process left it: the next command that writes removes it")
        elif name == RECOVERED:
            if not running:
                yield Finding(
                    WARNING, path, "a recovery of the journal is not finished: the next command that writes does it"
                )
        elif not belongs_to_library(name):
            yield Finding(NOTE, path, "it does not belong to the library")


def latest_stamp(state: SoundGraph) -> int:
    """Return the latest stamp in a state, in microseconds UTC."""
    return max((attributes.get(name, 0) for attributes in state.graph.nodes.values() for name in STAMPS), default=0)
