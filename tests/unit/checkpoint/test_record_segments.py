"""One block of records is read alone, and only as it was found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint import RecordSegment, digest_of, encode_checkpoint, read_segment, scan_segments
from harvester.checkpoint.layout import canonical_order
from harvester.errors import LibraryCorrupt
from harvester.graph import LINK_FIELDS, SoundGraph
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


def scan(descriptor: int, state: SoundGraph) -> list[tuple[RecordSegment, list[dict[str, Any]]]]:
    return list(scan_segments(descriptor, canonical_order(state), digest_of(state)))


def test_each_block_is_found_and_read_again_with_the_records_of_its_sounds(state: SoundGraph, descriptor: int) -> None:
    found, order = scan(descriptor, state), canonical_order(state)
    assert len(found) > 3
    assert [one.first + one.sounds for one, _ in found] == [*(one.first for one, _ in found[1:]), len(order)]
    for one, records in reversed(found):
        assert read_segment(lambda size, at: os.pread(descriptor, size, at), one) == records
        for sound_id, record in zip(order[one.first :], records, strict=False):
            attributes = state.attributes(sound_id)
            assert record == {name: attributes[name] for name in attributes if name not in LINK_FIELDS}


def test_a_block_that_has_changed_is_not_read(state: SoundGraph, descriptor: int) -> None:
    found = scan(descriptor, state)
    one = found[1][0]
    byte = os.pread(descriptor, 1, one.offset + 5)
    os.pwrite(descriptor, bytes([byte[0] ^ 1]), one.offset + 5)
    with pytest.raises(LibraryCorrupt, match="does not match its digest"):
        read_segment(lambda size, at: os.pread(descriptor, size, at), one)


@pytest.mark.parametrize("wrong", ["digest", "a sound more", "another order"])
def test_a_file_of_another_content_is_refused(state: SoundGraph, descriptor: int, wrong: str) -> None:
    order, digest = canonical_order(state), digest_of(state)
    order = {"a sound more": [*order, 5_000], "another order": order[::-1]}.get(wrong, order)
    with pytest.raises(LibraryCorrupt):
        list(scan_segments(descriptor, order, "0" * 64 if wrong == "digest" else digest))
