"""`harvester backups`, `restore`: list, remove and restore backups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.completion import complete_backup
from harvester.cli.consent import DryRunOption, YesOption, with_consent
from harvester.cli.console import (
    JsonOption,
    LibraryOption,
    age_text,
    check_name,
    print_json,
    print_lines,
    say,
    size_text,
)
from harvester.cli.options import bounded
from harvester.counts import counted, graph_size
from harvester.settings import COUNT
from harvester.storage import path_text

if TYPE_CHECKING:
    from harvester.actions import Backup, RestoreReport

backups_app = typer.Typer(help="List the library's backups, or remove old ones.")


@backups_app.command("list")
def list_all(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Load every backup to verify it, and list them."""
    from harvester import actions
    from harvester.clock import SystemClock

    folder = actions.find_library(library)
    now_us = SystemClock().time_us()
    reports = actions.list_backups(folder)
    if as_json:
        rows = [
            {
                "file": path_text(report.backup.path),
                "size_bytes": report.backup.size_bytes,
                "nodes": report.nodes,
                "edges": report.edges,
                "processed": report.processed,
                "taken_at": report.backup.taken_at,
                "verified": report.verified,
                "problem": path_text(report.problem) or None,
            }
            for report in reports
        ]
        print_json(rows)
        return
    if not reports:
        say(f"{folder}: no backups yet; a harvest writes one every 100 new sounds")
    for report in reports:
        problem = report.problem.removeprefix(f"{report.backup.path}: ")
        what = f"verified: {graph_size(report.nodes, report.edges)}" if report.verified else f"NOT VERIFIED: {problem}"
        size = size_text(report.backup.size_bytes)
        print_lines(f"{report.backup.path.name}  {size:>9}  {age_text(report.backup.taken_at, now_us):>14}  {what}")


@backups_app.command("prune")
def prune(
    library: LibraryOption = None,
    keep_backups: Annotated[int, bounded(COUNT, "Keep the newest N verified backups.")] = 5,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Remove old backups.

    The newest N verified backups are kept, and always the largest one. It asks on a terminal; a script needs --yes.
    """
    from harvester import actions

    folder = actions.find_library(library)

    def show(removed: tuple[Backup, ...]) -> None:
        for backup in removed:
            print_lines(f"removed {backup.path}")
        say(f"{folder}: {counted(len(removed), 'backup')} removed")

    with_consent(
        lambda dry: actions.prune_backups(folder, keep_backups=keep_backups, dry_run=dry),
        show,
        lambda removed: f"Remove {counted(len(removed), 'backup')} of {folder}?" if removed else "",
        dry_run=dry_run,
        yes=yes,
        final=True,
    )


def restore(
    backup: Annotated[
        str | None,
        typer.Argument(
            metavar="BACKUP",
            callback=check_name,
            autocompletion=complete_backup,
            help="The backup's name.",
            show_default="the largest verified one",
        ),
    ] = None,
    library: LibraryOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Restore the library from a backup.

    The present state is kept in quarantine/, from where `harvester merge` brings it back. It asks on a terminal.
    """
    from harvester import actions

    with_consent(
        lambda dry: actions.restore(backup, library=library, dry_run=dry),
        _show_restored,
        lambda report: f"Replace the present state by {report.target.name}?",
        dry_run=dry_run,
        yes=yes,
        final=False,
    )


def _show_restored(report: RestoreReport) -> None:
    for line in report.notices:
        say(line)
    held = graph_size(report.nodes, report.edges, report.processed)
    say(f"restored {report.target.name}: {held}")
    if report.set_aside is not None:
        say(f"the state before it is kept in {report.set_aside}")
