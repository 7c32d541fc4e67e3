"""Ask a library with SQL."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from harvester.actions.afterwards import Work, afterwards
from harvester.actions.default_library import LibraryLike, folder_of, open_view
from harvester.actions.indexing import index_folder
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.errors import LibraryCorrupt, SettingsError, words_of
from harvester.exports import (
    RESULT_FORMATS,
    SqlResult,
    check_place,
    encode_pieces,
    query,
    query_tables,
    sql_engine,
    write_tables,
)
from harvester.graph import Selected, Selection
from harvester.index import IndexUnusable
from harvester.library import (
    LibraryView,
    can_keep,
    digest_of_analysis,
    keep_tables,
    proven_tables,
)
from harvester.storage import disk_errors, read_path, write_atomically


@naming_keywords
def sql(
    statement: str = "",
    path: StrPath | None = None,
    *,
    format: str | None = None,
    library: LibraryLike = None,
    **selection: Unpack[SelectKeywords],
) -> SqlResult:
    """Run one SQL statement that reads the library; return its rows.

    `statement` is in DuckDB's dialect, and reads no file and no network. The tables are `sounds` with the columns of
    `export parquet`, `edges` (source, target, kind, score, weight) and `tags` (sound_id, tag); without one, the
    rows are these tables' columns. `library` is a folder or an opened `Library`; None: the default folder. `path`
    also writes the rows to this file, in the `format` csv or json, by default that of its ending; it is durable on
    return, and a failure or a crash leaves the earlier file as it was. The other keywords select sounds, and are
    those of `SelectKeywords`.

    Raises `SettingsError` for a wrong statement or keyword, a place that cannot be used, or duckdb and pyarrow when
    they are missing; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`, `DiskFull`, or `LibraryUnwritable`.
    """
    out = None if path is None else read_path(path)
    if out is not None:
        check_place(out)
        format = format or out.suffix.removeprefix(".").lower()
        if format not in RESULT_FORMATS:
            raise SettingsError(f"{out}: --format must be csv or json, or the file must end in .csv or .json")
    chosen = read_selection(**selection)
    result = _ask(library, chosen, statement)
    if out is not None:
        with disk_errors(out, "the earlier file is unchanged"):
            write_atomically(check_place(out), encode_pieces(result.text("csv" if format == "csv" else "json")))
    return result


def _ask(library: LibraryLike, chosen: Selection, statement: str) -> SqlResult:
    """Answer from kept tables, or from the library.

    The tables of a large library without a selection are kept then.
    """
    folder = folder_of(library) if chosen == Selection() else None
    indexes = None if folder is None else index_folder()
    if folder is not None and indexes is not None and (found := _ask_kept(folder, indexes, statement)) is not None:
        return found
    with open_view(library, on_disk=True) as view:
        analysis = None if indexes is None or not can_keep(view) else _digest_of_analysis(view.folder)
        selected, notices = select_from(view, chosen)
        result = None
        if indexes is not None and analysis is not None:
            result = _keep_and_ask(view, indexes, analysis, selected, notices, statement)
        return replace(query(selected, statement) if result is None else result, notices=notices)


def _ask_kept(folder: Path, indexes: Path, statement: str) -> SqlResult | None:
    """Answer from the tables that were kept; None without any."""
    with proven_tables(folder, indexes, sql_engine()) as tables:
        if tables is None:
            return None
        try:
            return replace(query_tables(tables.path, tables.descriptor, statement), notices=tables.notices)
        except (IndexUnusable, OSError):
            return None


def _digest_of_analysis(folder: Path) -> str | None:
    try:
        return digest_of_analysis(folder)
    except OSError:
        return None


def _keep_and_ask(
    view: LibraryView,
    indexes: Path,
    analysis: str,
    selected: Selected,
    notices: tuple[str, ...],
    statement: str,
) -> SqlResult | None:
    """Keep the tables, and answer from them; None if that fails."""
    with ExitStack() as stack:
        try:
            tables = stack.enter_context(
                keep_tables(
                    view,
                    indexes,
                    sql_engine(),
                    analysis,
                    notices,
                    lambda draft: write_tables(draft, selected, statement),
                )
            )
            line = f"the tables of {view.folder} are kept in {indexes}: it makes `sql` fast"
            result = query_tables(tables.path, tables.descriptor, statement)
        except (LibraryCorrupt, IndexUnusable, OSError) as error:
            line = f"no tables of {view.folder} were kept ({words_of(error)}); `sql` makes them of the whole library"
            result = None
    afterwards(Work(lambda: line))
    return result
