"""Read the journal without writing, even when it is corrupt.

Works beside a running writer, on a read-only folder and after a kill. Owns how the journal's content comes into memory.
It returns every row whose checksum matches, and reports corruption instead of raising it. Writes no file beside the
journal.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harvester.errors import LibraryCorrupt, LibraryUnwritable
from harvester.graph import Dropped, is_possible_deferral
from harvester.journal.database import Bound, connect, read_tables
from harvester.journal.format import UNREADABLE, Head, decode_head, decode_row, is_damage
from harvester.model import Deferral, Event, Notes, is_sound_id
from harvester.storage import NotRegular, copy_regular, opened, read_owner

_ATTEMPTS = 5


@dataclass(slots=True)
class JournalContents:
    """The content of a journal.

    `damage` says what is corrupt (empty: nothing). `unsaved_bytes` is the size of the rows that the checkpoint lacks.
    """

    head: Head = field(default_factory=Head)
    rows: list[tuple[int, list[Event]]] = field(default_factory=list)
    deferrals: dict[int, Deferral] = field(default_factory=dict)
    notes: Notes = field(default_factory=dict)
    damage: str = ""
    unsaved_bytes: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    """Invalid values that were left out; everything else was read."""
    dropped_from: list[int] = field(default_factory=list)
    """The numbers of the rows that held invalid values."""

    @property
    def events(self) -> Iterable[Event]:
        """Return the events of all rows, in order."""
        return (event for _, events in self.rows for event in events)

    @property
    def unsaved(self) -> int:
        """Return the number of events that the checkpoint lacks."""
        return sum(len(events) for seq, events in self.rows if seq > self.head.saved)

    @property
    def lost_rows(self) -> int:
        """Return how many rows that the head counts are unreadable.

        0 when the head is corrupt.
        """
        return max(0, self.head.last - self.head.safe - len(self.rows))


def load_contents(path: Path, *, rows: bool = True) -> JournalContents | None:
    """Return a journal's content without writing, or None if missing.

    Works beside a running writer, on a read-only folder, and on the files that a killed writer left. Corruption does
    not raise: the result has every row whose checksum matches, and `damage` says what is wrong. Without `rows`, only
    the head is read.
    """
    wal = path.with_name(f"{path.name}-wal")
    before: object
    for _ in range(_ATTEMPTS):
        if not path.exists():
            return None
        if problem := _problem_of(path, wal):
            return JournalContents(damage=problem)
        if wal.exists() and read_owner(path.parent) is None:
            # SQLite would create an index for a killed writer's WAL in memory that is mapped to a file. On a full disk
            # a write to that memory raises a bus error, which Python cannot catch. So read a copy.
            before = [_shape(path), _shape(wal)]
            contents = _read_copy(path, wal, rows)
            if wal.exists() and [_shape(path), _shape(wal)] == before:
                return contents
            continue
        before = None if wal.exists() else _shape(path)
        # Without a WAL there is no writer, and the file is complete. `immutable` keeps SQLite from creating files.
        mode = "mode=ro" if before is None else "mode=ro&immutable=1"
        try:
            with closing(connect(path, mode)) as connection:
                connection.execute("BEGIN")
                contents = read_contents(connection, Bound(path), rows=rows)
        except UNREADABLE as error:
            if not is_damage(error):
                break
            contents = JournalContents(damage=str(error))
        if before is None or (not wal.exists() and _shape(path) == before):
            return contents
    # In a read-only folder SQLite cannot create the index of the WAL; beside a copy it can.
    return _read_copy(path, wal, rows)


def _read_copy(path: Path, wal: Path, rows: bool) -> JournalContents:
    with tempfile.TemporaryDirectory(prefix="harvester") as folder:
        for part in (path, wal):
            if part.exists():
                copy_regular(part, Path(folder) / part.name)
        copy = Path(folder) / path.name
        try:
            with closing(connect(copy)) as connection:
                return read_contents(connection, Bound(copy), rows=rows)
        except UNREADABLE as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
                # The copy is ours, so the system refuses: for example, it allows no further open file.
                raise LibraryUnwritable(f"{path}: the journal cannot be read ({error}); nothing was changed") from error
            return JournalContents(damage=str(error))


def _problem_of(path: Path, wal: Path) -> str:
    """Return why SQLite must not open a journal, or an empty text.

    SQLite would wait for a FIFO without end.
    """
    for part in (path, wal):
        try:
            if part.exists():
                with opened(part):
                    pass
        except FileNotFoundError:
            continue  # the writer folded the WAL back meanwhile
        except (NotRegular, IsADirectoryError) as error:
            return f"{part.name}: {error.strerror}"
    return ""


def load_head(path: Path) -> Head | None:
    """Return a journal's head alone, or None without a journal."""
    contents = load_contents(path, rows=False)
    return None if contents is None else contents.head


def read_contents(connection: sqlite3.Connection, bound: Bound, *, rows: bool = True) -> JournalContents:
    """Return the database's content, or only its head without `rows`.

    Corruption is reported in `damage`; any other error of SQLite is raised.
    """
    longest_before = bound.hold(connection)
    try:
        return _read_contents(connection, bound, rows)
    finally:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest_before)


def _read_contents(connection: sqlite3.Connection, bound: Bound, rows: bool) -> JournalContents:
    contents = JournalContents()
    tables: set[str] = set()
    with _record_damage(contents):
        tables, contents.damage = read_tables(connection)
        if "head" not in tables:
            raise LibraryCorrupt("the journal has no head")
        row = connection.execute("SELECT body FROM head WHERE one = 1").fetchone()
        (last,) = connection.execute("PRAGMA user_version").fetchone()
        head = contents.head = decode_head(row[0] if row else b"", last)
        if head.last < max(head.safe, head.saved, head.backed):
            # New rows would get numbers that the checkpoint counts as saved, and would be removed unread.
            raise LibraryCorrupt("the last row number is below the saved one")
    if not rows:
        return contents
    if "events" in tables:
        for direction in ("ASC", "DESC"):
            # Read backwards too when a page in the middle is corrupt: the order of events does not matter.
            if _read_rows(connection, contents, bound, direction):
                break
    if not contents.damage:
        _check_pages(connection, contents)
    contents.rows.sort()
    numbers = [seq for seq, _ in contents.rows]
    if not contents.damage and numbers != list(range(contents.head.safe + 1, contents.head.last + 1)):
        contents.damage = "rows are missing"
    if "deferrals" in tables:
        _read_deferrals(connection, contents, bound)
    if "notes" in tables:
        _read_notes(connection, contents, bound)
    return contents


@contextmanager
def _record_damage(contents: JournalContents) -> Iterator[None]:
    """Record the first corruption in `contents.damage`.

    Any other error is raised.
    """
    try:
        yield
    except LibraryCorrupt as error:
        contents.damage = contents.damage or str(error)
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        contents.damage = contents.damage or str(error)


def _check_pages(connection: sqlite3.Connection, contents: JournalContents) -> None:
    """Detect corruption that only a later write would meet.

    An example is a page's list of free space.
    """
    with _record_damage(contents):
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise LibraryCorrupt(" ".join(found.split()))


def _read_rows(connection: sqlite3.Connection, contents: JournalContents, bound: Bound, direction: str) -> bool:
    """Add rows in one direction up to the first known one.

    Tells whether all of them could be read.
    """
    known = {seq for seq, _ in contents.rows}
    before: int | None = None
    with _record_damage(contents):
        for seq, count, body in connection.execute(f"SELECT seq, count, body FROM events ORDER BY seq {direction}"):  # noqa: S608
            if seq in known:
                break
            if before is not None and (seq <= before if direction == "ASC" else seq >= before):
                raise LibraryCorrupt("its rows are out of order")
            before = seq
            bound.spend(body)
            dropped = Dropped()
            with _record_damage(contents):
                contents.rows.append((seq, decode_row(seq, count, body, dropped)))
                contents.unsaved_bytes += len(body) if seq > contents.head.saved else 0
            if dropped:
                contents.dropped.add(dropped)
                contents.dropped_from.append(seq)
        return True
    return False


def _read_deferrals(connection: sqlite3.Connection, contents: JournalContents, bound: Bound) -> None:
    with _record_damage(contents):
        for row in connection.execute("SELECT sound_id, reason, count, next_try_at FROM deferrals"):
            bound.spend(*row)
            if [type(value) for value in row] != [int, str, int, int]:
                contents.damage = contents.damage or "a deferral has columns of other types"
            elif not is_sound_id(row[0]):
                contents.dropped.add_id(row[0])
            elif not is_possible_deferral(one := Deferral(*row)):
                contents.dropped.values[f"sound {row[0]}: the time of its next retry"] = None
            else:
                contents.deferrals[row[0]] = one


def _read_notes(connection: sqlite3.Connection, contents: JournalContents, bound: Bound) -> None:
    with _record_damage(contents):
        for topic, key, text in connection.execute("SELECT topic, key, text FROM notes"):
            bound.spend(topic, key, text)
            if [type(topic), type(key), type(text)] == [str, int, str]:
                contents.notes.setdefault(topic, {})[key] = text
            else:
                contents.damage = contents.damage or "a note has columns of other types"


def _shape(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
