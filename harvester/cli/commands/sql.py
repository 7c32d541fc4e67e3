"""`harvester sql`: ask the library with SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.completion import completing
from harvester.cli.console import LibraryOption, note, print_document, print_lines, say
from harvester.cli.options import grouped
from harvester.cli.select_options import SelectOptions
from harvester.counts import counted
from harvester.errors import SettingsError
from harvester.terminal_text import escape_json, escape_paragraph

_FORMATS = "table|csv|json"
_MOST_ROWS = 200
"""The most rows of a table; the other formats have all."""


@grouped
def sql(
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="A SELECT or another statement that reads.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write csv or json to this file.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar=_FORMATS,
            autocompletion=completing(_FORMATS),
            help="Print this format.",
            show_default="the ending of OUT, else table",
        ),
    ] = None,
    library: LibraryOption = None,
    *,
    select: SelectOptions,
) -> None:
    """Ask the library with SQL, in DuckDB's dialect.

    The tables are sounds, edges and tags; without a statement, the command lists their columns. A statement only reads:
    no file, no network, nothing is changed.
    """
    from harvester import actions

    if format is not None and format not in _FORMATS.split("|"):
        raise SettingsError(f"--format must be table, csv or json, not '{format[:40]}'")
    if out is not None and format == "table":
        raise SettingsError(f"{out}: a table is for a terminal; use --format csv or json with -o")
    wanted = None if format == "table" else format
    result = actions.sql(statement, out, format=wanted, library=library, **select.keywords())
    note(*result.notices)
    if out is not None:
        say(f"{out}: {counted(len(result), 'row')}")
    elif format == "csv":
        print_document(result.text("csv"), escape_paragraph)
    elif format == "json":
        print_document(result.text("json"), escape_json)
    else:
        from harvester.cli.tables import table_lines

        print_lines(*table_lines(result.columns, result, _MOST_ROWS))
        cut = f"; the first {_MOST_ROWS} are shown, --format csv or json has all" if len(result) > _MOST_ROWS else ""
        say(f"{len(result):,} row{'' if len(result) == 1 else 's'}{cut}")
