"""Collect the settings that files and variables set, with their places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harvester.cli.parameters import set_variable, walk
from harvester.cli.refusals import nearest, spelled
from harvester.errors import SettingsError

_KEYS = {"--token"}
"""Options whose values are keys."""


@dataclass(frozen=True, slots=True)
class Source:
    """A value and its place; `kind` is `environment`, `file` or `default`."""

    kind: str
    place: str
    value: Any


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a command with all its sources: the first one counts.

    `problem`: what is wrong with the value of its variable.
    """

    command: str
    name: str
    sources: list[Source]
    problem: str = ""


def collect_settings(root: Any, wanted: str, *, with_defaults: bool) -> Iterator[Setting]:
    """Yield the settings of the command `wanted` and those below it.

    An empty text wants all commands. `root` is the context of the command line, which has read the settings files.
    Raises `SettingsError` for a command that does not exist.
    """
    commands = {path: one for path, one in walk(root.command) if not one.hidden}
    if wanted not in commands:
        raise SettingsError(f"'{wanted[:40]}' is not a command of harvester{nearest(wanted, filter(None, commands))}")
    for path, command in commands.items():
        if path == wanted or not wanted or path.startswith(f"{wanted} "):
            for parameter in command.params:
                setting = _read(_context_of(root, path), path, parameter, with_defaults=with_defaults)
                if setting.sources:
                    yield setting


def _context_of(root: Any, path: str) -> Any:
    """Return a context as a command has it before it reads its values."""
    context = root
    for word in path.split():
        context = type(root)(context.command.commands[word], info_name=word, parent=context)
    return context


def _has_password(source: Source) -> bool:
    """Tell whether a value is an address with a user or a password in it."""
    return isinstance(source.value, str) and "@" in source.value.partition("://")[2].split("/")[0]


def _read(context: Any, path: str, parameter: Any, *, with_defaults: bool) -> Setting:
    sources: list[Source] = []
    problem, hides = "", spelled(parameter) in _KEYS
    if (variable := set_variable(parameter)) is not None:
        try:
            value = _value_of_variable(context, parameter)
        except SettingsError as error:
            value, problem = os.environ[variable], str(error)
        sources.append(Source("environment", variable, value))
    sources += [
        # A number stays one, where the option takes a text too.
        Source("file", file.line(path, key), value if isinstance(value, list) else file.tables[path][key])
        for file, key, value in context.obj.origins.get((path, parameter.name), ())
    ]
    sources = [Source(one.kind, one.place, "(hidden)") if hides or _has_password(one) else one for one in sources]
    if with_defaults and parameter.envvar is not None:
        shown = getattr(parameter, "show_default", None)
        sources.append(Source("default", "default", shown if isinstance(shown, str) else parameter.default))
    return Setting(path or "harvester", spelled(parameter).lstrip("-"), sources, problem)


def _value_of_variable(context: Any, parameter: Any) -> Any:
    """Return a variable's value; raise `SettingsError` for a wrong one."""
    kinds = type(context.find_root().get_parameter_source("verbose"))
    context.set_parameter_source(parameter.name, kinds.ENVIRONMENT)
    if "--config" in parameter.opts:
        return os.environ[set_variable(parameter) or ""]  # its files are read already
    return parameter.process_value(context, parameter.value_from_envvar(context))
