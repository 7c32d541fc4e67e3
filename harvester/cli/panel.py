"""Draw the live panel of `harvest` from the figures of `run.describe`."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harvester.actions import IDLE
from harvester.cli.console import age_text, clock_text, done_text, duration_text, target_text, waiting_text
from harvester.cli.rich_text import one_line
from harvester.terminal_text import escape_line

SHOWN, SHOWN_IN_WAIT = 6, 3
"""How many busy fetchers have a line; in a wait there are other lines."""


def draw(run: dict[str, Any], *, title: str, events: list[str], width: int) -> Panel:
    """Return the panel of a moment; it fits 80×24 or up to 100 columns.

    Two columns stay free for the `^C` that a terminal echoes: on the next line it would move the panel.
    """
    now_us = run["updated_at"]
    target = run["target"]
    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(ratio=1)
    head.add_column(justify="right")
    eta = f", about {duration_text(run['eta_s'])} to go" if run["eta_s"] and run["samples"] else ""
    head.add_row(
        Text(done_text(run, " of "), style="bold"),
        Text(f"{run['samples_per_minute']:.0f} a minute{eta}"),
    )
    bar = ProgressBar(total=target or 1, completed=run["samples"] if target else 0, pulse=target is None)

    table = Table.grid(padding=(0, 2), expand=True)
    # Keep the left half's width while numbers grow: a table that moves is hard to read.
    for least, ratio in ((19, None), (None, 1)):
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True, min_width=least, ratio=ratio)
    quota = "no limit" if run["quota_left"] is None else f"{run['quota_left']:,} left"
    if run["quota_next_at"] is not None:
        quota += f", next {clock_text(run['quota_next_at'], now_us)}"
    table.add_row(
        "library",
        f"{run['processed']:,} processed",
        "requests",
        f"{run['requests']:,} this run, {run['requests_24h']:,} in 24 h",
    )
    table.add_row("sounds", f"{run['nodes']:,} (+{run['new_nodes']:,})", "quota", quota)
    table.add_row(
        "edges", f"{run['edges']:,} (+{run['new_edges']:,})", "checkpoint", age_text(run["last_checkpoint_at"], now_us)
    )
    table.add_row("frontier", f"{run['frontier']:,}", "backup", age_text(run["last_backup_at"], now_us))
    table.add_row("deferred", f"{run['deferred']:,}", "gone", f"{run['gone']:,}")

    doing = Table.grid(padding=(0, 2))
    doing.add_column(style="dim", no_wrap=True)
    doing.add_column(no_wrap=True, overflow="ellipsis")
    busy = [(int(number) + 1, what) for number, what in run["activity"].items() if what != IDLE]
    shown = SHOWN_IN_WAIT if run["waiting_for"] else SHOWN
    for number, what in busy[:shown]:
        doing.add_row(f"fetcher {number}", one_line(what))
    if len(busy) > shown:
        doing.add_row("", f"and {len(busy) - shown} more")
    if idle := len(run["activity"]) - len(busy):
        doing.add_row("fetchers", f"{idle} idle")

    parts: list[Any] = [head, bar, Text(), table]
    if run["activity"]:
        parts += [Text(), doing]
    if run["waiting_for"] and run["activity"]:  # at the end of a run nothing waits
        parts += [Text(), Text(escape_line(waiting_text(run, now_us)), style="yellow")]
        if done := target_text(run, now_us):
            parts.append(Text(f"{target:,} processed sounds about {done}", style="yellow"))
    if events:
        parts += [Text(), *(one_line(line, "dim") for line in events)]
    return Panel(Group(*parts), title=one_line(title), title_align="left", box=box.ROUNDED, width=min(width - 2, 100))
