"""`harvester forget`: withdraw sounds, and name the copies that stay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.completion import complete_user
from harvester.cli.consent import DryRunOption, YesOption, with_consent
from harvester.cli.console import LibraryOption, note, say
from harvester.cli.options import check_ids
from harvester.counts import counted

if TYPE_CHECKING:
    from harvester.actions import ForgetReport


def forget(
    sound_ids: Annotated[
        list[int] | None,
        typer.Argument(callback=check_ids, metavar="ID…", help="The sounds to withdraw.", show_default=False),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="NAME", autocompletion=complete_user, help="Withdraw all sounds by this user."),
    ] = None,
    library: LibraryOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Withdraw sounds permanently.

    Their texts and links are deleted, and no merge or harvest restores them. The id stays as withdrawn, with its
    numbers and its place in the graph; exports leave the sound out. It asks on a terminal; a script needs --yes.
    """
    from harvester import actions

    folder = actions.find_library(library)

    def question(report: ForgetReport) -> str:
        count = len(report.forgotten) + len(report.unknown)
        return f"Withdraw {counted(count, 'sound')} of {folder} permanently?" if count else ""

    with_consent(
        lambda dry: actions.forget(sound_ids or (), user=user, library=folder, dry_run=dry),
        lambda report: _show(report, folder, user),
        question,
        dry_run=dry_run,
        yes=yes,
        final=True,
    )


def _show(report: ForgetReport, folder: Path, user: str | None) -> None:
    for line in report.notices:
        say(line)
    forgotten = len(report.forgotten)
    say(f"{folder}: {counted(forgotten, 'sound')} withdrawn, {len(report.before)} before")
    if report.previews:
        count = len(report.previews)
        say(f"{counted(count, 'fetched preview')} removed from {report.previews[0].parent}")
    if report.unknown:
        note(f"not in the library, and blocked from now on: {' '.join(map(str, report.unknown))}")
    if report.still_in:
        note("older copies on this machine still hold the texts; delete them when you no longer need them:")
        for path in report.still_in:
            note(f"  {path}")
    if user is not None:
        note(f"only the sounds that are in the library now were withdrawn: a later harvest may add others by {user}")
    if report.in_git:
        note(
            "Git: commit and push this, and everyone's next pull applies it. Earlier commits still hold the texts: to "
            "remove them, run `git filter-repo --path-glob '*.pkl' --invert-paths` and commit the library again; "
            "then everyone must clone again"
        )
