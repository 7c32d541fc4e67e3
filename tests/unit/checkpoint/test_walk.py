"""A checkpoint is verified block by block: the walk proves all that we write, and nothing that the loader refuses."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint import Encoded, Verified, latest_stamp, verify_checkpoint
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, frame
from harvester.checkpoint.container import PackedBytes, unpacked
from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint, encode_stream
from harvester.checkpoint.layout import canonical_order, linked_order
from harvester.checkpoint.walk import NewBlocks, walk_checkpoint
from harvester.checkpoint.writer import END_BYTES, blocks_of, encode_end, record_key
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import SoundGraph
from harvester.model import Event, Gone, Known, Linked, Related, Seeded, Seen, SimilarList, Withdrawn
from tests.support.fuzz_loader import mutants
from tests.support.histories import events
from tests.support.samples import NOW_US, content_of, make_events, make_record, make_state


def encode(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


def facts_of(state: SoundGraph, digest: str) -> Verified:
    return Verified(
        digest, state.source, state.space, len(state), state.edge_count, len(state.processed), state.list_count,
        latest_stamp(state),
    )  # fmt: skip


@given(st.lists(events(), max_size=30))
def test_what_we_write_is_proven_and_its_facts_are_those_of_the_loaded_state(history: list[Event]) -> None:
    packed = encode(make_state(history))
    decoded = decode_checkpoint(packed)
    assert walk_checkpoint(PackedBytes(packed)) == facts_of(decoded.state, decoded.digest)


def test_many_blocks_of_records_and_lists_are_proven() -> None:
    odd: list[Event] = [
        Known(5_000, NOW_US), Gone(7, NOW_US + 5), Withdrawn(8, NOW_US + 6), Related(9, 5_000, "pack", NOW_US, 2.5),
        Seen(5_001, make_record(5_001, tags=[], extra={"deep": [[], {}]}), NOW_US),
        Linked(5_001, SimilarList(((1, 0.5), (2, 0.5)), NOW_US + 7, 25)),
    ]  # fmt: skip
    state = make_state([*make_events(2_000), *odd])
    packed = encode(state)
    decoded = decode_checkpoint(packed)
    assert walk_checkpoint(PackedBytes(packed)) == facts_of(state, decoded.digest)


def changed(packed: bytes, before: bytes, after: bytes) -> bytes:
    """Return the checkpoint with other bytes in its stream, and the digest that this stream has."""
    stream = b"".join(unpacked(PackedBytes(packed)))
    assert stream.count(before), before
    content = stream[:-END_BYTES].replace(before, after, 1)
    return zlib.compress(content + encode_end(hashlib.sha256(content).hexdigest()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"sound 2", b"sound\xff2"),
        (b"\x8c\x05nodesK\x03", b"\x8c\x05nodesK\x04"),
        (b"\x8c\x05edgesK\x06", b"\x8c\x05edgesK\x05"),
        (b"h\x01K\x03h\x02", b"h\x01K\x02h\x02"),
        (b"K\x03h\x02K\x03u", b"K\x03h\x02K\x02u"),
        (b"format_versionK\x01", b"format_versionK\x02"),
        (b"format_versionK\x01", b"format_versionK\x03"),
        (b"_space\x8c\x0alaion_clap", b"_space\x8c\x0alaion_clop"),
        (b"0}r", b"0]r"),
    ],
)
def test_a_changed_stream_with_a_right_digest_is_not_proven(before: bytes, after: bytes) -> None:
    assert walk_checkpoint(PackedBytes(changed(encode(make_state(make_events(3))), before, after))) is None


def test_a_file_in_another_form_is_loaded_instead_and_called_so(tmp_path: Path) -> None:
    state = make_state(make_events(3))
    packed = encode(state)
    other = changed(packed, b"\x8c\x04rain", b"X\x04\0\0\0rain")  # a longer opcode for the same text
    path = tmp_path / "freesound_library.pkl"
    # The head of the frame says how long it is, so it grows by three bytes too.
    stream = b"".join(unpacked(PackedBytes(other)))
    place = stream.rindex(b"\x95", 0, stream.index(b"X\x04\0\0\0rain"))
    size = int.from_bytes(stream[place + 1 : place + 9], "little") + 3
    content = stream[: place + 1] + size.to_bytes(8, "little") + stream[place + 9 : -END_BYTES]
    path.write_bytes(zlib.compress(content + encode_end(hashlib.sha256(content).hexdigest())))
    found = verify_checkpoint(path)
    assert not found.is_canonical
    expected = facts_of(state, found.digest)
    assert asdict(found) == asdict(expected) | {"is_canonical": False}


def test_the_walk_proves_no_file_that_the_loader_refuses() -> None:
    proven = 0
    for packed in mutants(20261129, 1_500):
        verified = walk_checkpoint(PackedBytes(packed))
        if verified is None:
            continue
        proven += 1
        decoded = decode_checkpoint(packed)
        assert verified == facts_of(decoded.state, decoded.digest)
        assert b"".join(encode_stream(decoded.state, Encoded())) == b"".join(unpacked(PackedBytes(packed)))
    assert proven < 100


def blocks_swapped(order: list[int]) -> list[int]:
    first, second, *others = blocks_of(order)
    return [*second, *first, *(sound_id for part in others for sound_id in part)]


@pytest.mark.parametrize("change", [blocks_swapped, lambda order: order[::-1]])
@pytest.mark.parametrize("place", ["canonical_order", "linked_order"])
def test_sounds_or_lists_in_another_order_are_not_proven(
    place: str, change: Callable[[list[int]], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = make_state(make_events(600))
    order = {"canonical_order": canonical_order, "linked_order": linked_order}[place]
    monkeypatch.setattr(f"harvester.checkpoint.layout.{place}", lambda state: change(order(state)))
    packed = encode(state)
    assert content_of(decode_checkpoint(packed).state) == content_of(state)
    assert walk_checkpoint(PackedBytes(packed)) is None


def test_lists_in_blocks_of_another_size_are_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    state, calls = make_state(make_events(600)), []

    def halved(order: list[int]) -> Iterator[list[int]]:
        calls.append(order)
        return blocks_of(order) if len(calls) == 1 else iter([order[:200], order[200:]])

    monkeypatch.setattr("harvester.checkpoint.writer.blocks_of", halved)
    packed = encode(state)
    assert len(calls) == 2
    assert content_of(decode_checkpoint(packed).state) == content_of(state)
    assert walk_checkpoint(PackedBytes(packed)) is None


@pytest.mark.parametrize("sound_id", [0, 1 << 53])
def test_ids_that_no_sound_has_are_not_proven(sound_id: int) -> None:
    packed = encode(make_state([Known(3, 5), Known(sound_id, 6)]))
    with pytest.raises(LibraryCorrupt, match="not a sound id"):
        decode_checkpoint(packed)
    assert walk_checkpoint(PackedBytes(packed)) is None


class _Rewritten:
    """A file into which another process writes once it was read `readings` times."""

    def __init__(self, before: bytes, after: bytes, readings: int) -> None:
        self._contents = [before] * readings + [after] * 2
        self.size_bytes = max(len(before), len(after))

    def pieces(self) -> Iterator[bytes]:
        yield self._contents.pop(0)


def test_a_file_that_changes_while_it_is_read_is_not_proven() -> None:
    before, after = (encode(make_state([Seen(1, make_record(1, name=name), 5)])) for name in ("rain", "hail"))
    assert [walk_checkpoint(_Rewritten(before, after, readings)) is not None for readings in range(3)] == [1, 0, 1]


@pytest.mark.parametrize("changed", [slice(1, 2), slice(2, None)], ids=["a block", "what follows the blocks"])
def test_a_file_of_which_a_part_changes_between_two_readings_is_not_proven(changed: slice) -> None:
    before, after = (
        list(encode_stream(make_state([Seen(1, make_record(1, name=name), 5), Seeded(seeds)]), Encoded()))
        for name, seeds in (("rain", (1,)), ("hail", (2,)))
    )
    mixed = [*before]
    mixed[changed] = after[changed]
    one, other = (zlib.compress(b"".join(frames)) for frames in (before, mixed))
    assert [walk_checkpoint(_Rewritten(one, other, readings)) is not None for readings in (1, 2)] == [False, True]


def test_a_new_block_has_no_opcode_that_files_may_not_have() -> None:
    stream = list(encode_stream(make_state([Known(3, 5)]), Encoded()))
    size = sum(map(len, stream))
    for more, is_allowed in ((b"N0", True), (b"I1\n0", False)):
        block = frame(stream[1][FRAME_HEAD_BYTES:] + more)
        blocks = NewBlocks([3], size, lambda block=block: iter([block]))  # type: ignore[misc]
        assert blocks.is_valid(record_key([3], TEXT_SLOTS), block) == is_allowed


def test_a_corrupt_and_a_newer_file_are_refused_as_the_loader_refuses_them(tmp_path: Path) -> None:
    path = tmp_path / "freesound_library.pkl"
    packed = encode(make_state(make_events(3)))
    path.write_bytes(packed[:-1])
    with pytest.raises(LibraryCorrupt, match=r"freesound_library.pkl: its end is missing"):
        verify_checkpoint(path)
    path.write_bytes(changed(packed, b"format_versionK\x01", b"format_versionK\x03"))
    with pytest.raises(NewerFormat, match=r"freesound_library.pkl: it has format 3"):
        verify_checkpoint(path)
