"""`harvester status`: show the library and the running harvest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, note, print_json, print_lines, say
from harvester.cli.options import check_some_duration


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
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 0 if the library is fresh, with 1 if it is stale.")
    ] = False,
    max_age: Annotated[
        str, typer.Option(callback=check_some_duration, metavar="2d", help="Call newer data fresh.")
    ] = "26h",
    as_json: JsonOption = False,
) -> None:
    """Show what the library holds and what a running harvest does.

    `harvester guide status` lists the keys of --json, and says what fresh means.
    """
    from harvester import actions
    from harvester.errors import Findings, SettingsError

    if watch and (deferred or plot is not None):
        raise SettingsError("--watch shows the screen or its JSON; use it without --deferred and --plot")
    if exit_code and (watch or deferred or plot is not None):
        raise SettingsError("--exit-code judges the library once; use it without --watch, --deferred and --plot")
    if watch:
        from harvester.cli.watch import watch_status

        watch_status(actions.StatusWatch(library, max_age=max_age), as_json=as_json)
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

        now = actions.status(library, max_age=max_age)
        note(*now.notices)
        if as_json:
            print_json(now.facts)
        else:
            print_lines(*lines_for_stdout(now.facts, now.at_us))
        if exit_code and not now.facts["freshness"]["fresh"]:
            raise Findings(f"{now.facts['library']} is stale: {now.facts['freshness']['why']}")


def _deferred_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["no sound is deferred"]
    lines = [f"{'sound':>10}  {'tries':>5}  {'next try':<20}  reason"]
    for row in rows:
        when = "due now" if row["due"] else row["next_try"]
        lines.append(f"{row['id']:>10}  {row['count']:>5}  {when:<20}  {row['reason']}")
    return lines
