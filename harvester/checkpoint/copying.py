"""Read a table of segments, and verify a new file by its own table.

Owns how the table of a file that another process wrote is read, and what is read back of a new file: every byte is
compared with what was written, and the values of its new blocks are checked. Those of copied blocks were checked when
their file was loaded, or when they were new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

from harvester.checkpoint._frames import PieceReader
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import EMPTY_DICT, POP, SETITEMS, pack_index
from harvester.checkpoint._record_block import SLOTS
from harvester.checkpoint.container import HIGHEST_RATIO_WRITTEN, Container, Packed
from harvester.checkpoint.segments import HEAD_BYTES, Made, Prefix, Segment, Segments, find_segments, unpack_segment
from harvester.checkpoint.walk import are_valid, begins_closing, ids_in, slots_added_to
from harvester.checkpoint.writer import blocks_of, encode_end, list_key, record_key
from harvester.errors import LibraryCorrupt

_END_OF_LISTS = SETITEMS + POP
_TAIL_BYTES = 7
_MANY_SOUNDS = 1 << 30


def read_segments(packed: Packed, digest: str | None) -> Segments | None:
    """Return the table of a checkpoint, or None.

    None unless the file has blocks as harvester writes them, and this digest, or with None for `digest` the one at its
    end. The values in the blocks are not looked at: this process has checked them, or will.
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
    if not closing or frame != encode_end(table.digest) or table.digest != (digest or table.digest):
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


def verify_segments(packed: Packed, table: Segments) -> None:
    """Read back a file that was written with this table.

    Raises `LibraryCorrupt` unless it is whole. Each byte is compared, then the values of new blocks are checked; from
    now on they count as proven.
    """
    closing = [unpack_segment(content) for one, content in segments_of(packed, table) if not one.key][1:]

    def new_blocks() -> Iterator[tuple[bytes, bytes]]:
        for place, (one, content) in enumerate(segments_of(packed, table)):
            if place in table.unproven:
                yield one.key, unpack_segment(content)

    if table.unproven and not are_valid(closing, table.all[-1].after.size_bytes, new_blocks):
        raise LibraryCorrupt("a block of it is not valid")
    table.unproven.clear()


def segments_of(packed: Packed, table: Segments) -> Iterator[tuple[Segment, bytes]]:
    """Yield the segments of a file that has this table, with their bytes.

    Raises `LibraryCorrupt` at the first byte that differs.
    """
    reader = PieceReader(packed.pieces())
    are_same = packed.size_bytes == table.size_bytes and reader.take(len(table.head)) == table.head
    for segment in table.all if are_same else ():
        content = reader.take(segment.size_bytes)
        if hashlib.sha256(content).digest() != segment.checksum:
            are_same = False
            break
        yield segment, content
    if not are_same or reader.rest() != table.end:
        raise LibraryCorrupt("it is not what was written")
