"""Fill the tables of an index from the blocks of a checkpoint.

Owns what the index keeps of each block, sound, list and edge. A block that the index knows costs nothing but its row:
so an index becomes that of a later checkpoint by the blocks that are new, and an empty one by all of them. The records
stay in the checkpoint alone.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from harvester.checkpoint import ListFacts, RecordFacts, RecordSegment
from harvester.clock import DAY_US
from harvester.graph import RELATION_FIELDS, UNKNOWN_TIME, Extremes, LibraryTally, Sound, is_gone, tokens_of
from harvester.index.place import IndexUnusable
from harvester.index.schema import (
    COMPLETE,
    FLAGS,
    GONE,
    PENDING,
    PROCESSED,
    encode,
    pack,
    search_text,
    tokens_in,
    unpack,
)
from harvester.model import is_complete

Attributes = dict[str, Any]
_BATCH = 500
_FAST = 1


class TableFiller:
    """Fills the tables of an open index; the caller commits.

    `most_new` is the largest part of a file's blocks that may be new.
    """

    def __init__(self, database: sqlite3.Connection, most_new: float = 1.0) -> None:
        self._database, self._most_new = database, most_new
        row = database.execute("SELECT body FROM meta WHERE name = 'tally'").fetchone()
        self._tally = LibraryTally.read(unpack(row[0])) if row else LibraryTally()
        self._tokens: Counter[bytes] = Counter()
        self._listed: set[int] = set()
        """Sounds with lists or edges in blocks that the file does not have."""
        self._sounds = 0

    def known_records(self, digest: bytes) -> RecordFacts | None:
        """Return what is known of the block of records with this SHA-256."""
        found = self._facts("record_blocks", digest)
        return RecordFacts(**found) if found else None

    def known_lists(self, digest: bytes) -> ListFacts | None:
        """Return what is known of the block of lists with this SHA-256."""
        found = self._facts("list_blocks", digest)
        return ListFacts(**found) if found else None

    def _facts(self, table: str, digest: bytes) -> dict[str, Any] | None:
        row = self._database.execute(f"SELECT facts FROM {table} WHERE digest = ?", [digest]).fetchone()  # noqa: S608
        if row is None:
            return None
        found = _unzipped(row[0])
        return {**found, "ids": tuple(found["ids"]), "flags": bytes.fromhex(found["flags"])}

    def begin(self, kept: set[bytes], new: int) -> None:
        """Remove what is known of blocks that the file does not have.

        Raises `IndexUnusable`.
        """
        if new > self._most_new * (len(kept) + new):
            raise IndexUnusable
        self._database.execute("DELETE FROM segments")
        for table in ("record_blocks", "list_blocks"):
            rows = self._database.execute(f"SELECT digest, tally FROM {table}").fetchall()  # noqa: S608
            for digest, tally in rows:
                if digest not in kept:
                    self._tally.subtract(_unpacked(tally), Extremes())
                    if table == "list_blocks":
                        facts = self.known_lists(digest)
                        self._listed.update(facts.ids if facts is not None else ())
                    self._database.execute(f"DELETE FROM {table} WHERE digest = ?", [digest])  # noqa: S608

    def keep_records(
        self, segment: RecordSegment, facts: RecordFacts, records: list[tuple[int, Attributes]] | None
    ) -> None:
        """Keep where a block of records lies, and what a new one holds."""
        self._database.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)",
            [segment.first, segment.sounds, segment.offset, segment.packed_bytes, segment.raw_bytes, segment.digest],
        )
        self._sounds += segment.sounds
        if records is None:
            return
        tally = LibraryTally()
        for sound_id, attributes in records:
            tally.count_record(sound_id, attributes)
        self._keep_block("record_blocks", segment.digest, facts, tally)
        sounds = [Sound(sound_id, attributes) for sound_id, attributes in records]
        self._database.executemany(
            "INSERT INTO sounds VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (id) DO UPDATE SET "
            "place = excluded.place, flags = excluded.flags, added_at = excluded.added_at, name = excluded.name, "
            "fetched_at = excluded.fetched_at, gone_at = excluded.gone_at",
            (_row(sound, attributes, place) for place, (sound, (_, attributes)) in enumerate(
                zip(sounds, records, strict=True), segment.first
            )),
        )  # fmt: skip
        self._keep_words(sounds)

    def _keep_words(self, sounds: list[Sound]) -> None:
        """Replace the words of sounds, and note the tokens that come and go."""
        marks = ",".join("?" * len(sounds))
        query = f"SELECT id, downloads, text FROM words WHERE id IN ({marks})"  # noqa: S608
        before = {row[0]: row for row in self._database.execute(query, [sound.id for sound in sounds])}
        after = {sound.id: _words(sound) for sound in sounds if not sound.is_gone}
        for sign, rows, others in ((-1, before, after), (1, after, before)):
            for sound_id, row in rows.items():
                if others.get(sound_id) != row:
                    for token in tokens_in(row[2]) - {encode(str(sound_id))}:
                        self._tokens[token] += sign
        self._database.executemany("DELETE FROM words WHERE id = ?", [(one,) for one in before.keys() - after.keys()])
        new = [row for sound_id, row in after.items() if before.get(sound_id) != row]
        self._database.executemany("INSERT OR REPLACE INTO words VALUES (?, ?, ?)", new)

    def keep_lists(
        self, digest: bytes, facts: ListFacts, lists: list[tuple[int, Attributes, dict[int, Attributes]]]
    ) -> None:
        """Keep the lists and the edges of a new block."""
        tally = LibraryTally()
        for _, link, edges in lists:
            tally.count_list(link)
            for edge in edges.values():
                tally.count_edge(edge)
        self._keep_block("list_blocks", digest, facts, tally)
        changed = []
        for sound_id, link, edges in lists:
            rows = list(_edges(sound_id, edges))
            body = pack(link) if link else None
            if sound_id in self._listed:
                self._listed.remove(sound_id)
                if self._list_of(sound_id) == (body, rows):
                    continue
                self._forget_list(sound_id)
            changed.append((sound_id, link.get("linked_at"), body, rows))
        self._database.executemany(
            "INSERT INTO lists VALUES (?, ?)", [(one, body) for one, _, body, _ in changed if body]
        )
        self._database.executemany(
            "UPDATE sounds SET linked_at = ? WHERE id = ?", [(at, one) for one, at, _, _ in changed]
        )
        self._database.executemany("INSERT INTO edges VALUES (?, ?, ?, ?)", (row for one in changed for row in one[3]))

    def _list_of(self, sound_id: int) -> tuple[bytes | None, list[tuple[Any, ...]]]:
        row = self._database.execute("SELECT body FROM lists WHERE id = ?", [sound_id]).fetchone()
        edges = self._database.execute("SELECT * FROM edges WHERE source = ? ORDER BY target", [sound_id])
        return row and row[0], edges.fetchall()

    def _forget_list(self, sound_id: int) -> None:
        self._database.execute("DELETE FROM lists WHERE id = ?", [sound_id])
        self._database.execute("DELETE FROM edges WHERE source = ?", [sound_id])
        self._database.execute("UPDATE sounds SET linked_at = NULL WHERE id = ?", [sound_id])

    def _keep_block(self, table: str, digest: bytes, facts: RecordFacts | ListFacts, tally: LibraryTally) -> None:
        known = zlib.compress(pack({**asdict(facts), "flags": facts.flags.hex()}), _FAST)
        row = [digest, known, zlib.compress(pack(tally.plain()), _FAST)]
        self._database.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", row)  # noqa: S608
        self._tally.add(tally)

    def end(self) -> LibraryTally:
        """Finish the tables once all blocks are there; return all counts.

        Raises `IndexUnusable` if the index knows sounds that the file lacks.
        """
        database = self._database
        if database.execute("SELECT count(*) FROM sounds").fetchone()[0] != self._sounds:
            raise IndexUnusable
        for sound_id in self._listed:
            self._forget_list(sound_id)
        database.execute(f"UPDATE sounds SET flags = {FLAGS} WHERE flags != {FLAGS}")  # noqa: S608
        database.executemany(
            "INSERT INTO tokens VALUES (?, ?) ON CONFLICT (token) DO UPDATE SET sounds = sounds + excluded.sounds",
            sorted(self._tokens.items()),
        )
        database.execute("DELETE FROM tokens WHERE sounds = 0")
        self._count_standings()
        self._count_hidden_edges()
        self._tally.extremes = extremes_without(database.execute, ())
        database.execute("INSERT OR REPLACE INTO meta VALUES ('tally', ?)", [pack(self._tally.plain())])
        return self._tally

    def _count_standings(self) -> None:
        """Count what records and lists together say."""
        numbers = self._database.execute(
            f"SELECT ifnull(sum(flags & {PROCESSED} != 0), 0), ifnull(sum(flags & {PENDING} != 0), 0), "  # noqa: S608
            f"ifnull(sum(flags & {PENDING | COMPLETE} = {PENDING}), 0) FROM sounds"
        ).fetchone()
        for name, number in zip(("processed", "pending", "without_record"), numbers, strict=True):
            _put(self._tally.numbers, name, number)
        self._tally.sample_days = Counter(
            dict(
                self._database.execute(
                    f"SELECT linked_at / {DAY_US}, count(*) FROM sounds "  # noqa: S608
                    f"WHERE flags & {PROCESSED} AND linked_at != {UNKNOWN_TIME} GROUP BY 1"
                )
            )
        )

    def _count_hidden_edges(self) -> None:
        hidden = LibraryTally()
        for where in (
            f"sounds CROSS JOIN edges ON source = id WHERE flags & {GONE}",
            f"sounds CROSS JOIN edges ON target = sounds.id CROSS JOIN sounds AS near ON near.id = source "
            f"WHERE sounds.flags & {GONE} AND NOT near.flags & {GONE}",
        ):
            for score, relations in self._database.execute(f"SELECT score, relations FROM {where}"):  # noqa: S608
                hidden.count_edge(edge_of(score, relations), is_hidden=True)
        _put(self._tally.numbers, "hidden_edges", hidden.numbers["hidden_edges"])
        self._tally.hidden_kinds = hidden.hidden_kinds


def edge_of(score: float | None, relations: bytes | None) -> Attributes:
    """Return the attributes of an edge in a row of `edges`."""
    edge: Attributes = {} if score is None else {"score": score}
    return edge if relations is None else dict(sorted({**edge, **unpack(relations)}.items()))


def extremes_without(read: Callable[[str, list[Any]], Iterable[Any]], sound_ids: Iterable[int]) -> Extremes:
    """Return the extremes of all sounds but these; `read` runs a query."""
    without = set(sound_ids)

    def first_of(values: str, where: str, order: str) -> Any:
        # One row more than are left out: one of them counts.
        query = f"SELECT id, {values} FROM sounds WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        rows = read(query, [len(without) + 1])
        return next((row for row in rows if row[0] not in without), None)

    known = f"fetched_at != {UNKNOWN_TIME} AND NOT flags & {GONE}"
    oldest = first_of("fetched_at", known, "fetched_at, id")
    newest = first_of("max(ifnull(fetched_at, 0), ifnull(gone_at, 0), ifnull(linked_at, 0))", "1", "2 DESC")
    return Extremes(oldest and (oldest[1], oldest[0]), newest[1] if newest else 0)


def _unpacked(tally: bytes) -> LibraryTally:
    return LibraryTally.read(_unzipped(tally))


def _unzipped(content: bytes) -> Any:
    try:
        return unpack(zlib.decompress(content))
    except zlib.error as error:
        raise IndexUnusable from error


def _put(counter: Counter[str], name: str, number: int) -> None:
    counter.pop(name, None)
    if number:
        counter[name] = number


def _row(sound: Sound, attributes: Attributes, place: int) -> tuple[Any, ...]:
    flags = GONE * is_gone(attributes) | COMPLETE * is_complete(attributes)
    name = None if sound.name is None else encode(sound.name)
    times = attributes["added_at"], name, attributes.get("fetched_at"), attributes.get("gone_at")
    return sound.id, place, flags, *times


def _words(sound: Sound) -> tuple[int, int, bytes]:
    return sound.id, sound.num_downloads or 0, search_text(tokens_of(sound), (sound.name or "").casefold())


def _edges(source: int, edges: dict[int, Attributes]) -> Iterator[tuple[Any, ...]]:
    for target, edge in sorted(edges.items()):
        relations = {name: edge[name] for name in RELATION_FIELDS if name in edge}
        yield source, target, edge.get("score"), pack(relations) if relations else None
