"""The table of the options: for each of every command, a case that shows what it is for.

A case is a function that takes a `Place`, runs the real command with the option and looks at what came of it: a file,
the requests that the sandbox saw, a field of the JSON, an exit code. `proves` enters it for options of one or more
commands. An option that both turns on and off (`--commit/--no-commit`) and an argument (`ID`) have an entry for each
spelling, so that nothing that a person can type is left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from harvester.cli import app
from tests.integration.options.place import Place

Case = Callable[[Place], None]
TABLE: dict[tuple[str, str], Case] = {}
FOLDER = Path(__file__).parent


def proves(commands: str, *options: str) -> Callable[[Case], Case]:
    """Enter a case for these options of each of the commands (separated by commas; empty: before a command)."""

    def enter(case: Case) -> Case:
        for command in commands.split(", "):
            for option in options:
                assert (command, option) not in TABLE, f"{command} {option} has two cases"
                TABLE[command, option] = case
        return case

    return enter


def load_cases() -> dict[tuple[str, str], Case]:
    """Import the modules of the cases and return the table."""
    for path in sorted(FOLDER.glob("*_cases.py")):
        importlib.import_module(f"tests.integration.options.{path.stem}")
    return TABLE


@cache
def declared() -> dict[tuple[str, str], Any]:
    """Return every spelling of every option and argument of the command line, with its parameter."""
    found = {}
    for command, parameter in _parameters(typer.main.get_command(app), ""):
        # An argument is spelled as its metavar; it has no dashes.
        for spelling in (*parameter.opts, *parameter.secondary_opts):
            found[command, spelling] = parameter
    return found


def _parameters(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield from ((name, parameter) for parameter in command.params)
    for below, one in getattr(command, "commands", {}).items():
        yield from _parameters(one, f"{name} {below}".strip())


def judge(table: dict[tuple[str, str], Case], known: dict[tuple[str, str], Any]) -> list[str]:
    """Return what is wrong with the table: options without a case, and cases without an option."""
    missing = [
        f"`harvester {command} {option}` has no case: write a function that shows what it is for, with "
        f"@proves({command!r}, {option!r}), in a module {FOLDER.name}/*_cases.py"
        for command, option in sorted(known.keys() - table.keys())
    ]
    gone = [
        f"`harvester {command} {option}` does not exist: remove it from @proves above {table[command, option].__name__}"
        for command, option in sorted(table.keys() - known.keys())
    ]
    return missing + gone
