"""`harvester export`: write the library for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from harvester.cli.completion import completing
from harvester.cli.console import Console, LibraryOption, note, print_document, say, size_text
from harvester.cli.extensions import formats_help
from harvester.cli.options import bounded, grouped
from harvester.cli.select_options import SelectOptions
from harvester.cli.terminal import can_redraw, replace_line
from harvester.extension_points import FORMATS
from harvester.settings import COUNT
from harvester.terminal_text import escape_json, escape_paragraph, escape_xml

_ESCAPES = {"json": escape_json, "xml": escape_xml, "text": escape_paragraph}
_CREDIT_FORMATS = "md|txt|csv|html"


@contextmanager
def counting_bytes(what: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many bytes are written while the block lasts."""
    shown = 0
    live = can_redraw("stderr") and not Console.quiet

    def count(written: int) -> None:
        nonlocal shown
        if live and written - shown > 1_000_000:
            shown = written
            replace_line(f"{what}: {size_text(written)} ")

    try:
        yield count
    finally:
        if shown:
            replace_line("")


@grouped
def export(
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            autocompletion=completing(lambda: [*FORMATS, "credits"]),
            help=formats_help(FORMATS.own.values()),
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Write to this file, or replace it; else to stdout."),
    ] = None,
    library: LibraryOption = None,
    *,
    select: SelectOptions,
    partition_rows: Annotated[int | None, bounded(COUNT, "parquet: write a folder of parts of N rows.")] = None,
    credits_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar=_CREDIT_FORMATS,
            autocompletion=completing(_CREDIT_FORMATS),
            help="credits: write this format.",
        ),
    ] = "md",
    faithful: Annotated[
        bool, typer.Option("--faithful", help="csv: keep texts unchanged, even if a spreadsheet would run them.")
    ] = False,
) -> None:
    """Export the library, or a selection, for other programs.

    csv and parquet write the sounds to OUT and the edges to a file beside it, with .edges before the ending. Deleted
    and withdrawn sounds are left out. Without -o, control characters in the output are escaped as the format allows.
    """
    from harvester import actions

    note(*FORMATS.find().problems)
    options: dict[str, Any] = {
        "library": library,
        "partition_rows": partition_rows,
        "credits_format": credits_format,
        "faithful": faithful,
        **select.keywords(),
    }
    if out is None:
        text = actions.export(format, **options)
        note(*text.notices)
        print_document(text, _ESCAPES[text.syntax])
        _note_without_record(text.without_record)
        return
    with counting_bytes(str(out)) as on_progress:
        report = actions.export(format, out, **options, on_progress=on_progress)
    note(*report.notices)
    if format == "credits":
        say(f"{out}: {report.sounds:,} sounds credited")
    else:
        say(f"{' and '.join(map(str, report.paths))}: {report.sounds:,} sounds, {report.edges:,} edges")
    _note_without_record(report.without_record)


def _note_without_record(count: int) -> None:
    if count:
        note(f"{count:,} sounds have no record yet and are not in the credits")
