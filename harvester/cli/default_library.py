"""Find the library when the user does not name one."""

from __future__ import annotations

from pathlib import Path

from harvester.journal import load_contents
from harvester.settings import REAL_LIBRARY, SANDBOX_LIBRARY
from harvester.storage import CHECKPOINT, JOURNAL


def find_library(given: str | None) -> Path:
    """Return the given folder, else the sandbox's library if only that exists, else the real one."""
    if given:
        return Path(given)
    return SANDBOX_LIBRARY if _holds_library(SANDBOX_LIBRARY) and not _holds_library(REAL_LIBRARY) else REAL_LIBRARY


def _holds_library(folder: Path) -> bool:
    if (folder / CHECKPOINT).exists():
        return True
    # A run that never reached the API leaves a journal without events.
    contents = load_contents(folder / JOURNAL)
    return contents is not None and bool(contents.rows)
