"""The bytes of a vector file: a header, then rows with checksums.

All rows have the same size. Owns the layout: a row's number gives its place, so the file can be mapped into memory. A
checksum detects a torn or corrupt row, which costs that one sound only. Components are float16: the scores of a rounded
unit vector are within 1e-5 of the original's (measured; the server's own scores agree to 1e-4). Opens no file, and
knows no use of vectors.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.model import DIMENSIONS, Vector, is_sound_id

MAGIC = b"\x89HVECS\r\n"
VERSION = 1
HEADER_BYTES = 512
"""Size of the header with its padding: rows begin here."""

ROW_HEAD_BYTES = 16
"""Size of a row before its components: the sound's id (8 bytes), a checksum of id and components (4), zeros (4)."""

_HEADER = struct.Struct("<8sHHIQ32s400s")
_CRC = struct.Struct("<I")
_ROW_HEAD = struct.Struct("<QII")
_ID = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Header:
    """The similarity space, dimension and catalogue of a vector file.

    `made_at` (microseconds UTC) is when the file was created or rewritten: until it changes, a row keeps its number.
    """

    space: str
    source: str
    dimension: int
    made_at: int = 0

    @property
    def row_bytes(self) -> int:
        """Return the size of a row in bytes."""
        return ROW_HEAD_BYTES + 2 * self.dimension

    def rows_in(self, size_bytes: int) -> int:
        """Return how many whole rows a file of this size has room for."""
        return max(0, size_bytes - HEADER_BYTES) // self.row_bytes


def encode_header(header: Header) -> bytes:
    """Return a vector file's first `HEADER_BYTES`.

    Raises `ValueError` for names that do not fit.
    """
    space, source = header.space.encode(), header.source.encode()
    if len(space) > 32 or len(source) > 400:
        raise ValueError("the name of a space must not exceed 32 bytes, that of a source 400")
    fields = _HEADER.pack(MAGIC, VERSION, 0, header.dimension, header.made_at, space, source)
    padded = fields.ljust(HEADER_BYTES - _CRC.size, b"\0")
    return padded + _CRC.pack(crc32(padded))


def decode_header(head: bytes) -> Header:
    """Return a vector file's header from its first bytes.

    Raises `LibraryCorrupt` or `NewerFormat`.
    """
    if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
        raise LibraryCorrupt("it is not a vector file")
    padded, (checksum,) = head[: HEADER_BYTES - _CRC.size], _CRC.unpack(head[HEADER_BYTES - _CRC.size : HEADER_BYTES])
    if crc32(padded) != checksum:
        raise LibraryCorrupt("its header does not match its checksum")
    _, version, _, dimension, made_at, space, source = _HEADER.unpack_from(padded)
    if version > VERSION:
        raise NewerFormat(f"its vectors have format {version}, this harvester reads {VERSION}: please update harvester")
    named = space.rstrip(b"\0").decode("utf-8", "replace")
    if DIMENSIONS.get(named) != dimension:
        raise LibraryCorrupt(f"its header names space {named!r} with {dimension} dimensions, which does not exist")
    return Header(named, source.rstrip(b"\0").decode("utf-8", "replace"), dimension, made_at)


def encode_row(sound_id: int, vector: Vector) -> tuple[bytes, int]:
    """Return the bytes of a row, and its checksum."""
    body = struct.pack(f"<{len(vector)}e", *vector)
    checksum = crc32(body, crc32(_ID.pack(sound_id)))
    return _ROW_HEAD.pack(sound_id, checksum, 0) + body, checksum


def decode_vector(row: bytes | memoryview, dimension: int) -> Vector:
    """Return the components of a valid row, rounded to float16."""
    return array("f", struct.unpack_from(f"<{dimension}e", row, ROW_HEAD_BYTES))


def read_rows(rows: bytes | memoryview, row_bytes: int) -> Iterator[tuple[int, int] | None]:
    """Yield (sound id, checksum) of each row, or None for a corrupt row."""
    view = memoryview(rows)
    for start in range(0, len(view) - row_bytes + 1, row_bytes):
        sound_id, checksum, zeros = _ROW_HEAD.unpack_from(view, start)
        body = view[start + ROW_HEAD_BYTES : start + row_bytes]
        whole = not zeros and is_sound_id(sound_id) and crc32(body, crc32(view[start : start + 8])) == checksum
        yield (sound_id, checksum) if whole else None
