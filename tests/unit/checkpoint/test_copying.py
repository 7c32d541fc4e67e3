"""A checkpoint that copies from the last one is the file that a full encoding writes, whatever happened meanwhile."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint import (
    Encoded,
    Segments,
    copying_from,
    encode_checkpoint,
    holds_segments,
    load_checkpoint,
    read_signature,
    verify_written,
    writer,
)
from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, frame, pack_index
from harvester.checkpoint.container import HIGHEST_RATIO_WRITTEN, Container, PackedBytes, unpacked
from harvester.checkpoint.layout import canonical_order, latest_stamp, layout_of, linked_order
from harvester.checkpoint.segments import find_segments
from harvester.checkpoint.writer import encode_end
from harvester.errors import LibraryCorrupt
from harvester.graph import SoundGraph
from harvester.graph.lazy_digraph import LibraryGraph
from harvester.library.store import Store
from harvester.model import Event, Gone, Known, Linked, Related, Seen, SimilarList, Withdrawn
from harvester.storage import CHECKPOINT
from tests.support.histories import events, quick
from tests.support.samples import NOW_US, FixedClock, make_record, make_state


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BLOCK_SOUNDS", 3)


class Saved:
    """A checkpoint file that is written again and again, with its table."""

    def __init__(self, path: Path, state: SoundGraph) -> None:
        self.path, self.state = path, state
        self.segments: Segments | None = None

    def chunks(self, encoded: Encoded) -> bytes:
        signature = read_signature(self.path)
        with copying_from(self.path, signature, self.segments) as last:
            return b"".join(encode_checkpoint(self.state, encoded, last=last))

    def save(self) -> bytes:
        encoded = Encoded()
        content = self.chunks(encoded)
        self.path.write_bytes(content)
        self.segments = encoded.segments
        self.state.changed.clear()
        return content

    def load(self) -> None:
        """Forget the state and the table, and load both from the file, as a new process does."""
        decoded = load_checkpoint(self.path)
        self.state, self.segments = decoded.state, decoded.segments
        assert self.segments is not None


@pytest.fixture
def encoded_blocks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of the blocks that are encoded from now on."""
    made: list[str] = []
    for name in ("_encode_records", "_encode_lists"):
        encode = getattr(writer, name)

        def counted(*arguments: Any, name: str = name, encode: Any = encode) -> bytes:
            made.append(name.removeprefix("_encode_"))
            return encode(*arguments)  # type: ignore[no-any-return]

        monkeypatch.setattr(writer, name, counted)
    return made


def fully(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


def many(count: int = 60) -> list[Event]:
    seen: list[Event] = [Seen(i, make_record(i), NOW_US + i) for i in range(1, count + 1)]
    lists = [Linked(i, SimilarList(((i % count + 1, 0.5),), NOW_US + count + i, 25)) for i in range(1, count, 2)]
    return [*seen, *lists]


steps = st.lists(st.lists(events(), min_size=1, max_size=4), min_size=1, max_size=6)


@quick
@given(st.lists(events(), max_size=15), steps, st.data())
def test_after_any_history_a_copied_file_is_the_encoded_one(
    before: Sequence[Event], history: list[list[Event]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        saved = Saved(Path(folder) / CHECKPOINT, make_state(before))
        assert saved.save() == fully(make_state(before))
        for batch in history:
            if data.draw(st.booleans(), label="in a new process"):
                known = saved.segments
                saved.load()
                assert known is not None
                assert saved.segments is not None
                assert _plain(saved.segments) == _plain(known)
            how = data.draw(st.sampled_from(["apply", "join", "flip"]), label="how")
            if how == "join":
                saved.state.join(make_state(batch))
            else:
                for event in batch:
                    saved.state.apply(event)
            if how == "flip":
                content = bytearray(saved.path.read_bytes())
                content[data.draw(st.integers(0, len(content) - 1), label="place")] ^= 1 << data.draw(st.integers(0, 7))
                saved.path.write_bytes(content)
            assert saved.save() == fully(saved.state)


def _plain(table: Segments) -> object:
    places = [(one.key, one.offset, one.size_bytes, one.checksum, one.after.size_bytes) for one in table.all]
    return table.head, places, table.end, table.digest, table.all[-1].after.checksum, table.layout


CHANGES: dict[str, tuple[Event, int, int]] = {
    "nothing": (Known(3, NOW_US + 10_000), 0, 0),
    "a record that is older": (Seen(3, make_record(3), NOW_US + 2), 1, 0),
    "a newer record": (Seen(3, make_record(3, name="new"), NOW_US + 500), 1, 0),
    "a sound that is gone": (Gone(3, NOW_US + 500), 1, 0),
    "a withdrawn one": (Withdrawn(3, NOW_US + 500), 1, 0),
    "a newer list": (Linked(3, SimilarList(((9, 0.7),), NOW_US + 62, 25)), 0, 2),
    "a relation": (Related(3, 9, "pack", NOW_US + 500), 0, 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_blocks_with_a_changed_sound_are_encoded(name: str, tmp_path: Path, encoded_blocks: list[str]) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.save()
    event, records, lists = CHANGES[name]
    saved.state.apply(event)
    encoded_blocks.clear()
    content = saved.save()
    made = encoded_blocks.copy()
    assert made.count("records") <= records
    assert made.count("lists") <= lists
    assert content == fully(saved.state)
    assert saved.segments is not None
    verify_written(saved.path, saved.segments)


def test_new_sounds_cost_the_blocks_at_the_end_and_no_other(tmp_path: Path, encoded_blocks: list[str]) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many(600)))
    saved.save()
    encoded_blocks.clear()
    for event in (Seen(1_000 + i, make_record(1_000 + i), NOW_US + 5_000 + i) for i in range(3)):
        saved.state.apply(event)
    content = saved.save()
    assert 1 <= len(encoded_blocks) <= 4
    assert content == fully(saved.state)


def test_an_earlier_sound_shifts_the_slots_of_all_lists(tmp_path: Path, encoded_blocks: list[str]) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.save()
    saved.state.join(make_state([Seen(500, make_record(500), NOW_US - 5)]))
    encoded_blocks.clear()
    content = saved.save()
    assert encoded_blocks.count("lists") > 5
    assert content == fully(saved.state)


def test_nothing_is_copied_from_a_file_that_is_not_the_one_of_the_table(tmp_path: Path) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.save()
    signature = read_signature(saved.path)
    (tmp_path / "other").write_bytes(saved.path.read_bytes())
    (tmp_path / "other").replace(saved.path)
    with copying_from(saved.path, signature, saved.segments) as last:
        assert last is None
    with copying_from(tmp_path / "missing", signature, saved.segments) as last:
        assert last is None


@pytest.mark.parametrize("place", [0, 1, 2, 7, 40, 500, -300, -8, -4, -1])
def test_every_byte_of_a_new_file_is_read_back(place: int, tmp_path: Path) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    content = bytearray(saved.save())
    assert saved.segments is not None
    assert holds_segments(saved.path, saved.segments)
    verify_written(saved.path, saved.segments)
    content[place] ^= 4
    for changed in (content, content[:place], [*saved.path.read_bytes(), 0]):
        saved.path.write_bytes(bytes(changed))
        assert not holds_segments(saved.path, saved.segments)
        with pytest.raises(LibraryCorrupt, match="not what was written"):
            verify_written(saved.path, saved.segments)


@pytest.mark.parametrize("kind", ["record", "list"])
def test_a_value_that_no_rule_allows_is_found_in_a_new_block_beside_copied_ones(kind: str, tmp_path: Path) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.save()
    assert saved.segments is not None
    verify_written(saved.path, saved.segments)
    if kind == "record":
        saved.state.graph.nodes[3]["extra_stamps"] = {"bpm": -4}
        saved.state.changed.records.add(3)
    else:
        saved.state.graph._adj[3][4]["score"] = 7.5
        saved.state.changed.lists.add(3)
    saved.save()
    assert 1 <= len(saved.segments.unproven) <= 2
    with pytest.raises(LibraryCorrupt, match="a block of it is not valid"):
        verify_written(saved.path, saved.segments)


def test_a_proven_block_stays_proven_when_it_is_copied(tmp_path: Path) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.save()
    assert saved.segments is not None
    assert len(saved.segments.unproven) == blocks_of(saved.segments)
    saved.state.apply(Gone(3, NOW_US + 500))
    saved.save()
    assert len(saved.segments.unproven) == blocks_of(saved.segments)
    verify_written(saved.path, saved.segments)
    assert not saved.segments.unproven
    saved.state.apply(Gone(4, NOW_US + 500))
    saved.save()
    assert len(saved.segments.unproven) == 1


def blocks_of(table: Segments) -> int:
    return sum(one.key.startswith((writer.RECORDS, writer.LISTS)) for one in table.all)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "lib"
    with Store.open(folder, clock=FixedClock()) as store:
        add(store, many())
        store.checkpoint(backup=True)
    return folder


def add(store: Store, added: Sequence[Event]) -> None:
    store.append(added)
    for event in added:
        store.state.apply(event)


def test_a_new_process_copies_from_the_file_that_it_has_loaded(library: Path, encoded_blocks: list[str]) -> None:
    with Store.open(library, clock=FixedClock()) as store:
        add(store, [Gone(3, NOW_US + 500)])
        encoded_blocks.clear()
        info = store.checkpoint(backup=True)
        assert encoded_blocks == ["records"]
        add(store, [Gone(4, NOW_US + 500)])
        encoded_blocks.clear()
        later = store.back_up()
        assert encoded_blocks in (["records"], ["records", "records"])
        assert later.backup is not None
        assert later.backup.read_bytes() == fully(store.state)
    assert info.backup is not None
    assert info.backup.read_bytes() == (library / CHECKPOINT).read_bytes()


def test_a_process_copies_nothing_from_a_file_that_its_journal_does_not_know(
    library: Path, encoded_blocks: list[str]
) -> None:
    (library / CHECKPOINT).write_bytes(fully(make_state(many(40))))
    with Store.open(library, clock=FixedClock()) as store:
        add(store, [Gone(3, NOW_US + 500)])
        encoded_blocks.clear()
        store.checkpoint()
        assert len(encoded_blocks) == len(list(writer.blocks_in(store.state, layout_of(store.state)))) > 5
        assert (library / CHECKPOINT).read_bytes() == fully(store.state)


def test_rot_of_the_last_file_reaches_neither_the_next_one_nor_its_backup(library: Path) -> None:
    path = library / CHECKPOINT
    with Store.open(library, clock=FixedClock()) as store:
        add(store, [Gone(3, NOW_US + 500)])
        store.checkpoint()
        status = path.stat()
        with path.open("r+b") as file:
            for place in range(50, status.st_size - 50, 97):
                file.seek(place)
                byte = file.read(1)[0]
                file.seek(place)
                file.write(bytes([byte ^ 16]))

        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        add(store, [Gone(4, NOW_US + 500)])
        info = store.checkpoint(backup=True)
        assert info.backup is not None
        assert path.read_bytes() == info.backup.read_bytes() == fully(store.state)


def test_a_table_comes_only_from_a_file_of_that_content(tmp_path: Path) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    content = saved.save()
    padding = 0
    for place in range(3, len(content), 211):
        changed = bytearray(content)
        changed[place] ^= 32
        saved.path.write_bytes(bytes(changed))
        # Only bits that pad the end of a segment change no content.
        with suppress(LibraryCorrupt):
            if load_checkpoint(saved.path).segments is not None:
                assert zlib.decompress(changed) == zlib.decompress(content)
                padding += 1
    assert padding < 5


def test_a_file_that_is_packed_or_divided_in_another_way_has_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    content = saved.save()
    saved.path.write_bytes(zlib.compress(zlib.decompress(content)))
    again = load_checkpoint(saved.path)
    assert (again.digest, again.segments) == (saved.segments and saved.segments.digest, None)
    saved.path.write_bytes(content)
    monkeypatch.setattr(writer, "BLOCK_SOUNDS", 8)
    other = load_checkpoint(saved.path)
    assert (other.digest, other.segments) == (again.digest, None)


def test_unchanged_parts_of_the_closing_tables_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_BATCH", 8)
    saved = Saved(tmp_path / CHECKPOINT, make_state(many(600)))
    saved.save()
    made: list[str] = []
    for name in ("_encode_pairs", "_encode_ids"):
        encode = getattr(writer, name)

        def counted(*arguments: Any, name: str = name, encode: Any = encode) -> bytes:
            made.append(name)
            return encode(*arguments)  # type: ignore[no-any-return]

        monkeypatch.setattr(writer, name, counted)
    saved.state.apply(Seen(1_000, make_record(1_000), NOW_US + 5_000))
    saved.state.apply(Linked(1_000, SimilarList(((9, 0.7),), NOW_US + 5_001, 25)))
    content = saved.save()
    assert sorted(made) == ["_encode_ids", "_encode_pairs", "_encode_pairs", "_encode_pairs"]
    made.clear()
    assert content == fully(saved.state)
    assert len(made) > 100


def test_the_timestamp_goes_back_when_an_earlier_list_replaces_the_latest(tmp_path: Path) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.state.apply(Linked(5, SimilarList((), NOW_US + 9_000_000_000, 30)))
    saved.save()
    saved.state.apply(Linked(5, SimilarList((), NOW_US + 3_000_000_000, 40)))
    assert saved.save() == fully(saved.state)
    assert latest_stamp(saved.state) == NOW_US + 3_000_000_000


@pytest.mark.parametrize("at_us", [NOW_US + 5_000, 5])
def test_a_save_reads_no_stamp_of_an_unchanged_sound(
    at_us: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Saved(tmp_path / CHECKPOINT, make_state(many()))
    saved.save()
    saved.load()
    saved.state.apply(Seen(1_000, make_record(1_000), at_us))
    expected = fully(saved.state)
    with monkeypatch.context() as patched:
        patched.setattr(LibraryGraph, "stamps", None)
        assert saved.save() == expected


@pytest.mark.parametrize("size", [2, 3, 7, 4_096])
def test_segments_are_found_however_the_file_comes_in_pieces(size: int) -> None:
    content = fully(make_state(many()))
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    found = list(find_segments(pieces, HIGHEST_RATIO_WRITTEN))
    assert b"".join(frame for frame, _ in found) == zlib.decompress(content)
    assert found == list(find_segments([content], HIGHEST_RATIO_WRITTEN))


def put_frames(library: Path, frames: list[bytes]) -> str:
    """Write a checkpoint of these frames, with a digest that is right; return it, once the journal knows it."""
    content, container = b"".join(frames[:-1]), Container()
    digest = hashlib.sha256(content).hexdigest()
    frames = [*frames[:-1], encode_end(digest)]
    with Store.open(library, clock=FixedClock()) as store:
        store._journal.update(digest=digest)
    packed = container.head + b"".join(map(container.pack, frames)) + container.end(zlib.adler32(b"".join(frames)))
    (library / CHECKPOINT).write_bytes(packed)
    return digest


def test_nothing_is_copied_from_a_file_whose_blocks_change_what_others_say(
    library: Path,
) -> None:
    frames = list(frames_of(unpacked(PackedBytes((library / CHECKPOINT).read_bytes()))))
    lists = next(place for place, one in enumerate(frames) if b"linked_at" in one)
    sound_id = canonical_order(make_state(many()))[0]
    rename = pack_index(b"j", TEXT_SLOTS) + b"(\x8c\x04name\x8c\x04evilu0"
    frames[lists] = frame(rename + frames[lists][FRAME_HEAD_BYTES:])
    digest = put_frames(library, frames)
    with Store.open(library, clock=FixedClock()) as store:
        assert store.state.sound(sound_id).name == "evil"
        assert store._journal.head.digest == digest
        add(store, [Seen(sound_id, make_record(sound_id, name="new"), NOW_US + 500)])
        store.checkpoint()
        assert (library / CHECKPOINT).read_bytes() == fully(store.state)
    with Store.open(library, clock=FixedClock()) as store:
        assert store.state.sound(sound_id).name == "new"


@pytest.mark.parametrize("slot", [100, 256, TEXT_SLOTS - 1])
def test_nothing_is_copied_from_a_file_with_a_block_that_uses_a_text_of_another(library: Path, slot: int) -> None:
    frames = list(frames_of(unpacked(PackedBytes((library / CHECKPOINT).read_bytes()))))
    *_, before, (last, *_) = writer.blocks_of(canonical_order(make_state(many())))
    place = next(place for place, one in enumerate(frames) if f"sound {last}".encode() in one)
    name = f"sound {last}".encode()
    own, rest = frames[place][FRAME_HEAD_BYTES:].split(b"\x8c" + bytes([len(name)]) + name)
    frames[place] = frame(own + pack_index(b"j", slot) + rest)
    stored = b"\x8c\x04evil" + pack_index(b"r", slot) + b"0"
    frames[place - 1] = frame(frames[place - 1][FRAME_HEAD_BYTES:] + stored)
    digest = put_frames(library, frames)
    with Store.open(library, clock=FixedClock()) as store:
        assert store.state.sound(last).name == "evil"
        assert store._journal.head.digest == digest
        add(store, [Gone(before[0], NOW_US + 500)])
        store.checkpoint()
        assert (library / CHECKPOINT).read_bytes() == fully(store.state)
    with Store.open(library, clock=FixedClock()) as store:
        assert store.state.sound(last).name == "evil"


@pytest.mark.parametrize("sounds_before", [0, 1, 59, 60], ids=["its own", "next", "last", "new"])
def test_nothing_is_copied_from_a_file_with_a_list_that_stores_in_a_sounds_slot(
    library: Path, sounds_before: int
) -> None:
    frames = list(frames_of(unpacked(PackedBytes((library / CHECKPOINT).read_bytes()))))
    place = next(place for place, one in enumerate(frames) if b"linked_at" in one)
    block = frames[place][FRAME_HEAD_BYTES:]
    frames[place] = frame(block + b"}" + pack_index(b"r", TEXT_SLOTS + 2 * sounds_before) + b"0")
    put_frames(library, frames)
    with Store.open(library, clock=FixedClock()) as store:
        add(store, [Seen(1_000 + i, make_record(1_000 + i), NOW_US + 5_000 + i) for i in range(3)])
        store.checkpoint()
        assert (library / CHECKPOINT).read_bytes() == fully(store.state)


def test_a_file_in_which_a_list_gives_a_sound_the_record_of_another_is_refused(library: Path) -> None:
    frames = list(frames_of(unpacked(PackedBytes((library / CHECKPOINT).read_bytes()))))
    state = make_state(many())
    first, second = next(part for part in writer.blocks_of(linked_order(state)) if len(part) > 1)[:2]
    place = [one for one in range(len(frames)) if b"linked_at" in frames[one]][
        next(at for at, part in enumerate(writer.blocks_of(linked_order(state))) if first in part)
    ]
    slots = [TEXT_SLOTS + 2 * canonical_order(state).index(one) for one in (first, second)]
    swapped = pack_index(b"j", slots[0]) + pack_index(b"r", slots[1]) + b"0"
    frames[place] = frame(frames[place][FRAME_HEAD_BYTES:] + swapped)
    put_frames(library, frames)
    with pytest.raises(LibraryCorrupt):
        load_checkpoint(library / CHECKPOINT)
