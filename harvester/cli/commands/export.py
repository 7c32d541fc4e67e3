"""`harvester export`: write the library, or the part that matches, as files for other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.completion import complete_category, complete_license, complete_tag, complete_user, completing
from harvester.cli.console import Console, LibraryOption, note, print_document, say, size_text
from harvester.cli.options import bounded, check_duration, check_finite, check_some_duration, grouped
from harvester.cli.terminal import replace_line
from harvester.errors import SettingsError
from harvester.settings import COUNT, SCORE, parse_duration_s

if TYPE_CHECKING:
    from harvester.graph import Selected, Selection

_FORMATS, _CREDIT_FORMATS = "graphml|gexf|jsonl|csv|parquet|node-link|credits", "md|txt|csv|html"


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """The part of a library that a command works on."""

    license: Annotated[
        list[str] | None,
        typer.Option(
            "--license",
            "--licence",
            metavar="CC0",
            autocompletion=complete_license,
            help="Keep to CC0, BY, BY-NC or Sampling+ (repeatable: any).",
        ),
    ] = None
    category: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", autocompletion=complete_category, help="Keep to this (sub)category (repeatable: any)."
        ),
    ] = None
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", autocompletion=complete_tag, help="Keep to this tag (repeatable: all)."),
    ] = None
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", autocompletion=complete_user, help="Keep to this user (repeatable: any)."),
    ] = None
    min_duration: Annotated[
        str | None, typer.Option(callback=check_duration, metavar="1s", help="Keep to sounds at least this long.")
    ] = None
    max_duration: Annotated[
        str | None, typer.Option(callback=check_some_duration, metavar="10s", help="Keep to sounds up to this long.")
    ] = None
    processed_only: Annotated[
        bool, typer.Option("--processed-only", help="Keep to sounds with a record and a similar list.")
    ] = False
    min_score: Annotated[
        float | None, bounded(SCORE, "Keep to edges with at least this score.", metavar="0.8", callback=check_finite)
    ] = None
    largest_component: Annotated[
        bool, typer.Option("--largest-component", help="Keep to the largest connected part.")
    ] = False

    def selection(self) -> Selection:
        """Return the selection for these options."""
        from harvester.graph import Selection

        return Selection(
            licenses=tuple(self.license or ()),
            categories=tuple(self.category or ()),
            tags=tuple(self.tag or ()),
            users=tuple(self.user or ()),
            min_duration_s=None if self.min_duration is None else parse_duration_s(self.min_duration),
            max_duration_s=None if self.max_duration is None else parse_duration_s(self.max_duration),
            processed_only=self.processed_only,
            min_score=self.min_score,
            largest_component=self.largest_component,
        )


def load_selected(library: str | None, selection: Selection) -> Selected:
    """Return the sounds of the library that `selection` picks.

    Print notices to stderr, also about a selection that no sound meets.
    """
    from harvester.cli.default_library import open_view
    from harvester.graph import Selection, explain_empty, select

    view = open_view(library)
    if not view.exists:
        raise SettingsError(f"{view.folder}: no library here; `harvester harvest` starts one")
    selected = select(view.state, selection)
    if not len(selected) and selection != Selection():
        note(explain_empty(view.state, selection))
    return selected


@contextmanager
def counting_bytes(what: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many bytes are written while the block lasts."""
    written = shown = 0
    live = sys.stderr.isatty() and not Console.quiet

    def count(size_bytes: int) -> None:
        nonlocal written, shown
        written += size_bytes
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
            autocompletion=completing(_FORMATS),
            help="graphml, gexf, jsonl, csv, parquet, node-link or credits.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write to this file, else to stdout.")
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
    from harvester.exports import CREDIT_FORMATS, FORMATS, STREAMS, XML_FORMATS, check_place
    from harvester.terminal_text import escape_json, escape_xml

    if format not in (*FORMATS, "credits"):
        raise SettingsError(f"'{format}' is not a format; use {', '.join(FORMATS)} or credits")
    if credits_format not in CREDIT_FORMATS:
        raise SettingsError(f"'{credits_format}' is not a format of credits; use {', '.join(CREDIT_FORMATS)}")
    if out is None and format in ("csv", "parquet"):
        raise SettingsError(f"{format} makes two files; name the first with -o OUT")
    if faithful and "csv" not in (format, credits_format):
        raise SettingsError("--faithful works only with csv, and with credits --format csv")
    if out is not None:
        check_place(out)
    selected = load_selected(library, select.selection())
    if format == "credits":
        _credit(selected, credits_format, out, faithful=faithful)
    elif out is None:
        print_document(STREAMS[format](selected), escape_xml if format in XML_FORMATS else escape_json)
    else:
        _save(selected, format, out, partition_rows, faithful=faithful)


def _credit(selected: Selected, format: str, out: Path | None, *, faithful: bool) -> None:
    from harvester.exports import encode_credits, list_credits, text_chunks
    from harvester.storage import disk_errors, write_atomically
    from harvester.terminal_text import escape_paragraph, escape_xml

    credits = list_credits(selected)
    pieces = encode_credits(credits, format, faithful=faithful)
    if out is None:
        print_document(pieces, escape_xml if format == "html" else escape_paragraph)
    else:
        with disk_errors(out, "the earlier file is unchanged"):
            write_atomically(out, text_chunks(pieces))
        say(f"{out}: {len(credits)} sounds credited")
    if len(credits) < len(selected):
        note(f"{len(selected) - len(credits)} sounds have no record yet and are not in the credits")


def _save(selected: Selected, format: str, out: Path, partition_rows: int | None, *, faithful: bool) -> None:
    from harvester.exports import save_export
    from harvester.storage import disk_errors

    with disk_errors(out, "the earlier file is unchanged"), counting_bytes(str(out)) as on_bytes:
        written = save_export(
            selected, format, out, partition_rows=partition_rows, faithful=faithful, on_bytes=on_bytes
        )
    names = " and ".join(str(path) for path in written)
    say(f"{names}: {len(selected)} sounds, {selected.edge_count} edges")
