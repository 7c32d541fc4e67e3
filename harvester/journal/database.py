"""Open the journal's database as untrusted input, and check its schema.

Owns the connection (a regular file, no symbolic link followed for writing, no foreign schema trusted), the tables that
a journal may have, and the limit on what may be read: no more bytes than the files have.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from harvester.errors import LibraryCorrupt
from harvester.storage import refuse_link

TABLES = {
    "head": "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL)",
    "events": "CREATE TABLE events (seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, body BLOB NOT NULL)",
    "deferrals": (
        "CREATE TABLE deferrals (sound_id INTEGER PRIMARY KEY, reason TEXT, count INTEGER, next_try_at INTEGER)"
    ),
}
NOTES = "CREATE TABLE notes (topic TEXT, key INTEGER, text TEXT, PRIMARY KEY (topic, key)) WITHOUT ROWID"
"""Created with the first note: older journals, and those of libraries that need no notes, have no such table."""

_ALL = TABLES | {"notes": NOTES}
_LEAST_ROW_BYTES = 4
"""Least bytes that a row takes in its page: its place in the page's list, its size, its number."""

_LONGEST_STATEMENT = 10_000
_SMALL_BYTES = 1 << 16


def connect(path: Path, mode: str = "mode=rwc") -> sqlite3.Connection:
    """Return a connection to a journal.

    `mode` is a part of SQLite's URI (`mode=ro`, `immutable=1`). The file's own schema cannot call functions with side
    effects, and SQLite checks pages as it reads them. Raises `NotRegular` when `mode` allows writing and the file, its
    WAL or its index is a symbolic link or not a regular file.
    """
    if "ro" not in mode:
        for ending in ("", "-wal", "-shm"):
            refuse_link(path.with_name(f"{path.name}{ending}"))
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path.absolute()))}?{mode}",
        uri=True, isolation_level=None, check_same_thread=False, timeout=10,
    )  # fmt: skip
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)  # VACUUM takes one
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def read_tables(connection: sqlite3.Connection) -> tuple[set[str], str]:
    """Return the valid journal tables, and the schema's problem if any.

    The problem is an empty text if there is none. Call this before any other read, and read no other table: views,
    triggers, indexes and generated columns could run code that the file brings.
    """
    found: set[str] = set()
    problem = ""
    for kind, name, table, statement in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        if kind == "table" and name == table and name not in found and statement == _ALL.get(name):
            found.add(name)
        else:
            problem = "its schema has more than a journal's tables"
    if found and not problem and not TABLES.keys() <= found:
        problem = "tables are missing"
    return found, problem


class Bound:
    """Limit on the bytes read, taken from the size of the files.

    A corrupt file may list a page twice, which repeats rows.
    """

    def __init__(self, path: Path) -> None:
        wal = path.with_name(f"{path.name}-wal")
        self.size_bytes = sum(part.stat().st_size for part in (path, wal) if part.exists())
        self._left_bytes = self.size_bytes + _SMALL_BYTES

    def hold(self, connection: sqlite3.Connection) -> int:
        """Limit values to the size of the files; return the previous limit."""
        return connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self.size_bytes + _SMALL_BYTES)

    def spend(self, *values: object) -> None:
        """Count the bytes of a row.

        Raises `LibraryCorrupt` when all rows have more bytes than the files.
        """
        self._left_bytes -= _LEAST_ROW_BYTES + sum(len(one) for one in values if isinstance(one, (str, bytes)))
        if self._left_bytes < 0:
            raise LibraryCorrupt("its rows have more bytes than its files")
