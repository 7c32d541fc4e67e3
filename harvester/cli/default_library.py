"""Find the library when the user does not name one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harvester.cli.console import note
from harvester.default_folders import real_library, sandbox_library
from harvester.journal import load_contents
from harvester.storage import CHECKPOINT, JOURNAL

if TYPE_CHECKING:
    from harvester.library import LibraryView


def find_library(given: str | None) -> Path:
    """Return the given folder, else the sandbox's library if only that exists, else the real one."""
    if given:
        return Path(given)
    real, sandbox = real_library(), sandbox_library()
    return sandbox if _holds_library(sandbox) and not _holds_library(real) else real


def open_view(given: str | None) -> LibraryView:
    """Return a view of the library that `find_library` finds, and print the notices about its files."""
    from harvester.library import load_view

    view = load_view(find_library(given))
    for line in view.notices:
        note(line)
    return view


def _holds_library(folder: Path) -> bool:
    if (folder / CHECKPOINT).exists():
        return True
    # A run that never reached the API leaves a journal without events.
    contents = load_contents(folder / JOURNAL)
    return contents is not None and bool(contents.rows)
