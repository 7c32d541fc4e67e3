"""Read dates in filters: instants, prefixes like `2016-02`, `NOW+1DAY`.

A date stands for a period of seconds. A text that is no date raises `ValueError` with the index's message.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Period = tuple[int, int]
"""A period [start, end) in seconds since 1970, UTC."""

_PREFIX = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.\d+)?)?)?)?)?)?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_MATHS = re.compile(r"([+-])(\d+)(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?|/(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?")
_SECONDS = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def read_date(text: str, now_s: int) -> Period:
    """Return the period of a date in a filter; one second with date maths."""
    if text.startswith("NOW"):
        return _calculated(now_s, text[3:], text)
    if "Z" in text:
        instant = _INSTANT.match(text)
        if instant is None:
            raise ValueError(f"Invalid Date String:'{text}'")
        start, _ = _period(instant[0].rstrip("Z"))
        return _calculated(start, text[instant.end() :], text)
    return _period(text)


@lru_cache(maxsize=8_192)  # a search for a window of time parses this field of every sound
def read_created(text: str) -> int:
    """Return a record's upload time in seconds UTC, 0 if it is no date."""
    try:
        return _period(text.removesuffix("Z"))[0]
    except ValueError:
        return 0


def _calculated(start_s: int, maths: str, text: str) -> Period:
    moment, at = datetime.fromtimestamp(start_s, UTC), 0
    while at < len(maths):
        step = _MATHS.match(maths, at)
        if step is None:
            raise ValueError(f"Invalid Date in Date Math String:'{text}'")
        moment = _floor(moment, step[4]) if step[4] else _add(moment, int(step[1] + step[2]), step[3])
        at = step.end()
    start = int(moment.timestamp())
    return start, start + 1


def _period(text: str) -> Period:
    match = _PREFIX.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid Date String:'{text}'")
    parts = [int(part) for part in match.groups() if part is not None]
    try:
        start = datetime(*([*parts, 1, 1][:3] if len(parts) < 3 else parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise ValueError(f"Invalid Date String:'{text}'") from None
    return int(start.timestamp()), int(_add(start, 1, _UNITS[len(parts) - 1]).timestamp())


def _add(moment: datetime, count: int, unit: str) -> datetime:
    try:
        if unit in _SECONDS:
            return moment + timedelta(seconds=count * _SECONDS[unit])
        months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "YEAR" else 1)
        year, month = divmod(months, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)
    except (OverflowError, ValueError, calendar.IllegalMonthError):
        raise ValueError("Invalid Date: out of range") from None


def _floor(moment: datetime, unit: str) -> datetime:
    kept = _UNITS.index(unit) + 1
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return datetime(*(parts[:kept] + (1, 1, 1, 0, 0, 0)[kept:]), tzinfo=UTC)  # type: ignore[misc,arg-type]
