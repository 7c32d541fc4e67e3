"""Read defaults of options from the settings files, and check them.

Owns what the file in the working folder must not decide, because it may come with a clone or an archive: it cannot send
the key to a server that the user has not named, name a cluster that then runs code here, write outside its folder, or
grant a permission in the user's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from harvester.cli.option_rules import Option, read_options
from harvester.cli.refusals import nearest
from harvester.errors import SettingsError
from harvester.settings_file import SettingsFile, SettingsFileError, is_inside, load_settings_files, user_file

_PATHS = {"library", "output"}
"""Options of type str that name a file or a folder."""

_OF_THE_USER = {"i_have_permission", "scheduler", "yes"}


class Origin(NamedTuple):
    """A file's value for an option, as the command line gives it."""

    file: SettingsFile
    key: str
    value: Any


@dataclass(slots=True)
class Defaults:
    """The defaults by command and option, and addresses of the API.

    `origins`: the values of each option that a file sets, by command and option, the one that counts first. `named`:
    the addresses that the user has named, normalised. `own`: the path of the user's own file.
    """

    by_command: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[tuple[str, str], list[Origin]] = field(default_factory=dict)
    files: list[SettingsFile] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    own: Path | None = None

    def place(self, command: str, name: str) -> str:
        """Return `FILE:LINE: [COMMAND] KEY` of a file's value for an option."""
        file, key, _ = self.origins[command, name][0]
        return file.place(command, key)

    def check_address(self, command: str) -> None:
        """Raise `SettingsFileError` if a file's address must not get the key."""
        from harvester.freesound import API_URL, is_loopback, read_api_url

        file, _, address = self.origins[command, "api_url"][0]
        place = self.place(command, "api_url")
        try:
            url = read_api_url(address)
        except SettingsError as error:
            raise SettingsFileError(f"{place}: {error}") from error
        host = urlsplit(url).hostname or ""
        if file.trusted or url == API_URL or is_loopback(host) or url in self.named:
            return
        raise SettingsFileError(
            f"{place}: your key is not sent to {host} because of a file in the working folder; "
            f"use --api-url, HARVESTER_{command.upper()}_API_URL or {self.own or 'your own settings file'}"
        )


def read_defaults(
    folder: Path,
    environment: Mapping[str, str],
    commands: Mapping[str, Callable[..., Any] | None],
    named: Path | None = None,
) -> Defaults:
    """Return the defaults of the files, or of the file that is `named`.

    A command that is None has no settings. Raises `SettingsFileError` with file, line, table and key.
    """
    defaults = Defaults(files=load_settings_files(folder, environment, named), own=named or user_file(environment))
    for name, value in environment.items():
        if re.fullmatch(r"HARVESTER_\w+_API_URL", name):
            _trust_address(defaults, value)
    for file in defaults.files:
        for command, table in file.tables.items():
            if command not in commands or not isinstance(table, dict):
                raise SettingsFileError(
                    f"{file.line(command)}: '{command}' is not a table of settings; use [{'], ['.join(commands)}]"
                )
            function = commands[command]
            options = read_options(function) if function is not None else {}
            for key, value in table.items():
                option = options.get(key.replace("-", "_"))
                if option is None:
                    raise SettingsFileError(f"{file.line(command, key)}: {_unknown(command, key, options)}")
                problem = option.problem_of(value) or ("" if file.trusted else _not_allowed(option, value, folder))
                if problem:
                    raise SettingsFileError(f"{file.place(command, key)}: {problem}")
                _set_default(defaults, command, option.name, Origin(file, key, option.as_given(value)))
    return defaults


def _unknown(command: str, key: str, options: Mapping[str, Option]) -> str:
    hint = nearest(key.replace("_", "-"), (name.replace("_", "-") for name in options))
    return f"[{command}] has no setting '{key}'{hint}"


def _set_default(defaults: Defaults, command: str, name: str, origin: Origin) -> None:
    defaults.by_command.setdefault(command, {})[name] = origin.value
    defaults.origins.setdefault((command, name), []).insert(0, origin)
    if name == "api_url" and origin.file.trusted:
        _trust_address(defaults, origin.value)


def _trust_address(defaults: Defaults, address: object) -> None:
    from harvester.freesound import read_api_url

    try:
        defaults.named.add(read_api_url(str(address)))
    except SettingsError:
        return  # the command that uses it reports it


def _not_allowed(option: Option, value: Any, folder: Path) -> str:
    """Return why the working folder's file must not set this, or empty."""
    if option.name in _OF_THE_USER and value:
        return "only you can set this: on the command line, or in your own settings file"
    if option.kind is Path or option.name in _PATHS:
        values: Iterable[Any] = value if isinstance(value, list) else [value]
        try:
            inside = all(is_inside(folder, str(one)) for one in values)
        except SettingsError as error:  # a `~` that leads nowhere
            return str(error)
        if not inside:
            return (
                "a path in this file must lie within the working folder; "
                "name another on the command line, or in your own settings file"
            )
    return ""
