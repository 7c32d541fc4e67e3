"""The journal: every event since the last verified backup, durable when `append` returns.

Owns `freesound_library.journal`, an SQLite database (WAL, `synchronous=FULL`): torn writes and concurrent readers are
SQLite's business. What SQLite does not see is checked here: each row carries a checksum over its number and body, the
numbers have no gap, and the head says the last one; so rotten bytes are noticed, never read as facts.
Knows nothing of graphs; deferrals live here because they are local to the machine.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harvester.errors import DiskFull, HarvesterError, LibraryCorrupt, LibraryUnwritable, NewerFormat
from harvester.library.events import decode_events, encode_events
from harvester.library.lock import read_owner
from harvester.model import Deferral, Event, Note, Notes

FORMAT = 1
_SUM_BYTES = 8
_PAGE_BYTES = 1024
_MOST_REASON = 200
_LOOKS = 5
UNREADABLE = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""What reading rotten bytes raises; the last one where even SQLite's message quotes them."""

_SCHEMA = """
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL);
CREATE TABLE events (seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE deferrals (sound_id INTEGER PRIMARY KEY, reason TEXT, count INTEGER, next_try_at INTEGER);
"""
_NOTES = "CREATE TABLE notes (topic TEXT, key INTEGER, text TEXT, PRIMARY KEY (topic, key)) WITHOUT ROWID"
"""Made with the first note: journals of before notes, and those of libraries that need none, have no such table."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the journal knows of the files beside it.

    Rows `safe`+1 to `last` are in it; up to `saved` the checkpoint holds them, up to `safe` a verified backup too.
    `digest` is the last checkpoint written, `next_digest` one that was about to be renamed. `restore` names the
    backup of a rollback that is not finished. `timeline` counts rollbacks. `adopted`: the state holds what was never an
    event in this journal. `owed`: no backup holds the present state's base yet, so that one is due at once.
    """

    format: int = FORMAT
    source: str = ""
    last: int = 0
    saved: int = 0
    safe: int = 0
    digest: str = ""
    next_digest: str = ""
    checkpoint_at: int | None = None
    backup_at: int | None = None
    backup_digest: str = ""
    backup_nodes: int = 0
    restore: str = ""
    restore_digest: str = ""
    timeline: int = 0
    adopted: bool = False
    owed: bool = False


@dataclass(slots=True)
class Contents:
    """What was read from a journal; `damage` is empty when all of it was good."""

    head: Head = field(default_factory=Head)
    rows: list[tuple[int, list[Event]]] = field(default_factory=list)
    deferrals: dict[int, Deferral] = field(default_factory=dict)
    notes: Notes = field(default_factory=dict)
    damage: str = ""

    @property
    def events(self) -> Iterable[Event]:
        return (event for _, events in self.rows for event in events)

    @property
    def unsaved(self) -> int:
        return sum(len(events) for seq, events in self.rows if seq > self.head.saved)


class Journal:
    """The journal opened by the one writer. One call at a time, from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or create it, durable on return. What it holds is in `contents`; it may be damaged."""
        self.path = path
        self.head = Head()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        try:
            self._prepare()
            self.contents = _read(self._connection)
            self._has_notes = _has_notes(self._connection)
        except BaseException as error:
            self._connection.close()
            if not isinstance(error, UNREADABLE):
                raise
            if is_damage(error):
                raise LibraryCorrupt(f"{path}: the journal is damaged ({error})") from error
            raise _translated(error, path) from error
        self.head = self.contents.head
        status = path.stat()
        self._identity = (status.st_dev, status.st_ino)

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA fullfsync = 1")
        execute("PRAGMA checkpoint_fullfsync = 1")
        execute("PRAGMA wal_autocheckpoint = 4000")
        if not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.strip().split("\n"):
                execute(statement)
            execute("INSERT INTO head VALUES (1, ?)", (_encode_head(Head()),))
            execute("COMMIT")

    def append(
        self,
        events: Sequence[Event],
        deferrals: Sequence[Deferral] = (),
        undeferred: Sequence[int] = (),
        notes: Sequence[Note] = (),
    ) -> int:
        """Add events and notes, set or clear deferrals, in one transaction, durable on return; give the bytes it took.

        Raises `DiskFull` or `LibraryUnwritable`; nothing of the call is kept then.
        """
        head = self.head
        statements: list[tuple[str, tuple[Any, ...]]] = []
        body = b""
        if events:
            head = replace(head, last=head.last + 1)
            body = encode_events(events)
            row = (head.last, len(events), _sum(head.last, len(events), body) + body)
            statements.append(("INSERT INTO events VALUES (?, ?, ?)", row))
        statements += [("DELETE FROM deferrals WHERE sound_id = ?", (sound_id,)) for sound_id in undeferred]
        statements += [
            (
                "INSERT OR REPLACE INTO deferrals VALUES (?, ?, ?, ?)",
                (one.sound_id, _storable(one.reason), one.count, one.next_try_at),
            )
            for one in deferrals
        ]
        if notes and not self._has_notes:
            statements.append((_NOTES, ()))
        statements += [("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (n.topic, n.key, n.text)) for n in notes]
        if statements:
            self._transaction(statements, head)
        self._has_notes = self._has_notes or bool(notes)
        return len(body)

    def update(self, *, forget_to: int | None = None, **changes: Any) -> None:
        """Change the head, and drop the rows up to `forget_to`, in one transaction, durable on return."""
        head = replace(self.head, **changes)
        statements: list[tuple[str, tuple[Any, ...]]] = []
        if forget_to is not None:
            head = replace(head, safe=forget_to)
            statements.append(("DELETE FROM events WHERE seq <= ?", (forget_to,)))
        if statements or head != self.head:
            self._transaction(statements, head)

    def _transaction(self, statements: Sequence[tuple[str, tuple[Any, ...]]], head: Head) -> None:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                execute(statement, values)
            if head != self.head:
                execute("UPDATE head SET body = ?", (_encode_head(head),))
            execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _translated(error, self.path) from error
            raise
        self._stand_firm()
        self.head = head

    def _stand_firm(self) -> None:
        """Refuse to go on when the file is no longer at its path: SQLite would write into a deleted file for ever."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise LibraryUnwritable(
                f"{self.path}: the journal has gone ({error.strerror}); nothing more is kept"
            ) from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise LibraryUnwritable(f"{self.path}: the journal was replaced by another file; nothing more is kept")

    def fold(self) -> None:
        """Write the WAL back into the journal's own file, so that a copy of that file is whole."""
        with suppress(sqlite3.Error):  # a reader in the way: the WAL stays beside it, as good as before
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy_to(self, path: Path) -> None:
        """Write a copy of the journal to a new file, synced."""
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as target:
                target.execute("PRAGMA fullfsync = 1")
                self._connection.backup(target)
        except sqlite3.Error as error:
            raise _translated(error, path) from error

    def close(self) -> None:
        """Release the database; safe to call again."""
        with suppress(sqlite3.Error):
            self._connection.close()


def load_contents(path: Path, *, rows: bool = True) -> Contents | None:
    """Return what a journal holds without writing anything, or None when there is none.

    Works beside a running writer, on a read-only folder, and on what a killed writer left behind. Damage does not
    raise: every row that can still be trusted is in the result, and `damage` says what was wrong.
    """
    wal = path.with_name(f"{path.name}-wal")
    before: object
    for _ in range(_LOOKS):
        if not path.exists():
            return None
        if wal.exists() and read_owner(path.parent) is None:
            # A killed writer's WAL has no index yet. SQLite would make it here, in memory that is mapped to the disk:
            # where the disk is full, writing there may be a bus error, which nobody can catch.
            before = [_shape(path), _shape(wal)]
            contents = _read_copy(path, wal, rows)
            if wal.exists() and [_shape(path), _shape(wal)] == before:
                return contents
            continue
        before = None if wal.exists() else _shape(path)
        # Without a WAL nobody writes and the file is all there is; SQLite would leave files of its own beside it.
        mode = "mode=ro" if before is None else "mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(f"file:{_quoted(path)}?{mode}", uri=True, isolation_level=None)) as connection:
                connection.execute("BEGIN")
                contents = _read(connection, rows=rows)
        except UNREADABLE as error:
            if not is_damage(error):
                break
            contents = Contents(damage=str(error))
        if before is None or (not wal.exists() and _shape(path) == before):
            return contents
    # A read-only folder: SQLite cannot make the index of the WAL there, beside a copy it can.
    return _read_copy(path, wal, rows)


def _read_copy(path: Path, wal: Path, rows: bool) -> Contents:
    with tempfile.TemporaryDirectory(prefix="harvester") as folder:
        for part in (path, wal):
            if part.exists():
                shutil.copyfile(part, Path(folder) / part.name)
        try:
            with closing(sqlite3.connect(Path(folder) / path.name, isolation_level=None)) as connection:
                return _read(connection, rows=rows)
        except UNREADABLE as error:
            return Contents(damage=str(error))


def load_head(path: Path) -> Head | None:
    """Return a journal's head without reading its rows, or None when there is none that can be read."""
    contents = load_contents(path, rows=False)
    return None if contents is None else contents.head


def is_damage(error: Exception) -> bool:
    """Tell whether SQLite says that the bytes are wrong, rather than that it cannot get at them."""
    if not isinstance(error, sqlite3.Error):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or (code & 0xFF) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
    )


def _read(connection: sqlite3.Connection, *, rows: bool = True) -> Contents:
    contents = Contents()
    try:
        row = connection.execute("SELECT body FROM head WHERE one = 1").fetchone()
        contents.head = _decode_head(row[0] if row else b"")
    except LibraryCorrupt as error:
        contents.damage = str(error)
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        contents.damage = str(error)
    if not rows:
        return contents
    for direction in ("ASC", "DESC"):
        # Backwards too where a page in the middle is rotten: events are facts, their order means nothing.
        if _read_rows(connection, contents, direction):
            break
    contents.rows.sort()
    numbers = [seq for seq, _ in contents.rows]
    if not contents.damage and numbers != list(range(contents.head.safe + 1, contents.head.last + 1)):
        contents.damage = "rows are missing"
    _read_deferrals(connection, contents)
    _read_notes(connection, contents)
    return contents


def _read_rows(connection: sqlite3.Connection, contents: Contents, direction: str) -> bool:
    known = {seq for seq, _ in contents.rows}
    try:
        for seq, count, body in connection.execute(f"SELECT seq, count, body FROM events ORDER BY seq {direction}"):  # noqa: S608
            if seq in known:
                break
            try:
                contents.rows.append((seq, _decode_row(seq, count, body)))
            except LibraryCorrupt as error:
                contents.damage = contents.damage or str(error)
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        contents.damage = contents.damage or str(error)
        return False
    return True


def _read_deferrals(connection: sqlite3.Connection, contents: Contents) -> None:
    try:
        for row in connection.execute("SELECT sound_id, reason, count, next_try_at FROM deferrals"):
            if [type(value) for value in row] == [int, str, int, int]:
                contents.deferrals[row[0]] = Deferral(*row)
            else:
                contents.damage = contents.damage or "a deferral is damaged"
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        contents.damage = contents.damage or str(error)


def _read_notes(connection: sqlite3.Connection, contents: Contents) -> None:
    try:
        if not _has_notes(connection):
            return
        for topic, key, text in connection.execute("SELECT topic, key, text FROM notes"):
            if [type(topic), type(key), type(text)] == [str, int, str]:
                contents.notes.setdefault(topic, {})[key] = text
            else:
                contents.damage = contents.damage or "a note is damaged"
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        contents.damage = contents.damage or str(error)


def _has_notes(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'notes'").fetchone()
    return bool(found[0])


def _decode_row(seq: object, count: object, body: object) -> list[Event]:
    if type(seq) is not int or type(count) is not int or type(body) is not bytes:
        raise LibraryCorrupt("a row is damaged")
    if _sum(seq, count, body[_SUM_BYTES:]) != body[:_SUM_BYTES]:
        raise LibraryCorrupt(f"row {seq} does not match its checksum")
    return decode_events(body[_SUM_BYTES:])


def _sum(seq: int, count: int, body: bytes) -> bytes:
    return hashlib.blake2b(b"%d %d " % (seq, count) + body, digest_size=_SUM_BYTES).digest()


def _encode_head(head: Head) -> bytes:
    body = json.dumps(asdict(head)).encode()
    return _sum(0, 0, body) + body


def _decode_head(body: object) -> Head:
    if type(body) is not bytes or _sum(0, 0, body[_SUM_BYTES:]) != body[:_SUM_BYTES]:
        raise LibraryCorrupt("the journal's head does not match its checksum")
    fields = json.loads(body[_SUM_BYTES:])
    if fields["format"] > FORMAT:
        raise NewerFormat(f"the journal has format {fields['format']}, this harvester reads {FORMAT}: please update it")
    return Head(**fields)


def _storable(reason: str) -> str:
    return reason[:_MOST_REASON].encode("utf-8", "replace").decode()


def _shape(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _quoted(path: Path) -> str:
    return quote(str(path.absolute()))


def _translated(error: Exception, path: Path) -> HarvesterError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"{path}: no space left on the disk; everything accepted so far is kept")
    if is_damage(error):
        return LibraryCorrupt(f"{path}: the journal is damaged ({error}); the next start saves what can be read")
    return LibraryUnwritable(f"{path}: the journal cannot be written ({error}); everything accepted so far is kept")
