"""Verify or load a checkpoint block by block.

Owns the proof that a file is valid: each block is unpickled alone, its values are checked, and it must leave nothing
else behind. To verify, what the writer makes of the values must also be the block's own bytes. What follows the blocks
is made from the ids and counts of the blocks and compared. So memory holds one block at a time, a few bytes a sound,
and what a load keeps. A file that is not proven this way may still be valid: another program may have written it. The
caller then asks `decode_checkpoint`, whose judgement counts.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._list_block import EdgeStarts, ListBlock
from harvester.checkpoint._opcodes import (
    CONTAINERS,
    EMPTY_DICT,
    FRAME_HEAD_BYTES,
    MARK,
    POP,
    PROTOCOL,
    SETITEMS,
    STOP,
    TUPLE1,
    TUPLE2,
    encode_text,
    frame,
    pack_index,
)
from harvester.checkpoint._record_block import SLOTS, RecordBlock
from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.container import Packed, unpacked
from harvester.checkpoint.format import Decoded, garbage_collection_off, metadata_from
from harvester.checkpoint.stream import EndingReader, RestrictedUnpickler, decode_pickle, scanned_frames
from harvester.checkpoint.validate import read_metadata
from harvester.checkpoint.writer import DIGEST_LENGTH, blocks_of, encode_closing, encode_end, encode_fillers
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import LINK_FIELDS, STAMPS, SoundGraph, is_gone
from harvester.model import is_complete, is_sound_id

Metadata: TypeAlias = dict[str, Any]

_LIST = b"l"
_BEFORE_ALL = (-1, -1)
_CLOSING, _METADATA = b"}(" + encode_text("graph"), encode_text("metadata") + b"}("
_PAIR = re.compile(rb"(?:K(.)|M(..)|J(....)|\x8a\x05(.{5})|\x8a\x06(.{6})|\x8a\x07(.{7}))j....", re.DOTALL)
"""An id and the slot of its adjacency, in the graph's table."""
_ADDITION = re.compile(rb"j(?=(....)\()", re.DOTALL)
"""A slot that a list block adds to. Bytes of a number can look like one."""
_HAS_RECORD, _IS_COMPLETE, _HAS_LIST = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified checkpoint holds.

    `nodes`, `edges`, `processed` and `lists` are counts, `latest_us` is its latest stamp (0 without any), and `digest`,
    `source` and `space` are as in its metadata. `is_canonical`: the harvester itself would write this stream.
    """

    digest: str
    source: str
    space: str
    nodes: int
    edges: int
    processed: int
    lists: int
    latest_us: int
    is_canonical: bool = True


def walk_checkpoint(packed: Packed, *, written: str = "") -> Verified | None:
    """Return what the bytes of a checkpoint hold, if they are proven valid.

    None if they are not: `decode_checkpoint` then tells whether the file is valid, and why not. `written` is the digest
    of a checkpoint that this process has just written: with it, its blocks are read but not made again. Memory is that
    of a block and about 100 bytes a sound.
    """
    walked = _walked(packed, written=written)
    return None if walked is None else walked[0]


def load_by_blocks(packed: Packed) -> Decoded | None:
    """Return the state in a checkpoint, if the file is proven valid.

    None if it is not, as in `walk_checkpoint`. Memory is that of the state and of a block, never that of the file's
    content beside it.
    """
    state = SoundGraph()
    with garbage_collection_off():
        walked = _walked(packed, state=state)
    if walked is None:
        return None
    verified, metadata = walked
    state.seeds.update(metadata["seeds"])
    state.source, state.space = verified.source, verified.space
    return Decoded(state, metadata, verified.digest)


def _walked(packed: Packed, *, written: str = "", state: SoundGraph | None = None) -> tuple[Verified, Metadata] | None:
    try:
        closing: list[bytes] = []
        ending, again = EndingReader(), EndingReader()
        for one in ending.through(frames_of(unpacked(packed))):
            if closing or one.startswith(_CLOSING, FRAME_HEAD_BYTES):
                closing.append(one)
        digest = ending.verified_digest()
        walk = _Walk(closing, compare=state is None and digest != written, state=state)
        return walk.run(again.through(scanned_frames(packed, ending.size_bytes)), digest, again)
    except (LibraryCorrupt, NewerFormat, ValueError, KeyError, TypeError):
        return None  # `decode_checkpoint` finds the reason, or accepts a file that is only written in another way


class _NotProven(ValueError):
    pass


def _prove(holds: bool) -> None:
    if not holds:
        raise _NotProven


class _Walk:
    """One pass over the frames of a checkpoint, with what it has found."""

    def __init__(self, closing: list[bytes], *, compare: bool, state: SoundGraph | None) -> None:
        self._closing, self._compare, self._state = closing, compare, state
        self._order = list(_ids_in(closing))
        self._places = {sound_id: place for place, sound_id in enumerate(self._order)}
        self._flags = bytearray(len(self._order))
        self._linked_order: list[int] = []
        self._edges = self._gone = self._latest_us = 0
        self._containers = self._size_bytes = 0
        self._found_weights = False
        _prove(bool(closing) and len(self._places) == len(self._order) and all(map(is_sound_id, self._order)))

    def run(self, frames: Iterator[bytes], digest: str, again: EndingReader) -> tuple[Verified, Metadata]:
        """Check all frames; raise an error unless they are proven valid.

        `again` reads the frames' digest beside; it must be `digest`.
        """
        _prove(next(frames) == PROTOCOL)
        self._size_bytes = len(PROTOCOL)
        start, last = 0, _BEFORE_ALL
        for part in blocks_of(self._order):
            last = self._read_records(self._counted(next(frames, b"")), start, part, last)
            start += len(part)
        starts, last, sizes = EdgeStarts(), _BEFORE_ALL, []
        for block in frames:
            if block.startswith(_CLOSING, FRAME_HEAD_BYTES):
                break
            known = len(self._linked_order)
            last = self._read_lists(self._counted(block), starts, last)
            sizes.append(len(self._linked_order) - known)
        _prove(sizes == list(map(len, blocks_of(self._linked_order))))
        for _ in frames:
            pass  # the closing frames are scanned too
        _prove(again.verified_digest() == digest)  # another process may write into the file
        metadata = self._compare_closing(digest)
        verified = Verified(
            digest, metadata["source"], metadata["similarity_space"], len(self._order), self._edges,
            metadata["statistics"]["processed"], sum(flags & _HAS_LIST > 0 for flags in self._flags), self._latest_us,
        )  # fmt: skip
        return verified, {**metadata, "digest": digest}

    def _counted(self, block: bytes) -> bytes:
        self._containers += sum(map(block.count, CONTAINERS))
        self._size_bytes += len(block)
        return block

    def _read_records(self, block: bytes, start: int, part: list[int], last: tuple[int, int]) -> tuple[int, int]:
        """Check a block of records; return the last one's place in the order."""
        slot = TEXT_SLOTS + SLOTS * start
        records = _built(block, range(slot, slot + SLOTS * len(part), SLOTS))
        reader = ContentReader(2 * len(block))
        kept = []
        for place, (sound_id, attributes) in enumerate(zip(part, records, strict=True), start):
            attributes = reader.attributes(sound_id, attributes)
            key = attributes["added_at"], sound_id
            _prove(last < key and attributes.keys().isdisjoint(LINK_FIELDS))
            last = key
            self._flags[place] = _HAS_RECORD * ("fetched_at" in attributes) | _IS_COMPLETE * is_complete(attributes)
            self._gone += is_gone(attributes)
            self._note_stamps(attributes)
            kept.append(attributes)
        _prove(not self._compare or frame(RecordBlock().opcodes(slot, kept)) == block)
        if self._state is not None:
            self._state.take_records(dict(zip(part, kept, strict=True)))
        return last

    def _read_lists(self, block: bytes, starts: EdgeStarts, last: tuple[int, int]) -> tuple[int, int]:
        """Check a block of lists; return the last one's place in the order."""
        end = TEXT_SLOTS + SLOTS * len(self._order)
        found = (int.from_bytes(match[1], "little") for match in _ADDITION.finditer(block, FRAME_HEAD_BYTES))
        slots = sorted({slot for slot in found if TEXT_SLOTS <= slot < end})
        head = b"".join([EMPTY_DICT + pack_index(b"r", slot) + POP for slot in slots])
        additions: dict[int, list[dict[Any, Any]]] = {}
        for slot, added in zip(slots, _built(block, slots, head), strict=True):
            if added:
                place, which = divmod(slot - TEXT_SLOTS, SLOTS)
                additions.setdefault(place, [{}, {}])[which] = added
        reader = ContentReader(2 * len(block))
        lists = []
        keys = sorted((parts[0].get("linked_at", 0), self._order[place]) for place, parts in additions.items())
        for key in keys:
            _prove(last < key)
            last, sound_id = key, key[1]
            place = self._places[sound_id]
            link, neighbours = additions[place]
            if link:
                _prove(link.keys() == set(LINK_FIELDS))
                link = reader.attributes(sound_id, {"added_at": 0, **link})
                self._flags[place] |= _HAS_LIST
                self._note_stamps(link)
            neighbours = reader.adjacency(sound_id, neighbours, self._places.keys(), has_list=bool(link))
            self._edges += len(neighbours)
            if self._state is not None:
                self._state.take_list(sound_id, {name: link[name] for name in LINK_FIELDS} if link else {}, neighbours)
            lists.append((TEXT_SLOTS + SLOTS * place, link, neighbours))
            self._linked_order.append(sound_id)
        self._found_weights |= reader.found_weights
        if self._state is not None:
            self._state.has_weights |= reader.found_weights
        _prove(not self._compare or frame(ListBlock(starts).opcodes(lists)) == block)
        return last

    def _note_stamps(self, attributes: dict[str, Any]) -> None:
        for name in STAMPS:
            stamp = attributes.get(name, 0)
            if stamp > self._latest_us:
                self._latest_us = stamp

    def _compare_closing(self, digest: str) -> Metadata:
        """Compare what follows the blocks with what the writer makes."""
        named, flags = _metadata_in(self._closing), self._flags
        done = _IS_COMPLETE | _HAS_LIST
        processed = [sound_id for sound_id in self._linked_order if flags[self._places[sound_id]] & done == done]
        records = list(map(_HAS_RECORD.__and__, flags))
        metadata = metadata_from(
            has_weights=self._found_weights, latest_us=self._latest_us, nodes=len(self._order), edges=self._edges,
            source=named["source"], space=named["similarity_space"], seeds=set(named["seeds"]), gone=self._gone,
            processed=len(processed), records=sum(records),
        )  # fmt: skip
        expected = [self._counted(one) for one in encode_closing(self._order, processed, records, metadata)]
        expected += [*encode_fillers(self._containers, self._size_bytes), encode_end(digest)]
        _prove(expected == self._closing)
        return metadata


def _built(block: bytes, slots: Sequence[int], head: bytes = b"") -> list[Any]:
    """Return what a block leaves in memo slots, and prove that it is all.

    The mark before the block would gather what it leaves on the stack. It may store its texts and its own sounds: what
    it stored in the slots of others would change blocks that were read before.
    """
    wanted = b"".join([pack_index(b"j", slot) for slot in slots])
    unpickler = RestrictedUnpickler(io.BytesIO(PROTOCOL + head + MARK + block + wanted + _LIST + STOP))
    built = list(decode_pickle(unpickler))
    _prove(len(built) == len(slots) and set(map(type, built)) <= {dict})
    own = range(0) if head else range(slots[0], slots[-1] + SLOTS)
    _prove(all(slot < TEXT_SLOTS or slot in own or (head and slot in slots) for slot in unpickler.memo.copy()))
    return built


def _ids_in(closing: list[bytes]) -> Iterator[int]:
    """Yield the ids of the graph's table, which is where every id stands."""
    for batch in closing[2:]:
        if batch.startswith(TUPLE1, FRAME_HEAD_BYTES):
            return
        for match in _PAIR.finditer(batch, FRAME_HEAD_BYTES + 1):
            assert match.lastindex is not None
            yield int.from_bytes(match[match.lastindex], "little")


def _metadata_in(closing: list[bytes]) -> Metadata:
    """Return the checked metadata, without the digest that ends it."""
    block = next((one for one in reversed(closing) if _METADATA in one), b"")
    end = encode_text("0" * DIGEST_LENGTH) + SETITEMS + TUPLE2 + STOP
    name, metadata = decode_pickle(RestrictedUnpickler(io.BytesIO(PROTOCOL + block + end)))
    _prove(name == "metadata")
    return read_metadata(metadata)
