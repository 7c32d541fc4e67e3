"""`harvester merge`: merge libraries, checkpoints and backups into one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.consent import DryRunOption, YesOption, with_consent
from harvester.cli.console import LibraryOption, check_name, say
from harvester.counts import counted, graph_size

if TYPE_CHECKING:
    from harvester.actions import Contribution, MergeReport


def _check_names(paths: list[str]) -> list[str]:
    """Return the paths; raise `SettingsError` for an empty one."""
    for path in paths:
        check_name(path)
    return paths


def merge(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="A [B…]",
            callback=_check_names,
            help="Library folders, checkpoints, or backups.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            callback=check_name,
            help="Write to this folder or .pkl file.",
            show_default="the library",
        ),
    ] = None,
    library: LibraryOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Merge libraries, checkpoints or backups, in any order.

    A second merge changes nothing. The newer record wins. Of similar lists, the server's win over computed ones,
    unfiltered over filtered ones, then the larger, then the newer. A deleted sound stays deleted until a newer record
    comes; a withdrawn sound stays withdrawn. Without -o, everything is merged into the library. The inputs are not
    changed. On a terminal it asks before it changes a library that is there; `harvester restore` goes back.
    """
    from harvester import actions

    # A checkpoint alone has no backup to go back to.
    file = Path(output) if output is not None and output.endswith(".pkl") else None

    def question(report: MergeReport) -> str:
        changes = any(map(_changes, report.contributions)) or report.vectors
        there = report.before is not None or (file is not None and file.exists())
        return f"Merge this into {report.target}?" if changes and there else ""

    with_consent(
        lambda dry: actions.merge(inputs, output=output, library=library, dry_run=dry),
        _show,
        question,
        dry_run=dry_run,
        yes=yes,
        final=file is not None and file.exists(),
    )


def _show(report: MergeReport) -> None:
    for line in report.notices:
        say(line)
    for contribution in report.contributions:
        say(describe(contribution))
    if report.vectors:
        say(f"{counted(report.vectors, 'vector')} added")
    if report.computed:
        were = counted(report.computed, "list was", "lists were")
        say(f"{were} computed from one input's vectors each; `harvester link` updates them")
    say(f"{report.target}: {graph_size(report.nodes, report.edges, report.processed)}")
    if report.before is not None:
        say(f"`harvester restore {report.before.name}` goes back to the state before")


def describe(contribution: Contribution) -> str:
    """Return an input's contribution as a line, without counts of zero."""
    told = ", ".join(
        ("+" if one.startswith("new ") else "") + counted(count, one, many)
        for count, one, many in _brought(contribution)
        if count
    )
    return f"{contribution.name} ({graph_size(contribution.nodes, contribution.edges)}): {told or 'nothing new'}"


def _changes(contribution: Contribution) -> bool:
    return any(count for count, _, _ in _brought(contribution))


def _brought(contribution: Contribution) -> list[tuple[int, str, str]]:
    return [
        (contribution.new_nodes, "new sound", "new sounds"),
        (contribution.new_edges, "new edge", "new edges"),
        (contribution.new_records, "new record", "new records"),
        (contribution.new_lists, "new similar list", "new similar lists"),
        (contribution.newer_records, "newer record", "newer records"),
        (contribution.newer_lists, "newer similar list", "newer similar lists"),
        (contribution.conflicts, "conflict decided", "conflicts decided"),
        (contribution.gone - contribution.withdrawn, "deleted", "deleted"),
        (contribution.withdrawn, "withdrawn", "withdrawn"),
    ]
