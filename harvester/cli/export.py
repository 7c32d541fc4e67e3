"""`harvester export`: the library, or the part of it that matches, as files for other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import Console, LibraryOption, note, say, size_text
from harvester.errors import SettingsError
from harvester.settings import parse_duration_s

if TYPE_CHECKING:
    from harvester.views.selection import Selected, Selection

LicenceOption = Annotated[
    list[str] | None, typer.Option("--licence", metavar="CC0", help="CC0, BY, BY-NC, Sampling+ (repeatable: any).")
]
CategoryOption = Annotated[list[str] | None, typer.Option(metavar="NAME", help="(Sub)category (repeatable: any).")]
TagOption = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only with this tag (repeatable: all).")]
UserOption = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only by this user (repeatable: any).")]
MinDurationOption = Annotated[str | None, typer.Option(metavar="1s", help="Only sounds at least this long.")]
MaxDurationOption = Annotated[str | None, typer.Option(metavar="10s", help="Only sounds up to this long.")]
ProcessedOption = Annotated[bool, typer.Option("--processed-only", help="Only samples: record and similar list here.")]
ScoreOption = Annotated[float | None, typer.Option(metavar="0.8", help="Only edges with at least this score.")]
ComponentOption = Annotated[bool, typer.Option("--largest-component", help="Only the largest connected part.")]


def make_selection(
    *,
    licence: list[str] | None,
    category: list[str] | None,
    tag: list[str] | None,
    user: list[str] | None,
    min_duration: str | None,
    max_duration: str | None,
    processed_only: bool,
    min_score: float | None,
    largest_component: bool,
) -> Selection:
    """Return the selection that the options describe."""
    from harvester.views.selection import Selection

    return Selection(
        licences=tuple(licence or ()),
        categories=tuple(category or ()),
        tags=tuple(tag or ()),
        users=tuple(user or ()),
        min_duration_s=None if min_duration is None else parse_duration_s(min_duration),
        max_duration_s=None if max_duration is None else parse_duration_s(max_duration),
        processed_only=processed_only,
        min_score=min_score,
        largest_component=largest_component,
    )


def load_selected(library: str | None, selection: Selection) -> Selected:
    """Return what `selection` picks from the library; its notices go to stderr."""
    from harvester.cli.places import find_library
    from harvester.library.view import load_view
    from harvester.views.selection import select

    folder = find_library(library)
    view = load_view(folder)
    for line in view.notices:
        note(line)
    if not view.exists:
        raise SettingsError(f"there is no library in {folder}; `harvester harvest` starts one")
    return select(view.state, selection)


@contextmanager
def counting_bytes(what: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much was written while the block lasts."""
    written = shown = 0
    live = sys.stderr.isatty() and not Console.quiet

    def count(size_bytes: int) -> None:
        nonlocal written, shown
        written += size_bytes
        if live and written - shown > 1_000_000:
            shown = written
            sys.stderr.write(f"\r{what}: {size_text(written)} ")
            sys.stderr.flush()

    try:
        yield count
    finally:
        if shown:
            sys.stderr.write("\r\033[K")


def export(
    format: Annotated[
        str, typer.Argument(metavar="FORMAT", help="graphml, gexf, jsonl, csv, parquet, node-link or credits.")
    ],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="The file; without it, text goes to stdout.")
    ] = None,
    library: LibraryOption = None,
    licence: LicenceOption = None,
    category: CategoryOption = None,
    tag: TagOption = None,
    user: UserOption = None,
    min_duration: MinDurationOption = None,
    max_duration: MaxDurationOption = None,
    processed_only: ProcessedOption = False,
    min_score: ScoreOption = None,
    largest_component: ComponentOption = False,
    partition_rows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="parquet: a folder of parts of N rows.")
    ] = None,
    credits_format: Annotated[
        str, typer.Option("--format", metavar="md|txt|csv|html", help="credits: how they are written.")
    ] = "md",
) -> None:
    """Write the library, or what matches, for other programs.

    csv and parquet have the sounds in OUT and the edges beside it, with .edges before the ending. Sounds that are gone
    from Freesound are left out.
    """
    from harvester.views.credits import CREDIT_FORMATS
    from harvester.views.export import FORMATS, check_place, export_chunks

    if format not in (*FORMATS, "credits"):
        raise SettingsError(f"'{format}' is not a format; use {', '.join(FORMATS)} or credits")
    if credits_format not in CREDIT_FORMATS:
        raise SettingsError(f"'{credits_format}' is not a format of credits; use {', '.join(CREDIT_FORMATS)}")
    if out is None and format in ("csv", "parquet"):
        raise SettingsError(f"{format} makes two files; say where with -o")
    if out is not None:
        check_place(out)
    selection = make_selection(
        licence=licence,
        category=category,
        tag=tag,
        user=user,
        min_duration=min_duration,
        max_duration=max_duration,
        processed_only=processed_only,
        min_score=min_score,
        largest_component=largest_component,
    )
    selected = load_selected(library, selection)
    if format == "credits":
        _credit(selected, credits_format, out)
    elif out is None:
        _print(export_chunks(selected, format))
    else:
        _save(selected, format, out, partition_rows)


def _print(chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _credit(selected: Selected, format: str, out: Path | None) -> None:
    from harvester.library.atomic import disk_errors, write_atomically
    from harvester.views.credits import encode_credits, list_credits
    from harvester.views.export import text_chunks

    credits = list_credits(selected)
    chunks = text_chunks(encode_credits(credits, format))
    if out is None:
        _print(chunks)
    else:
        with disk_errors(out, "what was there before is as it was"):
            write_atomically(out, chunks)
        say(f"{out}: {len(credits)} sounds credited")
    if len(credits) < len(selected):
        note(f"{len(selected) - len(credits)} sounds have no record yet and cannot be credited")


def _save(selected: Selected, format: str, out: Path, partition_rows: int | None) -> None:
    from harvester.library.atomic import disk_errors
    from harvester.views.export import save_export

    with disk_errors(out, "what was there before is as it was"), counting_bytes(str(out)) as on_bytes:
        written = save_export(selected, format, out, partition_rows=partition_rows, on_bytes=on_bytes)
    names = " and ".join(str(path) for path in written)
    say(f"{names}: {len(selected)} sounds, {selected.edge_count} edges")
