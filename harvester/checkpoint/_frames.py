"""Cut a stream into its frames; it is never whole in memory.

Owns where frames may lie: the first begins after the protocol, each other one where the frame before it ends, and the
last one ends with the stream. What they hold is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harvester.checkpoint._opcodes import FRAME, FRAME_HEAD_BYTES, PROTOCOL
from harvester.checkpoint.writer import END_BYTES
from harvester.errors import LibraryCorrupt


def frames_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the protocol, then each frame with its head.

    `pieces` are those of a stream. What comes before the first frame is yielded as a whole: only another program writes
    such a stream, with no frame or with one around its digest. Raises `LibraryCorrupt`.
    """
    reader = PieceReader(pieces)
    protocol = reader.take(len(PROTOCOL))
    if protocol != PROTOCOL:
        raise LibraryCorrupt("it is not a pickle of protocol 5")
    yield protocol
    head = reader.take(FRAME_HEAD_BYTES)
    if head[:1] != FRAME:
        stream = head + reader.rest()
        place = max(0, len(stream) - END_BYTES)
        if stream[place : place + 1] != FRAME:
            place = len(stream)
        yield stream[:place]
        reader = PieceReader([stream[place:]])
        head = reader.take(FRAME_HEAD_BYTES)
    while head:
        if head[:1] != FRAME:
            raise LibraryCorrupt("a frame does not begin where the frame before it ends")
        size = int.from_bytes(head[1:], "little")
        payload = reader.take(size)
        if len(head) < FRAME_HEAD_BYTES or len(payload) < size:
            raise LibraryCorrupt("its last frame does not end with the file")
        yield head + payload
        head = reader.take(FRAME_HEAD_BYTES)


class PieceReader:
    """Bytes in pieces, read in sizes of one's own."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer, self._place = b"", 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, or what is left of them."""
        found = self._buffer[self._place : self._place + size]
        self._place += len(found)
        if len(found) == size:
            return found
        parts, lacking = [found], size - len(found)
        while lacking and (piece := next(self._pieces, None)) is not None:
            parts.append(piece[:lacking])
            self._buffer, self._place = piece, len(parts[-1])
            lacking -= self._place
        return b"".join(parts)

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        return b"".join([self._buffer[self._place :], *self._pieces])
