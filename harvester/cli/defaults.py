"""The defaults that `harvester.toml` sets, judged before any command runs.

Owns what a value of the file may be for an option: the option's own type, within the option's own bounds. Every mistake
is a `SettingsError` of one line that names table and setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from harvester.errors import SettingsError
from harvester.settings import read_settings_file

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a text"}
_GIVEN = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}


def read_defaults(app: typer.Typer, folder: Path) -> dict[str, Any]:
    """Return the defaults in the file of `folder` by command and parameter, checked against the options of `app`."""
    settings = read_settings_file(folder)
    if not settings:
        return {}
    groups = typer.main.get_group(app).commands
    callbacks = {info.name: info.callback for info in app.registered_commands}
    found: dict[str, Any] = {}
    for command, table in settings.items():
        if command not in groups or not isinstance(table, dict):
            raise SettingsError(f"harvester.toml: '{command}' is not a table of settings; use [{']['.join(groups)}]")
        known = {name for parameter in groups[command].params if (name := parameter.name)}
        unknown = {name for name in table if name.replace("-", "_") not in known}
        if unknown:
            raise SettingsError(f"harvester.toml: [{command}] has no setting '{min(unknown)}'")
        kinds = _kinds_of(callbacks.get(command))
        found[command] = {}
        for name, value in table.items():
            option, place = name.replace("-", "_"), f"harvester.toml: [{command}] {name}"
            found[command][option] = _checked(place, value, kinds.get(option))
    return found


def _kinds_of(callback: Callable[..., Any] | None) -> dict[str, Any]:
    """Return the annotation of each parameter of a command."""
    return {} if callback is None else get_type_hints(callback, include_extras=True)


def _checked(place: str, value: Any, annotation: Any) -> Any:
    """Return a value of the file as the command line may have it; a single one for a list becomes its only element."""
    kind, info = (annotation, None) if annotation is None else _parts_of(annotation)
    is_list = get_origin(kind) is list
    kind = get_args(kind)[0] if is_list else kind
    if kind is str and type(value) is int and info is not None and info.callback is not None:
        value = str(value)  # a duration in seconds
    values = value if is_list and isinstance(value, list) else [value]
    if kind in _NAMES:
        for one in values:
            _check_one(place, one, kind, info)
    result = values if is_list else value
    if info is not None and info.callback is not None:
        try:
            info.callback(result)
        except SettingsError as error:
            raise SettingsError(f"{place}: {error}") from None
    return result


def _parts_of(annotation: Any) -> tuple[Any, Any]:
    """Return what an option's annotation wraps: its type without None, and what was declared of it."""
    info = None
    if get_origin(annotation) is Annotated:
        annotation, info = get_args(annotation)[:2]
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not NoneType)
    return annotation, info


def _check_one(place: str, value: Any, kind: type, info: Any) -> None:
    wanted = {float: (int, float), Path: (str,)}.get(kind, (kind,))
    if type(value) not in wanted:
        raise SettingsError(f"{place}: expected {_NAMES[kind]}, not {_GIVEN.get(type(value), 'something else')}")
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"{place}: {value} is not a number")
    least, most = getattr(info, "min", None), getattr(info, "max", None)
    if (least is not None and value < least) or (most is not None and value > most):
        raise SettingsError(f"{place}: a number from {least} to {most} is expected, not {ascii(value)[:40]}")
