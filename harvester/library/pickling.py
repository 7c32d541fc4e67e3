"""The canonical pickle stream: a state as opcodes, a function of its content alone.

Owns the layout of the checkpoint's pickle (protocol 5). The opcodes are written here rather than by a `Pickler`, whose
output depends on which equal strings happen to be one object; so equal content gives equal bytes in any process.

    records*  sounds in order of (added_at, id): each one's record and an adjacency still empty, put into memo slots of
              their own and popped
    lists*    sounds in order of (linked_at, id): how the list was asked for and its edges, added to those two
    closing   the dict of graph, processed_ids, sound_cache and metadata, made of references to those slots; the graph
              is `DiGraph({id: adjacency})`, then its `_node` set: the mirrored predecessors are not stored

Everything grows at its end, so Git stores what is new: a sound that is linked long after it was first seen changes no
block that is there. Blocks end where an id says so, and share recurring texts inside only: their bytes depend on
nothing outside, and one that came, grew or went shifts no border after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harvester.graph import LINK_FIELDS, SoundGraph, in_order
from harvester.library.blocks import TEXT_SLOTS, Block, Heads
from harvester.library.opcodes import (
    ADDITEMS,
    BUILD,
    EMPTY_DICT,
    EMPTY_SET,
    MARK,
    NONE,
    POP,
    PROTOCOL,
    REDUCE,
    SETITEM,
    SETITEMS,
    STACK_GLOBAL,
    STOP,
    TUPLE1,
    TUPLE2,
    encode_int,
    encode_text,
    frame,
    pack_index,
)

BLOCK_SOUNDS = 128
"""How many sounds a block holds on average; four times as many at most."""

GRAPH_CLASS = ("networkx.classes.digraph", "DiGraph")
DIGEST_LENGTH = 64


def canonical_order(state: SoundGraph) -> list[int]:
    """Return all ids in the order of the file: first known first, then by id."""
    nodes = state.graph.nodes
    return [
        sound_id for _, sound_id in sorted((attributes["added_at"], sound_id) for sound_id, attributes in nodes.items())
    ]


def encode_blocks(state: SoundGraph, order: list[int]) -> Iterator[bytes]:
    """Give the stream's protocol header and its blocks, each a frame of its own."""
    yield PROTOCOL
    nodes, successors = state.graph._node, state.graph._adj
    slots = {sound_id: TEXT_SLOTS + 2 * place for place, sound_id in enumerate(order)}
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    for part in _blocks(order):
        block = Block()
        for sound_id in part:
            attributes = nodes[sound_id]
            names = tuple(attributes)
            ordered = orders.get(names)
            if ordered is None:
                ordered = orders[names] = tuple(name for name in in_order(names) if name not in LINK_FIELDS)
            block.attributes(map(attributes.__getitem__, ordered), ordered)
            slot = slots[sound_id]
            block.parts.append(pack_index(b"r", slot) + b"0}" + pack_index(b"r", slot + 1) + POP)
        yield frame(b"".join(block.parts))
    heads = Heads()
    for part in _blocks(_linked_order(state)):
        block = Block()
        for sound_id in part:
            if "linked_at" in nodes[sound_id]:
                block.additions(slots[sound_id], nodes[sound_id], LINK_FIELDS)
            if successors[sound_id]:
                block.adjacency(slots[sound_id] + 1, successors[sound_id], heads)
        yield frame(b"".join(block.parts))


def _linked_order(state: SoundGraph) -> list[int]:
    """Return all ids that have a list or edges, first linked first, then by id."""
    nodes, successors = state.graph._node, state.graph._adj
    return [
        sound_id
        for _, sound_id in sorted(
            (attributes.get("linked_at", 0), sound_id)
            for sound_id, attributes in nodes.items()
            if "linked_at" in attributes or successors[sound_id]
        )
    ]


def _blocks(order: list[int]) -> Iterator[list[int]]:
    start = 0
    for end, sound_id in enumerate(order, 1):
        ends = (sound_id * 0x9E3779B1 & 0xFFFFFFFF) * BLOCK_SOUNDS >> 32 == 0
        if ends or end - start == 4 * BLOCK_SOUNDS or end == len(order):
            yield order[start:end]
            start = end


def encode_closing(state: SoundGraph, order: list[int], metadata: dict[str, Any]) -> Iterator[bytes]:
    """Give the rest of the stream up to the text of the digest, which is the last value of `metadata`."""
    nodes = state.graph._node
    slots = [(encode_int(sound_id), sound_id, TEXT_SLOTS + 2 * place) for place, sound_id in enumerate(order)]
    module, name = GRAPH_CLASS
    yield frame(b"}(" + encode_text("graph") + encode_text(module) + encode_text(name) + STACK_GLOBAL)
    yield from _references(head + pack_index(b"j", slot + 1) for head, _, slot in slots)
    yield frame(TUPLE1 + REDUCE + NONE + b"}" + encode_text("_node"))
    yield from _references(head + pack_index(b"j", slot) for head, _, slot in slots)
    yield frame(SETITEM + TUPLE2 + BUILD + encode_text("processed_ids") + EMPTY_SET)
    processed = (sound_id for sound_id in _linked_order(state) if sound_id in state.processed)
    for batch in _batches(map(encode_int, processed)):
        yield frame(MARK + batch + ADDITEMS)
    yield frame(encode_text("sound_cache"))
    yield from _references(
        head + pack_index(b"j", slot) for head, sound_id, slot in slots if "fetched_at" in nodes[sound_id]
    )
    block = Block()
    pairs = b"".join(
        encode_text(name) + block.value(value, shared=False) for name, value in metadata.items() if name != "digest"
    )
    yield frame(encode_text("metadata") + b"}(" + pairs + encode_text("digest"))


def encode_end(digest: str) -> bytes:
    """Return the last bytes of the stream: the digest of everything before them, and the end of both dicts."""
    return frame(encode_text(digest) + b"uu" + STOP)


def digest_place(stream: bytes | memoryview) -> int | None:
    """Return how many bytes of a stream its digest covers, or None when it does not end as ours do."""
    size = len(encode_end("0" * DIGEST_LENGTH))
    place = len(stream) - size
    end = bytes(stream[place:]) if place >= 0 else b""
    return place if end[:11] == encode_end("0" * DIGEST_LENGTH)[:11] and end[-3:] == b"uu." else None


def _references(pairs: Iterator[bytes]) -> Iterator[bytes]:
    yield frame(EMPTY_DICT)
    for batch in _batches(pairs):
        yield frame(MARK + batch + SETITEMS)


def _batches(items: Iterator[bytes], size: int = 512) -> Iterator[bytes]:
    batch: list[bytes] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield b"".join(batch)
            batch = []
    if batch:
        yield b"".join(batch)
