"""Commit the library to Git after a run."""

from __future__ import annotations

from pathlib import Path

from harvester.cli.console import note, say, say_more


def commit_after(folder: Path, source: str, message: str, wanted: bool | None, *, with_backups: bool) -> None:
    """Commit the library after a run and print the result.

    `wanted` None: only if the user ran `git-setup` in this clone. Prints why there is no commit; outside a repository
    only with `-v`.
    """
    from harvester import actions

    made = actions.commit_library(folder, message=message, source=source, commit=wanted, commit_backups=with_backups)
    if made.problem:
        note(made.problem)
    elif made.name:
        say(f"committed {made.name}: {made.message}")
    elif made.reason:
        (say if made.expected else say_more)(made.reason)
