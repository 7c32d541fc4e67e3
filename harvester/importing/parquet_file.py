"""Read Parquet files of records or edges, batch by batch.

A column `record` has whole sounds, which count more than the columns beside it; `harvester export parquet` writes it.
Any other file needs the columns of a table in text. Needs `pyarrow`, which the extra `parquet` installs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harvester.errors import LibraryCorrupt, SettingsError
from harvester.extras import missing
from harvester.graph import read_sound_text
from harvester.importing.cells import Columns
from harvester.importing.file_content import FileContent
from harvester.importing.json_files import add_whole, read_facts
from harvester.importing.records import ImportTally
from harvester.storage import open_regular

WHOLE, RECORDS, EDGES = "whole sounds in Parquet", "a table of records in Parquet", "a table of edges in Parquet"
MAGIC = b"PAR1"
_ROWS_AT_ONCE = 64
_FREE_BYTES, _HIGHEST_RATIO = 64 << 20, 200
"""A file unpacks to at most this many bytes, and this many times its size."""


def read_parquet(paths: list[Path], tally: ImportTally, relation: str) -> FileContent | None:
    """Return what files of one table bring, or None for another table.

    Raises `LibraryCorrupt` for a damaged file, `SettingsError` without pyarrow.
    """
    found: FileContent | None = None
    for path in paths:
        with _opened(path) as table:
            names = [str(name) for name in table.schema_arrow.names]
            found = found or _begin(names, tally, relation)
            if found is None:
                return None
            where = "" if len(paths) == 1 else f"{path.name}, "
            _read_rows(table, names, path.stat().st_size, where, found)
    return found


def _begin(names: list[str], tally: ImportTally, relation: str) -> FileContent | None:
    if "record" in names and "id" in names:
        return FileContent(WHOLE, tally, relation)
    if {"source", "target"} <= set(names):
        return FileContent(EDGES, tally, relation)
    if not Columns(names, ImportTally()).id_name:
        return None
    found = FileContent(RECORDS, tally, relation)
    found.takes_edges = True
    return found


def _opened(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise SettingsError(missing("a Parquet file", "pyarrow", "parquet")) from error
    with os.fdopen(open_regular(path), "rb") as file:
        size_bytes = path.stat().st_size
        if size_bytes < 12 or file.read(4) != MAGIC or file.seek(-4, 2) < 0 or file.read(4) != MAGIC:
            raise LibraryCorrupt("it is no whole Parquet file: its beginning or its end is missing")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise LibraryCorrupt("its Parquet metadata is damaged") from error


def _read_rows(table: Any, names: list[str], size_bytes: int, where: str, found: FileContent) -> None:
    columns = Columns(names, found.tally)
    row_number = 0
    for rows in _batches(table, size_bytes, found.tally):
        for row in rows:
            row_number += 1
            place = f"{where}row {row_number}"
            if found.old.form == WHOLE:
                _read_whole(place, row, columns, found)
            elif found.old.form == EDGES:
                named = {
                    name: cell for name, cell in row.items() if name not in ("source", "target") and cell is not None
                }
                found.add_edge(place, row["source"], row["target"], named)
            else:
                found.add_record(place, row[columns.id_name], columns.record(row))


def _read_whole(place: str, row: dict[str, Any], columns: Columns, found: FileContent) -> None:
    record, library = row["record"], row.get("library")
    if type(library) is str:
        read_facts(place, library, found)
    if type(record) is str:
        add_whole(place, lambda: read_sound_text(record), found)
    elif row["id"] is not None or type(library) is not str:
        found.add_record(place, row["id"], columns.record({**row, "record": None, "library": None}))


def _batches(table: Any, size_bytes: int, tally: ImportTally) -> Iterator[list[dict[str, Any]]]:
    import pyarrow as pa

    left = _FREE_BYTES + _HIGHEST_RATIO * size_bytes
    try:
        for packed in table.iter_batches(batch_size=_ROWS_AT_ONCE):
            batch = _spelled_out(packed)
            left -= batch.nbytes
            if left < 0:
                raise LibraryCorrupt("it unpacks to far more bytes than a table of its size")
            tally.allow(batch.nbytes)
            yield batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise LibraryCorrupt("its Parquet content is damaged") from error


def _spelled_out(batch: Any) -> Any:
    """Return a batch whose size is that of its values, shared or not."""
    import pyarrow as pa

    columns = [one.dictionary_decode() if pa.types.is_dictionary(one.type) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
