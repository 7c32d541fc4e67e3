"""Write every event to the journal, durable when `append` returns.

The journal has what the checkpoint or a verified backup lacks. Owns `freesound_library.journal`, an SQLite database
(WAL, `synchronous=FULL`); SQLite handles torn writes and concurrent readers. `journal.format` owns the form of its
rows, `journal.reader` how they are read. Knows nothing of graphs. Deferrals and notes are stored here because they are
local to this machine.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from harvester.errors import HarvesterError, LibraryCorrupt, LibraryUnwritable
from harvester.graph import check_events, check_local
from harvester.journal.database import NOTES, TABLES, Bound, connect, read_tables
from harvester.journal.format import UNREADABLE, Head, encode_head, encode_row, is_damage, translated
from harvester.journal.reader import read_contents
from harvester.model import Deferral, Event, Note
from harvester.storage import NotRegular, WalIndex, disk_errors

_PAGE_BYTES = 512
"""A commit writes three whole pages: page 1 (the file's header), the leaf page with the new row, and the page of the
table's tree that points to it. The usual row fits one page."""

_WAL_PAGES = 4000
"""At this size SQLite copies the WAL into the file and overwrites it from its start. Syncing such a WAL takes 0.11 ms,
one that still grows 0.18 ms (measured). With a smaller WAL fewer rows are removed before SQLite writes them twice."""

_ROW_BYTES = 64
_MOST_REASON = 200

_SET_LAST = "PRAGMA user_version = {}"
_SET_HEAD = "UPDATE head SET body = ?"


class Journal:
    """The journal as the library's one writer opens it.

    One call at a time, from any thread.
    """

    def __init__(self, path: Path) -> None:
        """Open or durably create the journal, and read it into `contents`.

        `contents.damage` says what is corrupt. Raises `LibraryCorrupt` when its schema or its head cannot be used,
        `DiskFull` or `LibraryUnwritable`.
        """
        self.path = path
        self.head = Head()
        self._index = WalIndex(path, _PAGE_BYTES)
        self._index.begin()
        try:
            self._connection = connect(path)
        except sqlite3.Error as error:
            raise translated(error, path) from error
        except NotRegular as error:
            raise LibraryUnwritable(f"{error.filename}: {error.strerror}; nothing was changed: move it away") from error
        try:
            tables = self._check_tables()
            self._prepare(is_new=not tables)
            self.contents = read_contents(self._connection, Bound(path))
            self._has_notes = "notes" in tables
        except BaseException as error:
            self._connection.close()
            if not isinstance(error, UNREADABLE):
                raise
            if is_damage(error):
                raise LibraryCorrupt(f"{path}: the journal is corrupt ({error})") from error
            raise translated(error, path) from error
        self.head = self.contents.head
        status = path.stat()
        self._identity = (status.st_dev, status.st_ino)

    def _check_tables(self) -> set[str]:
        tables, problem = read_tables(self._connection)
        if problem:
            raise LibraryCorrupt(f"{self.path}: the journal is corrupt ({problem})")
        return tables

    def _prepare(self, *, is_new: bool) -> None:
        execute = self._connection.execute
        execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA fullfsync = 1")
        execute("PRAGMA checkpoint_fullfsync = 1")
        execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        # Some builds overwrite deleted rows with zeros, which writes each page again; a takedown runs VACUUM instead.
        execute("PRAGMA secure_delete = OFF")
        execute("PRAGMA temp_store = MEMORY")
        self._make_room(sum(map(len, TABLES.values())))
        if not is_new:
            self._check_writable()
            return
        execute("BEGIN IMMEDIATE")
        for statement in TABLES.values():
            execute(statement)
        execute("INSERT INTO head VALUES (1, ?)", (encode_head(Head()),))
        execute("COMMIT")

    def _check_writable(self) -> None:
        """Raise at opening if the journal is not writable; write nothing."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            execute("UPDATE head SET one = one WHERE 0")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY and os.access(self.path, os.W_OK):
                # One flipped bit of the header marks the file as one of a later version, which is read-only.
                raise LibraryCorrupt(f"{self.path}: the journal is corrupt (its header says read-only)") from error
            raise
        finally:
            execute("ROLLBACK")

    def append(
        self,
        events: Sequence[Event],
        deferrals: Sequence[Deferral] = (),
        undeferred: Sequence[int] = (),
        notes: Sequence[Note] = (),
    ) -> int:
        """Add events and notes, set or clear deferrals, in one transaction.

        Durable on return. Returns the size of the new row in bytes. Raises `EventRefused` for an invalid value,
        `DiskFull` or `LibraryUnwritable`; then nothing of the call is kept. A crash keeps all of the call or nothing.
        """
        check_events(events)
        check_local(deferrals, undeferred, notes)
        head = self.head
        statements: list[tuple[str, tuple[Any, ...]]] = []
        size_bytes = 0
        if events:
            head = replace(head, last=head.last + 1)
            row = encode_row(head.last, events)
            size_bytes = len(row[2])
            statements += [("INSERT INTO events VALUES (?, ?, ?)", row), (_SET_LAST.format(head.last), ())]
        statements += [("DELETE FROM deferrals WHERE sound_id = ?", (sound_id,)) for sound_id in undeferred]
        statements += [
            (
                "INSERT OR REPLACE INTO deferrals VALUES (?, ?, ?, ?)",
                (one.sound_id, _storable(one.reason), one.count, one.next_try_at),
            )
            for one in deferrals
        ]
        if notes and not self._has_notes:
            statements.append((NOTES, ()))
        statements += [("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (n.topic, n.key, n.text)) for n in notes]
        if statements:
            self._transaction(statements, head)
        self._has_notes = self._has_notes or bool(notes)
        return size_bytes

    def drop_invalid(self) -> None:
        """Remove invalid values and deferrals from rows; durable on return."""
        kept = dict(self.contents.rows)
        statements: list[tuple[str, tuple[Any, ...]]] = []
        for seq in self.contents.dropped_from:
            _, count, body = encode_row(seq, kept[seq])
            statements.append(("UPDATE events SET count = ?, body = ? WHERE seq = ?", (count, body, seq)))
        known = self._connection.execute("SELECT sound_id FROM deferrals").fetchall()
        statements += [
            ("DELETE FROM deferrals WHERE sound_id = ?", row) for row in known if row[0] not in self.contents.deferrals
        ]
        if statements:
            self._transaction(statements, self.head)

    def update(self, *, forget: bool = False, **changes: Any) -> None:
        """Change fields of the head in one transaction; durable on return.

        With `forget`, also remove the rows that both the checkpoint and the backup hold after that change.
        """
        head = replace(self.head, **changes)
        statements: list[tuple[str, tuple[Any, ...]]] = []
        if forget:
            head = replace(head, safe=min(head.saved, head.backed))
            statements.append(("DELETE FROM events WHERE seq <= ?", (head.safe,)))
        if statements or head != self.head:
            self._transaction([*statements, (_SET_HEAD, (encode_head(head),))], head)
        if forget:
            self._shrink()

    def _shrink(self) -> None:
        """Release the pages of removed rows when they are most of the file.

        Otherwise SQLite would copy them from the WAL into the file, and taking a page from the list of free pages makes
        a commit write one page more.
        """
        execute = self._connection.execute
        # Optional: on a full disk, or while a reader blocks it, the file just stays large.
        with suppress(sqlite3.Error, HarvesterError):
            self._make_room(0)
            (pages,), (free,) = execute("PRAGMA page_count").fetchone(), execute("PRAGMA freelist_count").fetchone()
            if 2 * free > pages:
                execute("VACUUM")
                execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _transaction(self, statements: Sequence[tuple[str, tuple[Any, ...]]], head: Head) -> None:
        self._make_room(sum(_ROW_BYTES + _size(values) for _, values in statements))
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                execute(statement, values)
            execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise translated(error, self.path) from error
            raise
        self._check_not_replaced()
        self.head = head

    def _make_room(self, new_bytes: int) -> None:
        with disk_errors(self.path, "everything accepted so far is kept"):
            self._index.hold(new_bytes)

    def _check_not_replaced(self) -> None:
        """Raise `LibraryUnwritable` if the journal was deleted or replaced.

        SQLite would go on writing to the old file. The commit before this call may be lost with that file.
        """
        try:
            status = self.path.stat()
        except OSError as error:
            raise LibraryUnwritable(
                f"{self.path}: the journal was removed ({error.strerror}); nothing more is saved: start again"
            ) from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise LibraryUnwritable(
                f"{self.path}: the journal was replaced by another file; nothing more is saved: start again"
            )

    def fold(self) -> None:
        """Copy the WAL back into the journal's file.

        A copy of that file alone is then complete.
        """
        with suppress(sqlite3.Error):  # while a reader blocks it, the WAL stays beside the file, still valid
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy_to(self, path: Path) -> None:
        """Copy the journal to a new file, synced.

        Raises `DiskFull` or `LibraryUnwritable`.
        """
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as target:
                target.execute("PRAGMA fullfsync = 1")
                self._connection.backup(target)
        except sqlite3.Error as error:
            raise translated(error, path) from error

    def close(self) -> None:
        """Close the database; safe to call again."""
        with suppress(sqlite3.Error):
            self._connection.close()


def _storable(reason: str) -> str:
    return reason[:_MOST_REASON].encode("utf-8", "replace").decode()


def _size(values: tuple[Any, ...]) -> int:
    return sum(len(value) for value in values if isinstance(value, (bytes, str)))
