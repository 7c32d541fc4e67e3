"""`harvester status`: the library and the running harvest on one screen, once or again and again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, note, print_json, print_lines, say
from harvester.storage.opening import path_text

if TYPE_CHECKING:
    from harvester.library.reader import LibraryView


DeferredOption = Annotated[
    bool, typer.Option("--deferred", help="Show the sounds that wait for another try: why, how often, until when.")
]


PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="DIR", help="Draw growth and coverage as PNG and SVG there.")
]


WatchOption = Annotated[
    bool, typer.Option("--watch", help="Show it again and again until Ctrl-C; with --json a line each time.")
]


def status(
    library: LibraryOption = None,
    deferred: DeferredOption = False,
    plot: PlotOption = None,
    watch: WatchOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the library holds and what a running harvest does.

    The keys of --json are in the README, under "What status tells programs".
    """
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
    from harvester.cli.default_library import find_library
    from harvester.errors import SettingsError

    folder = find_library(library)
    if watch and (deferred or plot is not None):
        raise SettingsError("--watch shows the screen or its JSON; leave --deferred and --plot away")
    if watch:
        from harvester.cli.watch import watch_status

        watch_status(folder, as_json=as_json)
        return
    from harvester.clock import SystemClock
    from harvester.library.reader import load_view

    view, now_us = load_view(folder), SystemClock().time_us()
    for line in view.notices:
        note(line)
    if plot is not None:
        _draw_plots(view, plot)
    elif deferred:
        _show_deferred(view, now_us, as_json=as_json)
    else:
        facts = library_facts(view, now_us) | run_facts(folder, now_us)
        if as_json:
            print_json(facts)
        else:
            print_lines(*lines_for_stdout(facts, now_us))


def _draw_plots(view: LibraryView, plot: Path) -> None:
    from harvester.reports.plots import save_plots
    from harvester.storage.atomic import disk_errors

    with disk_errors(plot, "pictures that were there before are whole"):
        written = save_plots(view.state, plot)
    say(f"{plot}: {len(written)} pictures")


def _show_deferred(view: LibraryView, now_us: int, *, as_json: bool) -> None:
    from harvester.reports.status import list_deferred

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


def lines_for_stdout(facts: dict[str, Any], now_us: int) -> list[str]:
    """Return the screen for what stdout is: as wide as the terminal, and in letters that it can show."""
    import shutil

    from harvester.cli.status_screen import screen

    unicode = "utf" in (sys.stdout.encoding or "").lower()
    lines = screen(facts, now_us, width=shutil.get_terminal_size().columns, unicode=unicode)
    return lines if unicode else [line.encode("ascii", "backslashreplace").decode() for line in lines]


def library_facts(view: LibraryView, now_us: int) -> dict[str, Any]:
    """Return what a library holds, under the keys of `status --json`."""
    from harvester.library.backups import list_backups
    from harvester.reports.status import count_library, describe_content
    from harvester.storage.paths import CHECKPOINT
    from harvester.vectors.store import count_vectors

    checkpoint, backups = view.folder / CHECKPOINT, list_backups(view.folder)
    return {
        "library": path_text(view.folder),
        **count_library(view.state, view.deferrals, now_us),
        "last_checkpoint_at": view.last_checkpoint_at,
        "size_bytes": checkpoint.stat().st_size if checkpoint.exists() else 0,
        "unsaved": view.unsaved,
        "vectors": count_vectors(view.folder),
        "backups": {
            "count": len(backups),
            "newest_at": backups[0].taken_at if backups else None,
            "newest_nodes": backups[0].nodes if backups else None,
            "size_bytes": sum(one.size_bytes for one in backups),
        },
        **describe_content(view.state),
    }


def run_facts(folder: Path, now_us: int) -> dict[str, Any]:
    """Return what a running harvest says, and what was asked of the API, under the keys of `status --json`."""
    from harvester.cli.status_file import load_status
    from harvester.freesound.ledger import count_requests
    from harvester.storage.lock import read_owner

    last_run, owner = load_status(folder) or {}, read_owner(folder)
    requests_24h, quota_left = 0, last_run.get("quota_left")
    if last_run.get("durable_ledger"):
        requests_24h = count_requests(last_run["server"], last_run["key"], now_us)
        daily = last_run.get("daily_limit")
        quota_left = None if daily is None else max(0, daily - requests_24h)
    return {
        "requests_24h": requests_24h,
        "quota_left": quota_left,
        "running": owner.pid if owner else None,
        "running_host": owner.host if owner else None,
        "run": last_run if owner else None,
    }
