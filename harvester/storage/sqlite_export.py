"""Recognise the database of `export sqlite`, and open one safely.

Owns the marks in the file's header, which the writer and the reader share, and how a database from others is opened:
read-only, without its journal, with SQLite's guards against hostile files. Knows nothing of the tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harvester.errors import SettingsError
from harvester.storage.opening import read_start

SQLITE = b"SQLite format 3\0"
EXPORT_MARK = b"HrVs"
EXPORT_VERSION = 1
"""The version of the tables: `user_version` of the database, whose `application_id` is the mark."""

_HEAD_BYTES, _VERSION_AT, _MARK_AT = 100, 60, 68
_LONGEST_STATEMENT = 100_000
_LONGEST_PATTERN = 100
_JOURNALS = ("-wal", "-journal")


def export_version(path: Path) -> int | None:
    """Return the version of an exported database, None for another file.

    Raises the `OSError` of a file that cannot be read.
    """
    head = read_start(path, _HEAD_BYTES)
    if not head.startswith(SQLITE) or head[_MARK_AT : _MARK_AT + 4] != EXPORT_MARK:
        return None
    return int.from_bytes(head[_VERSION_AT : _VERSION_AT + 4])


def refuse_open_database(path: Path) -> None:
    """Raise `SettingsError` if another program writes the database.

    What it wrote may be in a file beside it only, and SQLite would apply that file to a new database of the same name.
    """
    for ending in _JOURNALS:
        beside = path.with_name(f"{path.name}{ending}")
        if beside.exists():
            raise SettingsError(
                f"{path}: another program has it open, or ended and left {beside.name}; close that program (or open "
                "the database once with it, which removes the file), or choose another name; nothing was changed"
            )


@contextmanager
def opened_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database from others for reading; SQLite writes no file.

    Raises `SettingsError` like `refuse_open_database`. The block raises `sqlite3.Error` for what is corrupt.
    """
    refuse_open_database(path)
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(path.stat().st_size, _LONGEST_STATEMENT))
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _LONGEST_PATTERN)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        for guard in ("trusted_schema = OFF", "cell_size_check = ON", "ignore_check_constraints = ON"):
            connection.execute(f"PRAGMA {guard}")
        yield connection
