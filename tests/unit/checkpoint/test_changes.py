"""A checkpoint is verified by its new blocks, and what is proven so a load proves too."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings

from harvester.checkpoint import digest_of, encode_checkpoint, load_checkpoint, walk_changes, writer
from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, frame, pack_index
from harvester.checkpoint.container import Container, PackedBytes, unpacked
from harvester.checkpoint.writer import encode_end
from harvester.graph import LINK_FIELDS, SoundGraph
from harvester.model import Event, Gone, Known, Linked, Seen, SimilarList
from harvester.storage import opened
from tests.support.blocks import BlocksInMemory
from tests.support.histories import histories, quick
from tests.support.samples import NOW_US, make_events, make_record, make_state


@pytest.fixture(autouse=True)
def small_blocks() -> Iterator[None]:
    """Let the blocks hold two sounds on average."""
    with mock.patch.object(writer, "BLOCK_SOUNDS", 2):
        yield


def put(path: Path, *events: Event) -> SoundGraph:
    state = make_state(events)
    path.write_bytes(b"".join(encode_checkpoint(state)))
    return state


def walk(path: Path, known: BlocksInMemory) -> tuple[str, dict[str, Any]] | None:
    with opened(path) as descriptor:
        return walk_changes(descriptor, known)


def content_of(state: SoundGraph) -> dict[int, list[Any]]:
    """Return each sound's record, similar list and edges."""
    return {
        sound_id: [
            {name: value for name, value in state.attributes(sound_id).items() if name not in LINK_FIELDS},
            {name: value for name, value in state.attributes(sound_id).items() if name in LINK_FIELDS},
            dict(state.graph.succ[sound_id]),
        ]
        for sound_id in state.graph
    }


@settings(quick, max_examples=40)
@given(history=histories)
def test_the_blocks_of_any_history_hold_its_content_after_each_of_its_events(
    tmp_path_factory: pytest.TempPathFactory, history: list[Event]
) -> None:
    path, known = tmp_path_factory.getbasetemp() / "history.pkl", BlocksInMemory()
    for end in sorted({len(history) // 2, len(history)}):
        state = put(path, *history[:end])
        walked = walk(path, known)
        assert walked is not None
        assert (walked[0], walked[1]["seeds"]) == (digest_of(state), sorted(state.seeds))
        assert known.content == content_of(state)


def test_only_new_blocks_are_read(tmp_path: Path) -> None:
    path, known = tmp_path / "one.pkl", BlocksInMemory()
    put(path, *make_events(40))
    walk(path, known)
    assert known.new > 20
    state = put(path, *make_events(40), Gone(9, NOW_US + 1), Known(50, NOW_US + 2))
    assert walk(path, known) is not None
    assert known.new <= 3
    assert known.content == content_of(state)
    walk(path, known)
    assert known.new == 0


def test_blocks_with_the_same_bytes_of_other_sounds_are_read(tmp_path: Path) -> None:
    # The id of a sound without a record stands behind all blocks.
    path, known = tmp_path / "one.pkl", BlocksInMemory()
    similar = SimilarList(((1, 0.5),), 9, 25, "laion_clap")
    put(path, Known(1, 5), Known(3, 6), Linked(3, similar))
    walk(path, known)
    before = known.records.keys() | known.lists.keys()
    assert len(before) == 2
    state = put(path, Known(1, 5), Known(4, 6), Linked(4, similar))
    known.content.clear()
    assert walk(path, known) is not None
    assert before == known.records.keys() | known.lists.keys()
    assert known.content == content_of(state)


def test_beside_known_blocks_a_new_one_must_be_as_the_writer_makes_it(tmp_path: Path) -> None:
    # Another form of it could use a text of a block that was not read.
    path, known = tmp_path / "one.pkl", BlocksInMemory()
    put(path, *make_events(12))
    walk(path, known)
    with mock.patch("harvester.checkpoint._record_block.RECURRING", frozenset()):
        put(path, *make_events(12), Seen(50, make_record(50, tags=["twice", "twice"]), NOW_US * 2))
        known_in_this_form = BlocksInMemory()
        walk(path, known_in_this_form)
    assert known_in_this_form.records.keys() != known.records.keys()
    del known_in_this_form.records[known_in_this_form.segments[-1].digest]
    assert walk(path, BlocksInMemory()) is not None
    assert walk(path, known_in_this_form) is None


def test_no_flipped_bit_is_accepted_that_a_load_refuses(tmp_path: Path) -> None:
    path, known = tmp_path / "one.pkl", BlocksInMemory()
    put(path, *make_events(5))
    walk(path, known)
    put(path, *make_events(5), Seen(9, make_record(9), NOW_US + 2))
    content, draws = path.read_bytes(), random.Random(3)
    ends = [at - back for at in range(len(content)) if content[:at].endswith(b"\0\0\xff\xff") for back in (5, 6)]
    for at in sorted({0, 1, len(content) - 1, *ends, *draws.sample(range(len(content)), 100)}):
        for bit in range(8):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
            for keeper in (BlocksInMemory(), known):
                if (walked := walk(path, keeper)) is not None:
                    assert load_checkpoint(path).digest == walked[0], (at, bit)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": b"\0\0"},
        {"gone": 1},
        {"latest_us": NOW_US * 2},
        {"begin_us": 0, "end_us": NOW_US * 2},
    ],
    ids=["flags", "gone", "latest", "order"],
)
def test_what_is_known_must_fit_what_follows_the_blocks(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path, known = tmp_path / "one.pkl", BlocksInMemory()
    put(path, *make_events(12))
    walk(path, known)
    assert walk(path, known) is not None
    digest, facts = next(iter(known.records.items()))
    if "flags" in wrong:
        wrong = {"flags": bytes(len(facts.ids))}
    known.records[digest] = replace(facts, **wrong)
    assert walk(path, known) is None


def test_no_block_gets_known_that_uses_a_text_of_another(tmp_path: Path) -> None:
    path = tmp_path / "one.pkl"
    put(path, *make_events(12))
    frames = list(frames_of(unpacked(PackedBytes(path.read_bytes()))))
    place = next(place for place, one in enumerate(frames) if b"\x8c\x08sound 12" in one)
    stored = b"\x8c\x04evil" + pack_index(b"r", 60_000) + b"0"
    frames[place - 1] = frame(stored + frames[place - 1][FRAME_HEAD_BYTES:])
    used = frames[place].replace(b"\x8c\x08sound 12", pack_index(b"j", 60_000))
    frames[place] = frame(used[FRAME_HEAD_BYTES:])
    digest, container = hashlib.sha256(b"".join(frames[:-1])).hexdigest(), Container()
    frames[-1] = encode_end(digest)
    packed = map(container.pack, frames)
    path.write_bytes(container.head + b"".join(packed) + container.end(zlib.adler32(b"".join(frames))))
    assert load_checkpoint(path).state.sound(12).name == "evil"
    assert walk(path, BlocksInMemory()) is None
