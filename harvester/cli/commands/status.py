"""`harvester status`: show the library and the running harvest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, note, print_json, print_lines, say


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
    from harvester import actions
    from harvester.errors import SettingsError

    if watch and (deferred or plot is not None):
        raise SettingsError("--watch shows the screen or its JSON; use it without --deferred and --plot")
    if watch:
        from harvester.cli.watch import watch_status

        watch_status(actions.StatusWatch(library), as_json=as_json)
    elif plot is not None:
        plots = actions.draw_plots(plot, library=library)
        note(*plots.notices)
        say(f"{plot}: {len(plots.paths)} pictures")
    elif deferred:
        waiting = actions.list_deferred(library)
        note(*waiting.notices)
        if as_json:
            print_json(list(waiting.sounds))
        else:
            print_lines(*_deferred_lines(waiting.sounds))
    else:
        from harvester.cli.status_screen import lines_for_stdout

        now = actions.status(library)
        note(*now.notices)
        if as_json:
            print_json(now.facts)
        else:
            print_lines(*lines_for_stdout(now.facts, now.at_us))


def _deferred_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["no sound is deferred"]
    lines = [f"{'sound':>10}  {'tries':>5}  {'next try':<20}  reason"]
    for row in rows:
        when = "due now" if row["due"] else row["next_try"]
        lines.append(f"{row['id']:>10}  {row['count']:>5}  {when:<20}  {row['reason']}")
    return lines
