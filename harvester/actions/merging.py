"""Merge libraries, checkpoints and backups into one."""

from __future__ import annotations

import os
from collections.abc import Iterable

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import check_flag
from harvester.clock import SystemClock
from harvester.library import MergeReport, merge_libraries, perform
from harvester.storage import read_path


@naming_keywords
def merge(
    inputs: StrPath | Iterable[StrPath],
    *,
    output: StrPath | None = None,
    library: StrPath | None = None,
    dry_run: bool = False,
) -> MergeReport:
    """Merge libraries, checkpoints or backups; durable on return.

    `inputs` is one path or several, in any order: folders of libraries, checkpoints, or names of backups in the
    library's folder. They are not changed. `output` is a folder or a `.pkl` file; None merges into the library.
    `library` is its folder; None: the default folder. The result is the same in every order, and a second merge changes
    nothing. A crash leaves the target as it was, or with all of it. With `dry_run` nothing is changed, and the report
    says what would be added.

    Raises `SettingsError` for an input that is no library, `LibraryCorrupt`, `NewerFormat`, `WrongSource` for
    libraries of different catalogues, `LibraryLocked`, `BackupFailed`, `DiskFull`, or `LibraryUnwritable`.
    """
    folder = find_library(library)
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    paths = [path if path.exists() or not (folder / path).exists() else folder / path for path in map(read_path, given)]
    return perform(
        lambda target: merge_libraries(paths, target, clock=SystemClock()),
        read_path(output) if output else folder,
        dry_run=check_flag("--dry-run", dry_run),
    )
