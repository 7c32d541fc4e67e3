"""Export a library, or the part that matches, to files or as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack, overload

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import StrPath, check_cluster, check_jobs, naming_keywords
from harvester.actions.options import check_whole
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.errors import SettingsError
from harvester.exports import (
    CREDIT_FORMATS,
    FilesFormat,
    TextFormat,
    check_place,
    encode_credits,
    encode_pieces,
    list_credits,
    load_format,
    save_export,
    text_pieces,
)
from harvester.graph import Selected, SelectedView
from harvester.jobs import Processes, hired
from harvester.settings import COUNT
from harvester.storage import disk_errors, read_path, write_atomically

_CREDITS, _DATASET = "credits", "dataset"
_UNCHANGED = "the earlier file is unchanged"


class ExportKeywords(SelectKeywords, total=False):
    """The types of the keywords of `export`, to pass them on."""

    partition_rows: int | None
    credits_format: str
    faithful: bool
    jobs: int
    scheduler: str | None
    on_progress: Callable[[int], None] | None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Result of an export to files: the `paths`, and what they hold.

    `sounds` and `edges`: their numbers. `notices`: lines that need attention. `without_record`: selected sounds that
    are not in the credits, because they have no record yet.
    """

    paths: tuple[Path, ...]
    sounds: int
    edges: int
    without_record: int = 0
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportText(Iterator[str]):
    """An export as text, in `pieces`: iterate over it once, or join it.

    `syntax` is `json`, `xml` or `text`; `sounds`, `without_record` and `notices` are those of `ExportReport`.
    """

    pieces: Iterator[str]
    syntax: str
    sounds: int
    without_record: int = 0
    notices: tuple[str, ...] = ()

    def __next__(self) -> str:
        return next(self.pieces)


@overload
def export(
    format: str, path: None = None, *, library: LibraryLike = None, **options: Unpack[ExportKeywords]
) -> ExportText: ...


@overload
def export(
    format: str, path: StrPath, *, library: LibraryLike = None, **options: Unpack[ExportKeywords]
) -> ExportReport: ...


@naming_keywords
def export(
    format: str,
    path: StrPath | None = None,
    *,
    library: LibraryLike = None,
    partition_rows: int | None = None,
    credits_format: str = "md",
    faithful: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> ExportReport | ExportText:
    """Export the library, or a selection, to `path` or as text.

    `format` is graphml, gexf, jsonl, csv, parquet, node-link, credits, or that of a plugin. With `path`, the files are
    durable on return, and a failure leaves the earlier files as they were; csv and parquet write the edges to a file
    beside it, with `.edges` before the ending. Without, the result yields the text in pieces. Deleted and
    withdrawn sounds are left out, but jsonl, node-link and parquet of a whole library keep them in the texts from which
    `import_library` makes the same library.

    `library` is a folder or an opened `Library`. `partition_rows`: the most rows of a part of parquet. `credits_format`
    is md, txt, csv or html. `faithful`: keep texts in CSV that a spreadsheet would run as formulas. `jobs` processes
    make parts of parquet at the same time; -1 uses all cores. With `scheduler`, such as `tcp://127.0.0.1:8786`, the
    workers of a Dask cluster make them. `on_progress` gets the number of bytes written so far. The other keywords
    select sounds, and are those of `SelectKeywords`.

    Raises `SettingsError` that names a wrong keyword, a place that cannot be used, or a missing package;
    `LibraryNotFound`, `PluginFailed`, `LibraryCorrupt`, `NewerFormat`, `DiskFull`, `LibraryUnwritable`, or
    `ClusterFailed`.
    """
    out = None if path is None else read_path(path)
    _check_options(format, out, partition_rows, credits_format, faithful=faithful)
    _check_workers(jobs, scheduler, partition_rows)
    chosen = read_selection(**selection)
    with open_view(library, on_disk=True) as view:
        selected, notices = select_from(view, chosen, measured=format != _CREDITS)
        if out is None:
            text = encode_selection(selected, format, credits_format=credits_format, faithful=faithful)
            return replace(text, notices=notices)
        report = save_selection(
            selected,
            format,
            out,
            partition_rows=partition_rows,
            credits_format=credits_format,
            faithful=faithful,
            jobs=jobs,
            scheduler=scheduler,
            on_progress=on_progress,
        )
        return replace(report, notices=notices)


def encode_selection(
    selected: Selected, format: str, *, credits_format: str = "md", faithful: bool = False
) -> ExportText:
    """Return a selection as text; the keywords are those of `export`."""
    _check_options(format, None, None, credits_format, faithful=faithful)
    if format != _CREDITS:
        chosen = load_format(format)
        assert isinstance(chosen, TextFormat)
        return ExportText(text_pieces(format, SelectedView(selected)), chosen.syntax, len(selected))
    credits = list_credits(selected)
    pieces = encode_credits(credits, credits_format, faithful=faithful)
    syntax = "xml" if credits_format == "html" else "text"
    return ExportText(pieces, syntax, len(credits), len(selected) - len(credits))


def save_selection(
    selected: Selected,
    format: str,
    path: StrPath,
    *,
    partition_rows: int | None = None,
    credits_format: str = "md",
    faithful: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write a selection to `path`; durable on return.

    The keywords and errors are those of `export`.
    """
    out = read_path(path)
    _check_options(format, out, partition_rows, credits_format, faithful=faithful)
    processes, cluster = _check_workers(jobs, scheduler, partition_rows)
    written = 0

    def count(size_bytes: int) -> None:
        nonlocal written
        written += size_bytes
        if on_progress is not None:
            on_progress(written)

    if format == _CREDITS:
        credits = list_credits(selected)
        with disk_errors(out, _UNCHANGED):
            write_atomically(
                check_place(out), encode_pieces(encode_credits(credits, credits_format, faithful=faithful))
            )
        return ExportReport((out,), len(credits), 0, len(selected) - len(credits))
    with hired(processes, cluster, packages=["pyarrow"]) as team, disk_errors(out, _UNCHANGED):
        paths = save_export(
            selected, format, out, partition_rows=partition_rows, faithful=faithful, team=team, on_bytes=count
        )
    return ExportReport(tuple(paths), len(selected), selected.edge_count)


def _check_options(
    format: str, out: Path | None, partition_rows: int | None, credits_format: str, *, faithful: bool
) -> None:
    if format == _DATASET:
        raise SettingsError("dataset is a folder with options of its own: call export_dataset")
    chosen = None if format == _CREDITS else load_format(format)
    if credits_format not in CREDIT_FORMATS:
        raise SettingsError(f"'{credits_format}' is not a format of credits; use {', '.join(CREDIT_FORMATS)}")
    if out is None and isinstance(chosen, FilesFormat):
        raise SettingsError(f"{format} writes files; name the first with -o OUT")
    if faithful and "csv" not in (format, credits_format):
        raise SettingsError("--faithful works only with csv, and with credits --format csv")
    if partition_rows is not None:
        check_whole("--partition-rows", partition_rows, COUNT)
    if out is not None:
        check_place(out)


def _check_workers(jobs: int, scheduler: str | None, partition_rows: int | None) -> tuple[Processes, str | None]:
    """Return who makes the parts; raise `SettingsError` without parts."""
    count, cluster = check_jobs("--jobs", jobs), check_cluster("--scheduler", scheduler)
    if partition_rows is None and (cluster is not None or jobs != 1):
        option = "--scheduler" if cluster is not None else "--jobs"
        raise SettingsError(
            f"{option} works with parquet --partition-rows only: other formats are one file in one order"
        )
    return Processes(count), cluster
