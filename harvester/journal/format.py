"""The journal's format: rows and head with checksums, SQLite's errors.

Owns the checks that SQLite does not do: each row carries a checksum over its number and body, the numbers have no gap,
and the header of the file stores the last number. So corruption is always detected. Opens no file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.clock import LATEST_US
from harvester.errors import DiskFull, HarvesterError, LibraryCorrupt, LibraryUnwritable, NewerFormat
from harvester.graph import Dropped
from harvester.journal.events import decode_events, encode_events
from harvester.model import Event
from harvester.storage import check_locks, read_backup_name

FORMAT = 2
"""No released version wrote format 1."""
_SUM_BYTES = 8
_LONGEST_TEXT = 4096
UNREADABLE = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""Exceptions that reading a corrupt file raises; the last one when SQLite's message quotes the corrupt bytes."""


@dataclass(frozen=True, slots=True)
class Head:
    """The journal's record of the files beside it.

    The journal holds rows `safe`+1 to `last`. `last` is stored in the header of SQLite's file, as its user version:
    SQLite writes that page with nearly every row, and the head's page would be one more. The checkpoint holds the rows
    up to `saved`, the verified backup with `backup_digest` those up to `backed`; neither is less than `safe`. `digest`
    is that of the last checkpoint written, `next_digest` that of one that was about to be renamed into place. `restore`
    names the backup of an unfinished rollback, and `timeline` counts rollbacks.

    `has_foreign_state`: the state holds data that never was an event of this journal. `backup_required`: a backup is
    due at once, because none holds that data yet. `recovered`: the journal was corrupt, and that backup alone may hold
    its lost rows.
    """

    format: int = FORMAT
    source: str = ""
    last: int = 0
    saved: int = 0
    safe: int = 0
    backed: int = 0
    digest: str = ""
    next_digest: str = ""
    checkpoint_at: int | None = None
    backup_at: int | None = None
    backup_digest: str = ""
    backup_nodes: int = 0
    restore: str = ""
    restore_digest: str = ""
    timeline: int = 0
    has_foreign_state: bool = False
    backup_required: bool = False
    recovered: bool = False

    @property
    def knows_checkpoint(self) -> bool:
        """Whether a checkpoint was written beside it, or about to be."""
        return bool(self.digest or self.next_digest)

    @property
    def needs_backup(self) -> bool:
        """Whether a backup has a part in the library.

        A rollback is unfinished, or rows were lost.
        """
        return bool(self.restore) or self.recovered


_STORED_NAMES = {"has_foreign_state": "adopted", "backup_required": "owed", "recovered": "salvaged"}
"""The names in the file of the fields that are named otherwise here."""
_FIELD_NAMES = {stored: name for name, stored in _STORED_NAMES.items()}


def _stored_fields(head: Head) -> dict[str, Any]:
    """Return the fields of a head by their names in the file."""
    return {_STORED_NAMES.get(name, name): value for name, value in asdict(head).items() if name != "last"}


_DEFAULTS = _stored_fields(Head())
_NO_FIELD = object()


def encode_row(seq: int, events: Sequence[Event]) -> tuple[int, int, bytes]:
    """Return row `seq`: its number, its event count, checksum and body."""
    body = encode_events(events)
    return seq, len(events), _sum(seq, len(events), body) + body


def decode_row(seq: object, count: object, body: object, dropped: Dropped | None = None) -> list[Event]:
    """Return the events of a row.

    Raises `LibraryCorrupt` when its checksum does not match. Invalid values are left out and recorded in `dropped`.
    """
    if type(seq) is not int or type(count) is not int or type(body) is not bytes:
        raise LibraryCorrupt("a row has columns of other types")
    if _sum(seq, count, body[_SUM_BYTES:]) != body[:_SUM_BYTES]:
        raise LibraryCorrupt(f"row {seq} does not match its checksum")
    return decode_events(body[_SUM_BYTES:], dropped)


def encode_head(head: Head) -> bytes:
    """Return the head as bytes with a checksum, without `last`."""
    body = json.dumps(_stored_fields(head)).encode()
    return _sum(0, 0, body) + body


def decode_head(body: object, last: int) -> Head:
    """Return the head from its bytes and the number of the last row.

    Raises `LibraryCorrupt` or `NewerFormat`.
    """
    if type(body) is not bytes or _sum(0, 0, body[_SUM_BYTES:]) != body[:_SUM_BYTES]:
        raise LibraryCorrupt("the journal's head does not match its checksum")
    try:
        fields = json.loads(body[_SUM_BYTES:])
    except (ValueError, RecursionError) as error:
        raise LibraryCorrupt("the journal's head is not JSON") from error
    if not isinstance(fields, dict) or not _is_count(fields.get("format")):
        raise LibraryCorrupt("the journal's head has no format")
    if fields["format"] > FORMAT:
        raise NewerFormat(f"the journal has format {fields['format']}, this harvester reads {FORMAT}: please update it")
    if fields["format"] < FORMAT:
        raise LibraryCorrupt(f"the journal's head has the unknown format {fields['format']}")
    stored: dict[str, Any] = fields
    for name, value in stored.items():
        if not _is_valid(name, value):
            raise LibraryCorrupt(f"the journal's head has no valid {name[:40]!a}")
    return Head(**{_FIELD_NAMES.get(name, name): value for name, value in stored.items()}, last=last)


def _is_valid(name: str, value: object) -> bool:
    """Tell whether a head has a field of this name and such a value."""
    if name == "restore":
        return value == "" or (type(value) is str and read_backup_name(value) is not None)
    default = _DEFAULTS.get(name, _NO_FIELD)
    if default is None:
        return value is None or _is_count(value)
    if type(default) is int:
        return _is_count(value)
    return type(value) is type(default) and (type(value) is not str or len(value) <= _LONGEST_TEXT)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= LATEST_US


def is_damage(error: Exception) -> bool:
    """Tell whether an error means corruption, not a lack of access."""
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


def translated(error: Exception, path: Path) -> HarvesterError:
    """Return the one-line `HarvesterError` for an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"{path}: no space left on the disk; everything accepted so far is kept")
    if code == sqlite3.SQLITE_BUSY:
        try:
            check_locks(path)
        except LibraryUnwritable as reason:  # SQLite takes a missing lock for one that another process has
            return reason
    if is_damage(error):
        return LibraryCorrupt(f"{path}: the journal is corrupt ({error}); the next start recovers what can be read")
    return LibraryUnwritable(f"{path}: the journal cannot be written ({error}); everything accepted so far is kept")


def _sum(seq: int, count: int, body: bytes) -> bytes:
    return hashlib.blake2b(b"%d %d " % (seq, count) + body, digest_size=_SUM_BYTES).digest()
