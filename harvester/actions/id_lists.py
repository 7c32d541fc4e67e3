"""Read the list of sounds of a harvest; tell which did not come.

Owns the file of the missing sounds: `id,why` in each line, so that it can be given as a list again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harvester.actions.events import Reporter
from harvester.actions.given_ids import names_file, read_given_ids
from harvester.actions.result import ListedSounds, RunResult
from harvester.actions.scope_options import Wanted
from harvester.errors import HarvesterError, SettingsError
from harvester.exports import check_place
from harvester.graph import SoundGraph, is_gone, is_withdrawn
from harvester.library import Store
from harvester.model import Deferral
from harvester.pipeline import ABSENT
from harvester.storage import MISSING, disk_errors, path_text, read_path, write_atomically

MOST_LISTED_WITHOUT_PERMISSION = 100_000
"""The most sounds of a list without permission: large data sets have half of it, Freesound has seven times as many."""


async def read_listed(reporter: Reporter, ids: Any, wanted: Wanted) -> tuple[int, ...]:
    """Return the sounds of `ids`: of a file, of `-` or several; or none.

    Tells how many rows of a file gave how many ids. Raises `SettingsError` for a list that cannot be used.
    """
    found = await asyncio.to_thread(read_given_ids, ids, wanted.column)
    if found is None:
        return ()
    if names_file(ids):
        reporter.tell(f"{'standard input' if str(ids) == '-' else path_text(read_path(ids))}: {found.line}")
    for line in found.notices:
        reporter.warn(line)
    listed = found.sound_ids
    if len(listed) > MOST_LISTED_WITHOUT_PERMISSION and not wanted.permitted:
        raise SettingsError(
            f"--ids names {len(listed):,} sounds, and the API's terms forbid copies of the whole database: keep to "
            f"{MOST_LISTED_WITHOUT_PERMISSION:,}, or ask Freesound and add --i-have-permission"
        )
    return listed


def read_missing_path(missing: Any, ids: Any) -> Path | None:
    """Return where to write the missing sounds; None: in the library.

    Raises `SettingsError` for a place that cannot be used, and without a list.
    """
    if missing is None:
        return None
    if ids is None:
        raise SettingsError("--missing takes the missing sounds of a list; add --ids")
    path = read_path(missing)
    problem = ""
    if path.exists() and not path.is_file():
        problem = "a folder" if path.is_dir() else "not a regular file"
    elif not path.parent.is_dir():
        problem = "in a folder that does not exist"
    elif names_file(ids) and path.exists() and path == read_path(ids):
        problem = "the list itself, which would be overwritten"
    if problem:
        raise SettingsError(f"--missing {path_text(path)} is {problem}; name another file")
    return check_place(path)


def add_listed(
    result: RunResult, listed_ids: Sequence[int], store: Store, named: Path | None, failure: Exception | None
) -> tuple[RunResult, Exception | None]:
    """Return the result with what became of a list; write what is missing.

    The second value is the error that ended the run, else that of the file. Without a library only a `named` file is
    written.
    """
    listed = judge_listed(store.state, store.deferrals, listed_ids)
    if named is not None or result.kept:
        try:
            listed = replace(listed, path=save_missing(listed.missing, result.folder, named))
        except HarvesterError as error:
            return replace(result, listed=listed, failed=True), failure or error
    return replace(result, listed=listed), failure


def judge_listed(state: SoundGraph, deferrals: Mapping[int, Deferral], listed: Sequence[int]) -> ListedSounds:
    """Return how many sounds have a record, and why others lack one."""
    here, missing = 0, dict[int, str]()
    for sound_id in listed:
        attributes = state.attributes(sound_id) if sound_id in state else {}
        deferral = deferrals.get(sound_id)
        if is_gone(attributes):
            missing[sound_id] = "withdrawn" if is_withdrawn(attributes) else "deleted"
        elif sound_id in state and state.has_record(sound_id):
            here += 1
        elif deferral is not None:
            missing[sound_id] = "not found" if deferral.reason == ABSENT else "failed"
    return ListedSounds(len(listed), here, missing)


def save_missing(missing: Mapping[int, str], folder: Path, named: Path | None) -> Path | None:
    """Write the missing sounds to `named`, else into the library.

    Returns the file. Without a missing sound only a named one is written, and the library's is removed. Raises
    `DiskFull` or `LibraryUnwritable`; the file is then as it was.
    """
    path = named or folder / MISSING
    with disk_errors(path, "the library has everything that came"):
        if not missing and named is None:
            path.unlink(missing_ok=True)
            return None
        lines = ["id,why", *(f"{sound_id},{why}" for sound_id, why in sorted(missing.items()))]
        write_atomically(path, ["".join(f"{line}\n" for line in lines).encode()])
    return path
