"""Check what a caller gives, and turn it into server and limits.

A message names options as the command line does; `keywords_named` turns them
into the keywords that a Python program typed.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from inspect import iscoroutinefunction, signature
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvester.actions.events import OnProgress, Reporter
from harvester.clock import Stop
from harvester.counts import plain_number
from harvester.errors import HarvesterError, SettingsError
from harvester.extension_points import ExtensionPoint
from harvester.freesound import API_URL, LEVELS, ApiKey, read_extra_fields, read_limits
from harvester.key_file import find_almost_keys
from harvester.model import LARGEST_ID, is_sound_id
from harvester.settings import COUNT, DURATION_S, VERBOSITY, Bounds, is_number, parse_duration_s, read_key
from harvester.storage import read_path

if TYPE_CHECKING:
    from harvester.actions.connect import Connection


@contextmanager
def keywords_named(action: Callable[..., Any]) -> Iterator[None]:
    """Name options in the text of an error as the keywords of `action`.

    `--max-duration` becomes `max_duration`. The error keeps its text for the command line in `command_line`. Commands
    in backticks stay as they are.
    """
    try:
        yield
    except HarvesterError as error:
        if not error.command_line:
            known = signature(action).parameters
            error.command_line = str(error)
            error.args = (_OPTION.sub(lambda found: _keyword(found, known), error.command_line),)
        raise


_OPTION = re.compile(r"`[^`]*`|--([a-z][a-z0-9-]*[a-z0-9])")


def _keyword(found: re.Match[str], known: Iterable[str]) -> str:
    keyword = (found[1] or "").replace("-", "_")
    return keyword if keyword in known else found[0]


# --- one option ------------------------------------------------------------------------------------------------------


def check_whole(option: str, value: Any, bounds: Bounds) -> int:
    """Return a whole number; raise `SettingsError` unless it is in bounds."""
    try:
        number = index(value) if not isinstance(value, bool) else None
    except TypeError:
        number = None
    if number is None or not bounds.least <= number <= bounds.most:
        raise SettingsError(
            f"{option} must be a whole number from {bounds.least} to {bounds.most}, not {_shown(value)}"
        )
    return number


def check_flag(option: str, value: Any) -> bool:
    """Return True or False; raise `SettingsError` for anything else."""
    if not isinstance(value, bool):
        raise SettingsError(f"{option} must be True or False, not {_shown(value)}")
    return value


def check_verbosity(option: str, value: Any) -> int:
    """Return how much to tell: 0, 1 or 2; True is 1.

    Raises `SettingsError` for anything else.
    """
    return check_whole(option, int(value) if isinstance(value, bool) else value, VERBOSITY)


def check_text(option: str, value: Any) -> str:
    """Return a text; raise `SettingsError` for anything else."""
    if not isinstance(value, str):
        raise SettingsError(f"{option} must be a text, not {_shown(value)}")
    return value


def check_key(option: str, value: Any) -> str:
    """Return an API key; raise `SettingsError` that never shows it."""
    if not isinstance(value, str):
        raise SettingsError(f"{option} must be a text, not {type(value).__name__}")
    try:
        ApiKey(value)
    except SettingsError:
        raise SettingsError(f"{option} is empty or holds characters that no API key has") from None
    return value


def check_texts(option: str, value: Any) -> tuple[str, ...]:
    """Return texts, given as one, as several or as None for none."""
    given = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(given, Iterable):
        raise SettingsError(f"{option} must be a text or several, not {_shown(value)}")
    return tuple(check_text(option, one) for one in given)


def check_choice(option: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return the value; raise `SettingsError` unless it is allowed."""
    known = allowed if isinstance(allowed, ExtensionPoint) else list(allowed)
    if value not in known or isinstance(value, bool):
        names = list(allowed)
        # `level 2` must not be refused by naming 2: the text '2' is shown with its quotes.
        shown = str(value)[:40] if isinstance(value, type(names[0])) else _shown(value)
        why = allowed.explain(value) if isinstance(allowed, ExtensionPoint) else ""
        raise SettingsError(f"{why or f'{option} {shown} is not known'}; choose from {', '.join(map(str, names))}")
    return value


def check_level(level: Any) -> int:
    """Return a level; raise `SettingsError` if there is no such level."""
    chosen: int = check_choice("--level", level, LEVELS)
    return chosen


def check_seconds(option: str, value: Any, *, zero: bool = False) -> float:
    """Return a duration in seconds.

    It is given as a number of seconds or as a text such as `2h`. Raises `SettingsError` for anything else, for more
    than a hundred years, and for zero unless `zero` is allowed.
    """
    if isinstance(value, str):
        try:
            seconds = parse_duration_s(value)
        except SettingsError as error:
            raise SettingsError(f"{option}: {error}") from None
    elif is_number(value) and -math.inf < value < math.inf:
        seconds = value
    else:
        raise SettingsError(f"{option} must be seconds or a text such as 10s, 5m, 2h or 30d, not {_shown(value)}")
    if not 0 <= seconds <= DURATION_S.most:
        raise SettingsError(f"{option} must be from 0 to {DURATION_S.most} seconds, not {_shown(value)}")
    if not seconds and not zero:
        raise SettingsError(f"{option} must be longer than zero; write 90, 10s, 5m, 2h or 30d")
    return float(seconds)


def check_order(least: str, value: float | None, most: str, other: float | None) -> None:
    """Raise `SettingsError` if the least value is above the most."""
    if value is not None and other is not None and value > other:
        raise SettingsError(
            f"{least} is {plain_number(value)} and {most} is {plain_number(other)}: nothing is both; exchange the two"
        )


def check_sounds(option: str, value: Any, what: str = "a sound's id") -> tuple[int, ...]:
    """Return ids of sounds, or of what is named, without repeats.

    They are given as one, as several or as None for none.
    """
    single = isinstance(value, str | bytes) or not isinstance(value, Iterable)
    given = () if value is None else (value,) if single else value
    found = []
    for one in given:
        sound_id = one
        with suppress(TypeError):
            sound_id = index(one)
        if isinstance(one, bool) or not is_sound_id(sound_id):
            raise SettingsError(f"{option}: {_shown(one)} is not {what}: ids are whole numbers from 1 to {LARGEST_ID}")
        found.append(sound_id)
    return tuple(dict.fromkeys(found))


def check_folder(option: str, value: Any) -> Path | None:
    """Return a folder; None for None.

    Raises `SettingsError` for an empty path and for what is no path.
    """
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not str(value).strip() or "\0" in str(value):
        raise SettingsError(f"{option} must be a folder, not {_shown(value)}")
    return read_path(value)


def check_stop(option: str, value: Any) -> Stop:
    """Return the `Stop`, a new one for None; raise `SettingsError` else."""
    if value is not None and not isinstance(value, Stop):
        raise SettingsError(f"{option} must be a Stop, not {_shown(value)}")
    return value or Stop()


def check_listener(option: str, value: Any) -> OnProgress | None:
    """Return the function, or None; raise `SettingsError` else.

    A coroutine function is refused too: a call would not run it.
    """
    if value is not None and not callable(value):
        raise SettingsError(f"{option} must be a function of an event, not {_shown(value)}")
    if iscoroutinefunction(value) or iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
        raise SettingsError(f"{option} must be an ordinary function, not a coroutine function")
    listener: OnProgress | None = value
    return listener


def _shown(value: Any) -> str:
    return ascii(value)[:40]


# --- the server ------------------------------------------------------------------------------------------------------


def read_connection(
    reporter: Reporter,
    *,
    key: Any,
    level: Any,
    limits: Any,
    api_url: Any,
    sandbox: Any,
    max_requests: Any = None,
    extra_fields: Any = (),
    forever: bool = False,
) -> Connection:
    """Return the server to connect to, with key and limits.

    `key` None: the key from the environment or from `.env` in the working folder. Without any key and without an
    address, this is the embedded sandbox.
    """
    # A library for programs uses the other checks, and does without aiohttp.
    from harvester.actions.connect import Connection

    check_level(level)
    sandbox = check_flag("--sandbox", sandbox)
    key = read_key(os.environ, Path()) if key is None else check_key("--key", key)
    if key is None and not sandbox:
        for line in find_almost_keys(Path()):
            reporter.warn(line)
    if api_url is not None:
        check_text("--api-url", api_url)
    return Connection(
        key=key,
        api_url=None if sandbox or (key is None and api_url is None) else api_url or API_URL,
        limits=LEVELS[level] if limits is None else read_limits(check_text("--limits", limits)),
        max_requests=None if max_requests is None else check_whole("--max-requests", max_requests, COUNT),
        extra_fields=read_extra_fields(check_texts("--extra-fields", extra_fields)),
        forever=forever,
        sandbox=sandbox,
    )
