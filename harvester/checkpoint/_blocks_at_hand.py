"""Blocks of a file at hand that another zlib packed, so that a new file keeps the bytes of what did not change.

Implementations of zlib pack the same content into other bytes at the same level. A writer that packed every block
again would change the whole file for Git, whatever it added. Owns where a block begins and ends in a packed file.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator

from harvester.checkpoint._opcodes import PROTOCOL

_HEAD_BYTES = 2
_FLUSHED = b"\x00\x00\xff\xff"
"""The last bytes of a full flush. They may also lie inside of a block."""
_FRAME_HEAD_BYTES = 9
_COMPARED_BLOCKS, _COMPARED_BYTES = 3, 100
_MOST_PADDING_BYTES = 1_024


def digest_of_block(block: bytes) -> bytes:
    """Return what tells a block's content from another's."""
    return hashlib.blake2b(block, digest_size=32).digest()


def blocks_at_hand(files: Iterable[bytes], pack: Callable[[bytes], bytes], highest_ratio: int) -> dict[bytes, bytes]:
    """Return the packed blocks of these checkpoints by the digest of what they hold; none where `pack` gives the same.

    Takes the bytes of whole checkpoints, or of their beginnings. A block that two files pack differently is taken from
    the one whose bytes come first in order, so that the order of the files decides nothing. A file may be of any
    content: each block is unpacked on its own, and one that unpacks to `highest_ratio` times its size, or is padded,
    is left out.
    """
    found: dict[bytes, bytes] = {}
    for packed in files:
        compared, differs, of_this = 0, False, {}
        for block, segment in _segments(packed):
            if not differs and len(block) >= _COMPARED_BYTES:
                if compared == _COMPARED_BLOCKS:
                    break
                compared, differs = compared + 1, pack(block) != segment
            if len(segment) <= len(block) + _MOST_PADDING_BYTES and len(block) <= highest_ratio * len(segment):
                of_this[digest_of_block(block)] = segment
        for digest, segment in of_this.items() if differs else ():
            found[digest] = min(segment, found.get(digest, segment))
    return found


def _segments(packed: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give each block with the bytes that it is packed into, up to the first that is not packed as ours are."""
    begin, block, unpacker = _HEAD_BYTES, b"", zlib.decompressobj(-zlib.MAX_WBITS)
    read = begin
    size: int | None = len(PROTOCOL)
    while (place := packed.find(_FLUSHED, read)) >= 0:
        end = place + len(_FLUSHED)
        try:
            block += unpacker.decompress(packed[read:end])
        except zlib.error:
            return
        read = end
        if size is None and len(block) >= _FRAME_HEAD_BYTES:
            size = _FRAME_HEAD_BYTES + int.from_bytes(block[1:_FRAME_HEAD_BYTES], "little")
        if len(block) == size:
            yield block, packed[begin:end]
            # A new unpacker for each: a block that refers to an earlier one cannot stand in another file.
            begin, block, size, unpacker = end, b"", None, zlib.decompressobj(-zlib.MAX_WBITS)
        elif size is not None and len(block) > size:
            return
