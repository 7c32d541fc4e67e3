"""Run git, and commit a library.

Owns which files of a library a commit may contain (by explicit path, never more), when nothing is committed, and the
limit on size. Hooks, signatures and a detached head are left to the user's Git. Never pushes. A failed commit loses
nothing: the library is complete on disk before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harvester.errors import LibraryNotFetched, SettingsError
from harvester.library import list_backups
from harvester.storage import CHECKPOINT, refuse_placeholder

DRIVER = "freesound-library"
"""The name of harvester's merge and diff driver in Git's attributes and configuration."""

LARGE_BYTES = 50_000_000
LIMIT_BYTES = 100_000_000
"""GitHub and others refuse a file of this size or more unless it is in Git LFS."""

ATTRIBUTES, IGNORED = ".gitattributes", ".gitignore"
_UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisection",
}


@dataclass(frozen=True, slots=True)
class Commit:
    """Result of a commit: its short hash in `name`, or a `problem`.

    Without either there was nothing to commit. `message` is the message of the commit.
    """

    name: str = ""
    message: str = ""
    problem: str = ""


def run_git(
    folder: Path, *arguments: str, given: bytes | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git in `folder` and return the finished process.

    Raises `SettingsError` when git is not installed.
    """
    program = shutil.which("git")
    if program is None:
        raise SettingsError("git is not installed")
    # The program is git itself, and no shell reads the arguments.
    return subprocess.run(  # noqa: S603
        [program, "-C", str(folder), *arguments],
        input=given,
        stdin=None if given is not None else subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def said(ended: subprocess.CompletedProcess[bytes]) -> str:
    """Return the first error in git's output, or else its last line."""
    lines = (ended.stderr.strip() or ended.stdout.strip()).decode(errors="replace").splitlines()
    complaints = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return next(iter(complaints or lines[-1:]), f"exit code {ended.returncode}").strip()


def in_work_tree(folder: Path) -> bool:
    """Tell whether `folder` exists inside a Git work tree."""
    return folder.is_dir() and run_git(folder, "rev-parse", "--is-inside-work-tree").stdout.strip() == b"true"


def attribute_of(folder: Path, name: str, file: str = CHECKPOINT) -> str:
    """Return a Git attribute of a file of the library, or `unspecified`."""
    ended = run_git(folder, "check-attr", "-z", name, "--", file)
    parts = ended.stdout.split(b"\0")
    return parts[2].decode(errors="replace") if len(parts) > 2 else "unspecified"


def is_set_up(folder: Path) -> bool:
    """Tell whether `git-setup` ran in this clone for `folder`."""
    if shutil.which("git") is None or not in_work_tree(folder):
        return False
    driver = run_git(folder, "config", "--local", f"merge.{DRIVER}.driver")
    return driver.returncode == 0 and attribute_of(folder, "merge") == DRIVER


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
    return f"library: +{samples:,} processed ({processed:,}), +{edges:,} edges, {requests:,} requests"


def commit_library(folder: Path, message: str, *, source: str, with_backups: bool = False) -> Commit:
    """Commit the library's files as they are on disk.

    The user's staged changes stay staged, and no other file is committed. The files are the checkpoint, the attributes
    and ignore file of `git-setup`, and `with_backups` also the backups. Commits nothing for a sandbox library, outside
    a work tree, during a merge, a rebase or the like, at 100 MB or more without Git LFS, for a placeholder, or when
    nothing changed. Raises nothing.
    """
    if source.startswith("sandbox:"):
        return Commit(problem="a sandbox library is never committed: its sounds are made up")
    try:
        if not in_work_tree(folder):
            return Commit(problem=f"{folder} is not in a Git work tree: nothing was committed")
        problem = _obstacle(folder)
        if problem:
            return Commit(problem=f"nothing was committed: {problem}")
        paths = _paths(folder, with_backups=with_backups)
        for name in paths:
            refuse_placeholder(folder / name)
        return _commit(folder, paths, message)
    except LibraryNotFetched as error:
        return Commit(problem=f"nothing was committed: {error}")
    except (OSError, SettingsError) as error:
        return Commit(problem=f"nothing was committed: {error}; the library is safe")


def _obstacle(folder: Path) -> str:
    git_folder = Path(os.fsdecode(run_git(folder, "rev-parse", "--absolute-git-dir").stdout.strip()))
    for name, what in _UNFINISHED.items():
        if (git_folder / name).exists():
            return f"{what} is not finished"
    checkpoint = folder / CHECKPOINT
    size_bytes = checkpoint.stat().st_size if checkpoint.exists() else 0
    if size_bytes >= LIMIT_BYTES and attribute_of(folder, "filter") != "lfs":
        return (
            f"{CHECKPOINT} has {size_bytes / 1e6:.0f} MB, and GitHub and others refuse files from 100 MB on; "
            f"`harvester git-setup --lfs` and `git lfs migrate import --include='*.pkl'` help"
        )
    return ""


def _paths(folder: Path, *, with_backups: bool) -> list[str]:
    names = [CHECKPOINT, ATTRIBUTES, IGNORED]
    names += [backup.path.name for backup in list_backups(folder)] if with_backups else []
    return [name for name in names if (folder / name).is_file()]


def _commit(folder: Path, names: Sequence[str], message: str) -> Commit:
    if not names:
        return Commit()
    tracked = set(run_git(folder, "ls-files", "-z", "--", *names).stdout.split(b"\0"))
    fresh = [name for name in names if os.fsencode(name) not in tracked]
    if fresh:
        # Add only the names to the index, so that a failed commit leaves no content staged.
        added = run_git(folder, "add", "--force", "--intent-to-add", "--", *fresh)
        if added.returncode:
            return Commit(problem=f"nothing was committed: git add says: {said(added)}; the library is safe")
    if not fresh and run_git(folder, "diff", "--quiet", "--no-ext-diff", "HEAD", "--", *names).returncode == 0:
        return Commit()
    ended = run_git(folder, "commit", "--quiet", "--only", "--message", message, "--", *names)
    if ended.returncode:
        return Commit(problem=f"nothing was committed: git commit says: {said(ended)}; the library is safe")
    name = run_git(folder, "rev-parse", "--short", "HEAD").stdout.decode().strip()
    return Commit(name, message)
