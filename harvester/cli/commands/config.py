"""`harvester config`: show which settings are set, and where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvester.cli.console import JsonOption, note, print_json, print_lines, say
from harvester.errors import SettingsError
from harvester.key_file import KEY_VARIABLE, find_almost_keys
from harvester.settings import locate_key

if TYPE_CHECKING:
    from harvester.cli.sources import Setting, Source


def config(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Show the settings of this command.", show_default="all"),
    ] = None,
    with_defaults: Annotated[bool, typer.Option("--all", help="Show the defaults too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show which settings are set, and where.

    A setting with several values has a line for each: the first one counts. The API key is not shown, only its place
    and its fingerprint. A wrong value of a variable is shown too, and the exit code is then 2.
    """
    from harvester.cli.sources import collect_settings

    key, secret = _describe_key()
    settings = list(collect_settings(context.find_root(), " ".join(command or ()), with_defaults=with_defaults))
    facts = {
        "key": key,
        "files": [{"file": str(one.path), "trusted": one.trusted} for one in reversed(context.obj.files)],
        "variables": _other_variables(secret),
        "settings": [_as_dict(one, secret) for one in settings],
    }
    if as_json:
        print_json(facts)
    else:
        print_lines(*_lines(facts))
        if not settings:
            say("no option is set; `harvester config --all` shows the defaults")
    if not key["set"] and "problem" not in key:
        note(*find_almost_keys(Path()))
    problems = [one.replace(secret, "…") if secret else one for one in _problems(key, settings)]
    for problem in problems[1:]:
        note(problem)
    if problems:
        raise SettingsError(problems[0])


def _describe_key() -> tuple[dict[str, Any], str]:
    """Return what may be told about the API key, and the key."""
    from harvester.actions import key_fingerprint

    try:
        found = locate_key(os.environ, Path())
    except SettingsError as error:
        return {"set": False, "from": None, "fingerprint": None, "problem": str(error)}, ""
    if found is None:
        return {"set": False, "from": None, "fingerprint": None}, ""
    key, place = found
    return {"set": True, "from": place, "fingerprint": key_fingerprint(key)}, key


def _problems(key: dict[str, Any], settings: list[Setting]) -> Iterator[str]:
    if "problem" in key:
        yield key["problem"]
    yield from (one.problem for one in settings if one.problem)


def _other_variables(secret: str) -> dict[str, Any]:
    from harvester.cli.variables import WITHOUT_OPTION

    return {name: _plain(os.environ[name], secret) for name in WITHOUT_OPTION if os.environ.get(name)}


def _as_dict(setting: Setting, secret: str) -> dict[str, Any]:
    first, *others = (_source_as_dict(one, secret) for one in setting.sources)
    return {"command": setting.command, "setting": setting.name, **first, "overrides": others}


def _source_as_dict(source: Source, secret: str) -> dict[str, Any]:
    return {"value": _plain(source.value, secret), "source": source.kind, "from": source.place}


def _plain(value: Any, secret: str) -> Any:
    """Return a value as JSON has it, without the API key."""
    if isinstance(value, list | tuple):
        return [_plain(one, secret) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).replace(secret, "…") if secret else str(value)


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    key = facts["key"]
    told = "cannot be used" if "problem" in key else "not set: the embedded sandbox is used"
    yield f"{KEY_VARIABLE}: " + (f"set in {key['from']}, fingerprint {key['fingerprint']}" if key["set"] else told)
    yield from (f"{name}: {value}" for name, value in facts["variables"].items())
    yield from (f"file: {one['file']}{'' if one['trusted'] else ' (in the working folder)'}" for one in facts["files"])
    rows = [
        (f"{one['command']} {one['setting']}{_text(value['value'])}", f"{value['from']}{', overridden' if at else ''}")
        for one in facts["settings"]
        for at, value in enumerate((one, *one["overrides"]))
    ]
    width = max((len(left) for left, _ in rows), default=0)
    yield from (f"{left:<{width}}  {place}" for left, place in rows)


def _text(value: Any) -> str:
    """Return ` = VALUE` as a settings file spells it."""
    from harvester.json_text import json_text

    return " is not set" if value is None else f" = {json_text(value)}"
