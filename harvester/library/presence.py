"""Tell whether a folder holds a library, by the names of its files."""

from __future__ import annotations

from pathlib import Path

from harvester.errors import LibraryUnwritable, SettingsError
from harvester.storage import (
    CHECKPOINT,
    JOURNAL_PARTS,
    RECOVERED,
    VECTORS,
    read_backup_name,
)

_FILES = {CHECKPOINT, *JOURNAL_PARTS, RECOVERED, VECTORS}


def holds_library(folder: Path) -> bool:
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
    """Raise `SettingsError` unless a file in `folder` belongs to a library.

    Raises `LibraryUnwritable` when `folder` is not a folder or cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise LibraryUnwritable(f"{folder}: it is not a folder; nothing was changed")
    try:
        found = holds_library(folder)
    except OSError as error:
        raise LibraryUnwritable(f"{folder}: it cannot be read ({error.strerror}); nothing was changed") from error
    if not found:
        raise SettingsError(f"{folder}: there is no library here; nothing was changed")
