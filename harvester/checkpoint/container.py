"""Pack and unpack the zlib container of a checkpoint, block by block.

Owns level, blocks and bounds of the compression. Unpacking treats the file as hostile: its size is bounded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harvester.checkpoint._blocks_at_hand import blocks_at_hand, digest_of_block
from harvester.checkpoint.segments import HEAD_BYTES
from harvester.errors import LibraryCorrupt, words_of

LEVEL = 3
_PIECE_BYTES, _MOST_UNPACKED_BYTES = 1 << 18, 4 << 20
_SMALL_BYTES = 16 << 20
HIGHEST_RATIO = 50
"""A library unpacks to 4 to 12 times its size (measured); a small file may compress better than that."""
HIGHEST_RATIO_WRITTEN = 40


class Container:
    """The zlib container around the stream, written block by block.

    Its compression ratio stays within what `unpacked` allows.
    """

    def __init__(self, packed: Mapping[bytes, bytes] | None = None) -> None:
        """Copy blocks in `packed`, by their content's digest, as they are."""
        self._packed = packed or {}
        self.head = zlib.compressobj(LEVEL).flush()[:HEAD_BYTES]
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)

    def pack(self, block: bytes) -> bytes:
        """Return a block compressed, with a full flush at its end."""
        if self._packed and (kept := self._packed.get(digest_of_block(block))) is not None:
            return kept
        packed = self._packer.compress(block) + self._packer.flush(zlib.Z_FULL_FLUSH)
        if len(block) > HIGHEST_RATIO_WRITTEN * len(packed):
            # For example one text repeated a million times: stored uncompressed, or `unpacked` would refuse the file.
            storing = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed = storing.compress(block) + storing.flush(zlib.Z_FULL_FLUSH)
        return packed

    def end(self, checksum: int) -> bytes:
        """Return the last bytes: the stream's end and its Adler-32."""
        return self._packer.flush() + checksum.to_bytes(4, "big")


def is_packed_elsewhere(beginning: bytes) -> bool:
    """Tell from its first bytes if another zlib compressed a checkpoint."""
    return bool(blocks_packed_elsewhere([beginning]))


def blocks_packed_elsewhere(files: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the blocks that another zlib packed, by content digest."""
    return blocks_at_hand(files, Container().pack, HIGHEST_RATIO_WRITTEN) if files else {}


class Packed(Protocol):
    """The bytes of a checkpoint, which can be read several times."""

    @property
    def size_bytes(self) -> int:
        """Return the number of its bytes."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes from the start."""
        ...


@dataclass(frozen=True, slots=True)
class PackedBytes:
    """A checkpoint in memory."""

    content: bytes

    @property
    def size_bytes(self) -> int:
        """Return the number of its bytes."""
        return len(self.content)

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes from the start."""
        for start in range(0, len(self.content), _PIECE_BYTES):
            yield self.content[start : start + _PIECE_BYTES]


def unpacked(packed: Packed) -> Iterator[bytes]:
    """Yield the content of a zlib container in pieces, verified at its end.

    Verifies its checksum, its end and its unpacked size. `joblib.load` checks neither the checksum nor the end: it
    reads files that lack up to five bytes. Raises `LibraryCorrupt`, at the latest after the last piece. A piece has at
    most a few MB, so the whole content is never in memory.
    """
    limit = _SMALL_BYTES + HIGHEST_RATIO * packed.size_bytes
    unpacker = zlib.decompressobj()
    size_bytes = 0
    for piece in packed.pieces():
        if unpacker.eof:
            raise LibraryCorrupt("bytes follow the end of its compressed content")
        while piece:
            try:
                content = unpacker.decompress(piece, _MOST_UNPACKED_BYTES)
            except (zlib.error, MemoryError) as error:
                raise LibraryCorrupt(f"its compression is broken ({words_of(error)})") from error
            size_bytes += len(content)
            if size_bytes > limit:
                raise LibraryCorrupt(f"it unpacks to more than {limit} bytes")
            piece = unpacker.unconsumed_tail
            yield content
    if not unpacker.eof:
        raise LibraryCorrupt("its end is missing")
    if unpacker.unused_data:
        raise LibraryCorrupt("bytes follow the end of its compressed content")
