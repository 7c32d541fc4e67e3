"""A state whose sounds stay on disk: it says what the loaded one says, and no file makes it say anything else."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint import store_checkpoint
from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import FRAME_HEAD_BYTES, frame, pack_index
from harvester.checkpoint.container import PackedBytes, unpacked
from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import decode_checkpoint, digest_of, encode_checkpoint
from harvester.checkpoint.stored import StoringKeeper
from harvester.checkpoint.walk import walk_checkpoint
from harvester.checkpoint.writer import encode_end
from harvester.errors import LibraryCorrupt
from harvester.graph import SoundGraph
from harvester.model import Event, Gone, Known, Linked, Related, Seen, SimilarList, Withdrawn
from tests.support.fuzz_loader import mutants
from tests.support.histories import events, quick
from tests.support.samples import NOW_US, make_events, make_record, make_state


def encode(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


def stored(packed: bytes) -> SoundGraph | None:
    keeper = StoringKeeper()
    return keeper.state if walk_checkpoint(PackedBytes(packed), keeper=keeper) else None


def told(state: SoundGraph) -> tuple[Any, ...]:
    """All that a state says, with the order of sounds, attributes and edges; as text, because NaN is not NaN."""
    graph, ids = state.graph, list(state.graph)
    return (
        ids, repr([graph._node[one] for one in ids]), repr([graph._adj[one] for one in ids]), repr(dict(graph.nodes)),
        sorted(graph.edges), len(state), sorted(state.processed), sorted(state.seeds), state.source, state.space,
        state.edge_count, state.list_count, state.record_count, state.gone_count, state.has_weights,
        [one for one in ids if state.is_gone(one)], [one for one in range(15) if one in state],
    )  # fmt: skip


@quick
@given(st.lists(events(), max_size=30))
def test_what_is_stored_is_what_is_loaded(history: list[Event]) -> None:
    packed = encode(make_state(history))
    state = stored(packed)
    assert state is not None
    assert told(state) == told(decode_checkpoint(packed).state)


def test_many_blocks_are_stored(tmp_path: Path) -> None:
    odd: list[Event] = [
        Known(5_000, NOW_US), Gone(7, NOW_US + 5), Withdrawn(8, NOW_US + 6), Related(9, 5_000, "pack", NOW_US, 2.5),
        Seen(5_001, make_record(5_001, extra={"deep": [[], {}]}), NOW_US),
        Linked(5_001, SimilarList(((1, 0.5), (2, 0.5)), NOW_US + 7, 25)),
    ]  # fmt: skip
    path = tmp_path / "one.pkl"
    path.write_bytes(encode(make_state([*make_events(2_000), *odd])))
    found, loaded = store_checkpoint(path), load_checkpoint(path)
    assert found is not None
    assert (told(found.state), found.digest, found.metadata["nodes"]) == (told(loaded.state), loaded.digest, 2_002)
    assert digest_of(found.state) == loaded.digest


def test_a_stored_state_refuses_every_change() -> None:
    state = stored(encode(make_state(make_events(3))))
    assert state is not None
    with pytest.raises(TypeError, match="read-only"):
        state.apply(Gone(1, NOW_US))
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        state.join(make_state(make_events(1, first=9)))
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        state.graph.relink(1, {})


def test_a_broken_file_is_refused_as_the_loader_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "one.pkl"
    path.write_bytes(encode(make_state(make_events(3)))[:-9])
    assert store_checkpoint(path) is None
    with pytest.raises(LibraryCorrupt):
        load_checkpoint(path)
    path.write_bytes(b"")
    assert store_checkpoint(path) is None


def test_of_changed_files_only_what_the_loader_reads_is_stored() -> None:
    read = 0
    for packed in mutants(20261130, 1_500):
        state = stored(packed)
        if state is not None:
            read += 1
            assert told(state) == told(decode_checkpoint(packed).state)
    assert 0 < read < 200


def added(packed: bytes, number: int, opcodes: bytes) -> bytes:
    """Return the checkpoint with more opcodes at the end of a frame, and the digest that it has then."""
    frames = list(frames_of(unpacked(PackedBytes(packed))))
    frames[number] = frame(frames[number][FRAME_HEAD_BYTES:] + opcodes)
    content = b"".join(frames[:-1])
    return zlib.compress(content + encode_end(hashlib.sha256(content).hexdigest()))


def record(place: int) -> int:
    return TEXT_SLOTS + 2 * place


ENDS = next(one for one in range(10, 1000) if (one * 0x9E3779B1 & 0xFFFFFFFF) * 128 >> 32 == 0)
"""The id of a sound that ends its block."""
OLDER = b"}(\x8c\x08added_atK\x01u"
LINK = (
    b"(\x8c\x09linked_atK\x14\x8c\x0blink_origin\x8c\x06server\x8c\x0alink_space\x8c\x0alaion_clap"
    b"\x8c\x0alink_limitK\x19\x8c\x0blink_filter\x8c\0u0"
)
RELATED = b"(K\x02}(\x8c\x08relation](\x8c\x01xeuu0"


def two_blocks() -> bytes:
    """Frames: protocol, records of 1 to ENDS, records of the others, lists of 1 and ENDS, the list of 2."""
    known = [Known(one, 5) for one in (1, 2, ENDS)] + [Known(one, 60) for one in (3, 4)]
    related = [Related(1, 2, "x", 90), Related(ENDS, 2, "x", 90)]
    return encode(make_state([*known, *related, Linked(2, SimilarList(((3, 0.5),), 10, 25))]))


@pytest.mark.parametrize(
    ("number", "opcodes"),
    [
        pytest.param(2, OLDER + pack_index(b"r", record(0)) + b"0", id="a later block replaces a record"),
        pytest.param(2, OLDER + pack_index(b"r", record(1)) + b"0", id="a record that is listed later"),
        pytest.param(2, pack_index(b"j", record(3) + 1) + RELATED, id="edges among the records"),
        pytest.param(
            1, pack_index(b"j", record(1) + 1) + pack_index(b"r", record(0) + 1) + b"0", id="two share their edges"
        ),
        pytest.param(1, pack_index(b"j", record(0)) + LINK, id="a list among the records"),
        pytest.param(1, b"]" + pack_index(b"r", record(0) + 1) + b"0", id="edges that are no dict"),
        pytest.param(4, pack_index(b"j", record(1)) + b"(\x8c\x07gone_atK\x05u0", id="a list that says more"),
        pytest.param(3, OLDER + pack_index(b"r", record(3)) + b"0", id="a block of lists replaces a record"),
        pytest.param(3, OLDER + pack_index(b"r", record(1)) + b"0", id="one that the next block adds to"),
        pytest.param(
            4,
            pack_index(b"j", record(0))
            + b"(h\x01K\x14h\x02\x8c\x06serverh\x03\x8c\x0alaion_claph\x04K\x19h\x05\x8c\0u0",
            id="a sound in two blocks of lists",
        ),
    ],
)
def test_a_block_that_changes_what_another_says_is_not_stored(number: int, opcodes: bytes) -> None:
    packed = two_blocks()
    assert stored(packed) is not None
    assert stored(added(packed, number, b"")) is not None, "the bytes of a frame may be packed in another way"
    assert stored(added(packed, number, opcodes)) is None


def test_the_loader_takes_a_record_that_a_later_block_replaced() -> None:
    packed = added(two_blocks(), 2, OLDER + pack_index(b"r", record(0)) + b"0")
    assert decode_checkpoint(packed).state.attributes(1) == {"added_at": 1}
