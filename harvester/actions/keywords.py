"""Types of keyword arguments, and checks that few functions need.

A check names the option as the command line does; `naming_keywords` turns it into the keyword that a program typed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, SupportsIndex, TypeVar

from harvester.actions.options import check_whole, keywords_named
from harvester.errors import SettingsError
from harvester.jobs import count_jobs
from harvester.settings import JOBS, Bounds

StrPath = str | os.PathLike[str]
Texts = str | Iterable[str]
"""One text or several."""
Ids = SupportsIndex | Iterable[SupportsIndex]
"""One sound's id or several; an id may be an integer of NumPy."""
Duration = str | float
"""Seconds, or a text such as `10s`, `5m`, `1h30m` or `30d`."""

P = ParamSpec("P")
T = TypeVar("T")


def naming_keywords(action: Callable[P, T]) -> Callable[P, T]:
    """Return `action` with its keywords, not the options, in the errors."""

    @wraps(action)
    def named(*given: P.args, **keywords: P.kwargs) -> T:
        with keywords_named(action):
            return action(*given, **keywords)

    return named


def check_number(option: str, value: float, bounds: Bounds) -> float:
    """Return a number; raise `SettingsError` unless it is within bounds."""
    try:
        bounds.check(option, value)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return float(value)


def check_jobs(option: str, value: int) -> int:
    """Return the number of jobs, for -1 the number of cores.

    Raises `SettingsError` for 0 and beyond the bounds.
    """
    jobs = check_whole(option, value, JOBS)
    if jobs == 0:
        raise SettingsError(f"{option} must not be 0; use 1 or more, or -1 for all cores")
    return count_jobs(jobs)
