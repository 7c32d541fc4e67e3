"""Withdraw sounds from a library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harvester.actions.default_library import find_library
from harvester.actions.indexing import remove_indexes
from harvester.actions.keywords import Ids, StrPath, naming_keywords
from harvester.actions.options import check_flag, check_sounds
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.gitsync import in_work_tree
from harvester.library import ForgetReport, forget_sounds, load_view, perform
from harvester.previews import PreviewFolder, holding_previews, preview_files


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

    The index and the tables that are kept of the library hold texts too: they are removed, and made again when they are
    needed. The sounds' previews that were fetched are removed, with their credits; those files are in
    `report.previews`.

    Raises `SettingsError` when no sound is named, an id is none, or no sound is by `user`; `LibraryNotFound`;
    `LibraryLocked`, also while previews of this library are fetched; `BackupFailed`, `DiskFull`, or
    `LibraryUnwritable`.
    """
    ids = check_sounds("sound_ids", sound_ids)
    if not ids and user is None:
        raise SettingsError("no sound given; name them: harvester forget ID…, or --user NAME")
    folder = find_library(library)
    check_flag("--dry-run", dry_run)
    with _previews_held(folder, dry_run=dry_run) as held:
        report = perform(
            lambda place: forget_sounds(place, ids, username=user, clock=SystemClock()), folder, dry_run=dry_run
        )
        withdrawn = {*report.forgotten, *report.before, *report.unknown}
        removed = preview_files(folder, withdrawn) if dry_run else _drop(folder, held, withdrawn)
    if not dry_run:
        # A run made the folder of previews meanwhile. The next one removes them; until then the report names them.
        late = [*preview_files(folder, withdrawn), *remove_indexes(folder)]
        report = replace(report, still_in=(*report.still_in, *late))
    return replace(report, in_git=_is_in_git(folder), previews=tuple(removed))


@contextmanager
def _previews_held(folder: Path, *, dry_run: bool) -> Iterator[PreviewFolder | None]:
    """Hold the previews of a library while sounds are withdrawn.

    A run that fetches them would bring one back. A dry run writes no lock.
    """
    if dry_run:
        yield None
        return
    with holding_previews(folder, SystemClock().time_us()) as held:
        yield held


def _drop(folder: Path, held: PreviewFolder | None, withdrawn: set[int]) -> list[Path]:
    """Remove the previews of withdrawn sounds, and their credits."""
    if held is None:
        return []
    removed = held.drop(withdrawn)
    if held.has_credits:
        held.write_credits(load_view(folder).state)
    return removed


def _is_in_git(folder: Path) -> bool:
    try:
        return in_work_tree(folder)
    except SettingsError:
        # Git is not installed here, so nothing on this machine is committed.
        return False
