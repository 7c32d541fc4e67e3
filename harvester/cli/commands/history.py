"""`harvester history`: list the runs of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import JsonOption, LibraryOption, duration_text, note, print_json, print_lines, say
from harvester.cli.options import bounded, check_some_duration
from harvester.counts import counted
from harvester.settings import COUNT

if TYPE_CHECKING:
    from harvester.actions import PastRun


def history(
    library: LibraryOption = None,
    last: Annotated[int | None, bounded(COUNT, "Show the newest N runs.", show_default="all")] = None,
    since: Annotated[
        str | None,
        typer.Option(callback=check_some_duration, metavar="7d", help="Show the runs that ended within this time."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs of the library: when, how they ended, cost.

    The history is in history.jsonl beside the library. `harvester merge` and Git join the histories of several people.
    """
    from harvester import actions

    report = actions.history(library, last=last, since=since)
    note(*report.notices)
    if as_json:
        print_json([run.as_dict() for run in report.runs])
    elif report.runs:
        print_lines(*map(_line, report.runs))
    else:
        say("no run is in the history")


def _line(run: PastRun) -> str:
    from harvester.clock import local

    counts = [
        (run.processed, "processed"), (run.sounds, "sounds"), (run.renewed, "renewed"), (run.gone, "deleted"),
        (run.deferred, "deferred"),
    ]  # fmt: skip
    grown = [f"+{count:,} {what}" for count, what in counts[:2]] + [f"{n:,} {what}" for n, what in counts[2:] if n]
    refusals = [(run.refused, "for a limit"), (run.denied, "for the key")]
    refused = [f"{count:,} refused {why}" for count, why in refusals if count]
    cost = ", ".join([counted(run.requests, "request"), *refused])
    what = f"{local(run.started_at)}  {duration_text(run.seconds):>10}  {run.command:<7}"
    return f"{what}  {', '.join(grown)}; {cost}: {run.end}"
