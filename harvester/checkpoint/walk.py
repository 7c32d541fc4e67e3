"""Verify a checkpoint block by block, without building its graph.

Owns the proof that a file is valid: each block is unpickled with its own sounds only, its values are checked, and where
the bytes are in question too, what the writer makes of them must be the block's own bytes. What follows the blocks is
made from the ids and counts of the blocks and compared. So memory holds one block at a time, and a few bytes a sound. A
file that is not proven this way may still be valid: another program may have written it. The caller then asks
`decode_checkpoint`, whose judgement counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from harvester.checkpoint._closing import begins_closing, ids_in, metadata_in, prove_closing
from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._list_block import EdgeStarts, ListBlock
from harvester.checkpoint._opcode_scan import OpcodeScan
from harvester.checkpoint._opcodes import PROTOCOL, count_containers, frame
from harvester.checkpoint._proof import prove
from harvester.checkpoint._record_block import SLOTS, RecordBlock
from harvester.checkpoint._segment_reader import SegmentReader
from harvester.checkpoint._slots import Memo, slots_added_to
from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.container import Packed, unpacked
from harvester.checkpoint.format import metadata_from
from harvester.checkpoint.layout import FileLayout
from harvester.checkpoint.segments import Known, Prefix, Segments, with_prefixes
from harvester.checkpoint.stream import EndingReader, opcode_scan
from harvester.checkpoint.writer import RECORDS, blocks_of, encode_closing, list_key, read_record_key, record_key
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import LINK_FIELDS, STAMPS, is_gone
from harvester.model import is_complete, is_sound_id

BEFORE_ALL = (-1, -1)
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
        frames = source.frames() if source is not None else with_prefixes(frames_of(unpacked(packed)), Prefix())
        verified = walk.run(_scanned(frames, scan), digest)
        if source is not None:
            source.finish(walk.keys, walk.layout())
    except (LibraryCorrupt, NewerFormat, ValueError, KeyError, TypeError):
        return None  # `decode_checkpoint` finds the reason, or accepts a file that is only written in another way
    return verified


def _scanned(frames: Iterator[Known], scan: OpcodeScan) -> Iterator[Known]:
    """Yield the protocol and each frame once it is scanned, to the end."""
    one, before = next(frames)
    yield one, before
    for one, after in frames:
        scan.scan(one, after.containers - before.containers)
        yield one, (before := after)
    scan.end()


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
            self._scan.scan(block, count_containers(block))
            self._walk.read_block(key, block, self._starts)
        except (LibraryCorrupt, ValueError, KeyError, TypeError):
            return False
        return True


class Walk:
    """One pass over the frames of a checkpoint, with what it has found."""

    def __init__(self, order: list[int], closing: list[bytes], keeper: Keeper | None, *, compare: bool) -> None:
        self._order, self._closing, self._keeper, self._compare = order, closing, keeper, compare
        self.keys: list[bytes] = []
        """Those of all segments after the first."""
        self._memo = Memo()
        self._places = {sound_id: place for place, sound_id in enumerate(self._order)}
        self._flags = bytearray(len(self._order))
        self._linked_order: list[int] = []
        self._edges = self._gone = self._latest_us = 0
        self._found_weights = False
        prove(bool(closing) and len(self._places) == len(self._order) and all(map(is_sound_id, self._order)))

    def layout(self) -> FileLayout:
        """Return the layout of the file, once it is proven valid."""
        bare = {sound_id for sound_id, flags in zip(self._order, self._flags, strict=True) if not flags & _HAS_RECORD}
        return FileLayout(self._order, self._linked_order, bare, self._latest_us)

    def run(self, frames: Iterator[Known], digest: str) -> Verified:
        """Check all frames; raise an error unless they are proven valid.

        `digest` is the one that ends the frames after the blocks.
        """
        protocol, known = next(frames)
        prove(protocol == PROTOCOL)
        start, last = 0, BEFORE_ALL
        for part in blocks_of(self._order):
            block, known = next(frames, (b"", known))
            last = self._read_records(block, start, part, last)
            self.keys.append(record_key(part, TEXT_SLOTS + SLOTS * start))
            start += len(part)
        starts, last, sizes = EdgeStarts(), BEFORE_ALL, []
        block = b""
        for block, after in frames:
            if begins_closing(block):
                break
            known = after
            before = len(self._linked_order)
            last = self._read_lists(block, starts, last)
            part = self._linked_order[before:]
            self.keys.append(list_key(part, [TEXT_SLOTS + SLOTS * self._places[sound_id] for sound_id in part]))
            sizes.append(len(part))
        self._memo.prove_clear(len(self._order))
        prove(sizes == list(map(len, blocks_of(self._linked_order))))
        again = chain([block], (one for one, _ in frames))
        # These frames are scanned too, and another process may write into the file.
        prove(all(one == other for one, other in zip(again, self._closing, strict=True)))
        metadata, processed = self._compare_closing(known)
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

    def _compare_closing(self, known: Prefix) -> tuple[dict[str, Any], list[int]]:
        """Compare what follows the blocks with what the writer makes.

        `known` is what is known of the stream before it. Returns the metadata and the ids of processed sounds.
        """
        named, flags = metadata_in(self._closing), self._flags
        done = _IS_COMPLETE | HAS_LIST
        processed = [sound_id for sound_id in self._linked_order if flags[self._places[sound_id]] & done == done]
        bare = self.layout().bare
        metadata = metadata_from(
            has_weights=self._found_weights, latest_us=self._latest_us, nodes=len(self._order), edges=self._edges,
            source=named["source"], space=named["similarity_space"], seeds=set(named["seeds"]), gone=self._gone,
            processed=len(processed), records=len(flags) - len(bare),
        )  # fmt: skip
        self.keys += prove_closing(self._closing, encode_closing(self._order, processed, bare, metadata), known)
        return metadata, processed
