"""Find the library that the caller does not name; load its view."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from harvester.actions.keywords import StrPath
from harvester.default_folders import real_library, sandbox_library
from harvester.errors import HarvesterError
from harvester.journal import load_contents
from harvester.library import LibraryView, load_view
from harvester.storage import CHECKPOINT, JOURNAL, read_path


class OpenedLibrary(Protocol):
    """A library that is loaded already, such as a `harvester.Library`."""

    @property
    def view(self) -> LibraryView:
        """Return what was loaded."""


LibraryLike = StrPath | OpenedLibrary | None
"""A library's folder, an opened library, or None for the default folder."""


def find_library(given: StrPath | None) -> Path:
    """Return the folder `given`, or the default one for None.

    That is the sandbox's library if only that exists, else Freesound's.
    """
    if given:
        return read_path(given)
    real, sandbox = real_library(), sandbox_library()
    return sandbox if has_sounds(sandbox) and not has_sounds(real) else real


@contextmanager
def open_view(library: LibraryLike) -> Iterator[LibraryView]:
    """Yield a view of the library.

    It is what an opened library holds, else what is on disk now. An error that the block raises gets the view's notices
    as its notes.
    """
    if library is None or isinstance(library, str | os.PathLike):
        view = load_view(find_library(library))
    else:
        view = library.view
    try:
        yield view
    except HarvesterError as error:
        for line in view.notices:
            error.add_note(line)
        raise


def has_sounds(folder: Path) -> bool:
    """Tell whether a folder holds a library with sounds, at low cost."""
    if (folder / CHECKPOINT).exists():
        return True
    # A run that never reached the API leaves a journal without events.
    contents = load_contents(folder / JOURNAL)
    return contents is not None and bool(contents.rows)
