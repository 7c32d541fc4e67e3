"""Set up Git for a library, commit it, and merge and show it for Git."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath
from harvester.clock import SystemClock
from harvester.errors import Findings, HarvesterError, SettingsError, words_of
from harvester.freesound import API_URL
from harvester.gitsync import Commit, InitReport, begin_repository, describe_for_git, merge_in_git, set_up_git, undo_git
from harvester.gitsync import commit_library as commit_files
from harvester.library import Contribution
from harvester.library_source import ANY_SANDBOX
from harvester.storage import read_path


@dataclass(frozen=True, slots=True)
class GitMergeReport:
    """Result of a merge for Git: what the other side added.

    `contribution` counts it. `notices`: lines that need attention.
    """

    contribution: Contribution
    notices: tuple[str, ...] = ()


def init_repository(folder: StrPath, *, sandbox: bool = False, lfs: bool = False, dry_run: bool = False) -> InitReport:
    """Make a folder a Git repository with a library of its own.

    `folder` gets the folder of the library, a README, workflows for GitHub, and a first commit. An existing folder or
    repository is completed: what is there stays as it is. `sandbox` makes a rehearsal: its library takes sounds of a
    sandbox only, and any other takes none of them. `lfs` keeps the library in Git LFS. `dry_run` changes nothing; the
    report says what would be done.

    Raises `SettingsError`, before anything is written, without git, an author or git-lfs, inside another repository and
    in a bare one, and when Git refuses the commit; `WrongSource` when the library holds other sounds; `LibraryLocked`,
    `DiskFull` or `LibraryUnwritable`.
    """
    source = ANY_SANDBOX if sandbox else API_URL
    return begin_repository(read_path(folder), source=source, clock=SystemClock(), lfs=lfs, dry_run=dry_run)


def git_setup(library: StrPath | None = None, *, lfs: bool = False, undo: bool = False) -> tuple[str, ...]:
    """Set up Git to merge libraries, or undo it.

    Returns what was done, as lines. `library` is its folder; None: the default folder. Writes `.gitattributes` and
    `.gitignore` in the library's folder and two sections of this clone's configuration; a second call changes nothing.
    `lfs` keeps the library in Git LFS. `undo` removes what the setup wrote.

    Raises `SettingsError` for `lfs` with `undo`, outside a work tree, and when git or git-lfs is missing; `DiskFull` or
    `LibraryUnwritable`.
    """
    if lfs and undo:
        raise SettingsError("--lfs and --undo exclude each other; choose one")
    folder = find_library(library)
    return tuple(undo_git(folder) if undo else set_up_git(folder, lfs=lfs))


def commit_library(
    library: StrPath | None = None,
    *,
    message: str,
    source: str,
    commit: bool | None = None,
    commit_backups: bool = False,
) -> Commit:
    """Commit the library to Git, as after a harvest.

    `library` is its folder; None: the default folder. Returns the short hash of the commit with `message`, or the
    problem or the reason why there is none. `source` is the library's, such as `result.source` of a harvest: a sandbox
    library is committed only if `git_setup` ran in this clone. `commit` None commits only then, and False never.
    `commit_backups` adds the backups. Only files of the library are committed, and nothing is pushed. Raises nothing.
    """
    return commit_files(find_library(library), message, source=source, wanted=commit, with_backups=commit_backups)


def git_merge(ours: StrPath, theirs: StrPath, path: str) -> GitMergeReport:
    """Merge the checkpoint `theirs` into `ours` for Git: its merge driver.

    `path` is the checkpoint's path in the work tree. Raises `Findings` when they cannot be merged; `ours` is then
    unchanged, and Git reports a conflict.
    """
    notices: list[str] = []
    try:
        contribution = merge_in_git(Path(ours), Path(theirs), path, notices)
    except (HarvesterError, OSError) as error:
        raise Findings(
            f"{path}: left as a conflict: {words_of(error)}. "
            f"`git checkout --ours -- {path}` keeps one side, --theirs the other"
        ) from error
    return GitMergeReport(contribution, tuple(notices))


def git_textconv(file: StrPath) -> Iterator[str]:
    """Yield the lines that `git diff` compares for the checkpoint `file`.

    Its counts come first, then a line for each sound. A file that cannot be read gives one line with the reason.
    """
    return describe_for_git(Path(file))
