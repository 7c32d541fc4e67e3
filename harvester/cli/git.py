"""`harvester git-setup`, and the two commands that Git itself calls once a clone is set up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.console import LibraryOption, note, say
from harvester.errors import Findings, HarvesterError, SettingsError


def git_setup(
    library: LibraryOption = None,
    lfs: Annotated[bool, typer.Option("--lfs", help="Keep the library in Git LFS (from 100 MB on: needed).")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what git-setup did.")] = False,
) -> None:
    """Let Git join libraries that grew apart, show what changed, and commit after each harvest.

    Writes .gitattributes and .gitignore in the library's folder and two sections of this clone's own configuration.
    Each clone runs it once; running it again changes nothing.
    """
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
    from harvester.cli.places import find_library
    from harvester.library import git_setup as setup

    if lfs and undo:
        raise SettingsError("--lfs and --undo together say nothing: choose one")
    folder = find_library(library)
    for line in setup.undo(folder) if undo else setup.set_up(folder, lfs=lfs):
        say(line)


def git_merge(ours: str, theirs: str, path: str) -> None:
    """Join two checkpoints for Git (its merge driver; `git-setup` registers it)."""
    from harvester.cli.merge import describe
    from harvester.library.git_driver import merge_in_git

    try:
        contribution = merge_in_git(Path(ours), Path(theirs), path)
    except (HarvesterError, OSError) as error:
        raise Findings(
            f"{path}: left as a conflict: {error}. `git checkout --ours -- {path}` keeps one side, --theirs the other"
        ) from error
    say(f"{path}: joined, {describe(contribution)}")


def git_textconv(file: str) -> None:
    """Print a checkpoint as text for `git diff` (`git-setup` registers it)."""
    from harvester.library.git_driver import describe_for_git

    for line in describe_for_git(Path(file)):
        sys.stdout.write(line + "\n")


def report_commit(name: str, message: str, problem: str) -> None:
    """Say what a commit after a harvest came to."""
    if problem:
        note(problem)
    elif name:
        say(f"committed {name}: {message}")
