"""Ask a library with SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.errors import SettingsError
from harvester.exports import RESULT_FORMATS, SqlResult, check_place, encode_pieces, query
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
    with open_view(library, on_disk=True) as view:
        selected, notices = select_from(view, chosen)
        result = replace(query(selected, statement), notices=notices)
    if out is not None:
        with disk_errors(out, "the earlier file is unchanged"):
            write_atomically(check_place(out), encode_pieces(result.text("csv" if format == "csv" else "json")))
    return result
