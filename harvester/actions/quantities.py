"""Quantities as people read them: durations, moments, sizes, waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from harvester.clock import SECOND_US
from harvester.counts import counted


def duration_text(seconds: float) -> str:
    """Return seconds as `45 s`, `12 min`, `3 h 20 min` or `2 d 4 h`."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3_600 % 24, seconds // 86_400
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def age_text(stamp_us: int | None, now_us: int) -> str:
    """Return the time since a stamp, such as `3 h 20 min ago`, or `never`."""
    return "never" if stamp_us is None else f"{duration_text((now_us - stamp_us) / SECOND_US)} ago"


def clock_text(stamp_us: int, now_us: int) -> str:
    """Return a local time: `21:13 CET`, `Mon 21:13 CET` or with its date."""
    then, now = (datetime.fromtimestamp(stamp // SECOND_US).astimezone() for stamp in (stamp_us, now_us))
    days = abs((then.date() - now.date()).days)
    return then.strftime("%H:%M %Z" if days == 0 else "%a %H:%M %Z" if days < 7 else "%Y-%m-%d %H:%M %Z")


def size_text(size_bytes: float) -> str:
    """Return a size in decimal units: `940 B`, `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError


def target_text(run: Mapping[str, Any], now_us: int) -> str:
    """Return when the target will be reached: a local time, or no text."""
    if run.get("eta_s") is None or run.get("target") is None:
        return ""
    return clock_text(now_us + round(run["eta_s"] * SECOND_US), now_us)


def done_text(run: Mapping[str, Any], of: str) -> str:
    """Return what a run did so far; `of` joins it with its target."""
    if run["rereads"]:
        return f"{counted(run['renewed'], 'record')} and {counted(run['relisted'], 'list')} refreshed this run"
    goal = f"{of}{run['target']:,}" if run["target"] is not None else ""
    return f"{run['samples']:,}{goal} processed this run"


def waiting_text(run: Mapping[str, Any], now_us: int) -> str:
    """Return why the harvest waits, and until when."""
    until_us = run.get("waiting_until")
    if until_us is None:
        return f"waiting: {run['waiting_for']}"
    left = duration_text((until_us - now_us) / SECOND_US)
    # For less than a minute, the clock time is of no use.
    until = (
        f" until {clock_text(until_us, now_us)}, {left} more"
        if until_us - now_us > 60 * SECOND_US
        else f", {left} more"
    )
    return f"waiting: {run['waiting_for']}{until}"
