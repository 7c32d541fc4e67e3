"""The checkpoint format: a state as the bytes of a file that `joblib.load` reads, and back.

Owns container, metadata and digest; the stream inside is `pickling`'s. Reading treats the file as hostile: bounds on
what is unpacked, the opcode scan, an unpickler that knows one class and gives an inert stand-in for it, a check of
every value, and then a new graph. Nothing of the file's own runs. Knows nothing of folders or of which file is good.
"""

from __future__ import annotations

import gc
import hashlib
import pickle
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from harvester.checkpoint._blocks_at_hand import blocks_at_hand, digest_of_block
from harvester.checkpoint._gil import short_turns
from harvester.checkpoint._opcode_scan import scan_opcodes
from harvester.checkpoint._opcodes import CONTAINERS
from harvester.checkpoint.healing import drop_impossible_ids
from harvester.checkpoint.validate import FORMAT_VERSION, read_state
from harvester.checkpoint.writer import (
    GRAPH_CLASS,
    canonical_order,
    digest_place,
    encode_blocks,
    encode_closing,
    encode_end,
    encode_fillers,
)
from harvester.clock import iso
from harvester.errors import LibraryCorrupt
from harvester.graph import STAMPS, Dropped, SoundGraph
from harvester.terminal_text import escape

LEVEL = 3
_BLOCKS_AHEAD = 4
_PIECE_BYTES = 1 << 18
_SMALL_BYTES = 16 << 20
_HIGHEST_RATIO = 50
"""A library unpacks to 4 to 12 times its size (measured); small files may be more regular than that."""
_HIGHEST_RATIO_WRITTEN = 40
_HEAD_BYTES = 2


@dataclass(slots=True)
class Encoded:
    """What an encoding run came to, filled in when its last chunk has been given."""

    digest: str = ""
    nodes: int = 0
    edges: int = 0
    stream_bytes: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Decoded:
    """A checkpoint that was read: its state, its metadata, its digest."""

    state: SoundGraph
    metadata: dict[str, Any]
    digest: str


def metadata_of(state: SoundGraph, order: list[int]) -> dict[str, Any]:
    """Return the metadata of a checkpoint but for its digest: a function of the content alone."""
    latest = 0
    for attributes in state.graph._node.values():
        for name in STAMPS:
            stamp = attributes.get(name, 0)
            if stamp > latest:
                latest = stamp
    return {
        "format_version": FORMAT_VERSION,
        "timestamp": iso(latest) if latest else "",
        "nodes": len(order),
        "edges": state.edge_count,
        "source": state.source,
        "similarity_space": state.space,
        "seeds": sorted(state.seeds),
        "statistics": {
            "gone": state.gone_count,
            "processed": len(state.processed),
            "records": state.record_count,
        },
        "digest": "",
    }


def encode_checkpoint(
    state: SoundGraph, encoded: Encoded | None = None, at_hand: Sequence[bytes] = ()
) -> Iterator[bytes]:
    """Give the bytes of a checkpoint in chunks; `encoded` is filled when the last one was given.

    Equal content gives equal bytes. Nothing may change the state meanwhile. Never is a whole stream in memory, and
    each block ends in a full flush: a block that did not change gives the same bytes again, which Git's deltas like.
    Where another zlib packed the checkpoints `at_hand` (their bytes), their blocks that did not change keep its bytes.
    """
    encoded = encoded if encoded is not None else Encoded()
    container = _Container(blocks_at_hand(at_hand, _Container().pack, _HIGHEST_RATIO_WRITTEN))
    stream_bytes, size_bytes = 0, len(container.head)

    # Compression lets go of the interpreter: one block is compressed while the next is being made.
    with short_turns(), ThreadPoolExecutor(1, "checkpoint") as compressor:
        waiting: deque[Future[bytes]] = deque()
        yield container.head
        for frame in encode_stream(state, encoded):
            stream_bytes += len(frame)
            waiting.append(compressor.submit(container.pack, frame))
            if len(waiting) > _BLOCKS_AHEAD:
                chunk = waiting.popleft().result()
                size_bytes += len(chunk)
                yield chunk
        for job in waiting:
            chunk = job.result()
            size_bytes += len(chunk)
            yield chunk
    chunk = container.end()
    encoded.stream_bytes, encoded.size_bytes = stream_bytes, size_bytes + len(chunk)
    yield chunk


def is_packed_elsewhere(beginning: bytes) -> bool:
    """Tell by the beginning of a checkpoint's bytes whether another zlib than this process's packed it."""
    return bool(blocks_at_hand([beginning], _Container().pack, _HIGHEST_RATIO_WRITTEN))


class _Container:
    """The zlib container around the stream, block by block; it never packs more tightly than `unpack` lets pass."""

    def __init__(self, packed: Mapping[bytes, bytes] | None = None) -> None:
        """Take the blocks that are `packed` already, by the digest of their content, as they are."""
        self._packed = packed or {}
        self.head = zlib.compressobj(LEVEL).flush()[:_HEAD_BYTES]
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._checksum = zlib.adler32(b"")

    def pack(self, block: bytes) -> bytes:
        self._checksum = zlib.adler32(block, self._checksum)
        if self._packed and (kept := self._packed.get(digest_of_block(block))) is not None:
            return kept
        packed = self._packer.compress(block) + self._packer.flush(zlib.Z_FULL_FLUSH)
        if len(block) > _HIGHEST_RATIO_WRITTEN * len(packed):
            # A block of one text a million times over: kept as it is, for such a file would be refused as a bomb.
            storing = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed = storing.compress(block) + storing.flush(zlib.Z_FULL_FLUSH)
        return packed

    def end(self) -> bytes:
        return self._packer.flush() + self._checksum.to_bytes(4, "big")


def encode_stream(state: SoundGraph, encoded: Encoded) -> Iterator[bytes]:
    """Give the canonical uncompressed stream, frame by frame; its digest ends it."""
    digest = hashlib.sha256()
    order = canonical_order(state)
    metadata = metadata_of(state, order)
    containers = size_bytes = 0
    for frame in chain(encode_blocks(state, order), encode_closing(state, order, metadata)):
        containers += sum(map(frame.count, CONTAINERS))
        size_bytes += len(frame)
        digest.update(frame)
        yield frame
    for frame in encode_fillers(containers, size_bytes):
        digest.update(frame)
        yield frame
    encoded.digest, encoded.nodes, encoded.edges = digest.hexdigest(), len(order), state.edge_count
    yield encode_end(encoded.digest)


def digest_of(state: SoundGraph) -> str:
    """Return the digest that a checkpoint of this state would carry."""
    encoded = Encoded()
    for _ in encode_stream(state, encoded):
        pass
    return encoded.digest


def decode_checkpoint(packed: bytes, dropped: Dropped | None = None) -> Decoded:
    """Return the state in the bytes of a checkpoint, or raise `LibraryCorrupt` or `NewerFormat`, one line each.

    With `dropped`, ids that no sound has are left out and noted there; without it, they are an error like any other.
    Memory is bounded by the file's size; no code of the file runs. The state is new and shares nothing with others.
    """
    # Hashing lets go of the interpreter: the digest is compared beside the rest.
    with short_turns(), _collector_resting(), ThreadPoolExecutor(1, "digest") as hasher:
        stream = unpack(packed)
        digest = hasher.submit(_verified_digest, stream)
        scan_opcodes(stream)
        plain = _unpickle(stream)
        if dropped is not None:
            dropped.add(drop_impossible_ids(plain, GraphStandIn))
        state, metadata = read_state(plain, GraphStandIn, 2 * len(stream))
    if digest.result() != metadata["digest"]:
        raise LibraryCorrupt("its digest is not where it belongs")
    return Decoded(state, metadata, metadata["digest"])


def digest_in(packed: bytes) -> str:
    """Return the digest in the bytes of a checkpoint once it is found to match the content, without building it."""
    return _verified_digest(unpack(packed))


def _verified_digest(stream: bytes | bytearray) -> str:
    place = digest_place(stream)
    if place is None:
        raise LibraryCorrupt("it does not end with a digest")
    found = hashlib.sha256(memoryview(stream)[:place]).hexdigest()
    if stream[place + 11 : place + 11 + len(found)] != found.encode():
        raise LibraryCorrupt("its content does not match its digest")
    return found


def unpack(packed: bytes) -> bytearray:
    """Return what a zlib container holds, bounded, its checksum verified and nothing after it.

    `joblib.load` checks neither the checksum nor the end: it reads files that are cut by one to five bytes.
    """
    limit = _SMALL_BYTES + _HIGHEST_RATIO * len(packed)
    unpacker = zlib.decompressobj()
    stream, rest = bytearray(), memoryview(packed)
    while rest and not unpacker.eof:
        piece: bytes | memoryview = rest[:_PIECE_BYTES]
        rest = rest[_PIECE_BYTES:]
        while piece:
            try:
                stream += unpacker.decompress(piece, limit + 1 - len(stream))
            except (zlib.error, MemoryError) as error:
                raise LibraryCorrupt(f"its compression is broken ({error})") from error
            if len(stream) > limit:
                raise LibraryCorrupt(f"it unpacks to more than {limit} bytes")
            piece = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise LibraryCorrupt("its end is missing")
    if unpacker.unused_data or rest:
        raise LibraryCorrupt("bytes follow its end")
    return stream


class GraphStandIn:
    """What the graph class in a file becomes: it keeps what it was given and does nothing."""

    __slots__ = ("adjacency", "state")

    def __init__(self, adjacency: object) -> None:
        self.adjacency = adjacency
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _InTurns:
    """A stream read frame by frame, each read a step of Python: between two of them other threads get their turn.

    Given the whole stream, the C unpickler holds the interpreter to its end, and the event loop with it: 0.5 s at
    50,000 sounds (measured).
    """

    def __init__(self, stream: bytes | bytearray) -> None:
        self._stream = memoryview(stream)
        self._place = 0

    def read(self, size: int) -> bytes:
        start, self._place = self._place, self._place + size
        return bytes(self._stream[start : self._place])

    def readline(self) -> bytes:
        """Unpicklers want to have it; no opcode that the scan lets pass reads a line."""
        return b""


class _CheckpointUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == GRAPH_CLASS:
            return GraphStandIn
        name = _shown(f"{module_name}.{global_name}")
        raise LibraryCorrupt(f"it names {name}: only plain data and the graph class may be in it")


def _unpickle(stream: bytes | bytearray) -> object:
    return decode_pickle(_CheckpointUnpickler(_InTurns(stream)))


def decode_pickle(unpickler: Any) -> Any:
    """Return what a restricted unpickler makes of its stream, or raise `LibraryCorrupt` with one line."""
    try:
        return unpickler.load()
    except LibraryCorrupt:
        raise
    # Whatever a malformed stream makes the unpickler raise, it means one thing.
    except Exception as error:
        raise LibraryCorrupt(f"its pickle is broken ({type(error).__name__}: {_shown(str(error))})") from error


def _shown(text: str) -> str:
    """Return a text from the file for a message: short, with what a terminal would obey spelled out."""
    return escape(text[:120])[:120]


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Keep the cyclic collector off millions of new containers, none of which it could free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():
                # All of them are young: the next allocation would walk them, a tenth of the time of loading. This puts
                # them among the oldest, unseen; not where others keep objects frozen, for those would thaw.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
