"""Find compressed blocks of existing checkpoints, for reuse.

Implementations of zlib compress the same content to different bytes at the same level. A writer that compressed every
block again would change the whole file for Git, even if it added only one sound. Owns which blocks are
reused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from harvester.checkpoint.segments import find_segments

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
        for block, segment in find_segments([packed], highest_ratio):
            if not differs and len(block) >= _COMPARED_BYTES:
                if compared == _COMPARED_BLOCKS:
                    break
                compared, differs = compared + 1, pack(block) != segment
            if len(segment) <= len(block) + _MOST_PADDING_BYTES:
                of_this[digest_of_block(block)] = segment
        for digest, segment in of_this.items() if differs else ():
            found[digest] = min(segment, found.get(digest, segment))
    return found
