"""Run git, and say why a repository cannot take a commit.

Owns what is asked of Git: each question is one process, and none changes anything. Git's own messages reach the user in
one line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harvester.errors import SettingsError
from harvester.storage import CHECKPOINT

DRIVER = "freesound-library"
"""The name of harvester's merge and diff driver in Git's attributes and configuration."""

NO_LFS = "git-lfs is not installed: https://git-lfs.com (Debian, Ubuntu: apt install git-lfs)"

_UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisection",
}


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
    return folder.is_dir() and not outside(folder)


def outside(folder: Path) -> str:
    """Say why `folder` is in no work tree that Git accepts, or no text.

    The folder need not be there yet.
    """
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    ended = run_git(nearest, "rev-parse", "--is-inside-work-tree", "--is-bare-repository", environment={"LC_ALL": "C"})
    if ended.returncode:
        unknown = b"not a git repository" in ended.stderr
        return f"{folder} is not in a Git repository" if unknown else f"git says: {said(ended)}"
    answers = ended.stdout.split()
    if answers[:1] == [b"true"]:
        return ""
    return f"{folder} is in a bare repository, which has no files" if b"true" in answers else f"{folder} is inside .git"


def top_of(folder: Path) -> Path:
    """Return the top folder of the work tree around `folder`."""
    return Path(os.fsdecode(run_git(folder, "rev-parse", "--show-toplevel").stdout.removesuffix(b"\n")))


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


def is_ignored(folder: Path) -> bool:
    """Tell whether Git ignores everything in a folder of a work tree."""
    return run_git(folder, "check-ignore", "--quiet", "--", CHECKPOINT).returncode == 0


def identity_problem(folder: Path) -> str:
    """Say that Git knows no author for a commit, or no text."""
    for one in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if run_git(folder, "var", one).returncode:
            return (
                'Git does not know who you are: `git config --global user.name "Your Name"` and '
                "`git config --global user.email you@example.org` tell it"
            )
    return ""


def why_no_commit(folder: Path) -> str:
    """Say why no commit can be made in this work tree now, or no text."""
    git_folder = Path(os.fsdecode(run_git(folder, "rev-parse", "--absolute-git-dir").stdout.removesuffix(b"\n")))
    for name, what in _UNFINISHED.items():
        if (git_folder / name).exists():
            return f"{what} is not finished; finish it or abort it"
    if (git_folder / "index.lock").exists():
        return f"another git process is at work; if none is, one was killed: delete {git_folder / 'index.lock'}"
    if run_git(folder, "symbolic-ref", "--quiet", "HEAD").returncode:
        return "no branch is checked out (detached HEAD), so nothing would keep the commit: `git switch` to a branch"
    return identity_problem(folder) or _lfs_problem(folder)


def _lfs_problem(folder: Path) -> str:
    if attribute_of(folder, "filter") != "lfs":
        return ""
    if run_git(folder, "lfs", "version").returncode:
        return NO_LFS
    if run_git(folder, "config", "filter.lfs.clean").returncode:
        # Without the filter, Git would store the whole library where everyone else expects a pointer.
        return "Git LFS is not set up in this clone: run `harvester git-setup`"
    return ""
