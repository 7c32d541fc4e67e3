"""`harvester status`: the library and the running harvest on one screen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, age_text, plain_text, say, size_text

if TYPE_CHECKING:
    from harvester.graph import SoundGraph


DeferredOption = Annotated[
    bool, typer.Option("--deferred", help="Show the sounds that wait for another try: why, how often, until when.")
]


PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="DIR", help="Draw growth and coverage as PNG and SVG there.")
]


def status(
    library: LibraryOption = None,
    deferred: DeferredOption = False,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the library holds and what a running harvest does."""
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
    import orjson

    from harvester.cli.places import find_library
    from harvester.clock import SystemClock
    from harvester.library.view import load_view

    folder = find_library(library)
    now_us = SystemClock().time_us()
    view = load_view(folder)
    for line in view.notices:
        sys.stderr.write(line + "\n")
    if plot is not None:
        from harvester.library.atomic import disk_errors
        from harvester.views.plots import save_plots

        with disk_errors(plot, "pictures that were there before are whole"):
            written = save_plots(view.state, plot)
        say(f"{plot}: {len(written)} pictures")
        return
    if deferred:
        from harvester.views.status import list_deferred

        rows = list_deferred(view.state, view.deferrals, now_us)
        text = orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() if as_json else "\n".join(_deferred_lines(rows))
        sys.stdout.write(text + "\n")
        return
    facts = _facts(folder, view, now_us)
    if as_json:
        sys.stdout.write(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(facts, view.state, now_us)) + "\n")


def _deferred_lines(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["no sound is deferred"]
    lines = [f"{'sound':>10}  {'tries':>5}  {'next try':<20}  reason"]
    for row in rows:
        when = "due now" if row["due"] else row["next_try"]
        lines.append(f"{row['id']:>10}  {row['count']:>5}  {when:<20}  {plain_text(row['reason'])}")
    return lines


def _facts(folder: Path, view: Any, now_us: int) -> dict[str, Any]:
    from harvester.library.layout import CHECKPOINT
    from harvester.library.ledger import count_requests
    from harvester.library.lock import read_owner
    from harvester.library.status_file import load_status
    from harvester.views.status import count_library

    last_run = load_status(folder) or {}
    owner = read_owner(folder)
    requests_24h, quota_left = 0, last_run.get("quota_left")
    if last_run.get("durable_ledger"):
        requests_24h = count_requests(last_run["server"], last_run["key"], now_us)
        daily = last_run.get("daily_limit")
        quota_left = None if daily is None else max(0, daily - requests_24h)
    checkpoint = folder / CHECKPOINT
    return {
        "library": str(folder),
        **count_library(view.state, view.deferrals, now_us),
        "requests_24h": requests_24h,
        "quota_left": quota_left,
        "last_checkpoint_at": view.last_checkpoint_at,
        "size_bytes": checkpoint.stat().st_size if checkpoint.exists() else 0,
        "running": owner.pid if owner else None,
        "running_host": owner.host if owner else None,
        "run": last_run if owner else None,
    }


def _lines(facts: dict[str, Any], state: SoundGraph, now_us: int) -> list[str]:
    from harvester.cli.panel import waiting_text
    from harvester.library.git import size_notice
    from harvester.views.status import describe_content

    if not facts["nodes"]:
        return [f"{facts['library']}: no library yet; `make harvest` starts one"]
    quota = "" if facts["quota_left"] is None else f", {facts['quota_left']} left of today's quota"
    checkpoint = age_text(facts["last_checkpoint_at"], now_us)
    lines = [
        f"{facts['library']}   ({facts['source'] or 'source not known yet'})",
        f"  samples     {facts['processed']}",
        f"  sounds      {facts['nodes']}, {facts['edges']} edges",
        f"  frontier    {facts['frontier']} waiting, {facts['deferred']} deferred, {facts['gone']} gone",
        f"  requests    {facts['requests_24h']} in the last 24 h{quota}",
        f"  checkpoint  {checkpoint}, {size_text(facts['size_bytes'])}",
    ]
    if size_notice(facts["size_bytes"]):
        lines.append(f"              {size_notice(facts['size_bytes'])}")
    run = facts["run"]
    if facts["running"]:
        done = f": {run['samples']} samples so far, {run['requests']} requests" if run else ""
        lines.append(f"  running     pid {facts['running']} on {facts['running_host']}{done}")
        if run and run.get("waiting_for"):
            lines.append(f"              {waiting_text(run, now_us)}")
    lines.append("")
    for title, rows in describe_content(state).items():
        lines.append(f"  {title:<11} " + ", ".join(f"{plain_text(name)} {count}" for name, count in rows))
    return lines
