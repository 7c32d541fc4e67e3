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
from harvester.library import LibraryView, holds_library, load_view, require_library
from harvester.storage import read_path


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
    return sandbox if holds_library(sandbox) and not holds_library(real) else real


def folder_of(library: LibraryLike) -> Path | None:
    """Return the folder of a library, or None for an opened one.

    Raises `LibraryNotFound` for a folder without a library.
    """
    if library is not None and not isinstance(library, str | os.PathLike):
        return None
    folder = find_library(library)
    require_library(folder)
    return folder


@contextmanager
def open_view(library: LibraryLike, *, on_disk: bool | None = None) -> Iterator[LibraryView]:
    """Yield a view of the library; `on_disk` is that of `load_view`.

    It is what an opened library holds, else what is on disk now; `LibraryNotFound` if that is no library. An error that
    the block raises gets the view's notices as its notes.
    """
    folder = folder_of(library)
    view = library.view if folder is None else load_view(folder, on_disk=on_disk)  # type: ignore[union-attr]  # opened
    try:
        yield view
    except HarvesterError as error:
        for line in view.notices:
            error.add_note(line)
        raise
