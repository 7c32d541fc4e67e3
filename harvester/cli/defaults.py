"""Read defaults of options from `harvester.toml`, and check them.

Owns what the file in the working folder must not decide, because it may come with a clone or an archive: it cannot send
the key to a server that the user has not named, write outside its folder, or grant a permission in the user's name.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from typer.models import OptionInfo

from harvester.errors import SettingsError
from harvester.settings_file import SettingsFile, is_inside, kind_of, load_settings_files, user_file

_PATHS = {"library", "output"}
"""Options of type str that name a file or a folder."""

_OF_THE_USER = {"i_have_permission"}
_EXPECTED: dict[type, tuple[str, tuple[type, ...]]] = {
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    bool: ("true or false", (bool,)),
    str: ("text", (str,)),
    Path: ("text", (str,)),
}


@dataclass(frozen=True, slots=True)
class Option:
    """The type and bounds of an option; `check` is its callback."""

    name: str
    kind: type
    several: bool
    least: float | None
    most: float | None
    check: Callable[[Any], Any] | None


def read_options(command: Callable[..., Any]) -> dict[str, Option]:
    """Return a command's options, without arguments, by each name."""
    found: dict[str, Option] = {}
    for name, annotation in get_type_hints(command, include_extras=True).items():
        kind, info = parts_of(annotation)
        if not isinstance(info, OptionInfo):
            continue
        several = get_origin(kind) is list
        single = get_args(kind)[0] if several else kind
        option = Option(name, single, several, info.min, info.max, _check_of(info))
        found |= dict.fromkeys([name, *_long_names(info)], option)
    return found


def parts_of(annotation: Any) -> tuple[Any, Any]:
    """Return a parameter's type without None, and its Typer annotation."""
    info = next(iter(getattr(annotation, "__metadata__", ())), None)
    kind = get_args(annotation)[0] if info is not None else annotation
    if NoneType in get_args(kind):
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    return kind, info


def _long_names(info: OptionInfo) -> list[str]:
    """Return the long names (`--output`) as names of settings (`output`)."""
    declared = [info.default, *(info.param_decls or ())]  # in Annotated, Typer stores the first name as the default
    return [one[2:].replace("-", "_") for one in declared if isinstance(one, str) and re.fullmatch(r"--[\w-]+", one)]


def _check_of(info: OptionInfo) -> Callable[[Any], Any] | None:
    """Return the option's callback if it takes only the value, else None."""
    if info.callback is None or len(inspect.signature(info.callback).parameters) != 1:
        return None
    return info.callback


@dataclass(slots=True)
class Defaults:
    """The defaults by command and option, and addresses of the API.

    `addresses`: the file and key that set the address, by command. `named`: the addresses that the user has named,
    normalised. `own`: the path of the user's own file.
    """

    by_command: dict[str, dict[str, Any]] = field(default_factory=dict)
    addresses: dict[str, tuple[SettingsFile, str]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    own: Path | None = None

    def check_address(self, command: str) -> None:
        """Raise `SettingsError` if a file's address must not get the key."""
        from harvester.freesound import API_URL, is_loopback, read_api_url

        file, key = self.addresses[command]
        address = self.by_command[command]["api_url"]
        try:
            url = read_api_url(address)
        except SettingsError as error:
            raise SettingsError(f"{file.place(command, key)}: {error}") from error
        host = urlsplit(url).hostname or ""
        if file.trusted or url == API_URL or is_loopback(host) or url in self.named:
            return
        raise SettingsError(
            f"{file.place(command, key)}: your key is not sent to {host} because of a file in the working folder; "
            f"use --api-url, HARVESTER_{command.upper()}_API_URL or {self.own or 'your own settings file'}"
        )


def read_defaults(
    folder: Path, environment: Mapping[str, str], commands: Mapping[str, Callable[..., Any] | None]
) -> Defaults:
    """Return the files' defaults; a command that is None has none.

    Raises `SettingsError` with file, line, table and key.
    """
    defaults = Defaults(own=user_file(environment))
    for name, value in environment.items():
        if re.fullmatch(r"HARVESTER_\w+_API_URL", name):
            _trust_address(defaults, value)
    for file in load_settings_files(folder, environment):
        for command, table in file.tables.items():
            if command not in commands or not isinstance(table, dict):
                raise SettingsError(
                    f"{file.line(command)}: '{command}' is not a table of settings; use [{'], ['.join(commands)}]"
                )
            function = commands[command]
            options = read_options(function) if function is not None else {}
            for key, value in table.items():
                option = options.get(key.replace("-", "_"))
                if option is None:
                    raise SettingsError(f"{file.line(command, key)}: [{command}] has no setting '{key}'")
                problem = _problem_of(option, value) or ("" if file.trusted else _not_allowed(option, value, folder))
                if problem:
                    raise SettingsError(f"{file.place(command, key)}: {problem}")
                _set_default(defaults, file, command, key, option.name, _as_given(option, value))
    return defaults


def _as_given(option: Option, value: Any) -> Any:
    """Return a value as the command line gives it: a list, or a text."""
    if option.several:
        return [
            _as_given(replace(option, several=False), one) for one in (value if isinstance(value, list) else [value])
        ]
    return str(value) if option.kind is str else value


def _set_default(defaults: Defaults, file: SettingsFile, command: str, key: str, name: str, value: Any) -> None:
    defaults.by_command.setdefault(command, {})[name] = value
    if name == "api_url":
        defaults.addresses[command] = (file, key)
        if file.trusted:
            _trust_address(defaults, value)


def _trust_address(defaults: Defaults, address: object) -> None:
    from harvester.freesound import read_api_url

    try:
        defaults.named.add(read_api_url(str(address)))
    except SettingsError:
        return  # the command that uses it reports it


def _problem_of(option: Option, value: Any) -> str:
    """Return what is wrong with a value for an option, or an empty text."""
    expected, accepted = _EXPECTED[option.kind]
    if option.several:
        values = value if isinstance(value, list) else [value]
        return next(filter(None, (_problem_of(replace(option, several=False), one) for one in values)), "")
    if option.check is not None and option.kind is str:
        accepted = (str, int, float)  # a duration may be written as a number of seconds
    if type(value) not in accepted:
        return f"expected {expected}, got {kind_of(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected {expected}, got {value}"
    if (option.least is not None and value < option.least) or (option.most is not None and value > option.most):
        most = f" and at most {option.most}" if option.most is not None else ""
        return f"expected {expected}, at least {option.least}{most}, got {ascii(value)[:40]}"
    if option.check is not None:
        try:
            option.check(_as_given(option, value))
        except SettingsError as error:
            return str(error)
    return ""


def _not_allowed(option: Option, value: Any, folder: Path) -> str:
    """Return why the working folder's file must not set this, or empty."""
    if option.name in _OF_THE_USER and value:
        return "only you can set this: on the command line, or in your own settings file"
    if option.kind is Path or option.name in _PATHS:
        values: Iterable[Any] = value if isinstance(value, list) else [value]
        if not all(is_inside(folder, str(one)) for one in values):
            return (
                "a path in this file must lie within the working folder; "
                "name another on the command line, or in your own settings file"
            )
    return ""
