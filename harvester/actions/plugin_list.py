"""List the export formats and orders that other packages add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harvester.errors import PluginFailed
from harvester.exports import load_format
from harvester.extension_points import FORMATS, ORDERS, PLUGIN_ERRORS, Extension, ExtensionPoint, error_text
from harvester.pipeline import load_order


@dataclass(frozen=True, slots=True)
class Plugin:
    """A format or an order that another package adds.

    `kind` is `format` or `order`, or `package` for a package whose entry points cannot be read; that one has no `name`.
    `help` is one line for people. `problem` says why it cannot be used, or why its name is left out; empty without one.
    """

    kind: str
    name: str
    package: str
    version: str
    help: str = ""
    problem: str = ""


def plugins() -> tuple[Plugin, ...]:
    """Return the formats, then the orders, that other packages add.

    Imports these packages, so their code runs. Raises nothing for one that fails: its `problem` says what is wrong.
    Of each kind, names that are left out come last.
    """
    rows = [*_rows(FORMATS, load_format, lambda format: format.help), *_rows(ORDERS, load_order, _first_line)]
    return tuple(dict.fromkeys(rows))  # a package that cannot be read is in both groups


def _rows(point: ExtensionPoint, load: Callable[[str], Any], help_of: Callable[[Any], str]) -> Iterator[Plugin]:
    found = point.find()
    for one in found.extensions.values():
        if one.package:
            help, problem = _inspect(one, load, help_of)
            yield Plugin(point.noun, one.name, one.package, one.version, help, problem)
    for one in found.left_out:
        kind, problem = (point.noun, f"left out: {one.problem}") if one.name else ("package", one.problem)
        yield Plugin(kind, one.name, one.package, one.version, problem=problem)


def _inspect(one: Extension, load: Callable[[str], Any], help_of: Callable[[Any], str]) -> tuple[str, str]:
    """Load a plugin; return its help and its problem."""
    try:
        return help_of(load(one.name)), ""
    except PluginFailed as error:
        return "", error.problem
    except PLUGIN_ERRORS as error:
        return "", f"its help cannot be read: {error_text(error)}"


def _first_line(order: Any) -> str:
    """Return the first line of an order's docstring."""
    return (order.__doc__ or "").strip().partition("\n")[0]
