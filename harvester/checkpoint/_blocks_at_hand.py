"""Find compressed blocks of existing checkpoints, for reuse.

Implementations of zlib compress the same content to different bytes at the same level. A writer that compressed every
block again would change the whole file for Git, even if it added only one sound. Owns how the blocks of a compressed
file are found.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from mmap import mmap

from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, PROTOCOL

_HEAD_BYTES = 2
_FLUSHED = b"\x00\x00\xff\xff"
"""The last bytes of a full flush. They can also occur inside a block."""
_COMPARED_BLOCKS, _COMPARED_BYTES = 3, 100
_MOST_PADDING_BYTES = 1_024


def digest_of_block(block: bytes) -> bytes:
    """Return the digest that identifies a block by its content."""
    return hashlib.blake2b(block, digest_size=32).digest()


def blocks_at_hand(files: Iterable[bytes], pack: Callable[[bytes], bytes], highest_ratio: int) -> dict[bytes, bytes]:
    """Return compressed blocks of other zlibs by their content's digest.

    `files` are the bytes of whole checkpoints or of their beginnings; a file whose blocks `pack` would compress to the
    same bytes is skipped. Of two versions of a block the smaller bytes (in sort order) win, so the order of the files
    does not matter. The files are untrusted: each block is unpacked separately, one that is padded is left out,
    and reading ends at one that unpacks to more than `highest_ratio` times its size.
    """
    found: dict[bytes, bytes] = {}
    for packed in files:
        compared, differs, of_this = 0, False, {}
        for block, segment in segments_of(packed, highest_ratio):
            if not differs and len(block) >= _COMPARED_BYTES:
                if compared == _COMPARED_BLOCKS:
                    break
                compared, differs = compared + 1, pack(block) != segment
            if len(segment) <= len(block) + _MOST_PADDING_BYTES:
                of_this[digest_of_block(block)] = segment
        for digest, segment in of_this.items() if differs else ():
            found[digest] = min(segment, found.get(digest, segment))
    return found


def segments_of(packed: bytes | mmap, highest_ratio: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield blocks with their bytes, up to the first of unknown form."""
    begin, block, unpacker = _HEAD_BYTES, bytearray(), zlib.decompressobj(-zlib.MAX_WBITS)
    read = begin
    size: int | None = len(PROTOCOL)
    while (place := packed.find(_FLUSHED, read)) >= 0:
        end = place + len(_FLUSHED)
        try:
            # One byte more than allowed, which is never 0: that would mean no limit.
            block += unpacker.decompress(packed[read:end], highest_ratio * (end - begin) - len(block) + 1)
        except zlib.error:
            return
        if len(block) > highest_ratio * (end - begin):
            return
        read = end
        if size is None and len(block) >= FRAME_HEAD_BYTES:
            size = FRAME_HEAD_BYTES + int.from_bytes(block[1:FRAME_HEAD_BYTES], "little")
        if len(block) == size:
            yield bytes(block), packed[begin:end]
            # Use a new unpacker for each block: a block that refers to an earlier one cannot be copied to another file.
            begin, block, size, unpacker = end, bytearray(), None, zlib.decompressobj(-zlib.MAX_WBITS)
        elif size is not None and len(block) > size:
            return
