"""`harvester merge`: merge libraries, checkpoints and backups into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import LibraryOption, check_name, say

if TYPE_CHECKING:
    from harvester.actions import Contribution


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
) -> None:
    """Merge libraries, checkpoints or backups, in any order.

    A second merge changes nothing. The newer record wins. Of similar lists, the server's win over computed ones,
    unfiltered over filtered ones, then the larger, then the newer. A deleted sound stays deleted until a newer record
    comes; a withdrawn sound stays withdrawn. Without -o, everything is merged into the library. The inputs are not
    changed.
    """
    from harvester import actions

    report = actions.merge(inputs, output=output, library=library)
    for line in report.notices:
        say(line)
    for contribution in report.contributions:
        say(describe(contribution))
    if report.vectors:
        say(f"{report.vectors} vectors added")
    if report.computed:
        say(f"{report.computed} lists were computed from one input's vectors each; `harvester link` updates them")
    say(f"{report.target}: {report.nodes} sounds ({report.processed} processed), {report.edges} edges")


def describe(contribution: Contribution) -> str:
    """Return an input's contribution as a line, without counts of zero."""
    brought = [
        (contribution.new_nodes, "new sounds"),
        (contribution.new_edges, "new edges"),
        (contribution.new_records, "new records"),
        (contribution.new_lists, "new similar lists"),
        (contribution.newer_records, "newer records"),
        (contribution.newer_lists, "newer similar lists"),
        (contribution.conflicts, "conflicts decided"),
        (contribution.gone - contribution.withdrawn, "deleted"),
        (contribution.withdrawn, "withdrawn"),
    ]
    told = ", ".join(
        f"{count:+d} {what}" if what.startswith("new ") else f"{count} {what}" for count, what in brought if count
    )
    return f"{contribution.name} ({contribution.nodes} sounds, {contribution.edges} edges): {told or 'nothing new'}"
