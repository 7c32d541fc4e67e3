"""Verify a checkpoint block by block, without building its graph.

Owns the proof that a file is valid: each block is unpickled with its own sounds only, its values are checked, and where
the bytes are in question too, what the writer makes of them must be the block's own bytes. What follows the blocks is
made from the ids and counts of the blocks and compared. So memory holds one block at a time, and a few bytes a sound. A
file that is not proven this way may still be valid: another program may have written it. The caller then asks
`decode_checkpoint`, whose judgement counts.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import is_
from typing import Any, Protocol

from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._list_block import EdgeStarts, ListBlock
from harvester.checkpoint._opcode_scan import OpcodeScan
from harvester.checkpoint._opcodes import (
    CONTAINERS,
    EMPTY_DICT,
    EMPTY_SET,
    FRAME_HEAD_BYTES,
    MARK,
    NONE,
    POP,
    PROTOCOL,
    SETITEMS,
    STOP,
    TUPLE1,
    TUPLE2,
    encode_text,
    frame,
    pack_index,
    put,
)
from harvester.checkpoint._record_block import SLOTS, RecordBlock
from harvester.checkpoint._segment_reader import SegmentReader
from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.container import Packed, unpacked
from harvester.checkpoint.format import metadata_from
from harvester.checkpoint.layout import FileLayout
from harvester.checkpoint.segments import Segments
from harvester.checkpoint.stream import EndingReader, RestrictedUnpickler, decode_pickle, opcode_scan
from harvester.checkpoint.validate import read_metadata
from harvester.checkpoint.writer import (
    DIGEST_LENGTH,
    RECORDS,
    blocks_of,
    encode_closing,
    encode_end,
    encode_fillers,
    list_key,
    read_record_key,
    record_key,
)
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import LINK_FIELDS, STAMPS, is_gone
from harvester.model import is_complete, is_sound_id

_LIST, _CLEARED = b"l", 10_000
BEFORE_ALL = (-1, -1)
_CLOSING, _METADATA = b"}(" + encode_text("graph"), encode_text("metadata") + b"}("
_PAIR = re.compile(rb"(?:K(.)|M(..)|J(....)|\x8a\x05(.{5})|\x8a\x06(.{6})|\x8a\x07(.{7}))j....", re.DOTALL)
"""An id and the slot of its adjacency, in the graph's table."""
_ADDITION = re.compile(rb"j(?=(....)\()", re.DOTALL)
"""A slot that a list block adds to. Bytes of a number can look like one."""
_STORE = re.compile(rb"r(?=(..[^\0]\0))", re.DOTALL)
"""A slot of a sound that a block stores in. Bytes of a number can look like one."""
_TEXT_STORE, _LOW_STORES = re.compile(rb"r(?=(..\0\0))", re.DOTALL), b"".join(put(slot) for slot in range(256))
"""The same of texts, but for the first slots."""
_HAS_RECORD, _IS_COMPLETE, HAS_LIST, IS_LISTED = 1, 2, 4, 8


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


class Keeper(Protocol):
    """What keeps the content of a checkpoint while it is walked.

    It gets values that are checked, in the order of the file. All of it counts only once the walk has ended well.
    """

    def keep_record(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Take the next sound's attributes but those of its similar list."""

    def keep_list(self, place: int, link: dict[str, Any], neighbours: dict[int, dict[str, Any]]) -> None:
        """Take the attributes of a list, and the out-edges of its sound.

        `place` counts the records before that sound. `link` is empty for a sound without a list.
        """

    def keep_facts(self, metadata: dict[str, Any], places: dict[int, int], processed: list[int]) -> None:
        """Take the metadata, all places by id, and ids of processed sounds."""


def walk_checkpoint(packed: Packed, *, keeper: Keeper | None = None, table: Segments | None = None) -> Verified | None:
    """Return what the bytes of a checkpoint hold, if they are proven valid.

    None if they are not: `decode_checkpoint` then tells whether the file is valid, and why not. A `keeper` is given
    what `decode_checkpoint` would load; with one, the blocks are read but not made again. An empty `table` is filled
    with the file's segments, and gets a layout if harvester itself would write them so. Memory is that of a block and
    about 100 bytes a sound, and what the keeper takes.
    """
    try:
        closing: list[bytes] = []
        ending = EndingReader()
        for one in ending.through(frames_of(unpacked(packed))):
            if closing or begins_closing(one):
                closing.append(one)
        digest = ending.verified_digest()
        walk = Walk(list(ids_in(closing)), closing, keeper, compare=keeper is None)
        scan = opcode_scan(packed, ending.size_bytes)
        source = None if table is None else SegmentReader(packed, table)
        frames = source.frames() if source is not None else frames_of(unpacked(packed))
        verified = walk.run(scan.through(frames), digest)
        if source is not None:
            source.finish(walk.keys, walk.layout())
    except (LibraryCorrupt, NewerFormat, ValueError, KeyError, TypeError):
        return None  # `decode_checkpoint` finds the reason, or accepts a file that is only written in another way
    return verified


class NewBlocks:
    """Blocks that this process has made, which are checked one by one."""

    def __init__(self, order: list[int], size_bytes: int, blocks: Callable[[], Iterator[bytes]]) -> None:
        """They are of a file with the ids `order`, of `size_bytes` unpacked.

        `blocks` returns an iterator of all that are checked, as often as it is called.
        """
        self._walk, self._starts = Walk(order, [b""], None, compare=False), EdgeStarts()
        self._scan = OpcodeScan(size_bytes, blocks)

    def is_valid(self, key: bytes, block: bytes) -> bool:
        """Tell whether a block has allowed opcodes and values."""
        try:
            self._scan.scan(block)
            self._walk.read_block(key, block, self._starts)
        except (LibraryCorrupt, ValueError, KeyError, TypeError):
            return False
        return True


class _NotProven(ValueError):
    pass


def prove(holds: bool) -> None:
    """Raise `ValueError` unless this holds: the file is then not proven."""
    if not holds:
        raise _NotProven


class Walk:
    """One pass over the frames of a checkpoint, with what it has found."""

    def __init__(self, order: list[int], closing: list[bytes], keeper: Keeper | None, *, compare: bool) -> None:
        self._order, self._closing, self._keeper, self._compare = order, closing, keeper, compare
        self.keys: list[bytes] = []
        """Those of all segments after the first."""
        self._memo = _Memo()
        self._places = {sound_id: place for place, sound_id in enumerate(self._order)}
        self._flags = bytearray(len(self._order))
        self._linked_order: list[int] = []
        self._edges = self._gone = self._latest_us = 0
        self._containers = self._size_bytes = 0
        self._found_weights = False
        prove(bool(closing) and len(self._places) == len(self._order) and all(map(is_sound_id, self._order)))

    def layout(self) -> FileLayout:
        """Return the layout of the file, once it is proven valid."""
        bare = {sound_id for sound_id, flags in zip(self._order, self._flags, strict=True) if not flags & _HAS_RECORD}
        return FileLayout(self._order, self._linked_order, bare, self._latest_us)

    def run(self, found: Iterator[bytes], digest: str) -> Verified:
        """Check all frames; raise an error unless they are proven valid.

        Their digest must be `digest`.
        """
        again = EndingReader()
        frames = again.through(found)
        prove(next(frames) == PROTOCOL)
        self._size_bytes = len(PROTOCOL)
        start, last = 0, BEFORE_ALL
        for part in blocks_of(self._order):
            last = self._read_records(self._counted(next(frames, b"")), start, part, last)
            self.keys.append(record_key(part, TEXT_SLOTS + SLOTS * start))
            start += len(part)
        starts, last, sizes = EdgeStarts(), BEFORE_ALL, []
        for block in frames:
            if begins_closing(block):
                break
            known = len(self._linked_order)
            last = self._read_lists(self._counted(block), starts, last)
            part = self._linked_order[known:]
            self.keys.append(list_key(part, [TEXT_SLOTS + SLOTS * self._places[sound_id] for sound_id in part]))
            sizes.append(len(part))
        self._memo.prove_clear(len(self._order))
        prove(sizes == list(map(len, blocks_of(self._linked_order))))
        for _ in frames:
            pass  # the closing frames are scanned too
        prove(again.verified_digest() == digest)  # another process may write into the file
        metadata, processed = self._compare_closing(digest)
        if self._keeper is not None:
            self._keeper.keep_facts(metadata, self._places, processed)
        return Verified(
            digest, metadata["source"], metadata["similarity_space"], len(self._order), self._edges,
            metadata["statistics"]["processed"], sum(flags & HAS_LIST > 0 for flags in self._flags), self._latest_us,
        )  # fmt: skip

    def read_block(self, key: bytes, block: bytes, starts: EdgeStarts) -> None:
        """Check the block with this key; raise an error unless it is valid."""
        if key.startswith(RECORDS):
            slot, part = read_record_key(key)
            self._read_records(block, (slot - TEXT_SLOTS) // SLOTS, part, BEFORE_ALL)
        else:
            self._memo.make_clear(slots_added_to(block, len(self._order)))
            self._read_lists(block, starts, BEFORE_ALL)

    def _counted(self, block: bytes) -> bytes:
        self._containers += sum(map(block.count, CONTAINERS))
        self._size_bytes += len(block)
        return block

    def _read_records(self, block: bytes, start: int, part: list[int], last: tuple[int, int]) -> tuple[int, int]:
        """Check a block of records; return the last one's place in the order."""
        slot = TEXT_SLOTS + SLOTS * start
        built = self._memo.after(block, range(slot, slot + SLOTS * len(part)))
        records, adjacencies = built[::SLOTS], built[1::SLOTS]
        prove(not any(adjacencies) and len(set(map(id, built))) == len(built))
        reader = ContentReader(2 * len(block))
        kept = []
        for place, (sound_id, attributes) in enumerate(zip(part, records, strict=True), start):
            attributes = reader.attributes(sound_id, attributes)
            key = attributes["added_at"], sound_id
            prove(last < key and attributes.keys().isdisjoint(LINK_FIELDS))
            last = key
            self._flags[place] = _HAS_RECORD * ("fetched_at" in attributes) | _IS_COMPLETE * is_complete(attributes)
            self._gone += is_gone(attributes)
            self._note_stamps(attributes)
            kept.append(attributes)
        prove(not self._compare or frame(RecordBlock().opcodes(slot, kept)) == block)
        if self._keeper is not None:
            for sound_id, attributes in zip(part, kept, strict=True):
                self._keeper.keep_record(sound_id, attributes)
        return last

    def _read_lists(self, block: bytes, starts: EdgeStarts, last: tuple[int, int]) -> tuple[int, int]:
        """Check a block of lists; return the last one's place in the order."""
        slots = sorted(set(slots_added_to(block, len(self._order))))
        additions: dict[int, list[dict[Any, Any]]] = {}
        for slot, added in zip(slots, self._memo.after(block, slots, are_there=True), strict=True):
            if added:
                place, which = divmod(slot - TEXT_SLOTS, SLOTS)
                additions.setdefault(place, [{}, {}])[which] = added
        reader = ContentReader(2 * len(block))
        lists = []
        keys = sorted((parts[0].get("linked_at", 0), self._order[place]) for place, parts in additions.items())
        for key in keys:
            prove(last < key)
            last, sound_id = key, key[1]
            place = self._places[sound_id]
            prove(not self._flags[place] & IS_LISTED)
            self._flags[place] |= IS_LISTED
            link, neighbours = additions[place]
            if link:
                prove(link.keys() == set(LINK_FIELDS))
                link = reader.attributes(sound_id, {"added_at": 0, **link})
                self._flags[place] |= HAS_LIST
                self._note_stamps(link)
            neighbours = reader.adjacency(sound_id, neighbours, self._places.keys(), has_list=bool(link))
            self._edges += len(neighbours)
            lists.append((TEXT_SLOTS + SLOTS * place, link, neighbours))
            self._linked_order.append(sound_id)
        self._found_weights |= reader.found_weights
        prove(not self._compare or frame(ListBlock(starts).opcodes(lists)) == block)
        if self._keeper is not None:
            for slot, link, neighbours in lists:
                self._keeper.keep_list((slot - TEXT_SLOTS) // SLOTS, link, neighbours)
        return last

    def _note_stamps(self, attributes: dict[str, Any]) -> None:
        for name in STAMPS:
            stamp = attributes.get(name, 0)
            if stamp > self._latest_us:
                self._latest_us = stamp

    def _compare_closing(self, digest: str) -> tuple[dict[str, Any], list[int]]:
        """Compare what follows the blocks with what the writer makes.

        Returns the metadata and the ids of processed sounds.
        """
        named, flags = _metadata_in(self._closing), self._flags
        done = _IS_COMPLETE | HAS_LIST
        processed = [sound_id for sound_id in self._linked_order if flags[self._places[sound_id]] & done == done]
        bare = self.layout().bare
        metadata = metadata_from(
            has_weights=self._found_weights, latest_us=self._latest_us, nodes=len(self._order), edges=self._edges,
            source=named["source"], space=named["similarity_space"], seeds=set(named["seeds"]), gone=self._gone,
            processed=len(processed), records=len(flags) - len(bare),
        )  # fmt: skip
        expected = chain(self._tables(processed, bare, metadata), self._end(digest))
        prove(all(one == other for one, other in zip(expected, self._closing, strict=True)))
        return metadata, processed

    def _tables(self, processed: list[int], bare: set[int], metadata: dict[str, Any]) -> Iterator[bytes]:
        for block in encode_closing(self._order, processed, bare, metadata):
            self.keys.append(block.key)
            yield self._counted(block.encode())

    def _end(self, digest: str) -> Iterator[bytes]:
        """Yield what follows the closing frames, once these are counted."""
        for one in (*encode_fillers(self._containers, self._size_bytes), encode_end(digest)):
            self.keys.append(b"")
            yield one


def values_in_slots(block: bytes, slots: Sequence[int]) -> list[dict[Any, Any]]:
    """Return what one block alone leaves in memo slots."""
    return _Memo().after(block, slots)


class _Memo:
    """The memo of the whole stream, with one block's sounds at a time.

    One unpickler reads all blocks, but a block finds there neither a text nor a sound of another: those texts are
    spoiled before it, and the slots of sounds are cleared after it. So it says the same beside other blocks.
    """

    def __init__(self) -> None:
        self._stream = io.BytesIO()
        self._unpickler = RestrictedUnpickler(self._stream)
        self._spoil = b""
        """Opcodes that spoil the texts of the last block."""

    def after(self, block: bytes, slots: Sequence[int], *, are_there: bool = False) -> list[dict[Any, Any]]:
        """Return the dicts that are in these slots after a block.

        `are_there`: the block finds an empty dict in each of them, and stores in no slot of a sound. Raises
        `ValueError` if the slots are not clear before the block, or hold anything but dicts after it.
        """
        there = None
        if are_there:
            self._prove_clear(slots)
            there = self._load(MARK + b"".join([EMPTY_DICT + pack_index(b"r", slot) for slot in slots]) + _LIST + STOP)
        built = self._run(self._spoil + block, slots)
        self._spoil = _spoiling(block)
        prove(set(map(type, built)) <= {dict})
        if there is not None:
            prove(all(map(is_, there, built)))
            self._prove_no_store(block)
        return built

    def _prove_no_store(self, block: bytes) -> None:
        """Raise `ValueError` if a block has stored in a slot of a sound."""
        for match in _STORE.finditer(block, FRAME_HEAD_BYTES):
            try:
                stored = self._load(b"j" + match[1] + STOP)
            except LibraryCorrupt:  # there is nothing in it
                continue
            prove(stored is None)

    def make_clear(self, slots: Iterable[int]) -> None:
        """Let slots hold nothing, as they do after their blocks of records."""
        self._load(NONE + b"".join([pack_index(b"r", slot) for slot in slots]) + STOP)

    def make_all_clear(self, sounds: int) -> None:
        """Let the slots of all sounds hold nothing."""
        for slots in _slots_of(sounds):
            self.make_clear(slots)

    def prove_clear(self, sounds: int) -> None:
        """Raise `ValueError` if a block has stored in a slot of another."""
        for slots in _slots_of(sounds):
            self._prove_clear(slots)

    def _prove_clear(self, slots: Sequence[int]) -> None:
        prove(set(self._run(b"", slots)) <= {None})

    def _run(self, opcodes: bytes, slots: Sequence[int]) -> list[Any]:
        """Return what opcodes leave in memo slots, and clear these."""
        fetch = b"".join([pack_index(b"j", slot) for slot in slots])
        clear = b"".join([pack_index(b"r", slot) for slot in slots])
        return list(self._load(opcodes + MARK + fetch + _LIST + NONE + clear + POP + STOP))

    def _load(self, opcodes: bytes) -> Any:
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(PROTOCOL + opcodes)
        self._stream.seek(0)
        return decode_pickle(self._unpickler)


def _spoiling(block: bytes) -> bytes:
    """Return opcodes for the slots of texts that a block may store in.

    They leave there what no value may be.
    """
    stores = b"".join([b"r" + match[1] for match in _TEXT_STORE.finditer(block, FRAME_HEAD_BYTES)])
    return EMPTY_SET + _LOW_STORES + stores + POP


def _slots_of(sounds: int) -> Iterator[range]:
    """Yield the slots of all sounds, those of some at a time."""
    for start in range(0, sounds, _CLEARED):
        first, end = (TEXT_SLOTS + SLOTS * place for place in (start, min(start + _CLEARED, sounds)))
        yield range(first, end)


def slots_added_to(block: bytes, sounds: int) -> Iterator[int]:
    """Yield the memo slots that a list block may add to, in its order.

    Bytes of a number can look like one, so there may be too many.
    """
    end = TEXT_SLOTS + SLOTS * sounds
    found = (int.from_bytes(match[1], "little") for match in _ADDITION.finditer(block, FRAME_HEAD_BYTES))
    return (slot for slot in found if TEXT_SLOTS <= slot < end)


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


def _metadata_in(closing: list[bytes]) -> dict[str, Any]:
    """Return the checked metadata, without the digest that ends it."""
    block = next((one for one in reversed(closing) if _METADATA in one), b"")
    end = encode_text("0" * DIGEST_LENGTH) + SETITEMS + TUPLE2 + STOP
    name, metadata = decode_pickle(RestrictedUnpickler(io.BytesIO(PROTOCOL + block + end)))
    prove(name == "metadata")
    return read_metadata(metadata)
