"""Types of keyword arguments, and checks that few functions need.

A check names the option as the command line does; `naming_keywords` turns it into the keyword that a program typed.
Keywords that several functions share are a `TypedDict`: a function takes them as `**name: Unpack[…]`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, Signature, signature
from types import SimpleNamespace
from typing import Any, ParamSpec, SupportsIndex, TypeVar, get_args, get_type_hints

from harvester.actions.options import check_whole, keywords_named
from harvester.errors import SettingsError
from harvester.jobs import count_jobs
from harvester.settings import JOBS, Bounds, check_scheduler

StrPath = str | os.PathLike[str]
Texts = str | Iterable[str]
"""One text or several."""
Ids = SupportsIndex | Iterable[SupportsIndex]
"""One sound's id or several; an id may be an integer of NumPy."""
Numbers = SupportsIndex | Iterable[SupportsIndex]
"""One whole number or several."""
Duration = str | float
"""Seconds, or a text such as `10s`, `5m`, `1h30m` or `30d`."""

P = ParamSpec("P")
T = TypeVar("T")


def naming_keywords(action: Callable[P, T]) -> Callable[P, T]:
    """Return `action` with its keywords, not the options, in the errors.

    Its signature, which `help()` shows, has the keywords of a `TypedDict` one by one. Raises `TypeError` for a keyword
    that it does not have, with one that is spelt alike.
    """
    full = _spelt_out(action)

    @wraps(action)
    def named(*given: P.args, **keywords: P.kwargs) -> T:
        for name in keywords.keys() - full.parameters.keys():
            near = get_close_matches(name, full.parameters, n=1)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            raise TypeError(f"{action.__name__}() got an unexpected keyword argument '{name}'{meant}")
        with keywords_named(named):
            return action(*given, **keywords)

    named.__signature__ = full  # type: ignore[attr-defined]
    return named


def _spelt_out(action: Callable[..., Any]) -> Signature:
    """Return the signature with the keywords of `**name: Unpack[…]`."""
    plain = signature(action)
    others = [one for one in plain.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    if len(others) == len(plain.parameters):
        return plain
    # Only this annotation: another may name a class that its module defines later.
    gathered = SimpleNamespace(__annotations__={"": list(plain.parameters.values())[-1].annotation})
    (shared,) = get_args(get_type_hints(gathered, action.__globals__)[""])
    hints = get_type_hints(shared)
    keywords = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=False if hint is bool else None, annotation=hint)
        for name, hint in hints.items()
    ]
    return plain.replace(parameters=[*others, *keywords])


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


def check_cluster(option: str, address: str | None) -> str | None:
    """Return a scheduler's address or None; raise `SettingsError` else."""
    try:
        return None if address is None else check_scheduler(address)
    except SettingsError as error:
        raise SettingsError(f"{option}: {error}") from None
