"""Answer from the index of a library, without loading the library.

Owns the proof that an index is of this checkpoint, and the questions that it answers. What it holds of a sound becomes
a state of that sound and those around it, so the answers are made by the code that makes them of a whole library.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from harvester.checkpoint import RecordSegment, checked_attributes, read_segment
from harvester.errors import LibraryCorrupt
from harvester.graph import LINK_FIELDS, KnownSounds, LibraryTally, SmallGraph, Sound, SoundGraph
from harvester.index.build import Binding
from harvester.index.fill import edge_of, extremes_without
from harvester.index.place import IndexUnusable, digest_of_file, place_of, read_seal
from harvester.index.schema import (
    GONE,
    PENDING,
    PROCESSED,
    SCHEMA,
    TOKEN,
    connect,
    decode,
    encode,
    has_our_schema,
    unpack,
)
from harvester.storage import CHECKPOINT, opened

_BATCH = 500


@contextmanager
def opened_index(folder: Path, library: Path) -> Iterator[Index]:
    """Open the index of a library for the block, once it is proven.

    `folder` is the folder of indexes. The checkpoint's file and the index are read once from start to end: an index of
    another file, and one that has changed since it was built, is never used. Raises `IndexUnusable`, `OSError` or
    `sqlite3.Error`, also in the block; then no answer counts.
    """
    place = place_of(folder, library)
    seal = read_seal(place)
    if seal is None:
        raise IndexUnusable
    with opened(library / CHECKPOINT) as checkpoint, opened(place.index) as descriptor:
        if digest_of_file(checkpoint) != seal.checkpoint or digest_of_file(descriptor) != seal.index:
            raise IndexUnusable
        # No process changes an index in its place. SQLite must neither look for a journal nor lock: the folder may be
        # read-only by now.
        with closing(connect(place.index, "mode=ro&immutable=1")) as database:
            # The first statement opens the file: only after it is it known that SQLite has the one that was read.
            if not has_our_schema(database) or not os.path.samestat(os.fstat(descriptor), place.index.stat()):
                raise IndexUnusable
            yield Index(database, checkpoint)


class Index:
    """A proven index, and the checkpoint that it describes.

    `binding` says to what it belongs, `about` what the library has beside its sounds; `modified_ns` is the time of the
    checkpoint's file.
    """

    def __init__(self, database: sqlite3.Connection, checkpoint: int) -> None:
        self._database, self._checkpoint = database, checkpoint
        about = unpack(self._one("SELECT body FROM meta WHERE name = 'binding'")[0])
        if about.pop("schema") != SCHEMA:
            raise IndexUnusable
        self.binding = Binding(**about)
        self.about: dict[str, Any] = unpack(self._one("SELECT body FROM meta WHERE name = 'about'")[0])
        self.modified_ns = os.fstat(checkpoint).st_mtime_ns

    def around(self, sound_id: int) -> SoundGraph:
        """Return a state of a sound with all its edges.

        It is complete for this sound. Those at the other ends have only what their names in a list need: the name, and
        whether they are gone. Empty for a sound that is not in the library.
        """
        state, nodes = SoundGraph(), {}
        for _, attributes, processed in self._records([sound_id]):
            nodes[sound_id] = self._linked(sound_id, attributes)
            state.processed.update([sound_id] * processed)
        edges: dict[int, dict[int, dict[str, Any]]] = {}
        for where in ("source", "target"):
            rows = self._database.execute(f"SELECT * FROM edges WHERE {where} = ? ORDER BY source, target", [sound_id])  # noqa: S608
            for source, target, score, relations in rows:
                edges.setdefault(source, {})[target] = edge_of(score, relations)
        ends = {*edges, *(target for targets in edges.values() for target in targets)} - nodes.keys()
        for one, _, flags, name in self._rows(ends):
            shown = {"added_at": 0, "name": None if name is None else decode(name)}
            nodes[one] = shown | ({"withdrawn_at": 0} if flags & GONE else {})
        state.graph = SmallGraph(nodes, edges)  # type: ignore[assignment]  # what the views read of it is there
        return state

    def sounds(self, sound_ids: Iterable[int]) -> Iterator[Sound]:
        """Yield those of these sounds that are in the library.

        Their records are read from the checkpoint, each block once; they lack the attributes of the similar list.
        Raises `LibraryCorrupt`.
        """
        return (Sound(one, attributes, processed) for one, attributes, processed in self._records(sound_ids))

    def search(self, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Yield rank, downloads and id of each sound with every word.

        The rank is that of `rank_words`. Sounds that are gone are left out.
        """
        whole = [TOKEN + encode(word) + TOKEN for word in words]
        begun = [TOKEN + encode(word) for word in words]
        rank = " + ".join(["CASE WHEN instr(text, ?) THEN 3 WHEN instr(text, ?) THEN 2 ELSE 1 END"] * len(words))
        found = " AND ".join(["instr(text, ?)"] * len(words))
        values = [value for pair in zip(whole, begun, strict=True) for value in pair] + list(map(encode, words))
        return iter(self._database.execute(f"SELECT {rank}, downloads, id FROM words WHERE {found}", values))  # noqa: S608

    def tokens_near(self, word: str) -> Iterator[str]:
        """Yield, once each, the words of sounds that may be spelt like `word`.

        Those are the words that a search ranks highest; ids are among them only if `word` has a digit.
        """
        found = {token for (token,) in self._database.execute("SELECT token FROM tokens")}
        yield from map(decode, found)
        if not set(word).isdisjoint("0123456789"):
            for (sound_id,) in self._database.execute("SELECT id FROM words"):
                if encode(str(sound_id)) not in found:
                    yield str(sound_id)

    def tally(self) -> LibraryTally:
        """Return all counts of the library."""
        return LibraryTally.read(unpack(self._one("SELECT body FROM meta WHERE name = 'tally'")[0]))

    def tally_after(self, before: KnownSounds, after: KnownSounds, sound_ids: Collection[int]) -> LibraryTally:
        """Return the counts of a library that has changed since the checkpoint.

        `sound_ids` are all those of which anything changed: new ones, those with another record, list or edge, and the
        ends of new and lost edges. `before` is the state that the index describes, `after` that of now. Both need to
        have nothing but these sounds, all edges from and to them, and whether the sounds at the other ends are gone.
        """
        tally = self.tally()
        tally.subtract(LibraryTally.around(before, sound_ids), extremes_without(self._database, sound_ids))
        tally.add(LibraryTally.around(after, sound_ids))
        return tally

    def count_pending(self, sound_ids: Iterable[int]) -> int:
        """Return how many of these sounds are in the library and pending."""
        return sum(bool(flags & PENDING) for _, _, flags, _ in self._rows(sound_ids))

    def _records(self, sound_ids: Iterable[int]) -> Iterator[tuple[int, dict[str, Any], bool]]:
        """Yield id, attributes and whether it is processed of each sound."""
        segment, records = None, []
        for sound_id, place, flags, _ in sorted(self._rows(sound_ids), key=itemgetter(1)):
            if segment is None or not segment.first <= place < segment.first + segment.sounds:
                segment = self._segment_of(place)
                records = read_segment(self._read, segment)
            record = records[place - segment.first]
            yield sound_id, checked_attributes(sound_id, record, 2 * segment.raw_bytes), bool(flags & PROCESSED)

    def _linked(self, sound_id: int, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return a sound's attributes with those of its similar list."""
        row = self._database.execute("SELECT body FROM lists WHERE id = ?", [sound_id]).fetchone()
        link = unpack(row[0]) if row else {}
        return attributes | {name: link[name] for name in LINK_FIELDS if name in link}

    def _segment_of(self, place: int) -> RecordSegment:
        first, sounds, offset, packed, raw, digest = self._one(
            "SELECT * FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1", place
        )
        return RecordSegment(offset, packed, raw, first, sounds, digest)

    def _rows(self, sound_ids: Iterable[int]) -> Iterator[tuple[int, int, int, bytes | None]]:
        """Yield the rows of `sounds` with these ids."""
        ids = list(sound_ids)
        for at in range(0, len(ids), _BATCH):
            part = ids[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            yield from self._database.execute(f"SELECT id, place, flags, name FROM sounds WHERE id IN ({marks})", part)  # noqa: S608

    def _read(self, size_bytes: int, offset: int) -> bytes:
        return os.pread(self._checkpoint, size_bytes, offset)

    def _one(self, statement: str, *values: Any) -> Any:
        row = self._database.execute(statement, values).fetchone()
        if row is None:
            raise LibraryCorrupt("the index lacks a row")
        return row
