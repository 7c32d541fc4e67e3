"""`harvester export`: write the library for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harvester.cli.completion import completing
from harvester.cli.console import Console, LibraryOption, note, print_document, say, size_text
from harvester.cli.extensions import formats_help
from harvester.cli.options import JobsOption, SchedulerOption, bounded, grouped
from harvester.cli.select_options import SelectOptions
from harvester.cli.terminal import can_redraw, replace_line
from harvester.counts import counted, graph_size
from harvester.errors import SettingsError
from harvester.extension_points import FORMATS
from harvester.settings import COUNT
from harvester.terminal_text import escape_json, escape_paragraph, escape_xml

if TYPE_CHECKING:
    from harvester.actions import DatasetReport

_ESCAPES = {"json": escape_json, "xml": escape_xml, "text": escape_paragraph}
_CREDIT_FORMATS = "md|txt|csv|html"
_DATASET = "dataset"
_GROUPINGS, _METHODS, _TABLES = "user|pack", "greedy|hash", "parquet|csv"


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """How to write a dataset; each is None where the person left it out."""

    fields: Annotated[
        str | None,
        typer.Option(metavar="name,type", help="dataset: write these fields only, with id and license."),
    ] = None
    split: Annotated[
        str | None,
        typer.Option(metavar="80/10/10", help="dataset: make parts of these percentages.", show_default="80/10/10"),
    ] = None
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar=_GROUPINGS,
            autocompletion=completing(_GROUPINGS),
            help="dataset: keep each of these in one part.",
            show_default="user",
        ),
    ] = None
    splits: Annotated[
        Path | None,
        typer.Option(metavar="OLD", help="dataset: keep the parts of the dataset in this folder."),
    ] = None
    split_method: Annotated[
        str | None,
        typer.Option(
            metavar=_METHODS,
            autocompletion=completing(_METHODS),
            help="dataset: assign parts like this.",
            show_default="greedy",
        ),
    ] = None
    table: Annotated[
        str | None,
        typer.Option(
            metavar=_TABLES,
            autocompletion=completing(_TABLES),
            help="dataset: write tables of this format.",
            show_default="parquet",
        ),
    ] = None
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="dataset: set the heading of its card.")] = None

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of `actions.export_dataset`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def check_format(self, format: str) -> None:
        """Raise `SettingsError` if an option is set for another format."""
        given = [name for name, value in self.keywords().items() if value is not None]
        if given:
            raise SettingsError(f"--{given[0].replace('_', '-')} works with dataset only, not with {format}")


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
            autocompletion=completing(lambda: [*FORMATS, "credits", _DATASET]),
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
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
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
    settings: DatasetSettings,
) -> None:
    """Export the library, or a selection, for other programs.

    csv and parquet write the sounds to OUT and the edges to a file beside it, with .edges before the ending. dataset
    writes a folder OUT to publish. Deleted and withdrawn sounds are left out, but jsonl, node-link and parquet of a
    whole library keep them in `library`, from which `harvester import` makes the same library. Without -o, control
    characters in the output are escaped as the format allows.
    """
    from harvester import actions

    if format == _DATASET:
        if partition_rows is not None:
            raise SettingsError("--partition-rows works with parquet only, not with dataset")
        if jobs != 1 or scheduler is not None:
            raise SettingsError("--jobs and --scheduler work with parquet --partition-rows only, not with dataset")
        if out is None:
            raise SettingsError("dataset writes a folder; name it with -o OUT")
        options = {"library": library, "faithful": faithful, **select.keywords(), **settings.keywords()}
        with counting_bytes(str(out)) as on_progress:
            dataset = actions.export_dataset(out, **options, on_progress=on_progress)
        _tell_dataset(dataset)
        return
    settings.check_format(format)
    note(*FORMATS.find().problems)
    options = {
        "library": library,
        "partition_rows": partition_rows,
        "jobs": jobs,
        "scheduler": scheduler,
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
        say(f"{out}: {counted(report.sounds, 'sound')} credited")
    else:
        say(f"{' and '.join(map(str, report.paths))}: {graph_size(report.sounds, report.edges)}")
    _note_without_record(report.without_record)


def _tell_dataset(report: DatasetReport) -> None:
    note(*report.notices)
    parts = ", ".join(f"{part} {count:,}" for part, count in report.parts.items())
    held = f"{counted(report.sounds, 'sound')} by {counted(report.authors, 'author')} ({parts})"
    say(f"{report.path}: {held}, {counted(report.edges, 'edge')}")
    licenses = ", ".join(f"{name} {count:,}" for name, count in report.licenses.items())
    left_out = f"; left out with others: {report.other_licenses:,}" if report.other_licenses else ""
    default = f" (without --license, only CC0 and BY are taken{left_out})" if report.only_free else ""
    say(f"licenses: {licenses}{default}")
    wishes = ", ".join(f"{wish} {count:,}" for wish, count in report.gen_ai_wishes.items())
    say(f"wishes about generative AI: {wishes}")


def _note_without_record(count: int) -> None:
    if count:
        left_out = counted(count, "sound has no record yet and is", "sounds have no record yet and are")
        note(f"{left_out} not in the credits")
