"""Check every file of a library folder; write nothing.

Owns what counts as a finding (a person must see it) and what is only a note. A check reads each file once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harvester.checkpoint import LARGEST_BYTES, Verified, load_digest, verify_checkpoint
from harvester.clock import DAY_US, Clock, iso
from harvester.counts import counted
from harvester.errors import ClusterFailed, HarvesterError, LibraryCorrupt, LibraryNotFetched, NewerFormat, problem_of
from harvester.graph import Dropped
from harvester.jobs import Processes, Team
from harvester.journal import JournalContents, load_contents
from harvester.library.backups import list_backups
from harvester.library.facts import known_facts, loaded_facts
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
    opened_bounded,
    path_text,
    read_owner,
)
from harvester.vectors import load_header, load_vectors

ERROR, WARNING, NOTE = "error", "warning", "note"
OLD_BACKUP_US = 30 * DAY_US
LONGEST_WAIT_US = 366 * DAY_US

_ALONE = Processes()


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


def check_library(folder: Path, *, clock: Clock, team: Team = _ALONE) -> CheckReport:
    """Verify every file of the library and report.

    The `team` checks several files at once. Writes nothing and needs no lock. Files are read in an order that gives no
    false alarm beside a running writer. Raises `LibraryNotFound`, `ClusterFailed`, or `LibraryUnwritable` when the
    folder cannot be read.
    """
    require_library(folder)
    now_us = clock.time_us()
    order = {ERROR: 0, WARNING: 1, NOTE: 2}
    # A checkpoint of a newer version is found alone, and again when the files are read together.
    findings = sorted(dict.fromkeys(_check_files(folder, now_us, team)), key=lambda finding: order[finding.severity])
    return CheckReport(tuple(findings), sum(1 for path in folder.iterdir() if path.is_file()))


def _check_files(folder: Path, now_us: int, team: Team) -> Iterator[Finding]:
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
    checked = _check_states([path for path in paths if path.exists() and path not in absent], team)
    yield from (finding for _, findings in checked.values() for finding in findings)
    if not absent:
        held = {path: verified for path, (verified, _) in checked.items()}
        yield from _check_together(folder, contents, now_us, held)
    if folder / VECTORS not in absent:
        yield from _check_vectors(folder)
    yield from _check_other_files(folder)


def _check_states(paths: list[Path], team: Team) -> dict[Path, tuple[Verified | None, list[Finding]]]:
    """Check checkpoints and backups; return what each holds, and findings.

    A file that is not valid holds None. Of files with one digest, only the first is read value by value: the others
    are the same stream. A cluster reads files that have the same bytes once.
    """
    digests = dict(
        zip(paths, map(_bytes_digest, paths) if team.is_remote else team.each(_digest_of, paths), strict=True)
    )
    first = {digest: path for path, digest in reversed(digests.items()) if digest}
    wanted = [path for path, digest in digests.items() if first.get(digest, path) == path]
    results: Iterator[tuple[Verified | None, list[Finding]]]
    if team.is_remote:
        found = team.each(_check_content, ((path.name, _content(path)) for path in wanted))
        results = map(_check_result, wanted, found)
    else:
        results = team.each(_check_state, wanted)
    checked = dict(zip(wanted, results, strict=True))
    for path in set(paths) - checked.keys():
        known = checked[first[digests[path]]]
        checked[path] = _check_state(path) if known[1] else known
    return {path: checked[path] for path in paths}


def _digest_of(path: Path) -> str:
    """Return the digest of a file's stream; no text if it has none."""
    try:
        return load_digest(path)
    except (HarvesterError, FileNotFoundError):
        return ""  # `_check_state` says why


def _bytes_digest(path: Path) -> str:
    """Return the digest of a file's bytes; no text if it cannot be read."""
    content = _content(path)
    return "" if content is None else sha256(content).hexdigest()


def _content(path: Path) -> bytes | None:
    """Return a file's bytes for a worker.

    None if it cannot be read: `_check_state` here says why.
    """
    try:
        with opened_bounded(path, LARGEST_BYTES) as file:
            return b"".join(file.pieces())
    except OSError:
        return None


def _check_content(task: tuple[str, bytes | None]) -> tuple[Verified | None, list[Finding]] | None:
    """Check a file from its bytes, where the library is not."""
    name, content = task
    if content is None:
        return None
    with TemporaryDirectory(prefix="harvester") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        verified, findings = _check_state(path)
        return verified, [
            replace(one, path=Path(name), problem=one.problem.replace(str(path), name)) for one in findings
        ]


def _check_result(path: Path, found: object) -> tuple[Verified | None, list[Finding]]:
    """Return a worker's result for the file here.

    Raises `ClusterFailed` if it is none.
    """
    if found is None:
        return _check_state(path)
    match found:
        case (Verified() | None as verified, list(findings)) if all(isinstance(one, Finding) for one in findings):
            if verified is not None or findings:
                return verified, [replace(one, path=path) for one in findings]
    raise ClusterFailed(f"a worker returned something else than what {path.name} holds: check without it")


def _check_state(path: Path) -> tuple[Verified | None, list[Finding]]:
    """Verify a checkpoint or backup; return what it holds, and findings."""
    is_backup = path.name != CHECKPOINT
    dropped = Dropped()
    try:
        verified = verify_checkpoint(path, dropped)
    except FileNotFoundError:
        return None, []  # a running writer removed the backup meanwhile
    except LibraryNotFetched as error:
        return None, [Finding(WARNING if is_backup else ERROR, path, problem_of(error, path), by_hand=True)]
    except HarvesterError as error:
        severity = NOTE if isinstance(error, NewerFormat) and is_backup else ERROR
        return None, [Finding(severity, path, problem_of(error, path))]
    if dropped:
        return None, [Finding(ERROR, path, _describe(dropped), droppable=True)]
    if not verified.is_canonical:
        problem = "it is not in canonical form: a program other than harvester wrote it"
        return verified, [Finding(ERROR, path, problem)]
    return verified, []


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
        yield Finding(NOTE, path, f"{counted(contents.unsaved, 'event is', 'events are')} not in the checkpoint yet")
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
        yield Finding(WARNING, path, f"{counted(vectors.corrupt, 'vector is', 'vectors are')} corrupt: {again}")
    if vectors.torn_bytes and read_owner(folder) is None:
        yield Finding(NOTE, path, "a killed process left an incomplete row: the next sweep cuts it off")


def _check_together(
    folder: Path, contents: JournalContents | None, now_us: int, checked: Mapping[Path, Verified | None]
) -> Iterator[Finding]:
    checkpoint = folder / CHECKPOINT
    try:
        library = known_facts(folder, contents, now_us, checked) or loaded_facts(folder, contents)
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
    vectors = load_header(folder)
    if vectors is not None and (
        (library.source and vectors[0].source != library.source)
        or (library.has_lists and vectors[0].space != library.space)
    ):
        whose = f"{vectors[0].space} from {vectors[0].source}"
        yield Finding(
            NOTE, folder / VECTORS, f"its vectors are of {whose}, so `link` cannot use them here: move it away"
        )
    if library.latest_us > now_us + DAY_US:
        future = iso(library.latest_us)
        yield Finding(WARNING, checkpoint, f"it holds stamps from the future ({future}): a clock was wrong")
    if library.is_foreign and contents is not None and contents.head.digest and read_owner(folder) is None:
        yield Finding(NOTE, checkpoint, "a person or Git replaced it: the next harvest merges it with the journal")
    if not checkpoint.exists() and contents is not None and contents.head.digest:
        yield Finding(ERROR, checkpoint, "it is missing")
    good_backups = [path for path, verified in checked.items() if verified is not None and path != checkpoint]
    if contents is not None and contents.head.safe and library.has_sounds and not good_backups:
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
                yield Finding(NOTE, path, f"{counted(count, 'file was', 'files were')} moved here")
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
