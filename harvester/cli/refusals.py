"""Say in our words why the parser cannot read a command line.

The parser's own texts differ from version to version, so only the class of its error and what it names are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import typer

from harvester.errors import SettingsError

UsageError: Any = typer.BadParameter.__base__
"""The parser's error for a command line that it cannot read."""

_SHOWN = 40
_LIKE = 0.75
"""How much a name must be like another one to be suggested, from 0 to 1."""


def describe(error: Any) -> SettingsError:
    """Return the error that says what an error of the parser means."""
    context = error.ctx
    kind = type(error).__name__
    if kind == "NoSuchOption":
        return _refusal(_no_option(error.option_name, context), context)
    if kind == "BadOptionUsage":
        return _refusal(_misused(error.option_name, context), context)
    if context is not None and hasattr(context.command, "commands"):
        return _refusal(f"a command is missing after `{context.command_path}`", context)
    return _refusal("this command line cannot be read", context)


def is_missing(error: Exception) -> bool:
    """Tell whether a value is missing rather than wrong."""
    return type(error).__name__ == "MissingParameter"


def missing(parameter: Any, context: typer.Context) -> SettingsError:
    """Return the error for a required parameter that is missing."""
    metavar = f" {parameter.metavar}" if parameter.param_type_name == "option" and parameter.metavar else ""
    return _refusal(f"{spelled(parameter)}{metavar} is missing", context)


def too_many(words: Sequence[str], context: typer.Context) -> SettingsError:
    """Return the error for words that a command does not take."""
    what = f"{shown(words[0])} is one word too many" if len(words) == 1 else f"{shown(words[0])} and what follows"
    return _refusal(what if len(words) == 1 else f"{what} are {len(words)} words too many", context)


def no_command(word: str, context: typer.Context) -> SettingsError:
    """Return the error for a word that is no command."""
    commands: Any = context.command
    hint = nearest(word, (name for name, one in commands.commands.items() if not one.hidden))
    return _refusal(f"{shown(word)} is not a command of `{context.command_path}`{hint}", context)


def spelled(parameter: Any) -> str:
    """Return an option's first long name, or an argument as in the help."""
    if parameter.param_type_name == "option":
        return next((name for name in parameter.opts if name.startswith("--")), str(parameter.opts[0]))
    return str(parameter.metavar or parameter.name.upper())


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` for the nearest name, or empty."""
    # Imported only for an unknown name, so that the command line starts faster.
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=_LIKE)
    return f"; did you mean {near[0]}?" if near else ""


def shown(word: str) -> str:
    """Return a word in quotes, a long one cut."""
    return f"'{word[:_SHOWN]}…'" if len(word) > _SHOWN else f"'{word}'"


def _refusal(problem: str, context: typer.Context | None) -> SettingsError:
    where = context.command_path if context is not None else "harvester"
    return SettingsError(f"{problem} (see `{where} --help`)")


def _no_option(name: str, context: typer.Context | None) -> str:
    if context is None:
        return f"{shown(name)} is not an option"
    before = _option(name, context.find_root().command)
    if context.parent is not None and before is not None:
        value = "" if before.is_flag else f" {before.metavar}"
        root, command = context.command_path.split(" ", 1)
        return f"{name} stands before the command: `{root} {name}{value} {command}`"
    known = [name for one in context.command.params for name in (*one.opts, *one.secondary_opts)]
    hint = nearest(name, [*(one for one in known if one.startswith("-")), *context.help_option_names])
    return f"{shown(name)} is not an option of `{context.command_path}`{hint}"


def _misused(name: str, context: typer.Context | None) -> str:
    parameter = _option(name, context.command) if context is not None else None
    if parameter is not None and not parameter.is_flag:
        return f"{name} needs a value: {name} {parameter.metavar or 'VALUE'}"
    return f"{name} takes no value; write it alone"


def _option(name: str, command: Any) -> Any:
    """Return the parameter of a command with this spelling, or None."""
    return next((one for one in command.params if name in (*one.opts, *one.secondary_opts)), None)
