"""One block of records is read alone, and only as it was found."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harvester.checkpoint import _slots, encode_checkpoint, read_segment, walk_changes
from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, NONE, POP, STOP, frame, pack_index
from harvester.checkpoint.container import Container, PackedBytes, unpacked
from harvester.checkpoint.layout import canonical_order
from harvester.checkpoint.writer import encode_end
from harvester.errors import LibraryCorrupt
from harvester.graph import LINK_FIELDS, SoundGraph
from tests.support.blocks import BlocksInMemory
from tests.support.samples import make_events, make_state


@pytest.fixture(scope="module")
def state() -> SoundGraph:
    """A library of several blocks."""
    return make_state(make_events(1_000))


@pytest.fixture
def descriptor(state: SoundGraph, tmp_path: Path) -> Iterator[int]:
    (tmp_path / "checkpoint").write_bytes(b"".join(encode_checkpoint(state)))
    found = os.open(tmp_path / "checkpoint", os.O_RDWR)
    yield found
    os.close(found)


def blocks_of(descriptor: int) -> BlocksInMemory:
    found = BlocksInMemory()
    assert walk_changes(descriptor, found) is not None
    return found


def test_each_block_is_found_and_read_again_with_the_records_of_its_sounds(state: SoundGraph, descriptor: int) -> None:
    found, order = blocks_of(descriptor).segments, canonical_order(state)
    assert len(found) > 3
    assert [one.first + one.sounds for one in found] == [*(one.first for one in found[1:]), len(order)]
    for one in reversed(found):
        records = read_segment(lambda size, at: os.pread(descriptor, size, at), one)
        for sound_id, record in zip(order[one.first :], records, strict=False):
            attributes = state.attributes(sound_id)
            assert record == {name: attributes[name] for name in attributes if name not in LINK_FIELDS}


def test_a_block_that_has_changed_is_not_read(descriptor: int) -> None:
    one = blocks_of(descriptor).segments[1]
    byte = os.pread(descriptor, 1, one.offset + 5)
    os.pwrite(descriptor, bytes([byte[0] ^ 1]), one.offset + 5)
    with pytest.raises(LibraryCorrupt, match="does not match its digest"):
        read_segment(lambda size, at: os.pread(descriptor, size, at), one)


@pytest.mark.parametrize("more", [-1, 1])
def test_a_block_of_another_size_is_not_read(more: int, descriptor: int) -> None:
    one = blocks_of(descriptor).segments[0]
    with pytest.raises(LibraryCorrupt, match="another size"):
        read_segment(lambda size, at: os.pread(descriptor, size, at), replace(one, raw_bytes=one.raw_bytes + more))


def test_a_block_that_is_not_compressed_is_not_read(descriptor: int) -> None:
    one, content = blocks_of(descriptor).segments[0], b"\xff" * 20
    with pytest.raises(LibraryCorrupt, match="cannot be unpacked"):
        read_segment(lambda *_: content, replace(one, digest=hashlib.sha256(content).digest()))


ODD = {
    "no record": NONE + pack_index(b"r", TEXT_SLOTS) + POP,
    "an early end": NONE + STOP,
    "no such slot": pack_index(b"j", TEXT_SLOTS + 40_000) + POP,
    "a memo of gigabytes": NONE + pack_index(b"r", 1 << 31) + POP,
}


def with_odd_block(descriptor: int, opcodes: bytes) -> str:
    """Put opcodes at the end of the first block of records; return the digest that the file has then."""
    frames = list(frames_of(unpacked(PackedBytes(os.pread(descriptor, 1 << 24, 0)))))
    frames[1] = frame(frames[1][FRAME_HEAD_BYTES:] + opcodes)
    content, container = b"".join(frames[:-1]), Container()
    digest = hashlib.sha256(content).hexdigest()
    frames[-1] = encode_end(digest)
    os.truncate(descriptor, 0)
    packed = container.head + b"".join(map(container.pack, frames)) + container.end(zlib.adler32(b"".join(frames)))
    os.pwrite(descriptor, packed, 0)
    return digest


@pytest.mark.parametrize("what", ODD)
def test_nothing_is_unpickled_of_a_block_of_something_else(
    what: str, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_odd_block(descriptor, ODD[what])
    monkeypatch.setattr(_slots, "decode_pickle", lambda *_: pytest.fail("it was unpickled"))
    assert walk_changes(descriptor, BlocksInMemory()) is None
