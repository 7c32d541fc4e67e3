"""Set up Git for a library, commit it, and merge and show it for Git."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath
from harvester.errors import Findings, HarvesterError, SettingsError
from harvester.gitsync import Commit, describe_for_git, is_set_up, merge_in_git, set_up_git, undo_git
from harvester.gitsync import commit_library as commit_files
from harvester.library import Contribution


@dataclass(frozen=True, slots=True)
class GitMergeReport:
    """Result of a merge for Git: what the other side added.

    `contribution` counts it. `notices`: lines that need attention.
    """

    contribution: Contribution
    notices: tuple[str, ...] = ()


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
    problem. `source` is the library's, such as `result.source` of a harvest: a sandbox's library is never committed.
    `commit` None commits only if `git_setup` ran in this clone, and says nothing otherwise. `commit_backups` adds the
    backups. Only files of the library are committed, and nothing is pushed. Raises nothing.
    """
    folder = find_library(library)
    if commit is None:
        # Without the option, a sandbox's library and a clone without git-setup are skipped silently.
        commit = not source.startswith("sandbox:") and is_set_up(folder)
    return commit_files(folder, message, source=source, with_backups=commit_backups) if commit else Commit()


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
            f"{path}: left as a conflict: {error}. `git checkout --ours -- {path}` keeps one side, --theirs the other"
        ) from error
    return GitMergeReport(contribution, tuple(notices))


def git_textconv(file: StrPath) -> Iterator[str]:
    """Yield the lines that `git diff` compares for the checkpoint `file`.

    Its counts come first, then a line for each sound. A file that cannot be read gives one line with the reason.
    """
    return describe_for_git(Path(file))
