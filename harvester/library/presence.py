"""Tell whether a folder holds a library, and which files are unusable.

Those are not fetched, or cannot be written. Reads names and the beginnings of files; changes nothing.
"""

from __future__ import annotations

from pathlib import Path

from harvester.errors import LibraryNotFetched, LibraryNotFound, LibraryUnwritable, problem_of
from harvester.storage import (
    CHECKPOINT,
    JOURNAL,
    JOURNAL_PARTS,
    LOCK,
    RECOVERED,
    VECTORS,
    NotRegular,
    read_backup_name,
    refuse_link,
    refuse_placeholder,
)

_FILES = {CHECKPOINT, *JOURNAL_PARTS, RECOVERED, VECTORS}


def _holds_library(folder: Path) -> bool:
    """Tell whether a file in `folder` belongs to a library.

    The file may be corrupt. A lock, a log or a status alone is no library. Raises `OSError` when `folder` cannot be
    read.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return False
    return bool(names & _FILES) or any(map(read_backup_name, names))


def require_library(folder: Path) -> None:
    """Raise `LibraryNotFound` unless `folder` has a file of a library.

    Raises `LibraryUnwritable` when `folder` is not a folder or cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise LibraryUnwritable(f"{folder}: it is not a folder; nothing was changed")
    try:
        found = _holds_library(folder)
    except OSError as error:
        raise LibraryUnwritable(f"{folder}: it cannot be read ({error.strerror}); nothing was changed") from error
    if not found:
        raise LibraryNotFound(f"{folder}: there is no library here; nothing was changed")


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
