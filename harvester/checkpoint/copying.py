"""Verify a new file by its own table of segments.

Owns what is read back of a new file: every byte is compared with what was written, and the values of its new blocks are
checked. Those of copied blocks were checked when their file was loaded, or when they were new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from harvester.checkpoint._frames import PieceReader
from harvester.checkpoint.container import Packed
from harvester.checkpoint.segments import Segment, Segments, unpack_segment
from harvester.checkpoint.walk import NewBlocks
from harvester.errors import LibraryCorrupt


def verify_segments(packed: Packed, table: Segments) -> None:
    """Read back a file that was written with this table.

    Raises `LibraryCorrupt` unless it is whole. Each byte is compared, then the values of new blocks are checked; from
    now on they count as proven.
    """
    assert table.layout is not None

    def new_blocks() -> Iterator[bytes]:
        return (unpack_segment(content) for place, (_, content) in found() if place in table.unproven)

    def found() -> Iterator[tuple[int, tuple[Segment, bytes]]]:
        return enumerate(segments_of(packed, table))

    checked = NewBlocks(table.layout.order, table.all[-1].after.size_bytes, new_blocks) if table.unproven else None
    for place, (one, content) in found():
        if checked is not None and place in table.unproven and not checked.is_valid(one.key, unpack_segment(content)):
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
