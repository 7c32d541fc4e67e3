"""Check the values of keyword arguments; an error names the keyword.

A keyword has the name of the command line's option. A value may be plain Python or, for a duration, the option's text.
Whole numbers may be integers of NumPy.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from operator import index
from typing import SupportsIndex

from harvester.errors import SettingsError
from harvester.model import check_sound_id
from harvester.settings import DURATION_S, JOBS, Bounds, parse_duration_s

StrPath = str | os.PathLike[str]
Texts = str | Iterable[str]
"""One text or several."""
Ids = SupportsIndex | Iterable[SupportsIndex]
"""One sound's id or several."""
Duration = str | float
"""Seconds, or a text such as `10s`, `5m`, `1h30m` or `30d`."""


def read_whole(keyword: str, value: SupportsIndex, bounds: Bounds) -> int:
    """Return a whole number; raise `SettingsError` unless it is one within `bounds`."""
    found = index(value) if isinstance(value, SupportsIndex) and type(value) is not bool else None
    if found is None:
        raise SettingsError(f"{keyword} must be a whole number, not {ascii(value)[:40]}")
    _check(keyword, found, bounds)
    return found


def read_number(keyword: str, value: float, bounds: Bounds) -> float:
    """Return a number; raise `SettingsError` unless it is within `bounds`."""
    _check(keyword, value, bounds)
    return float(value)


def read_seconds(keyword: str, value: Duration) -> float:
    """Return a duration in seconds; raise `SettingsError` for another text and for more than a hundred years."""
    if isinstance(value, str):
        try:
            return parse_duration_s(value)
        except SettingsError as error:
            raise SettingsError(f"{keyword}: {error}") from None
    return read_number(keyword, value, DURATION_S)


def read_texts(keyword: str, value: Texts | None) -> tuple[str, ...]:
    """Return one text or several as a tuple; None gives an empty one."""
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    texts = tuple(value)
    for text in texts:
        if not isinstance(text, str):
            raise SettingsError(f"{keyword} must be a text or several, not {ascii(text)[:40]}")
    return texts


def read_ids(keyword: str, value: Ids | None) -> tuple[int, ...]:
    """Return one id or several as a tuple; raise `SettingsError` for a value that is no sound's id."""
    several = () if value is None else value if isinstance(value, Iterable) else (value,)
    try:
        return tuple(map(check_sound_id, several))
    except ValueError as error:
        raise SettingsError(f"{keyword}: {error}") from None


def read_one_of(keyword: str, value: str, allowed: Iterable[str]) -> str:
    """Return a name; raise `SettingsError` unless `allowed` has it."""
    names = tuple(allowed)
    if value not in names:
        raise SettingsError(f"{keyword} {ascii(value)[:40]} is not known; choose from {', '.join(names)}")
    return value


def read_jobs(keyword: str, value: SupportsIndex) -> int:
    """Return the number of jobs, for -1 the number of cores; raise `SettingsError` for 0 and beyond the bounds."""
    from harvester.jobs import count_jobs

    jobs = read_whole(keyword, value, JOBS)
    if jobs == 0:
        raise SettingsError(f"{keyword} must not be 0; use 1 or more, or -1 for all cores")
    return count_jobs(jobs)


def _check(keyword: str, value: float, bounds: Bounds) -> None:
    try:
        bounds.check(keyword, value)
    except ValueError as error:
        raise SettingsError(str(error)) from None
