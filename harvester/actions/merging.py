"""Merge libraries, checkpoints and backups into one."""

from __future__ import annotations

import os
from collections.abc import Iterable

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath
from harvester.clock import SystemClock
from harvester.library import MergeReport, merge_libraries
from harvester.storage import read_path


def merge(
    inputs: StrPath | Iterable[StrPath], *, output: StrPath | None = None, library: StrPath | None = None
) -> MergeReport:
    """Merge libraries, checkpoints or backups; durable on return.

    `inputs` is one path or several, in any order: folders of libraries, checkpoints, or names of backups in the
    library's folder. They are not changed. `output` is a folder or a `.pkl` file; None merges into the library.
    `library` is its folder; None: the default folder. The result is the same in every order, and a second merge changes
    nothing. A crash leaves the target as it was, or with all of it.

    Raises `SettingsError` for an input that is no library, `LibraryCorrupt`, `NewerFormat`, `WrongSource` for
    libraries of different catalogues, `LibraryLocked`, `BackupFailed`, `DiskFull`, or `LibraryUnwritable`.
    """
    folder = find_library(library)
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    paths = [path if path.exists() or not (folder / path).exists() else folder / path for path in map(read_path, given)]
    return merge_libraries(paths, read_path(output) if output else folder, clock=SystemClock())
