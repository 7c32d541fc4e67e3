"""Read one block of records of a checkpoint alone.

Each frame ends with a full flush, so its bytes can be unpacked without those before it. Owns where a block lies in the
file, and the proof that it is the block that was there: its SHA-256. Reads nothing but blocks of records.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._record_block import SLOTS
from harvester.checkpoint._slots import values_in_slots
from harvester.checkpoint._validate_content import ContentReader
from harvester.errors import LibraryCorrupt


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
