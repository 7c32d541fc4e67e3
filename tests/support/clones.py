"""Clones of one repository with a library in each: real git, driven as people drive it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from harvester.gitsync.repository import DRIVER
from harvester.gitsync.setup import set_up_git
from harvester.storage.paths import CHECKPOINT
from tests.support import forked_driver
from tests.support.fork_server import _server
from tests.support.forked_driver import SERVER
from tests.support.processes import Ended, run

LIBRARY = "data/library"
PROGRAM = Path(forked_driver.__file__)

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
needs_lfs = pytest.mark.usefixtures("git_lfs")


def environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing of this machine's Git configuration counts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.invalid",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.invalid",
        "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", "LC_ALL": "C",
        # The drivers' interpreter must not pay for what tests measure elsewhere.
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


class Clone:
    """A work tree with a library in `data/library`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / LIBRARY
        self.checkpoint = self.folder / CHECKPOINT

    def try_git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git here and return how it ended."""
        server = _server(heavy=False).fileno()
        return subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment(self.root) | {SERVER: str(server)}, pass_fds=[server],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def git(self, *arguments: str) -> str:
        """Run git here; it must succeed. Returns what it printed."""
        ended = self.try_git(*arguments)
        assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
        return ended.stdout

    def commit(self) -> None:
        """Commit the library's files, if they changed, as a person would."""
        self.git("add", LIBRARY)
        if self.try_git("diff", "--cached", "--quiet").returncode:
            self.git("commit", "--quiet", "-m", "library")


def make_clones(folder: Path, count: int, *, lfs: bool = False, ready: bool = True, forked: bool = True) -> list[Clone]:
    """Return clones of one bare repository on branch `main`, `git-setup` done in each.

    Unless `forked` is false, Git's drivers are forked where Git is started by the clone: see `forked_driver`.
    """
    remote = folder / "remote.git"
    home = folder / "home"
    home.mkdir()
    _git(home, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    clones = []
    for place in range(count):
        root = folder / f"clone{place}"
        _git(home, "clone", "--quiet", str(remote), str(root))
        clone = Clone(root)
        clone.folder.mkdir(parents=True, exist_ok=True)
        if ready:
            set_up_git(clone.folder, lfs=lfs)
            if forked:
                _fork_drivers(clone)
        if place == 0:
            clone.git("checkout", "--quiet", "-b", "main")
            (root / "README").write_text("a repository with a library\n")
            clone.git("add", ".")
            clone.git("commit", "--quiet", "-m", "first")
            clone.git("push", "--quiet", "-u", "origin", "main")
        clones.append(clone)
    return clones


def _fork_drivers(clone: Clone) -> None:
    for key in (f"merge.{DRIVER}.driver", f"diff.{DRIVER}.textconv"):
        written = clone.git("config", key).rstrip("\n")
        python, _, arguments = written.partition(" -P -m harvester ")
        assert arguments, written
        clone.git("config", key, f"{python} -I -S {shlex.quote(str(PROGRAM))} {arguments}")


def _git(home: Path, *arguments: str) -> None:
    ended = subprocess.run(["git", *arguments], env=environment(home), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def harvester(clone: Clone, *arguments: object, key: str | None = None) -> Ended:
    """Run `harvester ARGUMENTS` at the top of the clone."""
    environ = environment(clone.root) | {"HARVESTER_STATE": str(clone.root.parent / "state"), "NO_COLOR": "1"}
    environ.pop("FREESOUND_API_KEY", None)
    if key:
        environ["FREESOUND_API_KEY"] = key
    return run(*arguments, cwd=clone.root, environ=environ, timeout_s=120)
