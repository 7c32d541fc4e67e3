"""Segments of a checkpoint, and which of them a new file may copy.

A segment is a frame that was compressed alone: it ends with a full flush and refers to nothing before it, so its bytes
can stand in another file. Owns the table of a file's segments, and when one is copied: a block of the same sounds in
the same place, none of which changed, whose bytes are still those of the table.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, PROTOCOL, count_containers
from harvester.checkpoint.layout import FileLayout

FLUSHED = b"\x00\x00\xff\xff"
"""The last bytes of a full flush. They can also occur inside a segment."""
HEAD_BYTES = 2
_LAST_BLOCK = b"\x03\x00"
"""An empty block of deflate that ends a stream."""


class Prefix:
    """What is known of a stream up to a place: digest, checksum and counts."""

    __slots__ = ("checksum", "containers", "digest", "size_bytes")

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.checksum = zlib.adler32(b"")
        self.size_bytes = self.containers = 0

    def after(self, frame: bytes) -> Prefix:
        """Return what is known after one more frame."""
        later = Prefix()
        later.digest = self.digest.copy()
        later.digest.update(frame)
        later.checksum = zlib.adler32(frame, self.checksum)
        later.size_bytes = self.size_bytes + len(frame)
        later.containers = self.containers + count_containers(frame)
        return later

    def is_at(self, other: Prefix) -> bool:
        """Tell whether two streams are the same up to these places."""
        return self.size_bytes == other.size_bytes and self.digest.digest() == other.digest.digest()


Known: TypeAlias = tuple[bytes, Prefix]
"""A frame, and what is known of the stream after it."""


def with_prefixes(frames: Iterable[bytes], known: Prefix) -> Iterator[Known]:
    """Yield each frame with what is known after it; `known` is before all."""
    for frame in frames:
        known = known.after(frame)
        yield frame, known


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a file, of `size_bytes` bytes from `offset`.

    `key` says which sounds it holds, in which memo slots; it is empty for what is never copied. `checksum` is the
    SHA-256 of its bytes; `before` and `after` are what is known of the stream at its start and end.
    """

    key: bytes
    offset: int
    size_bytes: int
    checksum: bytes
    before: Prefix
    after: Prefix


@dataclass(slots=True)
class Segments:
    """The table of a file's segments: all of its bytes but its `end`.

    `layout` is that of the file.
    `unproven`: places of blocks whose values no rule has been applied to, because this process has just encoded them.
    """

    all: list[Segment] = field(default_factory=list)
    unproven: set[int] = field(default_factory=set)
    head: bytes = b""
    end: bytes = b""
    layout: FileLayout | None = None

    @property
    def size_bytes(self) -> int:
        """Return the size of the file."""
        return self._next_offset() + len(self.end)

    @property
    def digest(self) -> str:
        """Return the digest of the file's content."""
        return self.all[-1].before.digest.hexdigest()

    def add(self, made: Made, packed: bytes) -> None:
        """Add the next segment of the file."""
        checksum = made.checksum or hashlib.sha256(packed).digest()
        if not made.is_proven:
            self.unproven.add(len(self.all))
        self.all.append(Segment(made.key, self._next_offset(), len(packed), checksum, made.before, made.after))

    def _next_offset(self) -> int:
        return self.all[-1].offset + self.all[-1].size_bytes if self.all else len(self.head)


@dataclass(frozen=True, slots=True)
class Made:
    """A frame of a new file.

    With `packed`, these bytes are to be copied, and `frame` may be empty; `checksum` is their SHA-256. `is_proven`: its
    values were checked, or it has none.
    """

    key: bytes
    frame: bytes
    before: Prefix
    after: Prefix
    packed: bytes = b""
    is_proven: bool = True
    checksum: bytes = b""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a state's file: its key, and how to encode it."""

    key: bytes
    has_changed: bool
    encode: Callable[[], bytes]


class LastFile:
    """An open checkpoint, from which blocks are copied into the next one."""

    def __init__(self, descriptor: int, segments: Segments) -> None:
        """`segments` are those of the file that is open."""
        self._descriptor = descriptor
        self._places = {segment.key: place for place, segment in enumerate(segments.all) if segment.key}
        self._segments = segments

    @property
    def layout(self) -> FileLayout | None:
        """Return the layout of the file."""
        return self._segments.layout

    def copied(self, block: Block, before: Prefix) -> Made | None:
        """Return a block to copy, or None if it must be encoded.

        It must, if a sound in it changed, if the file has no such block, and if its bytes changed on the disk.
        """
        place = None if block.has_changed else self._places.get(block.key)
        if place is None:
            return None
        segment = self._segments.all[place]
        try:
            packed = os.pread(self._descriptor, segment.size_bytes, segment.offset)
        except OSError:
            return None
        if hashlib.sha256(packed).digest() != segment.checksum:
            return None
        is_proven = place not in self._segments.unproven
        if before.is_at(segment.before):  # the streams are the same so far: nothing needs to be unpacked
            return Made(block.key, b"", before, segment.after, packed, is_proven, segment.checksum)
        frame = unpack_segment(packed)
        return Made(block.key, frame, before, before.after(frame), packed, is_proven, segment.checksum)


def unpack_segment(packed: bytes) -> bytes:
    """Return the frame in a segment that was compared with its checksum."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed)


def find_segments(pieces: Iterable[bytes], highest_ratio: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the frames of a container with their bytes in it, in order.

    `pieces` are the bytes of a file, which is hostile. Ends before the first segment of another form, and before one
    that unpacks to more than `highest_ratio` times its size.
    """
    buffer, begin, read = bytearray(), HEAD_BYTES, HEAD_BYTES
    frame, unpacker = bytearray(), zlib.decompressobj(-zlib.MAX_WBITS)
    size: int | None = len(PROTOCOL)
    for piece in pieces:
        searched = max(read, len(buffer) - len(FLUSHED) + 1)
        buffer += piece
        while (place := buffer.find(FLUSHED, searched)) >= 0:
            end = place + len(FLUSHED)
            try:
                # One byte more than allowed, which is never 0: that would mean no limit.
                frame += unpacker.decompress(buffer[read:end], highest_ratio * (end - begin) - len(frame) + 1)
            except zlib.error:
                return
            if len(frame) > highest_ratio * (end - begin):
                return
            read = searched = end
            if size is None and len(frame) >= FRAME_HEAD_BYTES:
                size = FRAME_HEAD_BYTES + int.from_bytes(frame[1:FRAME_HEAD_BYTES], "little")
            if len(frame) == size:
                if not _is_between_blocks(unpacker):
                    return
                yield bytes(frame), bytes(buffer[begin:end])
                # A new unpacker for each: a segment that refers to an earlier one cannot stand in another file.
                begin, size, unpacker = end, None, zlib.decompressobj(-zlib.MAX_WBITS)
                frame.clear()
            elif size is not None and len(frame) > size:
                return
        del buffer[:begin]
        read, begin = read - begin, 0


def _is_between_blocks(unpacker: Any) -> bool:
    """Tell whether a stream goes on behind what was unpacked of it.

    A bit in the padding of a flush may say otherwise: what was unpacked is right, and yet the file is corrupt.
    """
    try:
        return not unpacker.decompress(_LAST_BLOCK) and unpacker.eof and not unpacker.unused_data
    except zlib.error:
        return False
