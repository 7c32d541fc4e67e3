"""The command line does nothing that the façade cannot: each command calls functions of `harvester`, and these only."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest
import typer

import harvester
from harvester.cli import app

CALLS: dict[str, set[str]] = {
    "harvest": {"commit_library", "harvest"},
    "plan": {"plan"},
    "refresh": {"commit_library", "refresh"},
    "link": {"find_library", "link", "verify_links"},
    "relate": {"relate"},
    "status": {"StatusWatch", "draw_plots", "list_deferred", "status"},
    "history": {"history"},
    "show": {"show"},
    "find": {"find"},
    "analyse": {"analyse"},
    "export": {"export", "export_dataset"},
    "map": {"draw_map", "draw_picture"},
    "browse": {"browse"},
    "previews": {"fetch_previews"},
    "sql": {"sql"},
    "check": {"check", "find_library"},
    "backups list": {"find_library", "list_backups"},
    "backups prune": {"find_library", "prune_backups"},
    "restore": {"restore"},
    "merge": {"merge"},
    "import": {"import_library"},
    "forget": {"find_library", "forget"},
    "init": {"init_repository"},
    "git-setup": {"git_setup"},
    "git-merge": {"git_merge"},
    "git-textconv": {"git_textconv"},
    "service": {"service_text"},
    "sandbox": {"serve_sandbox"},
    "config": set(),
    "plugins": {"plugins"},
    "guide": {"guide_topics"},
}
"""The functions of `harvester` that each command calls."""

RENAMED = {
    "out": "path", "plot": "path", "static": "path", "deferred": "", "watch": "", "as_json": "", "progress": "",
    "topic": "", "command": "", "with_defaults": "", "exit_code": "", "yes": "", "open": "",
}  # fmt: skip
"""The keywords of parameters that have another name in the command; empty: it chooses a function or what is printed."""


def walk(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command with its name, hidden ones too."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
    for child, one in (below or {}).items():
        yield from walk(one, f"{name} {child}".strip())


COMMANDS = dict(walk(typer.main.get_command(app)))


def calls_of(function: Callable[..., Any], seen: set[Any] | None = None) -> set[str]:
    """Return the names after `actions.` in a function, and in the functions of the command line that it names."""
    function, seen = inspect.unwrap(function), set() if seen is None else seen
    if function in seen:
        return set()
    seen.add(function)
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "actions":
            found.add(node.attr)
        named = [function.__globals__.get(node.id)] if isinstance(node, ast.Name) else []
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harvester.cli"):
            named = [getattr(importlib.import_module(node.module or ""), alias.name) for alias in node.names]
        for known in named:
            if isinstance(known, FunctionType) and known.__module__.startswith("harvester.cli"):
                found |= calls_of(known, seen)
    return found


def test_each_command_has_a_row_and_calls_what_it_says() -> None:
    assert {name: calls_of(command.callback) for name, command in COMMANDS.items()} == CALLS


@pytest.mark.parametrize("name", sorted(set().union(*CALLS.values())))
def test_each_call_is_a_name_of_the_package(name: str) -> None:
    assert name in harvester.__all__
    assert callable(getattr(harvester, name))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_option_of_a_command_is_a_keyword_of_its_function(command: str) -> None:
    options = {RENAMED.get(one.name, one.name) for one in COMMANDS[command].params if one.name != "help"} - {""}
    known: set[str] = set()
    for name in CALLS[command]:
        known |= inspect.signature(getattr(harvester, name)).parameters.keys()
    assert options - known == set()
