"""Commit a library after a run, or say why not.

Owns which files of a library a commit may contain (by explicit path, never more), when nothing is committed, and the
limit on size. Hooks and signatures are left to the user's Git. Never pushes. A failed commit loses nothing: the library
is complete on disk before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harvester.counts import counted
from harvester.errors import LibraryNotFetched, SettingsError, words_of
from harvester.gitsync.repository import attribute_of, is_ignored, is_set_up, outside, run_git, said, why_no_commit
from harvester.library import list_backups
from harvester.library_source import is_sandbox
from harvester.storage import CHECKPOINT, HISTORY, refuse_placeholder

LARGE_BYTES = 50_000_000
LIMIT_BYTES = 100_000_000
"""GitHub and others refuse a file of this size or more unless it is in Git LFS."""

ATTRIBUTES, IGNORED = ".gitattributes", ".gitignore"


@dataclass(frozen=True, slots=True)
class Commit:
    """Result of a commit: its short hash in `name`, or why there is none.

    `message` is the message of the commit. A `problem` needs attention; `reason` says why there was nothing to do.
    `expected`: a commit was asked for, or the library is in a repository.
    """

    name: str = ""
    message: str = ""
    problem: str = ""
    reason: str = ""
    expected: bool = True


def size_notice(size_bytes: int) -> str:
    """Return a warning if a checkpoint grows too large for Git, or no text."""
    if size_bytes < LARGE_BYTES:
        return ""
    limit = "GitHub and others refuse files from 100 MB on"
    return f"the library has {size_bytes / 1e6:.0f} MB; {limit}: `harvester git-setup --lfs` keeps it in Git LFS"


def grown_message(samples: int, processed: int, edges: int, requests: int) -> str:
    """Return the message of the commit after a harvest.

    `samples` (sounds that were not processed before), `edges` and `requests` are those of its result; `processed` is
    the number of all processed sounds.
    """
    return f"library: +{samples:,} processed ({processed:,}), +{counted(edges, 'edge')}, {counted(requests, 'request')}"


def refreshed_message(records: int, lists: int, gone: int, requests: int) -> str:
    """Return the message of the commit after a refresh, from its result."""
    refreshed = f"{counted(records, 'record')} and {counted(lists, 'list')} refreshed"
    return f"library: {refreshed}, {counted(gone, 'sound')} deleted, {counted(requests, 'request')}"


def commit_library(
    folder: Path, message: str, *, source: str, wanted: bool | None = True, with_backups: bool = False
) -> Commit:
    """Commit the library's files as they are on disk.

    `wanted` False does nothing; None commits only where `git-setup` ran. The user's staged changes stay staged, and no
    other file is committed. The files are the checkpoint, the history, the attributes and ignore file of `git-setup`,
    and `with_backups` also the backups. A sandbox library is committed only where `git-setup` ran. Commits nothing
    outside a work tree, during a merge, a rebase or the like, without a branch, an author or Git LFS where it is
    needed, at 100 MB or more without Git LFS, for a placeholder, or when nothing changed. Raises nothing.
    """
    if wanted is False:
        return Commit(expected=False)
    try:
        reason = outside(folder)
        if reason:
            return _not_asked(wanted, reason) or Commit(problem=f"nothing was committed: {reason}; {_INIT}")
        reason = "" if is_set_up(folder) else "`harvester git-setup` has not run in this clone"
        if reason and wanted is None:
            return Commit(
                reason=f"nothing was committed: {reason}", expected=not is_sandbox(source) and not is_ignored(folder)
            )
        if reason and is_sandbox(source):
            return Commit(problem=f"nothing was committed: these sounds are made up, and {reason}: {_REHEARSE}")
        problem = why_no_commit(folder) or _size_problem(folder)
        if problem:
            return Commit(problem=f"nothing was committed: {problem}")
        paths = _paths(folder, with_backups=with_backups)
        for name in paths:
            refuse_placeholder(folder / name)
        return commit_files(folder, paths, message)
    except LibraryNotFetched as error:
        return Commit(problem=f"nothing was committed: {error}")
    except SettingsError as error:  # git is not installed
        return _not_asked(wanted, str(error)) or Commit(problem=f"nothing was committed: {error}; {_SAFE}")
    except OSError as error:
        return Commit(problem=f"nothing was committed: {words_of(error)}; {_SAFE}")


_SAFE = "the library is safe"
_INIT = "`harvester init DIR` makes one for a library"
_REHEARSE = "`harvester init --sandbox DIR` makes a repository for them"


def _not_asked(wanted: bool | None, reason: str) -> Commit | None:
    """Return a quiet result, or None if a commit was asked for."""
    return None if wanted else Commit(reason=f"nothing was committed: {reason}", expected=False)


def _size_problem(folder: Path) -> str:
    checkpoint = folder / CHECKPOINT
    size_bytes = checkpoint.stat().st_size if checkpoint.exists() else 0
    if size_bytes >= LIMIT_BYTES and attribute_of(folder, "filter") != "lfs":
        return (
            f"{CHECKPOINT} has {size_bytes / 1e6:.0f} MB, and GitHub and others refuse files from 100 MB on; "
            f"`harvester git-setup --lfs` and `git lfs migrate import --include='*.pkl'` help"
        )
    return ""


def _paths(folder: Path, *, with_backups: bool) -> list[str]:
    names = [CHECKPOINT, HISTORY, ATTRIBUTES, IGNORED]
    names += [backup.path.name for backup in list_backups(folder)] if with_backups else []
    return [name for name in names if (folder / name).is_file()]


def commit_files(folder: Path, names: Sequence[str], message: str) -> Commit:
    """Commit these files of `folder` and no others, as they are on disk."""
    unchanged = Commit(reason="nothing was committed: nothing changed since the last commit")
    if not names:
        return unchanged
    tracked = set(run_git(folder, "ls-files", "-z", "--", *names).stdout.split(b"\0"))
    fresh = [name for name in names if os.fsencode(name) not in tracked]
    if fresh:
        # Add only the names to the index, so that a failed commit leaves no content staged.
        added = run_git(folder, "add", "--force", "--intent-to-add", "--", *fresh)
        if added.returncode:
            return Commit(problem=f"nothing was committed: git add says: {said(added)}; {_SAFE}")
    if run_git(folder, "diff", "--quiet", "--no-ext-diff", "HEAD", "--", *names).returncode == 0:
        return unchanged
    ended = run_git(folder, "commit", "--quiet", "--only", "--message", message, "--", *names)
    if ended.returncode:
        return Commit(problem=f"nothing was committed: git commit says: {said(ended)}; {_SAFE}")
    name = run_git(folder, "rev-parse", "--short", "HEAD").stdout.decode().strip()
    return Commit(name, message)
