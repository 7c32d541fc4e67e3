"""Adapt Typer's commands: variables, plain help, refusals in our words.

The functions of this module replace methods of single parameters and commands, because Typer makes their classes. They
call the method of the class, so that adapting a tree twice changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

from harvester.cli import refusals
from harvester.cli.console import Console
from harvester.cli.option_rules import read_parameters
from harvester.errors import SettingsError
from harvester.settings_file import SettingsFileError
from harvester.storage import read_path

PREFIX = "HARVESTER"
_NOT_FROM_VARIABLES = {"--version", "--install-completion", "--show-completion", "--help"}
"""Options that end the process: a variable such as HARVESTER_VERSION, set for another purpose, must not."""

_OF_ALL_COMMANDS = {"--scheduler": f"{PREFIX}_SCHEDULER"}
"""Options that one variable sets for every command that has them."""

_COUNTED = dict.fromkeys(("true", "yes", "on"), 1) | dict.fromkeys(("false", "no", "off"), 0)
"""What a variable may say of an option that is counted, such as HARVESTER_VERBOSE, which was a flag."""

_ANYWHERE = ("verbose", "quiet", "log_json")

_CONVERTED = (bool, int, float, str, Path)

Functions = Mapping[str, Callable[..., Any]]
"""The functions of the commands by their path, such as `backups list`; that of an empty path has the global options."""


def adapt(command: Any, functions: Functions, path: str = "", anywhere: Sequence[Any] | None = None) -> None:
    """Adapt a command and all commands below it.

    Each command gets the options `anywhere`, by default some of the root's.
    """
    anywhere = _spoken_anywhere(command) if anywhere is None else anywhere
    function = functions.get(path)
    for parameter in command.params:
        parameter.show_envvar = False  # the help leaves them out; the guide's topic `settings` explains them
        parameter.envvar = _variables(path, parameter)
        parameter.process_value = partial(_process_value, parameter, function)
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = partial(_no_type, parameter)
            parameter.get_usage_pieces = partial(_usage_pieces, parameter)
    command.get_params = partial(_get_params, command)
    command.parse_args = partial(_parse_args, command)
    if hasattr(command, "commands"):
        command.resolve_command = partial(_resolve_command, command)
    else:
        command.allow_extra_args = True  # `_parse_args` refuses them
        command.invoke = partial(_invoke, command)
        taken = {parameter.name for parameter in command.params}
        command.params += [twin for twin in anywhere if twin.name not in taken]
    for name, child in getattr(command, "commands", {}).items():
        adapt(child, functions, f"{path} {name}".strip(), anywhere)


def _spoken_anywhere(root: Any) -> list[Any]:
    """Return options of `harvester` that also work after the command.

    They are not in the command's help; variables set only those before its name.
    """
    twins = [copy(parameter) for parameter in root.params if parameter.name in _ANYWHERE]
    for twin in twins:
        twin.__dict__.pop("process_value", None)
        twin.hidden, twin.expose_value, twin.envvar, twin.callback = True, False, None, partial(_ask, twin.name)
    return twins


def _ask(keyword: str, context: typer.Context, _parameter: Any, value: Any) -> None:
    if value and not context.resilient_parsing:
        ask: dict[str, Any] = {keyword: value}
        Console.ask(**ask)


def walk(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command with its path, the given one first."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, f"{path} {name}".strip())


def set_variable(parameter: Any) -> str | None:
    """Return the variable that gives an option its value, or None."""
    return next((name for name in parameter.envvar or () if os.environ.get(name)), None)


def _variables(path: str, parameter: Any) -> list[str] | None:
    """Return an option's variables, the one of all commands last."""
    long_names = [name[2:] for name in parameter.opts if name.startswith("--")]
    if not long_names or _NOT_FROM_VARIABLES & set(parameter.opts):
        return None
    names = ["_".join([PREFIX, *path.split(), name.lstrip("_")]) for name in (*long_names, parameter.name)]
    names += [_OF_ALL_COMMANDS[name] for name in parameter.opts if name in _OF_ALL_COMMANDS]
    return list(dict.fromkeys(name.upper().replace("-", "_") for name in names))


def _process_value(parameter: Any, function: Callable[..., Any] | None, context: typer.Context, value: Any) -> Any:
    """Convert a value; raise `SettingsError` that names its place."""
    if getattr(parameter, "count", False) and isinstance(value, str):
        value = _COUNTED.get(value.strip().lower(), value)
    try:
        converted = type(parameter).process_value(parameter, context, value)
        for one in converted if isinstance(converted, list | tuple) else [converted]:
            if isinstance(one, Path) or (isinstance(one, str) and _is_path(parameter)):
                read_path(one)  # a path that leads nowhere is refused with its place, before the command runs
    except SettingsFileError:
        raise  # its message has the place
    except SettingsError as error:
        raise SettingsError(f"{_place(context, parameter)}: {error}") from error
    except typer.BadParameter as error:
        if refusals.is_missing(error):
            raise refusals.missing(parameter, context) from None
        option = read_parameters(function).get(parameter.name) if function is not None else None
        problem = option.problem_of_text(value) if option is not None else "it cannot have this value"
        raise SettingsError(f"{_place(context, parameter)}: {problem}") from None
    return converted


@dataclass(frozen=True)
class _Conversion:
    """The conversion of a parameter's values without pydantic."""

    kind: type
    least: float | None
    most: float | None

    def coerce(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        """Return the converted value; raise `typer.BadParameter`."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if self.kind is bool:  # a text of a variable; Typer keeps a bool as it is
            return type(param).get_runtime_param(param).coerce(value, param, ctx)
        try:
            return [self._convert(one) for one in value] if several else self._convert(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None

    def _convert(self, value: Any) -> Any:
        converted = self.kind(value)
        if (self.least is not None and converted < self.least) or (self.most is not None and converted > self.most):
            raise ValueError("it is out of bounds")
        return converted


def _get_params(command: Any, context: typer.Context) -> list[Any]:
    """Return a command's parameters, which convert their values quickly.

    Typer since 0.29 imports pydantic to convert a value, which takes longer than a short command. Earlier versions have
    no descriptor of a type.
    """
    parameters: list[Any] = type(command).get_params(command, context)
    for parameter in parameters:
        if (told := getattr(parameter, "type_descriptor", None)) is None:
            continue
        annotation, info = told.annotation, told.parameter_info
        kind = get_args(annotation)[0] if get_origin(annotation) is list else annotation
        if kind in _CONVERTED:
            conversion = _Conversion(kind, info.min, info.max)
            parameter.get_runtime_param = lambda conversion=conversion: conversion
    return parameters


def _is_path(parameter: Any) -> bool:
    """Tell whether an older typer makes a path of a text later."""
    return getattr(getattr(parameter, "type", None), "name", "") == "path"


def _place(context: typer.Context, parameter: Any) -> str:
    """Return where a value comes from: a variable, a file, or the option."""
    source = getattr(context.get_parameter_source(parameter.name), "name", "")
    if source == "ENVIRONMENT":
        return set_variable(parameter) or refusals.spelled(parameter)
    if source == "DEFAULT_MAP":
        place: str = context.obj.place(context.info_name, parameter.name)
        return place
    return refusals.spelled(parameter)


def _parse_args(command: Any, context: typer.Context, words: list[str]) -> list[str]:
    try:
        rest: list[str] = type(command).parse_args(command, context, words)
    except refusals.UsageError as error:
        error.ctx = error.ctx or context  # the parser does not always say which command it was
        raise
    if rest and not hasattr(command, "commands") and not context.resilient_parsing:
        raise refusals.too_many(rest, context)
    return rest


def _resolve_command(group: Any, context: typer.Context, words: list[str]) -> Any:
    if words[0] not in group.commands and not context.resilient_parsing:
        raise refusals.no_command(words[0], context)
    return type(group).resolve_command(group, context, words)


def _invoke(command: Any, context: typer.Context) -> Any:
    """Run a command, and put the place before a message about an option.

    Only where a file or a variable sets the option: the message begins with its name, not with its place.
    """
    try:
        return type(command).invoke(command, context)
    except SettingsError as error:
        told = error.command_line or str(error)
        named = told.split(" ", 1)[0].rstrip(":")
        parameter = next((one for one in command.params if named in one.opts), None)
        place = named if parameter is None else _place(context, parameter)
        if parameter is None or place == refusals.spelled(parameter):
            raise
        raise SettingsError(f"{place}: {told}") from error


def _no_type(_argument: Any, **_context: Any) -> str:
    """Return no type for the help: the metavar says what an argument is."""
    return ""


def _usage_pieces(argument: Any, _context: typer.Context) -> list[str]:
    name = refusals.spelled(argument)
    return [name if argument.required else f"[{name}]"]
