"""`harvester status`: show the library and the running harvest on one screen, once or repeatedly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, print_json, print_lines, say

if TYPE_CHECKING:
    from harvester.library import LibraryView


def status(
    library: LibraryOption = None,
    deferred: Annotated[
        bool, typer.Option("--deferred", help="Show the deferred sounds: reason, tries, next try.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Draw growth and coverage as PNG and SVG in DIR.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh the screen until Ctrl-C; with --json, print one line each time.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the library holds and what a running harvest does.

    `harvester guide status` lists the keys of --json.
    """
    from harvester.cli.default_library import find_library, open_view
    from harvester.errors import SettingsError

    if watch and (deferred or plot is not None):
        raise SettingsError("--watch shows the screen or its JSON; use it without --deferred and --plot")
    if watch:
        from harvester.cli.watch import watch_status

        watch_status(find_library(library), as_json=as_json)
        return
    from harvester.clock import SystemClock

    view, now_us = open_view(library), SystemClock().time_us()
    if plot is not None:
        _draw_plots(view, plot)
    elif deferred:
        _show_deferred(view, now_us, as_json=as_json)
    else:
        from harvester.cli.status_facts import library_facts, lines_for_stdout, run_facts

        facts = library_facts(view, now_us) | run_facts(view.folder, now_us)
        if as_json:
            print_json(facts)
        else:
            print_lines(*lines_for_stdout(facts, now_us))


def _draw_plots(view: LibraryView, plot: Path) -> None:
    from harvester.reports import save_plots
    from harvester.storage import disk_errors

    with disk_errors(plot, "earlier pictures are whole"):
        written = save_plots(view.state, plot)
    say(f"{plot}: {len(written)} pictures")


def _show_deferred(view: LibraryView, now_us: int, *, as_json: bool) -> None:
    from harvester.reports import list_deferred

    rows = list_deferred(view.state, view.deferrals, now_us)
    if as_json:
        print_json(rows)
    else:
        print_lines(*_deferred_lines(rows))


def _deferred_lines(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["no sound is deferred"]
    lines = [f"{'sound':>10}  {'tries':>5}  {'next try':<20}  reason"]
    for row in rows:
        when = "due now" if row["due"] else row["next_try"]
        lines.append(f"{row['id']:>10}  {row['count']:>5}  {when:<20}  {row['reason']}")
    return lines
