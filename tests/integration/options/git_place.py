"""A harvest in a Git work tree from a server that is no sandbox, whose library is therefore committed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from harvester.gitsync.setup import set_up_git
from tests.integration.options.place import Place
from tests.support.clones import environment
from tests.support.command import call
from tests.support.hostile_server import HostileServer, as_freesound


def commits_of(place: Place, *, set_up: bool, given: Any = None, name: str = "tree") -> int:
    """Run the command once in a new work tree, and return how many commits it has then."""
    root = place.folder / name
    root.mkdir()
    for variable, value in environment(root).items():
        place.patch.setenv(variable, value)
    _git(root, "init", "--quiet")
    _git(root, "commit", "--quiet", "--allow-empty", "-m", "first")
    library = root / "library"
    library.mkdir()
    if set_up:
        set_up_git(library, lfs=False)
    with HostileServer({"**": as_freesound, "search": as_freesound, "similar": as_freesound}) as server:
        words = ("--api-url", server.url, "--level", 99, "--library", library)
        if place.command == "refresh":
            assert call("harvest", *words, "--samples", 1, "--no-commit", cwd=place.folder).code == 0
            place.run(*words, "--older-than", "0s", given=given)
        else:
            place.run(*words, "--samples", 1, given=given)
    return int(_git(root, "rev-list", "--count", "HEAD"))


def files_of(place: Place, name: str = "tree") -> list[str]:
    """Return the names of the files that the last commit holds."""
    return _git(place.folder / name, "ls-tree", "-r", "--name-only", "HEAD").split()


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, env=environment(root), capture_output=True, text=True, check=True
    ).stdout
