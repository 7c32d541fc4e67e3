"""Find the blocks of records in a checkpoint, and read one alone.

Each frame ends with a full flush, so its bytes can be unpacked without those before it. Owns where a block lies in the
file, and the proof that it is the block that was there: its SHA-256. Reads nothing but blocks of records.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._record_block import SLOTS
from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.container import HIGHEST_RATIO
from harvester.checkpoint.segments import HEAD_BYTES, find_segments
from harvester.checkpoint.stream import EndingReader, digest_in
from harvester.checkpoint.walk import values_in_slots
from harvester.checkpoint.writer import blocks_of
from harvester.errors import LibraryCorrupt
from harvester.storage import OpenFile


@dataclass(frozen=True, slots=True)
class RecordSegment:
    """One block of records: its place in the file, its sizes, its sounds.

    `offset` and the sizes are in bytes. The block holds the sounds from the place `first` in the order of the file on,
    `sounds` of them. `digest` is the SHA-256 of its packed bytes.
    """

    offset: int
    packed_bytes: int
    raw_bytes: int
    first: int
    sounds: int
    digest: bytes


def scan_segments(
    descriptor: int, order: list[int], digest: str
) -> Iterator[tuple[RecordSegment, list[dict[str, Any]]]]:
    """Yield each block of records with its unpickled records, in order.

    `order` has the ids of the content with this `digest`, in the order of the file. Raises `LibraryCorrupt`, at the
    latest after the last block, if the file holds something else or is laid out in another way than harvester does.
    """
    file = OpenFile(descriptor)
    if digest_in(file) != digest:  # nothing is unpickled of a file that came since the content was checked
        raise LibraryCorrupt("its checkpoint was replaced meanwhile")
    parts, ending = blocks_of(order), EndingReader()
    offset, first = HEAD_BYTES, 0
    for block, segment in find_segments(file.pieces(), HIGHEST_RATIO):
        list(ending.through([block]))
        # The first block is the protocol; what follows the last part is no record.
        if offset > HEAD_BYTES and (part := next(parts, None)):
            checksum = hashlib.sha256(segment).digest()
            found = RecordSegment(offset, len(segment), len(block), first, len(part), checksum)
            yield found, _records_in(block, found)
            first += len(part)
        offset += len(segment)
    if first != len(order) or ending.verified_digest() != digest:
        raise LibraryCorrupt("its blocks are not laid out as harvester does")


def read_segment(read: Callable[[int, int], bytes], segment: RecordSegment) -> list[dict[str, Any]]:
    """Return the records of a block, in the order of the file.

    `read` returns a number of bytes at an offset of the file. Raises `LibraryCorrupt` for a block that is not the one
    that was found there.
    """
    packed = read(segment.packed_bytes, segment.offset)
    if hashlib.sha256(packed).digest() != segment.digest:
        raise LibraryCorrupt("a block of records does not match its digest")
    try:
        block = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, segment.raw_bytes + 1)
    except zlib.error as error:
        raise LibraryCorrupt("a block of records cannot be unpacked") from error
    if len(block) != segment.raw_bytes:
        raise LibraryCorrupt("a block of records has another size")
    return _records_in(block, segment)


def checked_attributes(sound_id: int, attributes: dict[str, Any], most_values: int) -> dict[str, Any]:
    """Return a sound's attributes as a loaded library has them.

    They are checked by the rules of a file; `most_values` bounds them. Raises `LibraryCorrupt`.
    """
    return ContentReader(most_values).attributes(sound_id, attributes)


def _records_in(block: bytes, segment: RecordSegment) -> list[dict[str, Any]]:
    start = TEXT_SLOTS + SLOTS * segment.first
    try:
        return values_in_slots(block, range(start, start + SLOTS * segment.sounds, SLOTS))
    except (ValueError, TypeError) as error:
        raise LibraryCorrupt("a block of records holds something else") from error
