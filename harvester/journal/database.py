"""The journal's database file: opened as what came from others, and looked at before anything of it is used.

Owns the connection (a regular file, no link followed for writing, nothing of a foreign schema trusted), the tables a
journal may have, and the bound on what reading it may give: no more rows and bytes than the files have.
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
"""Made with the first note: journals of before notes, and those of libraries that need none, have no such table."""

_ALL = TABLES | {"notes": NOTES}
_LEAST_ROW_BYTES = 4
"""A row takes at least so many bytes of its page: its place in the page's list, its size, its number."""

_LONGEST_STATEMENT = 10_000
_SMALL_BYTES = 1 << 16


def connect(path: Path, mode: str = "mode=rwc") -> sqlite3.Connection:
    """Return a connection to a journal; `mode` is how SQLite opens it (`mode=ro`, `immutable=1`).

    Nothing of the file's own schema may call what has effects, and pages are checked as they are read. Raises
    `NotRegular` when the file or its WAL is not a regular file or, where it may be written, is a symbolic link.
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
    """Return the names of the tables that are a journal's to the letter, and what else is wrong (empty: nothing).

    To be called before anything else is read, and no other table may be read: views, triggers, indexes and other
    columns could run what a file brings.
    """
    found: set[str] = set()
    problem = ""
    for kind, name, table, statement in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        if kind == "table" and name == table and name not in found and statement == _ALL.get(name):
            found.add(name)
        else:
            problem = "it holds more than the tables of a journal"
    if found and not problem and not TABLES.keys() <= found:
        problem = "it lacks tables of a journal"
    return found, problem


class Bound:
    """What reading may give, from the size of the files: pages that are listed twice make rows without end."""

    def __init__(self, path: Path) -> None:
        wal = path.with_name(f"{path.name}-wal")
        self.size_bytes = sum(part.stat().st_size for part in (path, wal) if part.exists())
        self._left_bytes = self.size_bytes + _SMALL_BYTES

    def hold(self, connection: sqlite3.Connection) -> int:
        """Let no value be longer than the files, and return the limit before, for `Connection.setlimit`."""
        return connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self.size_bytes + _SMALL_BYTES)

    def spend(self, *values: object) -> None:
        """Count a row; raises `LibraryCorrupt` when the rows have more bytes than the files."""
        self._left_bytes -= _LEAST_ROW_BYTES + sum(len(one) for one in values if isinstance(one, (str, bytes)))
        if self._left_bytes < 0:
            raise LibraryCorrupt("it gives more rows than it has bytes")
