"""A file that another zlib packed keeps its bytes where its content did not change, and nothing else is taken of it."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint import container
from harvester.checkpoint._blocks_at_hand import blocks_at_hand
from harvester.checkpoint.files import packed_elsewhere
from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint
from harvester.clock import DAY_US
from harvester.graph import SoundGraph
from harvester.library.merge import merge_bytes
from harvester.model import Event, Seen
from harvester.storage import CHECKPOINT
from tests.support.histories import histories, quick
from tests.support.samples import NOW_US, SOURCE, content_of, grow, make_events, make_record, make_state, open_store

CHANGED = Seen(700, make_record(700, name="another name"), NOW_US + 1)


def packed_by_another(state: SoundGraph) -> bytes:
    """Return the checkpoint as a zlib writes it that packs otherwise: here the same one at its highest level."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(container, "LEVEL", 9)
        return b"".join(encode_checkpoint(state))


def shared_with(one: bytes, other: bytes) -> float:
    """Return which share of the packed blocks of `one` stands in `other`, byte for byte."""
    blocks = one.split(b"\x00\x00\xff\xff")
    return sum(block in other for block in blocks) / len(blocks)


def test_what_did_not_change_keeps_the_bytes_of_another_zlib() -> None:
    state = make_state(make_events(1_500))
    theirs = packed_by_another(state)
    state.apply(CHANGED)
    ours, kept = b"".join(encode_checkpoint(state)), b"".join(encode_checkpoint(state, at_hand=[theirs]))
    assert shared_with(theirs, ours) < 0.5
    assert shared_with(theirs, kept) > 0.8
    assert content_of(decode_checkpoint(kept).state) == content_of(state)
    assert zlib.decompress(kept) == zlib.decompress(ours)


def test_a_file_of_the_same_zlib_is_packed_as_ever() -> None:
    state = make_state(make_events(1_500))
    before = b"".join(encode_checkpoint(state))
    state.apply(CHANGED)
    assert b"".join(encode_checkpoint(state, at_hand=[before])) == b"".join(encode_checkpoint(state))
    assert blocks_at_hand([before], container.Container().pack, 40) == {}


def test_a_library_that_was_pulled_keeps_them_when_it_grows(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.set_source(SOURCE)
        grow(store, make_events(1_500))
        store.checkpoint()
    theirs = packed_by_another(decode_checkpoint((tmp_path / CHECKPOINT).read_bytes()).state)
    (tmp_path / CHECKPOINT).write_bytes(theirs)
    assert packed_elsewhere(tmp_path / CHECKPOINT) == [theirs]
    with open_store(tmp_path) as store:
        grow(store, [CHANGED])
        store.checkpoint()
    assert shared_with(theirs, (tmp_path / CHECKPOINT).read_bytes()) > 0.8
    assert packed_elsewhere(tmp_path / "missing") == []


def test_a_merge_keeps_the_blocks_of_both_sides_in_either_order() -> None:
    base = make_events(1_500)
    ours = packed_by_another(make_state([*base, CHANGED]))
    theirs = packed_by_another(make_state([*base, Seen(5_000, make_record(5_000), NOW_US + DAY_US)]))
    joined, _ = merge_bytes(ours, theirs)
    assert joined == merge_bytes(theirs, ours)[0]
    assert shared_with(ours, joined) > 0.7


@quick
@given(histories, st.data())
def test_nothing_in_a_file_at_hand_changes_what_is_written(history: list[Event], data: st.DataObject) -> None:
    state = make_state(history)
    theirs = bytearray(packed_by_another(state))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(theirs) - 1))
        theirs[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    written = b"".join(encode_checkpoint(state, at_hand=[bytes(theirs)]))
    assert zlib.decompress(written) == zlib.decompress(b"".join(encode_checkpoint(state)))
    assert content_of(decode_checkpoint(written).state) == content_of(state)


def test_a_block_that_is_padded_or_refers_to_another_is_not_taken() -> None:
    state = make_state(make_events(1_500))
    stream = zlib.decompress(b"".join(encode_checkpoint(state)))
    pack = container.Container().pack
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    sizes, place = [], 2
    while place < len(stream):
        size = 9 + int.from_bytes(stream[place + 1 : place + 9], "little")
        sizes.append((place, place + size))
        place += size
    chunks = [stream[:2], *(stream[begin:end] for begin, end in sizes)]
    one_dictionary = b"\x78\xda" + b"".join(
        packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH) for chunk in chunks
    )
    assert len(blocks_at_hand([one_dictionary], pack, 40)) < len(chunks) / 10
    padding = b"\x00\x00\x00\xff\xff" * 50_000
    padded = bytearray(b"\x78\xda")
    for chunk in chunks:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        padded += padding + packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    assert blocks_at_hand([bytes(padded)], pack, 40) == {}


def test_a_file_at_hand_costs_no_more_than_its_size_lets_it() -> None:
    pack = container.Container().pack
    head = b"\x95" + (1 << 40).to_bytes(8, "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"\x78\xda" + pack(b"\x80\x05") + packer.compress(head + bytes(200 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    one_byte = b"\x00\x01\x00\xfe\xffx" + b"\x00\x00\x00\xff\xff"
    crumbs = b"\x78\xda" + pack(b"\x80\x05") + pack(head) + one_byte * 800_000
    tracemalloc.start()
    assert blocks_at_hand([bomb], pack, 40) == {}
    assert tracemalloc.get_traced_memory()[1] < 60 << 20
    tracemalloc.stop()
    began_s = time.process_time()
    assert blocks_at_hand([crumbs], pack, 40) == {}
    assert time.process_time() - began_s < 5
