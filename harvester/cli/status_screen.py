"""Lay out the screen of `harvester status`, 80×24 or wider.

Owns the chart of growth and the bars. Plain text without colours; only ASCII if the terminal cannot
show more.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping
from datetime import date
from typing import Any

from harvester.cli.console import age_text, size_text, target_text, waiting_text
from harvester.counts import counted, graph_size
from harvester.terminal_text import escape_line

WIDTHS = (60, 120)
ROOM = 24
ROWS = 5
_MOST_KINDS = 4
LEAST_DAYS = 14
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_COARSE = "  ...:::#"
_INDENT = " " * 14


def lines_for_stdout(facts: Mapping[str, Any], now_us: int) -> list[str]:
    """Return the screen as lines that fit the terminal and its encoding."""
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    lines = screen(facts, now_us, width=shutil.get_terminal_size().columns, unicode=unicode)
    return lines if unicode else [line.encode("ascii", "backslashreplace").decode() for line in lines]


def screen(facts: Mapping[str, Any], now_us: int, *, width: int = 80, unicode: bool = True) -> list[str]:
    """Return the lines for the facts of `status --json`."""
    width = max(WIDTHS[0], min(width, WIDTHS[1]))
    if not facts["nodes"]:
        # One that `harvester init` made knows its source before its first sound.
        there = "a library without a sound" if facts["source"] else "no library yet"
        doing = "fills it" if facts["source"] else "starts one"
        return [f"{escape_line(facts['library'])}: {there}; `harvester harvest` {doing}"]
    lines = [
        f"{escape_line(facts['library'])}   ({escape_line(facts['source'] or 'source not known yet')})",
        *_state(facts, now_us, width),
        *_running(facts, now_us, width),
        "",
        *_growth(facts["growth"], width, unicode=unicode),
        "",
        *_bars(facts, width, unicode=unicode),
    ]
    lines += [_most(name, facts[name], width) for name in ("tags", "users")][: max(0, ROOM - len(lines))]
    return [line if len(line) <= width else line[: width - 1] + ("…" if unicode else "~") for line in lines]


def _state(facts: Mapping[str, Any], now_us: int, width: int) -> list[str]:
    from harvester.actions import size_notice

    quota = "" if facts["quota_left"] is None else f", {facts['quota_left']:,} left of today's quota"
    sent = facts["requests_24h"]
    requests = [] if sent is None else [f"  requests    {sent:,} in the last 24 h{quota}"]
    checkpoint = f"{age_text(facts['last_checkpoint_at'], now_us)}, {size_text(facts['size_bytes'])}"
    if facts["unsaved"]:
        checkpoint += f", and {counted(facts['unsaved'], 'event')} after it in the journal"
    backups = facts["backups"]
    kept = "none yet; one is taken every 100 new sounds"
    if backups["count"]:
        newest = f"the newest {age_text(backups['newest_at'], now_us)} with {counted(backups['newest_nodes'], 'sound')}"
        kept = f"{backups['count']}, {newest}, {size_text(backups['size_bytes'])} in all"
    oldest = facts["oldest_record"]
    lines = [
        f"  processed   {facts['processed']:,} of {graph_size(facts['nodes'], facts['edges'])}",
        f"  frontier    {facts['frontier']:,} waiting, {facts['deferred']:,} deferred, {facts['gone']:,} gone",
        *requests,
        f"  checkpoint  {checkpoint}",
        f"  backups     {kept}",
    ]
    if facts["vectors"] or facts["computed_lists"]:
        made_here = f"{facts['computed_lists']:,} of them computed here"
        lines.insert(1, f"  lists       {facts['lists']:,}, {made_here}; {counted(facts['vectors'], 'vector')}")
    if facts["hidden_edges"] or any(kind != "similar" for kind in facts["edge_kinds"]):
        lines[1:1] = _wrapped("edges", _edges(facts["edge_kinds"], facts["hidden_edges"]), width)
    if oldest:
        lines.append(f"  oldest      record fetched {age_text(oldest['fetched_at'], now_us)}: sound {oldest['id']}")
    if size_notice(facts["size_bytes"]):
        lines += _wrapped("large", size_notice(facts["size_bytes"]), width)
    return lines


def _edges(kinds: Mapping[str, int], hidden: int) -> str:
    told = [f"{count:,} {escape_line(kind)}" for kind, count in kinds.items()]
    more = [f"and {len(told) - _MOST_KINDS:,} more kinds"] if len(told) > _MOST_KINDS else []
    gone = [f"{hidden:,} of sounds that are gone"] if hidden else []
    return ", ".join([*told[:_MOST_KINDS], *more, *gone])


def _running(facts: Mapping[str, Any], now_us: int, width: int) -> list[str]:
    run = facts["run"]
    if not facts["running"]:
        return []
    who = f"  running     pid {facts['running']} on {escape_line(facts['running_host'])}"
    if not run:
        return [who]
    goal = f" of {run['target']:,}" if run.get("target") is not None else ""
    lines = [f"{who}: {run['samples']:,}{goal} processed, {counted(run['requests'], 'request')}"]
    if run.get("waiting_for"):
        done = target_text(run, now_us)
        waits = waiting_text(run, now_us).removeprefix("waiting: ") + (f"; done about {done}" if done else "")
        lines += _wrapped("waiting", escape_line(waits), width)
    return lines


def _wrapped(name: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=f"  {name:<12}", subsequent_indent=_INDENT)


def _growth(growth: list[dict[str, Any]], width: int, *, unicode: bool) -> list[str]:
    """Return two rows of bars, each for as many days as the width needs."""
    if not growth:
        return []
    found = {date.fromisoformat(row["day"]).toordinal(): row["sounds"] for row in growth}
    last, room = max(found), width - len(_INDENT)
    days = max(last - min(found) + 1, LEAST_DAYS)
    a_bar = -(-days // room)
    wide = max(1, min(4, room // -(-days // a_bar)))
    bars = [0] * -(-days // a_bar)
    for day, sounds in found.items():
        bars[-1 - (last - day) // a_bar] += sounds
    most = max(bars)
    what = "a day" if a_bar == 1 else f"in {a_bar} days"
    best = max(found, key=lambda day: (found[day], day))
    first_day, last_day = date.fromordinal(last - a_bar * len(bars) + 1), date.fromordinal(last)
    eighths = [-(-one * 16 // most) for one in bars]
    marks = _EIGHTHS if unicode else _COARSE
    upper, lower = ("".join(marks[max(0, min(8, one - less))] * wide for one in eighths) for less in (8, 0))
    return [
        f"  growth      new sounds {what}; the best day was {date.fromordinal(best)} with {found[best]:,}",
        (_INDENT + upper).rstrip(),
        _INDENT + lower,
        f"{_INDENT}{first_day} {('─' if unicode else '-') * (len(bars) * wide - 22)} {last_day}",
    ]


def _bars(facts: Mapping[str, Any], width: int, *, unicode: bool) -> list[str]:
    """Return licenses and categories side by side."""
    half = (width - 4) // 2
    titles = {"licenses": facts["licenses"], "categories": facts["categories"]}
    columns = [_bar_column(title, counts, half, unicode=unicode) for title, counts in titles.items()]
    rows = max(map(len, columns))
    left, right = (column + [""] * (rows - len(column)) for column in columns)
    return [f"  {one:<{half}}  {other}".rstrip() for one, other in zip(left, right, strict=True)]


def _bar_column(name: str, counts: dict[str, int], width: int, *, unicode: bool) -> list[str]:
    lines = [name]
    most = max(counts.values(), default=1)
    room = width - 20 - 8
    for label, number in list(counts.items())[:ROWS]:
        shown = escape_line(label)
        shown = shown if len(shown) <= 19 else shown[:18] + ("…" if unicode else "~")
        bar = ("█" if unicode else "#") * max(1, round(room * number / most))
        lines.append(f"{shown:<19} {bar:<{room}}{number:>7,}")
    return lines


def _most(name: str, counts: dict[str, int], width: int) -> str:
    """Return the most frequent labels in one line, as many as fit."""
    line = f"  {name:<12}"
    for place, (label, number) in enumerate(counts.items()):
        piece = f"{', ' if place else ''}{escape_line(label)} {number:,}"
        if len(line) + len(piece) > width:
            break
        line += piece
    return line
