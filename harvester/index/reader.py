"""Read the index of a library, and the checkpoint that it describes.

Owns the proof that an index is of this checkpoint, and the questions that its tables answer. The records are read from
the checkpoint, a block at a time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from harvester.checkpoint import RecordSegment, checked_attributes, read_segment
from harvester.errors import LibraryCorrupt
from harvester.graph import LINK_FIELDS, LibraryTally
from harvester.index.build import Binding
from harvester.index.fill import edge_of, extremes_without
from harvester.index.place import IndexUnusable, digest_of_file, place_of, proven, read_seal
from harvester.index.schema import (
    SCHEMA,
    TOKEN,
    connect,
    decode,
    encode,
    has_our_schema,
    unpack,
)
from harvester.storage import CHECKPOINT, OpenFile, opened

_BATCH = 500
_BLOCKS_AT_HAND = 16

Attributes = dict[str, Any]
Neighbours = dict[int, dict[str, Any]]


def open_index(folder: Path, library: Path) -> Index:
    """Open the index of a library, once it is proven.

    `folder` is the folder of indexes. The checkpoint's file and the index are read once from start to end: an index of
    another file, and one that has changed since it was built, is never used. Both stay open, so it answers as they were
    whatever takes their place. Raises `IndexUnusable`, `OSError` or `sqlite3.Error`.
    """
    place = place_of(folder, library)
    seal = read_seal(place)
    if seal is None:
        raise IndexUnusable
    with ExitStack() as stack:
        checkpoint = stack.enter_context(opened(library / CHECKPOINT))
        if digest_of_file(checkpoint) != seal.checkpoint:
            raise IndexUnusable
        descriptor = stack.enter_context(proven(place, seal))
        database = stack.enter_context(_Database(place.index, descriptor))
        return Index(database, library / CHECKPOINT, checkpoint, stack.pop_all().close)


class _LockOfProcess:
    """A lock that is free in a forked process, whatever thread held it."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}

    def __enter__(self) -> None:
        self._locks.setdefault(os.getpid(), threading.Lock()).acquire()

    def __exit__(self, *_error: object) -> None:
        self._locks[os.getpid()].release()


class _Database:
    """A connection to a proven index, for any thread and forked process.

    `descriptor` is the open file that was proven.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._lock = _LockOfProcess()
        self._process, self._connection = os.getpid(), self._connect()
        self._left: list[sqlite3.Connection] = []
        """Those of the parents of this process. Closing one waits for a thread that used it during the fork."""

    def _connect(self) -> sqlite3.Connection:
        # No process changes an index in its place. SQLite must neither look for a journal nor lock: the folder may be
        # read-only by now.
        connection = connect(self._path, "mode=ro&immutable=1", check_same_thread=False)
        # The first statement opens the file: only after it is it known that SQLite has the one that was read.
        if not has_our_schema(connection) or not os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
            connection.close()
            raise IndexUnusable
        return connection

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            if self._process != os.getpid():  # a connection belongs to the process that made it
                self._left.append(self._connection)
                self._process, self._connection = os.getpid(), self._connect_again()
            return self._connection.execute(statement, values).fetchall()

    def _connect_again(self) -> sqlite3.Connection:
        with suppress(IndexUnusable, OSError, sqlite3.Error):
            return self._connect()
        # Another index has taken the name, or none: SQLite opens files by name, but it also takes their bytes.
        connection = connect(Path("index"), "mode=memory", check_same_thread=False)
        connection.deserialize(b"".join(OpenFile(self._descriptor).pieces()))
        return connection

    def __enter__(self) -> _Database:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


class Index:
    """A proven index, and the checkpoint that it describes.

    `binding` says to what it belongs, `about` what is not in tables, `modified_ns` is the time of the checkpoint,
    which is open as `checkpoint`. Its methods may be called from any thread; they raise `LibraryCorrupt`, `OSError` or
    `sqlite3.Error` when a file has changed in its place.
    """

    def __init__(self, database: _Database, path: Path, checkpoint: int, close: Callable[[], None]) -> None:
        self._database, self._path, self.checkpoint = database, path, checkpoint
        self.close = weakref.finalize(self, close)
        self.rows = database.rows
        about = unpack(self._one("SELECT body FROM meta WHERE name = 'binding'")[0])
        if about.pop("schema") != SCHEMA:
            raise IndexUnusable
        self.binding = Binding(**about)
        self.about: dict[str, Any] = unpack(self._one("SELECT body FROM meta WHERE name = 'about'")[0])
        self.modified_ns = os.fstat(checkpoint).st_mtime_ns
        self.segments: int = self._one("SELECT count(*) FROM segments")[0]
        self._lock = _LockOfProcess()
        self._at_hand: dict[int, list[Attributes]] = {}
        self.blocks_read = 0
        """How many blocks of records were read from the checkpoint."""

    def tally(self) -> LibraryTally:
        """Return all counts of the library."""
        return LibraryTally.read(unpack(self._one("SELECT body FROM meta WHERE name = 'tally'")[0]))

    def tally_without(self, part: LibraryTally, sound_ids: Iterable[int]) -> LibraryTally:
        """Return the counts without those of a part, which has these sounds."""
        tally = self.tally()
        tally.subtract(part, extremes_without(self.rows, sound_ids))
        return tally

    def flagged(self, flags: int) -> set[int]:
        """Return the sounds that have one of these flags."""
        return {sound_id for (sound_id,) in self.rows("SELECT id FROM sounds WHERE flags & ?", [flags])}

    def ids(self) -> list[int]:
        """Return all sounds in the order of the checkpoint's file."""
        return [sound_id for (sound_id,) in self.rows("SELECT id FROM sounds ORDER BY place")]

    def row(self, sound_id: int) -> tuple[int, int, int, str | None] | None:
        """Return place, flags, stamp of addition and name of a sound."""
        found = self.rows("SELECT place, flags, added_at, name FROM sounds WHERE id = ?", [sound_id])
        if not found:
            return None
        place, flags, added_at, name = found[0]
        return place, flags, added_at, None if name is None else decode(name)

    def by_place(self, sound_ids: Iterable[int]) -> list[int]:
        """Return those of these sounds that are there, in the file's order."""
        return [sound_id for _, sound_id in sorted(self._places(sound_ids))]

    def attributes(self, sound_id: int) -> Attributes:
        """Return the attributes of a sound, as the loaded library has them.

        Raises `KeyError` for a sound that is not there.
        """
        row = self.row(sound_id)
        if row is None:
            raise KeyError(sound_id)
        first, sounds, offset, packed, raw, digest = self._one(
            "SELECT * FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1", row[0]
        )
        records = self._records_of(RecordSegment(offset, packed, raw, first, sounds, digest))
        attributes = checked_attributes(sound_id, records[row[0] - first], 2 * raw)
        link = self.rows("SELECT body FROM lists WHERE id = ?", [sound_id])
        found = unpack(link[0][0]) if link else {}
        return attributes | {name: found[name] for name in LINK_FIELDS if name in found}

    def _records_of(self, segment: RecordSegment) -> list[Attributes]:
        with self._lock:
            records = self._at_hand.pop(segment.first, None)
            if records is None:
                try:
                    records = read_segment(self._read, segment)
                except LibraryCorrupt as error:
                    raise LibraryCorrupt(
                        f"{self._path}: a program has written into it since it was opened ({error}); "
                        f"nothing was changed: open the library again"
                    ) from error
                self.blocks_read += 1
            self._at_hand[segment.first] = records  # the last one is the one of now
            if len(self._at_hand) > _BLOCKS_AT_HAND:
                del self._at_hand[next(iter(self._at_hand))]
            return records

    def edges_from(self, sound_id: int) -> Neighbours:
        """Return the edges from a sound by target, in the file's order."""
        rows = self.rows(
            "SELECT target, score, relations FROM edges WHERE source = ? ORDER BY coalesce(score, -1) DESC, target",
            [sound_id],
        )
        return {target: edge_of(score, relations) for target, score, relations in rows}

    def edges_to(self, sound_id: int) -> Neighbours:
        """Return the edges to a sound by source."""
        rows = self.rows("SELECT source, score, relations FROM edges WHERE target = ? ORDER BY source", [sound_id])
        return {source: edge_of(score, relations) for source, score, relations in rows}

    def search(self, words: Sequence[str]) -> list[tuple[int, int, int]]:
        """Return rank, downloads and id of each sound with every word.

        The rank is that of `rank_words`. Sounds that are gone are left out.
        """
        whole = [TOKEN + encode(word) + TOKEN for word in words]
        begun = [TOKEN + encode(word) for word in words]
        rank = " + ".join(["CASE WHEN instr(text, ?) THEN 3 WHEN instr(text, ?) THEN 2 ELSE 1 END"] * len(words))
        found = " AND ".join(["instr(text, ?)"] * len(words))
        values = [value for pair in zip(whole, begun, strict=True) for value in pair] + list(map(encode, words))
        return self.rows(f"SELECT {rank}, downloads, id FROM words WHERE {found}", values)  # noqa: S608

    def tokens_near(self, word: str) -> Iterator[str]:
        """Yield, once each, the words of sounds that may be spelt like `word`.

        Those are the words that a search ranks highest; ids are among them only if `word` has a digit.
        """
        found = {token for (token,) in self.rows("SELECT token FROM tokens")}
        yield from map(decode, found)
        if not set(word).isdisjoint("0123456789"):
            for (sound_id,) in self.rows("SELECT id FROM words"):
                if encode(str(sound_id)) not in found:
                    yield str(sound_id)

    def _places(self, sound_ids: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield place and id of those of these sounds that are there."""
        ids = list(sound_ids)
        for at in range(0, len(ids), _BATCH):
            part = ids[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            yield from self.rows(f"SELECT place, id FROM sounds WHERE id IN ({marks})", part)  # noqa: S608

    def _read(self, size_bytes: int, offset: int) -> bytes:
        return os.pread(self.checkpoint, size_bytes, offset)

    def _one(self, statement: str, *values: Any) -> Any:
        found = self.rows(statement, values)
        if not found:
            raise LibraryCorrupt("the index lacks a row")
        return found[0]
