"""`harvester plugins`: list the formats and orders of other packages."""

from __future__ import annotations

from dataclasses import asdict

from harvester.cli.console import JsonOption, print_json, print_lines, say


def plugins(as_json: JsonOption = False) -> None:
    """List the export formats and orders that other packages add.

    Imports each of these packages. A plugin that cannot be used has its problem in place of its help.
    """
    from harvester import actions

    found = actions.plugins()
    if as_json:
        print_json([asdict(one) | {"help": one.help or None, "problem": one.problem or None} for one in found])
        return
    rows = [(one.kind, one.name, f"{one.package} {one.version}".rstrip(), one.problem or one.help) for one in found]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
    for *columns, text in rows:
        shown = (f"{column:<{width}}" for column, width in zip(columns, widths, strict=True))
        print_lines("  ".join((*shown, text)).rstrip())
    if not found:
        say("no installed package adds a format or an order; `harvester guide plugins` says how one does")
