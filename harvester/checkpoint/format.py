"""The checkpoint format: bytes that `joblib.load` reads.

Owns metadata and digest; `checkpoint.container` owns the compression, `checkpoint.writer` the stream inside. Reading
treats the file as hostile: it bounds the unpacked size, scans the opcodes, unpickles with one class allowed (replaced
by an inert stand-in), checks every value, and then builds a new graph. No code of the file runs. Knows nothing of
folders, or of which file to trust.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harvester.checkpoint._opcodes import PROTOCOL
from harvester.checkpoint.container import Container, Packed, PackedBytes, blocks_packed_elsewhere, unpacked
from harvester.checkpoint.healing import drop_invalid_ids
from harvester.checkpoint.layout import FileLayout, latest_stamp, layout_of
from harvester.checkpoint.segments import Block, LastFile, Made, Prefix, Segments
from harvester.checkpoint.stream import (
    EndingReader,
    FrameReader,
    GraphStandIn,
    RestrictedUnpickler,
    decode_pickle,
    scanned_frames,
)
from harvester.checkpoint.validate import read_state, version_for
from harvester.checkpoint.writer import (
    blocks_in,
    encode_closing,
    encode_end,
    encode_fillers,
)
from harvester.clock import iso
from harvester.errors import LibraryCorrupt
from harvester.graph import Dropped, SoundGraph
from harvester.storage import unpack_beginning

_BEGINNING = re.compile(rb"\x80\x05\x95.{8}(\x8c\x02idq\x000|}\(\x8c\x05graph\x8c)", re.DOTALL)
"""Protocol, head of the first frame, and the first field's name, put into a memo slot and popped; or, of a library
without sounds, the closing dict, whose texts are in no memo slot."""
_MANY_CONTAINERS = 100_000
"""More new containers than these are moved to the oldest generation; fewer are visited within milliseconds."""


@dataclass(slots=True)
class Encoded:
    """Result of encoding a checkpoint, complete after its last chunk."""

    digest: str = ""
    nodes: int = 0
    edges: int = 0
    size_bytes: int = 0
    segments: Segments | None = None
    layout: FileLayout | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded checkpoint: its state, its metadata and its digest.

    `segments` are those of the file, None if it is in another form than harvester writes.
    """

    state: SoundGraph
    metadata: dict[str, Any]
    digest: str
    segments: Segments | None = None


def metadata_of(state: SoundGraph, latest_us: int | None = None) -> dict[str, Any]:
    """Return the metadata of a checkpoint, with an empty digest.

    It is a function of the content alone. `latest_us` may pass the state's latest stamp to save the time.
    """
    latest_us = latest_stamp(state) if latest_us is None else latest_us
    return metadata_from(
        has_weights=state.has_weights, latest_us=latest_us, nodes=len(state), edges=state.edge_count,
        source=state.source, space=state.space, seeds=state.seeds, gone=state.gone_count,
        processed=len(state.processed), records=state.record_count,
    )  # fmt: skip


def metadata_from(
    *, has_weights: bool, latest_us: int, nodes: int, edges: int, source: str, space: str, seeds: Iterable[int],
    gone: int, processed: int, records: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the metadata of content with these facts; its digest is empty.

    `latest_us` is the latest stamp, 0 without any; `seeds` are distinct.
    """
    return {
        "format_version": version_for(has_weights),
        "timestamp": iso(latest_us) if latest_us else "",
        "nodes": nodes,
        "edges": edges,
        "source": source,
        "similarity_space": space,
        "seeds": sorted(seeds),
        "statistics": {"gone": gone, "processed": processed, "records": records},
        "digest": "",
    }


def encode_checkpoint(
    state: SoundGraph,
    encoded: Encoded | None = None,
    at_hand: Sequence[bytes] = (),
    last: LastFile | None = None,
) -> Iterator[bytes]:
    """Yield a checkpoint in chunks, and fill `encoded` after the last one.

    Equal content gives equal bytes, except that unchanged blocks are copied from the checkpoints `at_hand` (their
    bytes) which another zlib packed. The caller must not change the state until the last chunk. The whole stream is
    never in memory. Each block ends with a full flush, so an unchanged block gives the same bytes again: Git's deltas
    stay small. `last` is the file that the state had when `state.changed` was empty: what did not change is copied from
    it, which gives the same bytes in a tenth of the time.
    """
    encoded = encoded if encoded is not None else Encoded()
    container = Container(blocks_packed_elsewhere(at_hand))
    segments = Segments(head=container.head)

    yield container.head
    for made in _frames(state, encoded, last):
        packed = made.packed or container.pack(made.frame)
        segments.add(made, packed)
        yield packed
    segments.layout = encoded.layout
    segments.end = container.end(segments.all[-1].after.checksum)
    encoded.size_bytes = segments.size_bytes
    encoded.segments = segments
    yield segments.end


def encode_stream(state: SoundGraph, encoded: Encoded) -> Iterator[bytes]:
    """Yield the canonical uncompressed stream by frames, its digest last."""
    return (made.frame for made in _frames(state, encoded, None))


def _frames(state: SoundGraph, encoded: Encoded, last: LastFile | None) -> Iterator[Made]:
    """Yield the protocol and all frames of a stream, or what to copy."""
    known = Prefix()
    layout = encoded.layout = layout_of(state, last.layout if last is not None else None)
    closing = encode_closing(
        layout.order, filter(state.processed.__contains__, layout.listed), layout.bare,
        metadata_of(state, layout.latest_us),
    )  # fmt: skip

    def made_of(frame: bytes, key: bytes = b"", *, is_proven: bool = True) -> Made:
        return Made(key, frame, known, known.after(frame), is_proven=is_proven)

    def written(block: Block, *, is_proven: bool) -> Made:
        copied = last.copied(block, known) if last is not None and block.key else None
        return copied or made_of(block.encode(), block.key, is_proven=is_proven)

    yield (made := made_of(PROTOCOL))
    known = made.after
    for block in blocks_in(state, layout):
        yield (made := written(block, is_proven=False))
        known = made.after
    for block in closing:
        yield (made := written(block, is_proven=True))
        known = made.after
    for frame in encode_fillers(known.containers, known.size_bytes):
        yield (made := made_of(frame))
        known = made.after
    encoded.digest, encoded.nodes, encoded.edges = known.digest.hexdigest(), len(state), state.edge_count
    yield made_of(encode_end(encoded.digest))


def digest_of(state: SoundGraph) -> str:
    """Return the digest that a checkpoint of this state would carry."""
    encoded = Encoded()
    for _ in encode_stream(state, encoded):
        pass
    return encoded.digest


def decode_checkpoint(packed: bytes | Packed, dropped: Dropped | None = None) -> Decoded:
    """Return the state in the bytes of a checkpoint, or in a file.

    Raises `LibraryCorrupt` or `NewerFormat`, one line each. With `dropped`, invalid sound ids are left out and
    recorded there; without it, they are an error. Memory is bounded by the file's size, and no code of the file runs.
    The state is new and shares no container with another.
    """
    source = PackedBytes(packed) if isinstance(packed, bytes) else packed
    ending = EndingReader()
    with garbage_collection_off():
        frames = ending.through(scanned_frames(source, sum(map(len, unpacked(source)))))
        plain = decode_pickle(RestrictedUnpickler(FrameReader(frames)))
        for _ in frames:
            pass  # what follows STOP is refused too
        if dropped is not None:
            dropped.add(drop_invalid_ids(plain, GraphStandIn))
        state, metadata = read_state(plain, GraphStandIn, 2 * ending.size_bytes)
    if ending.verified_digest() != metadata["digest"]:
        raise LibraryCorrupt("the digest in its metadata is not the one at its end")
    return Decoded(state, metadata, metadata["digest"])


def begins_as_checkpoint(packed: bytes) -> bool:
    """Tell from the beginning of a file whether harvester wrote it.

    No other program puts the same texts into memo slots in this way.
    """
    return _BEGINNING.match(unpack_beginning(packed)) is not None


@contextmanager
def garbage_collection_off() -> Iterator[None]:
    """Disable the garbage collector while millions of containers are made.

    It could free none of them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if gc.get_count()[0] > _MANY_CONTAINERS and not gc.get_freeze_count():
                # All new containers are in the youngest generation: the next collection would visit them, which takes
                # a tenth of the loading time. Freezing and unfreezing moves them to the oldest generation. It is
                # skipped when the program has frozen objects of its own, because `unfreeze` would unfreeze those too.
                # Python counts these one by one, which takes longer than to read a small library.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
