"""Show the formats and orders of plugins in the help of a command.

Their names are read when the help is shown: `harvester --help` must not wait for the metadata of all packages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand

from harvester.cli.console import note
from harvester.extension_points import FORMATS, ORDERS, Extension


class ExtensibleCommand(TyperCommand):
    """A command with a `format` or `order`, whose values plugins add."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; name on stderr what is left out, and why."""
        for parameter in self.params:
            if parameter.name == "format":
                found = FORMATS.find()
                parameter.help = formats_help(found.extensions.values())  # type: ignore[attr-defined]
            elif parameter.name == "order":
                found = ORDERS.find()
                parameter.metavar = "|".join(found.extensions)
            else:
                continue
            for line in found.problems:
                note(line)
        super().format_help(ctx, formatter)


def formats_help(formats: Iterable[Extension]) -> str:
    """Return the help of FORMAT: our names, then those of plugins.

    A plugin's name is followed by its package.
    """
    *names, last = [*(one.name for one in formats if not one.package), "credits", "dataset"]
    added = "; ".join(one.shown for one in formats if one.package)
    return f"{', '.join(names)} or {last}{f'; added: {added}' if added else ''}."
