"""One block of records is read alone, and only as it was found."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint import (
    RecordSegment,
    digest_of,
    encode_checkpoint,
    read_segment,
    record_segments,
    scan_segments,
)
from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, NONE, POP, STOP, frame, pack_index
from harvester.checkpoint.container import Container, PackedBytes, unpacked
from harvester.checkpoint.writer import canonical_order, encode_end
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


@pytest.mark.parametrize("more", [-1, 1])
def test_a_block_of_another_size_is_not_read(more: int, state: SoundGraph, descriptor: int) -> None:
    one = scan(descriptor, state)[1][0]
    with pytest.raises(LibraryCorrupt, match="another size"):
        read_segment(lambda size, at: os.pread(descriptor, size, at), replace(one, raw_bytes=one.raw_bytes + more))


def test_a_block_that_is_not_compressed_is_not_read(state: SoundGraph, descriptor: int) -> None:
    one, content = scan(descriptor, state)[1][0], b"\xff" * 20
    with pytest.raises(LibraryCorrupt, match="cannot be unpacked"):
        read_segment(lambda *_: content, replace(one, digest=hashlib.sha256(content).digest()))


@pytest.mark.parametrize("wrong", ["digest", "a sound more", "another order"])
def test_a_file_of_another_content_is_refused(state: SoundGraph, descriptor: int, wrong: str) -> None:
    order, digest = canonical_order(state), digest_of(state)
    order = {"a sound more": [*order, 5_000], "another order": order[::-1]}.get(wrong, order)
    with pytest.raises(LibraryCorrupt):
        list(scan_segments(descriptor, order, "0" * 64 if wrong == "digest" else digest))


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
def test_nothing_is_unpickled_of_a_file_that_came_since(
    what: str, state: SoundGraph, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_odd_block(descriptor, ODD[what])
    monkeypatch.setattr(record_segments, "values_in_slots", lambda *_: pytest.fail("it was unpickled"))
    with pytest.raises(LibraryCorrupt, match="was replaced meanwhile"):
        scan(descriptor, state)


@pytest.mark.parametrize("what", [what for what in ODD if "gigabytes" not in what])
def test_a_block_of_something_else_is_no_more_than_a_corrupt_one(what: str, state: SoundGraph, descriptor: int) -> None:
    digest = with_odd_block(descriptor, ODD[what])
    with pytest.raises(LibraryCorrupt):
        list(scan_segments(descriptor, canonical_order(state), digest))
