"""Read and prove what follows the blocks of a checkpoint.

These are tables of ids, metadata and the digest. Owns how they are read before the blocks, because their ids alone tell
which sounds a block has, and the proof that they are what the writer makes of what the blocks hold.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, PROTOCOL, SETITEMS, STOP, TUPLE1, TUPLE2, encode_text
from harvester.checkpoint._proof import prove
from harvester.checkpoint.segments import Block, Prefix
from harvester.checkpoint.stream import RestrictedUnpickler, decode_pickle
from harvester.checkpoint.validate import read_metadata
from harvester.checkpoint.writer import DIGEST_LENGTH, encode_end, encode_fillers

_CLOSING, _METADATA = b"}(" + encode_text("graph"), encode_text("metadata") + b"}("
_PAIR = re.compile(rb"(?:K(.)|M(..)|J(....)|\x8a\x05(.{5})|\x8a\x06(.{6})|\x8a\x07(.{7}))j....", re.DOTALL)
"""An id and the slot of its adjacency, in the graph's table."""


def begins_closing(frame: bytes) -> bool:
    """Tell whether a frame is the first one after the blocks."""
    return frame.startswith(_CLOSING, FRAME_HEAD_BYTES)


def ids_in(closing: list[bytes]) -> Iterator[int]:
    """Yield the ids of the graph's table, which is where every id stands.

    `closing` are the frames after the blocks.
    """
    for batch in closing[2:]:
        if batch.startswith(TUPLE1, FRAME_HEAD_BYTES):
            return
        for match in _PAIR.finditer(batch, FRAME_HEAD_BYTES + 1):
            assert match.lastindex is not None
            yield int.from_bytes(match[match.lastindex], "little")


def metadata_in(closing: list[bytes]) -> dict[str, Any]:
    """Return the checked metadata, without the digest that ends it."""
    block = next((one for one in reversed(closing) if _METADATA in one), b"")
    end = encode_text("0" * DIGEST_LENGTH) + SETITEMS + TUPLE2 + STOP
    name, metadata = decode_pickle(RestrictedUnpickler(io.BytesIO(PROTOCOL + block + end)))
    prove(name == "metadata")
    return read_metadata(metadata)


def prove_closing(closing: list[bytes], blocks: Iterable[Block], known: Prefix) -> list[bytes]:
    """Return the keys of the frames `closing`, or raise `ValueError`.

    It is raised unless the writer makes them: `blocks` are those of its tables, `known` is what is known of the stream
    before them.
    """
    keys: list[bytes] = []

    def made() -> Iterator[bytes]:
        after = known
        for block in blocks:
            keys.append(block.key)
            yield (one := block.encode())
            after = after.after(one)
        for one in encode_fillers(after.containers, after.size_bytes):
            keys.append(b"")
            yield one
            after = after.after(one)
        keys.append(b"")
        yield encode_end(after.digest.hexdigest())

    prove(all(one == other for one, other in zip(made(), closing, strict=True)))
    return keys
