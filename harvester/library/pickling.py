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

import struct
from collections.abc import Iterable, Iterator
from operator import itemgetter, neg
from typing import Any, NoReturn

from harvester.graph import LINK_FIELDS, SHARED_TEXTS, SoundGraph, in_order

BLOCK_SOUNDS = 128
"""How many sounds a block holds on average; four times as many at most."""

TEXT_SLOTS = 1 << 16
"""Memo slots of a block's recurring texts; the sounds' own slots start above."""

GRAPH_CLASS = ("networkx.classes.digraph", "DiGraph")
DIGEST_LENGTH = 64
DEEPEST = 100
"""Containers nested deeper than this are not a record's; both sides of the codec refuse them."""

_PROTOCOL = b"\x80\x05"
_EMPTY_DICT, _EMPTY_LIST, _EMPTY_SET, _MARK = b"}", b"]", b"\x8f", b"("
_SETITEM, _SETITEMS, _APPENDS, _ADDITEMS = b"s", b"u", b"e", b"\x90"
_NONE, _TRUE, _FALSE, _POP, _STOP = b"N", b"\x88", b"\x89", b"0", b"."
_TUPLE1, _TUPLE2, _STACK_GLOBAL, _REDUCE, _BUILD = b"\x85", b"\x86", b"\x93", b"R", b"b"

_BYTES = [b"K" + bytes([number]) for number in range(256)]
_LENGTHS = [b"\x8c" + bytes([length]) for length in range(256)]
_pack_float = struct.Struct(">cd").pack
_pack_double = struct.Struct(">dc").pack
_score_of, _TEXT, _ONE, _SCORED = itemgetter("score"), {str}, {1}, {"score"}
_pack_long_text = struct.Struct("<cI").pack
_pack_index = struct.Struct("<cI").pack


def _encode_int(number: int) -> bytes:
    if 0 <= number < 256:
        return _BYTES[number]
    if -(2**31) <= number < 2**31:
        if 0 <= number < 65536:
            return b"M" + number.to_bytes(2, "little")
        return b"J" + number.to_bytes(4, "little", signed=True)
    size = number.bit_length() // 8 + 1
    head = b"\x8a" + bytes([size]) if size < 256 else b"\x8b" + size.to_bytes(4, "little")
    return head + number.to_bytes(size, "little", signed=True)


def _encode_text(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, as JSON may carry
        raw = text.encode("utf-8", "surrogatepass")
    size = len(raw)
    return (_LENGTHS[size] if size < 256 else _pack_long_text(b"X", size)) + raw


def _put(index: int) -> bytes:
    return b"q" + bytes([index]) if index < 256 else _pack_index(b"r", index)


def _get(index: int) -> bytes:
    return b"h" + bytes([index]) if index < 256 else _pack_index(b"j", index)


def _frame(payload: bytes) -> bytes:
    return b"\x95" + len(payload).to_bytes(8, "little") + payload


class _Heads(dict[int, bytes]):
    """The opcodes of ids, each made once."""

    def __missing__(self, number: int) -> bytes:
        code = self[number] = _encode_int(number)
        return code


class _Shared(dict[str, bytes]):
    """The opcodes of a block's recurring texts: written and kept in a slot the first time, fetched after."""

    def __missing__(self, text: str) -> bytes:
        index = len(self)
        if index >= TEXT_SLOTS:
            return _encode_text(text)
        if type(text) is not str:
            _not_a_name(text)
        self[text] = _get(index)
        return _encode_text(text) + _put(index)


class _Block:
    """The opcodes of one block: `parts` in order, and the slots of the texts it shares."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.shared = _Shared()

    def value(self, value: Any, *, shared: bool, depth: int = 0) -> bytes:
        """Return the opcodes of a JSON value."""
        kind = type(value)
        if kind is str:
            return self.shared[value] if shared else _encode_text(value)
        if kind is int:
            return _encode_int(value)
        if kind is float:
            return _pack_float(b"G", value)
        if value is None:
            return _NONE
        if kind is bool:
            return _TRUE if value else _FALSE
        if depth >= DEEPEST:
            raise ValueError(f"a value is nested deeper than {DEEPEST} containers")
        if kind is list or kind is tuple:
            if not value:
                return _EMPTY_LIST
            inner = b"".join([self.value(element, shared=shared, depth=depth + 1) for element in value])
            return _EMPTY_LIST + _MARK + inner + _APPENDS
        if kind is dict:
            return self.mapping(sorted(value.items()), shared=shared, depth=depth + 1)
        raise ValueError(f"a {kind.__name__} is not a JSON value")

    def mapping(self, pairs: Iterable[tuple[str, Any]], *, shared: bool, depth: int) -> bytes:
        parts = [
            self.shared[name] + self.value(value, shared=shared or name in SHARED_TEXTS, depth=depth)
            for name, value in pairs
        ]
        return _EMPTY_DICT + _MARK + b"".join(parts) + _SETITEMS if parts else _EMPTY_DICT

    def attributes(self, values: Iterable[Any], order: tuple[str, ...]) -> None:
        """Append a node's attributes: the fast path of `mapping`, for the values that most fields have."""
        append, shared = self.parts.append, self.shared
        append(b"}(")
        for name, value in zip(order, values, strict=True):
            append(shared[name])
            kind = type(value)
            if kind is str:
                if name in SHARED_TEXTS:
                    append(shared[value])
                else:
                    try:
                        raw = value.encode()
                    except UnicodeEncodeError:
                        raw = value.encode("utf-8", "surrogatepass")
                    size = len(raw)
                    append(_LENGTHS[size] if size < 256 else _pack_long_text(b"X", size))
                    append(raw)
            elif kind is int:
                append(_BYTES[value] if 0 <= value < 256 else _encode_int(value))
            elif kind is float:
                append(_pack_float(b"G", value))
            elif kind is dict and set(map(type, value.values())) == _TEXT and SHARED_TEXTS.isdisjoint(value):
                pairs = [shared[inner] + _encode_text(text) for inner, text in sorted(value.items())]
                append(b"}(" + b"".join(pairs) + b"u")
            elif kind is list and name == "tags" and set(map(type, value)) == _TEXT:
                append(b"](" + b"".join([shared[text] for text in value]) + b"e")
            else:
                append(self.value(value, shared=name == "tags"))
        append(b"u")

    def additions(self, slot: int, attributes: dict[str, Any], names: tuple[str, ...]) -> None:
        """Append what is added to the dict in `slot`: attributes that came after it was written."""
        self.parts.append(_pack_index(b"j", slot) + _MARK)
        self.parts += [self.shared[name] + self.value(attributes[name], shared=True) for name in names]
        self.parts.append(_SETITEMS + _POP)

    def adjacency(self, slot: int, neighbours: dict[int, dict[str, Any]], heads: _Heads) -> None:
        """Append the out-edges that go into `slot`: scored ones best first, then those of other kinds by id."""
        plain = self.shared["score"]
        if len(plain) > 2:  # first use in this block: the text itself, so that every edge below is alike
            self.parts.append(plain + _POP)
            plain = self.shared["score"]
        middle = b"}" + plain + b"G"
        edges = neighbours.values()
        self.parts.append(_pack_index(b"j", slot) + _MARK)
        try:
            scores = list(map(_score_of, edges))
        except KeyError:
            scores = []
        if scores and set(map(len, edges)) == _ONE:
            ranked = sorted(zip(map(neg, scores), neighbours, strict=True))
            self.parts += [heads[target] + middle + _pack_double(-score, b"s") for score, target in ranked]
        else:
            self.parts += self._mixed(neighbours, heads)
        self.parts.append(_SETITEMS + _POP)

    def _mixed(self, neighbours: dict[int, dict[str, Any]], heads: _Heads) -> Iterator[bytes]:
        """Give edges of which some carry a relation, with a score or without."""
        plain = b"}" + self.shared["score"] + b"G"
        for _, target in sorted((-edge.get("score", -1.0), target) for target, edge in neighbours.items()):
            edge = neighbours[target]
            if edge.keys() == _SCORED:
                yield heads[target] + plain + _pack_double(edge["score"], b"s")
            else:
                yield heads[target] + self.mapping(sorted(edge.items()), shared=True, depth=0)


def _not_a_name(name: object) -> NoReturn:
    raise ValueError(f"a {type(name).__name__} is not a field's name")


def canonical_order(state: SoundGraph) -> list[int]:
    """Return all ids in the order of the file: first known first, then by id."""
    nodes = state.graph.nodes
    return [
        sound_id for _, sound_id in sorted((attributes["added_at"], sound_id) for sound_id, attributes in nodes.items())
    ]


def encode_blocks(state: SoundGraph, order: list[int]) -> Iterator[bytes]:
    """Give the stream's protocol header and its blocks, each a frame of its own."""
    yield _PROTOCOL
    nodes, successors = state.graph._node, state.graph._adj
    slots = {sound_id: TEXT_SLOTS + 2 * place for place, sound_id in enumerate(order)}
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    for part in _blocks(order):
        block = _Block()
        for sound_id in part:
            attributes = nodes[sound_id]
            names = tuple(attributes)
            ordered = orders.get(names)
            if ordered is None:
                ordered = orders[names] = tuple(name for name in in_order(names) if name not in LINK_FIELDS)
            block.attributes(map(attributes.__getitem__, ordered), ordered)
            slot = slots[sound_id]
            block.parts.append(_pack_index(b"r", slot) + b"0}" + _pack_index(b"r", slot + 1) + _POP)
        yield _frame(b"".join(block.parts))
    heads = _Heads()
    for part in _blocks(_linked_order(state)):
        block = _Block()
        for sound_id in part:
            if "linked_at" in nodes[sound_id]:
                block.additions(slots[sound_id], nodes[sound_id], LINK_FIELDS)
            if successors[sound_id]:
                block.adjacency(slots[sound_id] + 1, successors[sound_id], heads)
        yield _frame(b"".join(block.parts))


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
    slots = [(_encode_int(sound_id), sound_id, TEXT_SLOTS + 2 * place) for place, sound_id in enumerate(order)]
    module, name = GRAPH_CLASS
    yield _frame(b"}(" + _encode_text("graph") + _encode_text(module) + _encode_text(name) + _STACK_GLOBAL)
    yield from _references(head + _pack_index(b"j", slot + 1) for head, _, slot in slots)
    yield _frame(_TUPLE1 + _REDUCE + _NONE + b"}" + _encode_text("_node"))
    yield from _references(head + _pack_index(b"j", slot) for head, _, slot in slots)
    yield _frame(_SETITEM + _TUPLE2 + _BUILD + _encode_text("processed_ids") + _EMPTY_SET)
    processed = (sound_id for sound_id in _linked_order(state) if sound_id in state.processed)
    for batch in _batches(map(_encode_int, processed)):
        yield _frame(_MARK + batch + _ADDITEMS)
    yield _frame(_encode_text("sound_cache"))
    yield from _references(
        head + _pack_index(b"j", slot) for head, sound_id, slot in slots if "fetched_at" in nodes[sound_id]
    )
    block = _Block()
    pairs = b"".join(
        _encode_text(name) + block.value(value, shared=False) for name, value in metadata.items() if name != "digest"
    )
    yield _frame(_encode_text("metadata") + b"}(" + pairs + _encode_text("digest"))


def encode_end(digest: str) -> bytes:
    """Return the last bytes of the stream: the digest of everything before them, and the end of both dicts."""
    return _frame(_encode_text(digest) + b"uu" + _STOP)


def digest_place(stream: bytes | memoryview) -> int | None:
    """Return how many bytes of a stream its digest covers, or None when it does not end as ours do."""
    size = len(encode_end("0" * DIGEST_LENGTH))
    place = len(stream) - size
    end = bytes(stream[place:]) if place >= 0 else b""
    return place if end[:11] == encode_end("0" * DIGEST_LENGTH)[:11] and end[-3:] == b"uu." else None


def _references(pairs: Iterator[bytes]) -> Iterator[bytes]:
    yield _frame(_EMPTY_DICT)
    for batch in _batches(pairs):
        yield _frame(_MARK + batch + _SETITEMS)


def _batches(items: Iterator[bytes], size: int = 512) -> Iterator[bytes]:
    batch: list[bytes] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield b"".join(batch)
            batch = []
    if batch:
        yield b"".join(batch)
