"""Answer from the index of a library, or from the library itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from harvester.actions.afterwards import Work, afterwards
from harvester.actions.default_library import LibraryLike, folder_of, open_view
from harvester.errors import HarvesterError, SettingsError
from harvester.freesound import state_folder
from harvester.index import remove_files_of
from harvester.library import (
    LibraryView,
    answer_from_index,
    gets_index,
    keep_index,
    load_view,
    renew_index,
    view_index,
)

INDEX_VARIABLE = "HARVESTER_INDEX"
_FOLDER = "index"
_BUILDING = "building an index, which makes the next answers fast; Ctrl-C leaves it undone"

T = TypeVar("T")


def ask(library: LibraryLike, answer: Callable[[LibraryView], T], *, is_first: bool = False) -> T:
    """Return an answer about a library, which `answer` gives from a view.

    Its state may read an index; one of an earlier checkpoint is brought up to date first. If there is none, the library
    is read, and then the index of a large one is built, so that the next answer is fast; `is_first`: the next one comes
    soon, so it is built at once. Raises as `open_view` does, and what `answer` raises.
    """
    folder = folder_of(library)
    indexes = None if folder is None else index_folder()
    if folder is not None and indexes is not None:
        if (found := answer_from_index(folder, indexes, answer)) is not None:
            return found
        if line := renew_index(folder, indexes):
            afterwards(Work(lambda: line))
            if (found := answer_from_index(folder, indexes, answer)) is not None:
                return found
    with open_view(library) as view:
        found = answer(view)
    if indexes is not None and gets_index(view):
        work = Work(lambda: keep_index(view, indexes), _BUILDING)
        work.do() if is_first else afterwards(work)
    return found


def view_of(folder: Path) -> LibraryView:
    """Return a view of a library that stays as it is.

    It reads the index of a large library, which is brought up to date first, or else the library. Raises as `load_view`
    does.
    """
    indexes = index_folder()
    found = None
    if indexes is not None:
        found = view_index(folder, indexes)
        if found is None and renew_index(folder, indexes):
            found = view_index(folder, indexes)
    return found or load_view(folder)


def index_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return this user's folder of indexes, or None for no indexes.

    It is in the folder of the ledger. `HARVESTER_INDEX=off` switches indexes off. Raises `SettingsError` for another
    value of it than `on` or `off`.
    """
    wanted = environment.get(INDEX_VARIABLE) or "on"
    if wanted not in ("on", "off"):
        raise SettingsError(f"{INDEX_VARIABLE} must be on or off; nothing was read")
    return _folder(environment) if wanted == "on" else None


def remove_indexes(library: Path) -> list[Path]:
    """Remove what is kept of a library for fast answers.

    Returns the files that could not be removed.
    """
    folder = _folder(os.environ)
    return [] if folder is None else remove_files_of(folder, library)


def _folder(environment: Mapping[str, str]) -> Path | None:
    try:
        return state_folder(environment) / _FOLDER
    except HarvesterError:
        return None  # without a home folder there is no place for it; the library can be read all the same
