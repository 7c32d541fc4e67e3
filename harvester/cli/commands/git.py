"""`harvester init`, `git-setup`, and the two commands that Git calls."""

from __future__ import annotations

from typing import Annotated

import typer

from harvester.cli.consent import DryRunOption
from harvester.cli.console import LibraryOption, check_name, note, print_lines, say


def git_setup(
    library: LibraryOption = None,
    lfs: Annotated[bool, typer.Option("--lfs", help="Keep the library in Git LFS (required from 100 MB).")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the setup.")] = False,
) -> None:
    """Set up Git to merge libraries and to commit after a harvest.

    `git diff` then shows what changed. The setup writes .gitattributes and .gitignore in the library's folder and two
    sections of this clone's configuration. Run it once in each clone; a second run changes nothing.
    """
    from harvester import actions

    for line in actions.git_setup(library, lfs=lfs, undo=undo):
        say(line)


def init(
    folder: Annotated[str, typer.Argument(metavar="DIR", callback=check_name, help="The folder of the repository.")],
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Make a rehearsal: it takes made-up sounds only.")] = False,
    lfs: Annotated[bool, typer.Option("--lfs", help="Keep the library in Git LFS (required from 100 MB).")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Make a Git repository with a library of its own.

    It has a README, workflows that harvest every night on GitHub, and a first commit. In an existing folder, what is
    missing is added, and nothing is overwritten. Run commands in DIR afterwards: they find the library.
    """
    from harvester import actions

    report = actions.init_repository(folder, sandbox=sandbox, lfs=lfs, dry_run=dry_run)
    for line in report.done:
        say(line)
    if report.commit:
        key = "" if sandbox else "put FREESOUND_API_KEY=… into .env, "
        say(f"next: cd {report.repository}, {key}harvester harvest")
        say("to share it: git remote add origin URL, git push -u origin HEAD")


def git_merge(ours: str, theirs: str, path: str) -> None:
    """Merge two checkpoints for Git, as the driver of `git-setup`."""
    from harvester import actions
    from harvester.cli.commands.merge import describe

    report = actions.git_merge(ours, theirs, path)
    for line in report.notices:
        note(f"{path}: {line}")
    say(f"{path}: merged, {describe(report.contribution)}")


def git_textconv(file: str) -> None:
    """Print a checkpoint as text for `git diff` (`git-setup` registers it)."""
    from harvester import actions

    for line in actions.git_textconv(file):
        print_lines(line)
