"""Tell whether a folder holds a library, and which files are unusable.

Those are not fetched, or cannot be written. Reads names and the beginnings of files; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from harvester.errors import LibraryNotFetched, LibraryNotFound, LibraryUnwritable, problem_of
from harvester.journal import JournalContents, load_contents
from harvester.model import Event, Known, Seeded
from harvester.storage import (
    CHECKPOINT,
    JOURNAL,
    JOURNAL_PARTS,
    LOCK,
    RECOVERED,
    VECTORS,
    NotRegular,
    read_backup_name,
    read_owner,
    refuse_link,
    refuse_placeholder,
)

_FILES = {CHECKPOINT, *JOURNAL_PARTS, RECOVERED, VECTORS}


def is_of_library(name: str) -> bool:
    """Tell whether a file of this name is a library or a part of one."""
    return name in _FILES or read_backup_name(name) is not None


def holds_library(folder: Path) -> bool:
    """Tell whether `folder` holds a library, which may be corrupt.

    One file of a library is enough. A lock, a log or a status alone is no library, nor is the empty journal that a run
    leaves which was killed before anything came, except while a process holds the lock: it is making one. Raises
    `LibraryNotFound` for what is no folder, `LibraryUnwritable` when it cannot be read.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise LibraryNotFound(f"{folder}: it is not a folder; name the folder of a library") from error
    except OSError as error:
        raise LibraryUnwritable(f"{folder}: it cannot be read ({error.strerror}); nothing was changed") from error
    found = set(filter(is_of_library, names))
    return not has_nothing_but_an_empty_journal(folder, found) or read_owner(folder) is not None


def has_nothing_but_an_empty_journal(folder: Path, names: Set[str]) -> bool:
    """Tell whether `names`, a folder's files of a library, hold nothing.

    That is the journal of a run that was killed before anything came, or no file at all.
    """
    return names <= {*JOURNAL_PARTS} and not (JOURNAL in names and has_content(load_contents(folder / JOURNAL)))


def has_content(contents: JournalContents | None) -> bool:
    """Tell whether a journal holds more than the seeds of a run.

    One that is corrupt, or knows a checkpoint, does.
    """
    if contents is None:
        return False
    head = contents.head
    known = contents.damage or head.knows_checkpoint or head.safe
    return bool(known) or holds_content(contents.events)


def holds_content(events: Iterable[Event]) -> bool:
    """Tell whether events hold more than the seeds of a run."""
    known: set[int] = set()
    seeds: set[int] = set()
    for event in events:
        match event:
            case Known(sound_id=sound_id):
                known.add(sound_id)
            case Seeded(sound_ids=sound_ids):
                seeds.update(sound_ids)
            case _:
                return True
    return not known <= seeds


def require_library(folder: Path) -> None:
    """Raise `LibraryNotFound` unless `folder` holds a library.

    Every function that does not make a library calls it first. Raises as `holds_library` does.
    """
    if not holds_library(folder):
        where = "" if folder.is_dir() else " (no such folder)"
        raise LibraryNotFound(f"{folder}: there is no library here{where}; `harvester harvest` makes one")


def find_placeholders(folder: Path) -> dict[Path, str]:
    """Return the files whose content is not fetched, each with its problem.

    Looks at checkpoint, journal and vector file, as `refuse_placeholders` does.
    """
    found = {}
    for path in (folder / name for name in (CHECKPOINT, JOURNAL, VECTORS)):
        try:
            refuse_placeholder(path)
        except LibraryNotFetched as error:
            found[path] = problem_of(error, path)
    return found


def find_irregular(folder: Path) -> dict[Path, str]:
    """Return the files that no command can open for writing.

    Each with its problem. Those are the journal's parts and the lock, when they are symbolic links or no files: the
    writer follows no link.
    """
    found = {}
    for path in (folder / name for name in (*JOURNAL_PARTS, LOCK)):
        try:
            refuse_link(path)
        except (NotRegular, IsADirectoryError) as error:
            found[path] = f"{error.strerror}, so no command can write this library"
    return found
