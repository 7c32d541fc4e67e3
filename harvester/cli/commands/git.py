"""`harvester git-setup`, and the two commands that Git calls in a clone that is set up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.console import LibraryOption, note, print_lines, say
from harvester.errors import Findings, HarvesterError, SettingsError

CommitOption = Annotated[
    bool | None,
    typer.Option(
        "--commit/--no-commit", help="Commit the library to Git after the run.", show_default="on after git-setup"
    ),
]
CommitBackupsOption = Annotated[bool, typer.Option("--commit-backups", help="Commit the backups too.")]


def git_setup(
    library: LibraryOption = None,
    lfs: Annotated[bool, typer.Option("--lfs", help="Keep the library in Git LFS (required from 100 MB).")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the setup.")] = False,
) -> None:
    """Set up Git to merge libraries and to commit after a harvest.

    `git diff` then shows what changed. The setup writes .gitattributes and .gitignore in the library's folder and two
    sections of this clone's configuration. Run it once in each clone; a second run changes nothing.
    """
    from harvester.cli.default_library import find_library
    from harvester.gitsync import set_up_git, undo_git

    if lfs and undo:
        raise SettingsError("--lfs and --undo exclude each other; choose one")
    folder = find_library(library)
    for line in undo_git(folder) if undo else set_up_git(folder, lfs=lfs):
        say(line)


def git_merge(ours: str, theirs: str, path: str) -> None:
    """Merge two checkpoints for Git (its merge driver; `git-setup` registers it)."""
    from harvester.cli.commands.merge import describe
    from harvester.gitsync import merge_in_git

    notices: list[str] = []
    try:
        contribution = merge_in_git(Path(ours), Path(theirs), path, notices)
    except (HarvesterError, OSError) as error:
        raise Findings(
            f"{path}: left as a conflict: {error}. `git checkout --ours -- {path}` keeps one side, --theirs the other"
        ) from error
    for line in notices:
        note(f"{path}: {line}")
    say(f"{path}: merged, {describe(contribution)}")


def git_textconv(file: str) -> None:
    """Print a checkpoint as text for `git diff` (`git-setup` registers it)."""
    from harvester.gitsync import describe_for_git

    for line in describe_for_git(Path(file)):
        print_lines(line)


def commit_after(folder: Path, source: str, message: str, wanted: bool | None, *, with_backups: bool) -> None:
    """Commit the library after a harvest and print the result.

    `wanted` None: only if the user ran `git-setup` and the library is not a sandbox's.
    """
    from harvester.gitsync import commit_library, is_set_up

    if wanted is None:
        # Without the option, a sandbox's library and a clone without git-setup are skipped silently.
        wanted = not source.startswith("sandbox:") and is_set_up(folder)
    if not wanted:
        return
    made = commit_library(folder, message, source=source, with_backups=with_backups)
    if made.problem:
        note(made.problem)
    elif made.name:
        say(f"committed {made.name}: {made.message}")
