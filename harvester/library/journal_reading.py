"""Reading the journal: beside a running writer, on a read-only folder, after a kill, and where it is damaged.

Owns how what a journal holds comes into memory; every row that can be trusted comes, and damage is told, not raised.
Writes nothing beside the journal.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from harvester.errors import LibraryCorrupt
from harvester.library.event_rules import Dropped, is_possible_deferral
from harvester.library.journal_format import UNREADABLE, Head, decode_head, decode_row, is_damage
from harvester.library.lock import read_owner
from harvester.model import Deferral, Event, Notes, is_sound_id

_LOOKS = 5


@dataclass(slots=True)
class Contents:
    """What was read from a journal; `damage` is empty when all of it was good. `unsaved_bytes` is what the rows take
    that the checkpoint lacks."""

    head: Head = field(default_factory=Head)
    rows: list[tuple[int, list[Event]]] = field(default_factory=list)
    deferrals: dict[int, Deferral] = field(default_factory=dict)
    notes: Notes = field(default_factory=dict)
    damage: str = ""
    unsaved_bytes: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    """What was left out because no library can hold it; all else is whole."""
    dropped_from: list[int] = field(default_factory=list)
    """The numbers of the rows that held it."""

    @property
    def events(self) -> Iterable[Event]:
        return (event for _, events in self.rows for event in events)

    @property
    def unsaved(self) -> int:
        return sum(len(events) for seq, events in self.rows if seq > self.head.saved)


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
                contents = read_contents(connection, rows=rows)
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
                return read_contents(connection, rows=rows)
        except UNREADABLE as error:
            return Contents(damage=str(error))


def load_head(path: Path) -> Head | None:
    """Return a journal's head without reading its rows, or None when there is none that can be read."""
    contents = load_contents(path, rows=False)
    return None if contents is None else contents.head


def read_contents(connection: sqlite3.Connection, *, rows: bool = True) -> Contents:
    """Return what the database holds: the head, unless `rows` is false everything. Raises what is not damage."""
    contents = Contents()
    try:
        row = connection.execute("SELECT body FROM head WHERE one = 1").fetchone()
        (last,) = connection.execute("PRAGMA user_version").fetchone()
        head = contents.head = decode_head(row[0] if row else b"", last)
        if head.last < max(head.safe, head.saved, head.backed):
            # New rows would take numbers that count as held elsewhere, and be let go unseen.
            contents.damage = "rows are missing"
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
    _look_at_pages(connection, contents)
    contents.rows.sort()
    numbers = [seq for seq, _ in contents.rows]
    if not contents.damage and numbers != list(range(contents.head.safe + 1, contents.head.last + 1)):
        contents.damage = "rows are missing"
    _read_deferrals(connection, contents)
    _read_notes(connection, contents)
    return contents


def _look_at_pages(connection: sqlite3.Connection, contents: Contents) -> None:
    """Find what no reading meets and the next writing would: rotten lists of what is free in a page."""
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        found = str(error)
    if found != "ok":
        contents.damage = contents.damage or " ".join(found.split())


def _read_rows(connection: sqlite3.Connection, contents: Contents, direction: str) -> bool:
    known = {seq for seq, _ in contents.rows}
    try:
        for seq, count, body in connection.execute(f"SELECT seq, count, body FROM events ORDER BY seq {direction}"):  # noqa: S608
            if seq in known:
                break
            dropped = Dropped()
            try:
                contents.rows.append((seq, decode_row(seq, count, body, dropped)))
                contents.unsaved_bytes += len(body) if seq > contents.head.saved else 0
                if dropped:
                    contents.dropped.add(dropped)
                    contents.dropped_from.append(seq)
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
            if [type(value) for value in row] != [int, str, int, int]:
                contents.damage = contents.damage or "a deferral is damaged"
            elif not is_sound_id(row[0]):
                contents.dropped.add_id(row[0])
            elif not is_possible_deferral(one := Deferral(*row)):
                contents.dropped.values[f"sound {row[0]}: when it is tried again"] = None
            else:
                contents.deferrals[row[0]] = one
    except UNREADABLE as error:
        if not is_damage(error):
            raise
        contents.damage = contents.damage or str(error)


def _read_notes(connection: sqlite3.Connection, contents: Contents) -> None:
    try:
        if not has_notes(connection):
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


def has_notes(connection: sqlite3.Connection) -> bool:
    """Tell whether the table of notes has been made."""
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'notes'").fetchone()
    return bool(found[0])


def _shape(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _quoted(path: Path) -> str:
    return quote(str(path.absolute()))
