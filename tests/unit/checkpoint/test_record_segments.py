"""One block of records is read alone, and only as it was found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.checkpoint import encode_checkpoint, read_segment, walk_changes
from harvester.checkpoint.writer import canonical_order
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
