"""Withdraw sounds from a library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harvester.actions.default_library import find_library
from harvester.actions.keywords import Ids, StrPath, naming_keywords
from harvester.actions.options import check_flag, check_sounds
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.gitsync import in_work_tree
from harvester.library import ForgetReport, forget_sounds, perform


@naming_keywords
def forget(
    sound_ids: Ids = (), *, user: str | None = None, library: StrPath | None = None, dry_run: bool = False
) -> ForgetReport:
    """Withdraw sounds permanently; durable on return.

    `sound_ids` is one id or several; `user` withdraws all sounds by that user too. `library` is its folder; None: the
    default folder. Their texts and links are deleted, and no merge or harvest restores them. `report.still_in` names
    the files on this machine that may still hold the texts, and `report.in_git` tells that older commits do. A crash
    leaves the sounds withdrawn or not; call again. With `dry_run` nothing is changed, and the report says what would
    be withdrawn.

    Raises `SettingsError` when no sound is named, an id is none, or no sound is by `user`; `LibraryNotFound`,
    `LibraryLocked`, `BackupFailed`, `DiskFull`, or `LibraryUnwritable`.
    """
    ids = check_sounds("sound_ids", sound_ids)
    if not ids and user is None:
        raise SettingsError("no sound given; name them: harvester forget ID…, or --user NAME")
    folder = find_library(library)
    report = perform(
        lambda place: forget_sounds(place, ids, username=user, clock=SystemClock()),
        folder,
        dry_run=check_flag("--dry-run", dry_run),
    )
    return replace(report, in_git=_is_in_git(folder))


def _is_in_git(folder: Path) -> bool:
    try:
        return in_work_tree(folder)
    except SettingsError:
        # Git is not installed here, so nothing on this machine is committed.
        return False
