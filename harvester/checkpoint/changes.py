"""Verify a checkpoint of which most blocks are known.

Owns when a block need not be read: it has the bytes of one that was verified, and stands for the same sounds. What
follows the blocks is compared as in a walk over the whole file, so what is proven here a walk would prove too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Protocol

from harvester.checkpoint._closing import begins_closing, ids_in
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._list_block import EdgeStarts
from harvester.checkpoint._opcode_scan import OpcodeScan
from harvester.checkpoint._opcodes import EMPTY_DICT, POP, SETITEMS, count_containers, pack_index
from harvester.checkpoint._proof import prove
from harvester.checkpoint._record_block import SLOTS
from harvester.checkpoint._slots import slots_added_to
from harvester.checkpoint.container import HIGHEST_RATIO_WRITTEN, Container, Packed
from harvester.checkpoint.copying import segments_of
from harvester.checkpoint.record_segments import RecordSegment
from harvester.checkpoint.segments import HEAD_BYTES, Made, Prefix, Segment, Segments, find_segments, unpack_segment
from harvester.checkpoint.walk import BEFORE_ALL, HAS_LIST, IS_LISTED, Walk
from harvester.checkpoint.writer import RECORDS, blocks_of, encode_end, list_key, read_record_key, record_key
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import LINK_FIELDS
from harvester.storage import OpenFile

_END_OF_LISTS = SETITEMS + POP
_TAIL_BYTES = 7
_MANY_SOUNDS = 1 << 30


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What a walk must know of a block of records that it does not read.

    `ids` are those of its sounds, `flags` has a byte for each. The first and the last were added at `begin_us` and
    `end_us`; `latest_us` is the latest stamp in the block, `gone` counts its sounds that are gone.
    """

    ids: tuple[int, ...]
    flags: bytes
    gone: int
    latest_us: int
    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What a walk must know of a block of lists that it does not read.

    `ids` are those of its sounds, `places` theirs in the order of the file, and `flags` has a byte for each, which
    tells whether it has a list beside its edges. `edges` counts these. The lists of the first and the last sound are
    of `begin_us` and `end_us`, 0 without one; `latest_us` is the latest of them.
    """

    ids: tuple[int, ...]
    places: tuple[int, ...]
    flags: bytes
    edges: int
    has_weights: bool
    latest_us: int
    begin_us: int
    end_us: int


class BlockKeeper(Protocol):
    """Knows the blocks of an earlier file, and keeps those of a new.

    It gets values that are checked. All of it counts only once the walk has ended well.
    """

    def known_records(self, digest: bytes) -> RecordFacts | None:
        """Return what is known of the block of records with this SHA-256."""

    def known_lists(self, digest: bytes) -> ListFacts | None:
        """Return what is known of the block of lists with this SHA-256."""

    def begin(self, kept: set[bytes], new: int) -> None:
        """Take the digests of the known blocks that the file has.

        `new` counts its other blocks, which are read now.
        """

    def keep_records(
        self, segment: RecordSegment, facts: RecordFacts, records: list[tuple[int, dict[str, Any]]] | None
    ) -> None:
        """Take the next block of records; None for those of a known one."""

    def keep_lists(
        self, digest: bytes, facts: ListFacts, lists: list[tuple[int, dict[str, Any], dict[int, dict[str, Any]]]]
    ) -> None:
        """Take the next new block of lists: ids, lists' attributes, edges."""


def walk_changes(descriptor: int, keeper: BlockKeeper) -> tuple[str, dict[str, Any]] | None:
    """Return digest and metadata of a checkpoint, if proven valid.

    None if it is not, as in `walk_checkpoint`. Only blocks that the keeper does not know are read. Raises what the
    keeper does.
    """
    packed = OpenFile(descriptor)
    try:
        table = read_segments(packed)
        if table is None or table.head != Container().head:
            return None
        closing = [unpack_segment(content) for one, content in segments_of(packed, table) if not one.key][1:]
        metadata = _BlockWalk(descriptor, table, closing, keeper).run_blocks()
    except (LibraryCorrupt, NewerFormat, ValueError, KeyError, TypeError):
        return None
    return table.digest, metadata


def read_segments(packed: Packed) -> Segments | None:
    """Return the table of a checkpoint, or None.

    None unless the file has blocks as harvester writes them, and the digest that is at its end. The values in the
    blocks are not looked at.
    """
    table = Segments(head=next(packed.pieces(), b"")[:HEAD_BYTES])
    known, frame = Prefix(), b""
    tails: list[bytes] = []
    lists: list[list[int]] = []
    closing: list[bytes] = []
    for frame, segment in find_segments(packed.pieces(), HIGHEST_RATIO_WRITTEN):
        before, known = known, known.after(frame)
        table.add(Made(b"", b"", before, known), segment)
        if closing or begins_closing(frame):
            closing.append(frame)
        elif frame.endswith(_END_OF_LISTS):
            lists.append(list(slots_added_to(frame, _MANY_SOUNDS)))
        elif before.size_bytes:  # the first frame is the protocol
            tails.append(frame[-_TAIL_BYTES:])
    if not closing or frame != encode_end(table.digest):
        return None
    keys = _keys_of(list(ids_in(closing)), tails, lists)
    table.end = Container().end(known.checksum)
    if keys is None or len(keys) != len(table.all) - 1 - len(closing) or packed.size_bytes != table.size_bytes:
        return None
    table.all[1 : 1 + len(keys)] = map(_with_key, table.all[1:], keys)
    return table


def _keys_of(order: list[int], tails: list[bytes], lists: list[list[int]]) -> list[bytes] | None:
    """Return the keys of all blocks, or None.

    None if they are not the blocks of this order. `tails` are the last bytes of the blocks of records, `lists` the
    slots to which those of lists add.
    """
    keys: list[bytes] = []
    slot = TEXT_SLOTS
    for part, tail in zip_longest(blocks_of(order), tails):
        if part is None or tail != EMPTY_DICT + pack_index(b"r", slot + SLOTS * len(part) - 1) + POP:
            return None
        keys.append(record_key(part, slot))
        slot += SLOTS * len(part)
    for found in lists:
        places = list(dict.fromkeys((one - TEXT_SLOTS) // SLOTS for one in found if one < slot))
        ids = list(map(order.__getitem__, places))
        keys.append(list_key(ids, [TEXT_SLOTS + SLOTS * place for place in places]))
    return keys


def _with_key(segment: Segment, key: bytes) -> Segment:
    return replace(segment, key=key)


class _Collected:
    """Keeps the values of one block."""

    def __init__(self) -> None:
        self.records: list[tuple[int, dict[str, Any]]] = []
        self.lists: list[tuple[int, dict[str, Any], dict[int, dict[str, Any]]]] = []

    def keep_record(self, sound_id: int, attributes: dict[str, Any]) -> None:
        self.records.append((sound_id, attributes))

    def keep_list(self, place: int, link: dict[str, Any], neighbours: dict[int, dict[str, Any]]) -> None:
        self.lists.append((place, {name: link[name] for name in LINK_FIELDS} if link else {}, neighbours))

    def keep_facts(self, metadata: dict[str, Any], places: dict[int, int], processed: list[int]) -> None:
        pass


class _BlockWalk(Walk):
    """A walk that takes known blocks as they are."""

    def __init__(self, descriptor: int, table: Segments, closing: list[bytes], keeper: BlockKeeper) -> None:
        self._collected = _Collected()
        self._descriptor, self._table, self._blocks = descriptor, table, keeper
        self._records = [one for one in table.all if one.key.startswith(RECORDS)]
        self._lists = [one for one in table.all if one.key and not one.key.startswith(RECORDS)]
        last = (self._lists or self._records or table.all[:1])[-1]
        super().__init__(list(ids_in(closing)), closing, self._collected, compare=True)
        self._before_closing = last.after
        self._scan = OpcodeScan(table.all[-1].after.size_bytes, self._frames)

    def _frames(self) -> Iterator[bytes]:
        """Yield all frames but the first, for a second count of the scan."""
        return map(self._read, self._table.all[1:])

    def run_blocks(self) -> dict[str, Any]:
        """Read all new blocks; return the metadata, or raise an error."""
        records, lists = [*map(self._known_records, self._records)], [*map(self._known_lists, self._lists)]
        kept = {one.checksum for one, facts in zip(self._records, records, strict=True) if facts is not None}
        kept |= {one.checksum for one, facts in zip(self._lists, lists, strict=True) if facts is not None}
        self._blocks.begin(kept, len(records) + len(lists) - len(kept))
        # A block could use a text of one before it that was not read: what the writer makes never does.
        self._compare = bool(kept)
        self._memo.make_all_clear(len(self._order))
        last, first = BEFORE_ALL, 0
        for one, known in zip(self._records, records, strict=True):
            last = self._take_records(one, first, known, last)
            first += len(read_record_key(one.key)[1])
        prove(first == len(self._order))
        last, sizes = BEFORE_ALL, []
        for one, facts in zip(self._lists, lists, strict=True):
            before = len(self._linked_order)
            last = self._take_lists(one, facts, last)
            sizes.append(len(self._linked_order) - before)
        self._memo.prove_clear(len(self._order))
        prove(sizes == list(map(len, blocks_of(self._linked_order))))
        for frame in self._closing:
            self._scan.scan(frame, count_containers(frame))
        self._scan.end()
        return self._compare_closing(self._before_closing)[0]

    def _known_records(self, one: Segment) -> RecordFacts | None:
        facts = self._blocks.known_records(one.checksum)
        return facts if facts is not None and list(facts.ids) == read_record_key(one.key)[1] else None

    def _known_lists(self, one: Segment) -> ListFacts | None:
        facts = self._blocks.known_lists(one.checksum)
        if facts is None or max(facts.places) >= len(self._order):
            return None
        return facts if [self._order[place] for place in facts.places] == list(facts.ids) else None

    def _read(self, one: Segment) -> bytes:
        packed = os.pread(self._descriptor, one.size_bytes, one.offset)
        prove(hashlib.sha256(packed).digest() == one.checksum)
        return unpack_segment(packed)

    def _read_new(self, one: Segment) -> bytes:
        block = self._read(one)
        self._scan.scan(block, one.after.containers - one.before.containers)
        return block

    def _take_records(
        self, one: Segment, first: int, known: RecordFacts | None, last: tuple[int, int]
    ) -> tuple[int, int]:
        """Take a block of records; return the place of its last in the order."""
        _, part = read_record_key(one.key)
        raw_bytes = one.after.size_bytes - one.before.size_bytes
        segment = RecordSegment(one.offset, one.size_bytes, raw_bytes, first, len(part), one.checksum)
        places = slice(first, first + len(part))
        if known is not None:
            prove(last < (known.begin_us, part[0]))
            self._flags[places] = known.flags
            self._gone += known.gone
            self._latest_us = max(self._latest_us, known.latest_us)
            self._blocks.keep_records(segment, known, None)
            return known.end_us, part[-1]
        gone, latest_us, self._latest_us = self._gone, self._latest_us, 0
        last = self._read_records(self._read_new(one), first, part, last)
        records, self._collected.records = self._collected.records, []
        facts = RecordFacts(
            tuple(part),
            bytes(self._flags[places]),
            self._gone - gone,
            self._latest_us,
            records[0][1]["added_at"],
            last[0],
        )
        self._latest_us = max(self._latest_us, latest_us)
        self._blocks.keep_records(segment, facts, records)
        return last

    def _take_lists(self, one: Segment, known: ListFacts | None, last: tuple[int, int]) -> tuple[int, int]:
        """Take a block of lists; return the place of its last in the order."""
        if known is not None:
            prove(last < (known.begin_us, known.ids[0]))
            for place, flags in zip(known.places, known.flags, strict=True):
                prove(not self._flags[place] & IS_LISTED)
                self._flags[place] |= flags
            self._linked_order += known.ids
            self._edges += known.edges
            self._found_weights |= known.has_weights
            self._latest_us = max(self._latest_us, known.latest_us)
            return known.end_us, known.ids[-1]
        edges, latest_us, weights = self._edges, self._latest_us, self._found_weights
        self._latest_us, self._found_weights = 0, False
        last = self._read_lists(self._read_new(one), EdgeStarts(), last)
        taken, self._collected.lists = self._collected.lists, []
        prove(bool(taken))
        places = tuple(place for place, _, _ in taken)
        ids = tuple(self._order[place] for place in places)
        facts = ListFacts(
            ids, places, bytes(self._flags[place] & (HAS_LIST | IS_LISTED) for place in places), self._edges - edges,
            self._found_weights, self._latest_us, taken[0][1].get("linked_at", 0), last[0],
        )  # fmt: skip
        self._latest_us, self._found_weights = max(self._latest_us, latest_us), self._found_weights or weights
        lists = [(sound_id, link, edges_of) for sound_id, (_, link, edges_of) in zip(ids, taken, strict=True)]
        self._blocks.keep_lists(one.checksum, facts, lists)
        return last
