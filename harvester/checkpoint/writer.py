"""Encode a state as a canonical pickle stream.

Owns the layout of the checkpoint's pickle (protocol 5). This module writes the opcodes itself: the output of one
`Pickler` would depend on which equal strings happen to be one object. So equal content gives equal bytes in any
process.

    records*  sounds in order of (added_at, id): each sound's record and an empty adjacency, stored in two memo slots
              and popped
    lists*    sounds in order of (linked_at, id): the query of the similar list and its edges, added to those two slots
    closing   the dict of graph, processed_ids, sound_cache and metadata, made of references to those slots; the graph
              is `DiGraph({id: adjacency})`, then its `_node` is set: predecessors are not stored

Both sequences grow at their end, so Git stores only what is new: linking a sound long after it was first seen changes
no existing record block. The ids decide where a block ends, and texts are interned inside a block only. So a block's
bytes depend on its own sounds, and adding, changing or removing a sound moves no later block's borders.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import compress, islice
from operator import add
from typing import Any

from harvester.checkpoint._interned import TEXT_SLOTS, Texts
from harvester.checkpoint._list_block import EdgeStarts, ListBlock
from harvester.checkpoint._opcodes import (
    ADDITEMS,
    BUILD,
    BYTES_BESIDE,
    EMPTY_DICT,
    EMPTY_SET,
    FILLER,
    MARK,
    NONE,
    REDUCE,
    SETITEM,
    SETITEMS,
    SPARE_CONTAINERS,
    STACK_GLOBAL,
    STOP,
    TUPLE1,
    TUPLE2,
    encode_int,
    encode_text,
    frame,
    get,
)
from harvester.checkpoint._record_block import SLOTS, RecordBlock
from harvester.checkpoint.layout import FileLayout
from harvester.checkpoint.segments import Block
from harvester.graph import SoundGraph

_RECORD, _ADJACENCY = range(SLOTS)

BLOCK_SOUNDS = 128
"""Average number of sounds in a block; the maximum is four times as many."""

RECORDS, LISTS, TABLE, PROCESSED = b"r", b"l", b"t", b"p"
"""How the keys of blocks begin, and those of parts of the closing tables."""
GRAPH_CLASS = ("networkx.classes.digraph", "DiGraph")
DIGEST_LENGTH = 64
_BATCH = 512


def blocks_in(state: SoundGraph, layout: FileLayout) -> Iterator[Block]:
    """Yield the blocks of a state, first those of records, then of lists."""
    nodes, successors, changed = state.graph._node, state.graph._adj, state.changed
    order, slot = layout.order, TEXT_SLOTS
    for part in blocks_of(order):
        yield Block(
            record_key(part, slot),
            not changed.records.isdisjoint(part),
            partial(_encode_records, slot, map(nodes.__getitem__, part)),
        )
        slot += SLOTS * len(part)
    slots = dict(zip(order, _slots(order, _RECORD), strict=True))
    starts = EdgeStarts()
    for part in blocks_of(layout.listed):
        places = list(map(slots.__getitem__, part))
        lists = zip(places, map(nodes.__getitem__, part), map(successors.__getitem__, part), strict=True)
        yield Block(
            list_key(part, places),
            not changed.lists.isdisjoint(part),
            partial(_encode_lists, starts, lists),
        )


def record_key(sound_ids: list[int], slot: int) -> bytes:
    """Return the key of a block of records: its sounds and first slot."""
    return RECORDS + array("q", [slot, *sound_ids]).tobytes()


def read_record_key(key: bytes) -> tuple[int, list[int]]:
    """Return the first slot and the ids in the key of a block of records."""
    slot, *sound_ids = array("q", key[len(RECORDS) :])
    return slot, sound_ids


def list_key(sound_ids: list[int], slots: list[int]) -> bytes:
    """Return the key of a block of lists: its sounds and their slots."""
    return LISTS + array("q", sound_ids + slots).tobytes()


def _encode_records(slot: int, attributes: Iterable[dict[str, Any]]) -> bytes:
    return frame(RecordBlock().opcodes(slot, list(attributes)))


def _encode_lists(starts: EdgeStarts, lists: Iterable[tuple[int, dict[str, Any], dict[int, dict[str, Any]]]]) -> bytes:
    return frame(ListBlock(starts).opcodes(lists))


def _slots(order: list[int], which: int) -> range:
    """Return one memo slot per sound: of its record or its adjacency."""
    return range(TEXT_SLOTS + which, TEXT_SLOTS + which + SLOTS * len(order), SLOTS)


def blocks_of(order: list[int]) -> Iterator[list[int]]:
    """Yield the ids of each block, where ids are in the order of the file."""
    start = 0
    for end, sound_id in enumerate(order, 1):
        ends = (sound_id * 0x9E3779B1 & 0xFFFFFFFF) * BLOCK_SOUNDS >> 32 == 0
        if ends or end - start == 4 * BLOCK_SOUNDS or end == len(order):
            yield order[start:end]
            start = end


def encode_closing(
    order: list[int], processed: Iterable[int], bare: Container[int], metadata: dict[str, Any]
) -> Iterator[Block]:
    """Yield the rest of the stream before the digest, frame by frame.

    `order` is that of all ids, `processed` that of the processed ones; `bare` has those without a record. The digest is
    the last value of `metadata`. Only parts of tables have a key.
    """
    module, name = GRAPH_CLASS
    records, adjacencies = _slots(order, _RECORD), _slots(order, _ADJACENCY)
    yield _fixed(b"}(" + encode_text("graph") + encode_text(module) + encode_text(name) + STACK_GLOBAL)
    yield from _table(order, adjacencies)
    yield _fixed(TUPLE1 + REDUCE + NONE + b"}" + encode_text("_node"))
    yield from _table(order, records)
    yield _fixed(SETITEM + TUPLE2 + BUILD + encode_text("processed_ids") + EMPTY_SET)
    for part in _batches(processed):
        yield Block(_key(PROCESSED, part), False, partial(_encode_ids, part))
    yield _fixed(encode_text("sound_cache"))
    if not bare:
        yield from _table(order, records)
    else:
        has_record = [sound_id not in bare for sound_id in order]
        yield from _table(list(compress(order, has_record)), list(compress(records, has_record)))
    texts = Texts()
    pairs = b"".join(
        encode_text(name) + texts.value(value, shared=False) for name, value in metadata.items() if name != "digest"
    )
    yield _fixed(texts.head() + encode_text("metadata") + b"}(" + pairs + encode_text("digest"))


def encode_fillers(containers: int, size_bytes: int) -> Iterator[bytes]:
    """Yield the filler bytes that the stream needs to pass the opcode scan.

    A real library needs none: only records with thousands of empty lists do.
    """
    lacking = BYTES_BESIDE * (containers - SPARE_CONTAINERS) - size_bytes
    if lacking > 0:
        yield frame(FILLER * (lacking // len(FILLER) + 1))


def encode_end(digest: str) -> bytes:
    """Return the stream's last bytes: the digest and the end of both dicts."""
    return frame(encode_text(digest) + b"uu" + STOP)


END_BYTES = len(encode_end("0" * DIGEST_LENGTH))


def digest_at_end(end: bytes) -> str | None:
    """Return the digest in a stream's last `END_BYTES` bytes, or None."""
    digest = end[11:-3].decode("ascii", "replace")
    return digest if len(digest) == DIGEST_LENGTH and end == encode_end(digest) else None


def _table(sound_ids: Sequence[int], slots: Sequence[int]) -> Iterator[Block]:
    """Yield the parts of a dict of ids to what is in these memo slots."""
    yield _fixed(EMPTY_DICT)
    for part, places in zip(_batches(sound_ids), _batches(slots), strict=True):
        yield Block(_key(TABLE, [*part, *places]), False, partial(_encode_pairs, part, places))


def _encode_pairs(sound_ids: Sequence[int], slots: Sequence[int]) -> bytes:
    return frame(MARK + b"".join(map(add, map(encode_int, sound_ids), map(get, slots))) + SETITEMS)


def _encode_ids(sound_ids: Sequence[int]) -> bytes:
    return frame(MARK + b"".join(map(encode_int, sound_ids)) + ADDITEMS)


def _fixed(opcodes: bytes) -> Block:
    return Block(b"", False, partial(frame, opcodes))


def _key(kind: bytes, numbers: Sequence[int]) -> bytes:
    return kind + blake2b(array("q", numbers).tobytes(), digest_size=16).digest()


def _batches(items: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
