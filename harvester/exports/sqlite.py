"""Write a selection as an SQLite database with full-text search.

Owns the schema, in `exports.sqlite_schema`, and the order of everything in the file: the same library gives the same
bytes for one version of SQLite. Each sound has, beside its columns, the canonical text from which `harvester import`
makes the same library. Needs only the standard library. The database is built in a temporary file without a name, and
its bytes are written like those of any other export.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from harvester.errors import DiskFull, LibraryUnwritable, words_of
from harvester.exports.relational import edges_by_kind, tag_rows
from harvester.exports.sqlite_schema import (
    FINISHING,
    PRAGMAS,
    SoundColumns,
    plan_sound_columns,
    tables_sql,
)
from harvester.exports.table import is_time, moment_of, rows
from harvester.exports.whole import WholeTexts
from harvester.graph import Selected

_PIECE_BYTES = 1 << 20
_COUNTERS = (slice(24, 28), slice(92, 100))
"""Bytes of the header where SQLite counts the changes of a file, and notes its own version."""


def encode_sqlite(selected: Selected) -> Generator[bytes, None, None]:
    """Yield the bytes of the database.

    Raises `DiskFull` without room for the temporary file, and `LibraryUnwritable` when SQLite cannot build the
    database, for example when it would be larger than SQLite allows.
    """
    from tempfile import gettempdir  # slow to import

    try:
        with _nameless_database() as (connection, descriptor):
            _build(connection, selected)
            head = bytearray(os.pread(descriptor, _PIECE_BYTES, 0))
            for counter in _COUNTERS:
                head[counter] = bytes(counter.stop - counter.start)
            yield bytes(head)
            place = len(head)
            while piece := os.pread(descriptor, _PIECE_BYTES, place):
                place += len(piece)
                yield piece
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise DiskFull(
                f"{gettempdir()}: no space left on the disk to build the database; the earlier file is unchanged; "
                "TMPDIR may name a folder with more room"
            ) from error
        raise LibraryUnwritable(
            f"SQLite cannot hold these sounds ({words_of(error)}); the earlier file is unchanged"
        ) from error


@contextmanager
def _nameless_database() -> Iterator[tuple[sqlite3.Connection, int]]:
    """Give a new database and a descriptor of its file, which has no name.

    The system frees its space with the connection, also after a kill.
    """
    from tempfile import TemporaryDirectory

    with ExitStack() as stack:
        folder = TemporaryDirectory()
        stack.callback(folder.cleanup)
        path = Path(folder.name, "export.sqlite")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, descriptor)
        connection = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        # SQLite opens the file with the first statement that reads. Without a journal nothing needs the name again.
        for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("SELECT count(*) FROM sqlite_schema")
        folder.cleanup()
        yield connection, descriptor


def _build(connection: sqlite3.Connection, selected: Selected) -> None:
    columns = plan_sound_columns(selected)
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("BEGIN")
    for statement in tables_sql(columns):
        connection.execute(statement)
    texts = WholeTexts(selected)
    marks = ", ".join("?" * (len(columns.columns) + 1))
    connection.executemany(f"INSERT INTO sounds VALUES ({marks})", _sound_rows(selected, columns, texts))  # noqa: S608
    connection.executemany("INSERT INTO library VALUES (?, ?)", _library_rows(selected, texts))
    _insert_tags(connection, selected)
    connection.executemany("INSERT INTO edges VALUES (?, ?, ?, ?, ?)", edges_by_kind(selected))
    for statement in FINISHING:
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("VACUUM")


def _sound_rows(selected: Selected, columns: SoundColumns, texts: WholeTexts) -> Iterator[list[Any]]:
    times = {column.name for column in columns.columns if is_time(column)}
    for row in rows(selected, columns.planned):
        values = (
            _time_text(value) if name in times and value is not None else _value(value)
            for name, value in ((column.name, row.get(column.name)) for column in columns.columns)
        )
        yield [*values, texts.text(row["id"])]


def _library_rows(selected: Selected, texts: WholeTexts) -> Iterator[tuple[int, str]]:
    if not len(selected):
        yield 0, texts.all_of_library()
    for place in range(len(selected)):
        if facts := texts.library(place):
            yield place, facts


def _insert_tags(connection: sqlite3.Connection, selected: Selected) -> None:
    numbers = {tag: number for number, tag in enumerate(sorted({row.tag for row in tag_rows(selected)}), 1)}
    connection.executemany("INSERT INTO tags VALUES (?, ?)", ((number, tag) for tag, number in numbers.items()))
    connection.executemany(
        "INSERT INTO sounds_tags VALUES (?, ?)", ((row.sound_id, numbers[row.tag]) for row in tag_rows(selected))
    )


def _time_text(value: int | str) -> str:
    digits = "microseconds" if isinstance(value, int) else "auto"
    return moment_of(value).isoformat(timespec=digits).replace("+00:00", "Z")


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # SQL functions and other programs take a null character for the end of a text.
    return value.replace("\0", "") if isinstance(value, str) else value
