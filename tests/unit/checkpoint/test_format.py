"""The checkpoint format: readable by anyone, a function of its content, and nothing else."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.checkpoint._interned import Texts
from harvester.checkpoint._record_block import _FastPickler, _PlainPickler
from harvester.checkpoint.container import PackedBytes, unpacked
from harvester.checkpoint.format import Encoded, decode_checkpoint, digest_of, encode_checkpoint
from harvester.checkpoint.layout import layout_of
from harvester.checkpoint.stream import digest_in
from harvester.checkpoint.writer import END_BYTES, blocks_in
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import SoundGraph
from harvester.model import Event, Gone, Known, Linked, Seen, SimilarList, Withdrawn
from tests.support.histories import histories, quick
from tests.support.samples import NOW_US, SOURCE, content_of, make_events, make_record, make_state


def encode(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


@quick
@given(histories)
def test_what_is_encoded_is_decoded_value_for_value(history: list[Event]) -> None:
    state = make_state(history)
    decoded = decode_checkpoint(encode(state))
    assert content_of(decoded.state) == content_of(state)
    assert _kinds(decoded.state) == _kinds(state)
    assert decoded.digest == digest_of(state) == digest_of(decoded.state)


def _kinds(state: SoundGraph) -> dict[int, str]:
    """Return values with their types, since 1 == 1.0 == True."""
    return {sound_id: repr(sorted(attributes.items())) for sound_id, attributes in state.graph.nodes.items()}


@quick
@given(histories)
def test_equal_content_gives_equal_bytes_in_whatever_order_it_came(history: list[Event]) -> None:
    shuffled = list(history)
    random.Random(0).shuffle(shuffled)
    assert encode(make_state(shuffled)) == encode(make_state(history))


def many_events() -> list[Event]:
    """Return events of sounds that share some of their texts with some others, as in a library."""
    return [
        Seen(
            one.sound_id, make_record(one.sound_id, tags=[f"of {one.sound_id // 2}", f"by {one.sound_id % 7}"]), NOW_US
        )
        if isinstance(one, Seen)
        else one
        for one in make_events(150)
    ]


@settings(quick, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["linked", "gone", "withdrawn"]), st.integers(1, 20)), min_size=20, max_size=60)
)
def test_blocks_of_many_sounds_do_not_tell_in_which_order_marks_and_lists_came(marks: list[tuple[str, int]]) -> None:
    # More than one block: in a small one each field's name is its own first use.
    kinds: dict[str, Callable[[int], Event]] = {
        "linked": lambda i: Linked(i, SimilarList(((i % 150 + 1, 0.5),), NOW_US, 25)),
        "gone": lambda i: Gone(i, NOW_US + i),
        "withdrawn": lambda i: Withdrawn(i, NOW_US + i),
    }
    events: list[Event] = [event for event in many_events() if isinstance(event, Seen)]
    events += [kinds[kind](sound_id) for kind, sound_id in marks]
    one, other = make_state(events), make_state(list(reversed(events)))
    assert encode(one) == encode(other) == encode(decode_checkpoint(encode(one)).state)


def test_a_list_that_comes_late_changes_no_block_of_records() -> None:
    def records(state: SoundGraph) -> list[bytes]:
        frames = (block.encode() for block in blocks_in(state, layout_of(state)))
        return [frame for frame in frames if b"sound " in frame]

    seen = [event for event in many_events() if isinstance(event, Seen)]
    lists = [Linked(i, SimilarList(((i + 1, 0.9),), NOW_US + i, 25)) for i in range(1, 150, 9)]
    assert records(make_state([*seen, *lists])) == records(make_state(seen))


def pinned_state() -> SoundGraph:
    """Return sounds with the values whose opcodes Python's own pickler chooses: numbers, long texts, containers."""
    state = make_state(many_events())
    fields: list[dict[str, Any]] = [
        {"bpm": -(2**40), "filesize": 2**63 - 1, "bitrate": -1}, {"bpm": list(range(1001))}, {"bpm": 1 << 80},
        {"description": "é" * 65_536}, {"name": "\ud800"}, {"tags": ["one"]}, {"bpm": {str(i): i for i in range(1200)}},
        {"bpm": -(2**63)}, {"bpm": [1.5, None, True, "text"]}, {"description": "x" * 65_525},
    ]  # fmt: skip
    for sound_id, changes in enumerate(fields, 1):
        state.apply(Seen(sound_id, make_record(sound_id, **changes), NOW_US))
    state.apply(Gone(20, NOW_US))
    state.apply(Withdrawn(21, NOW_US))
    return state


def test_the_bytes_are_those_that_every_python_writes() -> None:
    """What Python's own pickler decides is pinned: digests are compared everywhere."""
    state = pinned_state()
    assert digest_of(state) == "611dd2d866b98b1556da840c31db763cc2cf15f184709320b4b098e242ab3d2a"


def test_without_the_fast_mode_of_the_pickler_the_bytes_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [pinned_state(), make_state(many_events())]
    for size in (0, 1, 2, 999, 1000, 1001, 2000, 2001):
        numbers = {f"key {number}": number for number in range(size)}
        names = list(numbers)
        fields: list[dict[str, Any]] = [{"bpm": numbers}, {"bpm": names}, {"previews": numbers}, {"tags": names}]
        states.append(make_state([Seen(i, make_record(i, **field), NOW_US) for i, field in enumerate(fields, 1)]))
    fast = [encode(state) for state in states]
    # A class written in Python, without the attribute; the code under test must not make one.
    monkeypatch.setattr(pickle, "Pickler", object)
    assert [encode(state) for state in states] == fast


def test_without_the_fast_mode_a_record_of_more_than_one_frame_is_told_alike() -> None:
    texts = Texts()
    texts.take(["name"])
    records = [{texts.copies["name"]: "x" * size, "tags": ["a", "b"]} for size in range(65_450, 65_560)]
    fast = [_FastPickler(texts).opcodes(record) for record in records]
    assert None in fast
    assert any(fast)
    assert [_PlainPickler(texts).opcodes(record) for record in records] == fast


def test_equal_strings_that_are_different_objects_change_nothing() -> None:
    one, other = SoundGraph(SOURCE), SoundGraph(SOURCE)
    text = "".join(["the same ", "description"])
    for sound_id in (1, 2):
        one.apply(Seen(sound_id, make_record(sound_id, description=text), NOW_US))
        other.apply(Seen(sound_id, make_record(sound_id, description="".join(list(text))), NOW_US))
    assert encode(one) == encode(other)


def test_equal_texts_that_are_one_object_change_nothing() -> None:
    """A text of a record may be the very object that recurs elsewhere as a user's name or a tag."""
    text = "".join(["the same ", "text"])
    alike: dict[str, Any] = {"username": text, "tags": [text, text], "pack": text, "geotag": text}
    apart = {name: value if name == "tags" else "".join(list(text)) for name, value in alike.items()}
    one, other = SoundGraph(SOURCE), SoundGraph(SOURCE)
    for sound_id in (1, 2):
        one.apply(Seen(sound_id, make_record(sound_id, name=text, description=text, **alike), NOW_US))
        other.apply(Seen(sound_id, make_record(sound_id, **apart), NOW_US))
        for name in ("name", "description"):
            # Past the canonical form, which would make them one again.
            one.graph.nodes[sound_id][name] = one.graph.nodes[sound_id]["username"]
            other.graph.nodes[sound_id][name] = "".join(list(text))
    assert encode(one) == encode(other) == encode(decode_checkpoint(encode(one)).state)


@pytest.mark.parametrize("text", ["", "x", "é", "\ud800", "😀", "x" * 300, "x" * 70_000])
@pytest.mark.parametrize("field", ["name", "username", "tags", "bpm"])
def test_a_text_of_any_length_in_any_field_is_the_same_after_a_round(text: str, field: str) -> None:
    # A text of one character comes out of JSON as an object of its own, out of a pickle as one that is shared.
    def anew() -> str:
        return orjson.loads(orjson.dumps(text)) if text != "\ud800" else text

    state = SoundGraph(SOURCE)
    for sound_id in (1, 2, 3):
        value = [anew(), "rain", anew()] if field == "tags" else anew()
        state.apply(Seen(sound_id, make_record(sound_id, **{field: value}), NOW_US))
    decoded = decode_checkpoint(encode(state))
    assert content_of(decoded.state) == content_of(state)
    assert encode(decoded.state) == encode(state)


def test_a_single_character_is_the_same_whether_it_recurs_elsewhere_or_not() -> None:
    state = SoundGraph(SOURCE)
    for sound_id in (1, 2, 3):
        name = orjson.loads(b'"x"')  # not the object that Python keeps of "x"
        state.apply(Seen(sound_id, make_record(sound_id, name=name, username="x", tags=["x", "rain"]), NOW_US))
    assert encode(decode_checkpoint(encode(state)).state) == encode(state)


def test_the_order_of_keys_in_a_field_changes_nothing() -> None:
    one, other = make_state(make_events(3)), make_state(make_events(3))
    # Past the canonical form: a file made by hand has them in any order.
    one.graph.nodes[2]["images"] = {"a": "1", "b": "2"}
    other.graph.nodes[2]["images"] = {"b": "2", "a": "1"}
    assert encode(one) == encode(other)


ODD: list[Any] = [
    [], {}, ["rain"], [1], [None, "rain"], ["rain", ["deeper"]], {"one": 1}, {"b": 1, "a": [1, {"c": "d"}]},
    {"username": "x y"}, {"": ""}, [[]], [{}], list(range(1500)), 1 << 70, -(1 << 31) - 1, 1e300, True, None, "text",
]  # fmt: skip
"""Values that no field of a sound has, one beside others that are as usual."""


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["tags", "username", "previews", "bpm"])
def test_an_odd_value_is_written_among_usual_ones_and_read_back_the_same(odd: Any, field: str) -> None:
    state = make_state(make_events(5))
    state.apply(Seen(3, make_record(3, **{field: odd}), NOW_US))
    packed = encode(state)
    decoded = decode_checkpoint(packed)
    assert content_of(decoded.state) == content_of(state)
    assert _kinds(decoded.state) == _kinds(state)
    assert encode(decoded.state) == packed


def test_ids_beyond_32_bits_keep_their_edges() -> None:
    ids = (5, 2**31 - 1, 2**31, 2**53 - 1)
    state = SoundGraph(SOURCE)
    for sound_id in ids:
        state.apply(Seen(sound_id, make_record(sound_id), NOW_US))
    state.apply(Linked(5, SimilarList(tuple((other, 0.5) for other in ids[1:]), NOW_US, 25)))
    state.apply(Linked(ids[1], SimilarList(((5, 0.5),), NOW_US, 25)))
    decoded = decode_checkpoint(encode(state))
    assert content_of(decoded.state) == content_of(state)
    assert encode(decoded.state) == encode(state)


def test_edges_are_written_best_first_in_whatever_order_they_stand() -> None:
    one, other = make_state(make_events(6)), make_state(make_events(6))
    for state, ids in ((one, (2, 3, 4)), (other, (4, 3, 2))):
        state.graph.relink(1, {sound_id: {"score": 0.5 if sound_id < 4 else 0.75} for sound_id in ids})
    assert encode(one) == encode(other)


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import hashlib; from tests.support.samples import make_events, make_state;"
        "from harvester.checkpoint.format import encode_checkpoint;"
        "print(hashlib.sha256(b''.join(encode_checkpoint(make_state(make_events(40))))).hexdigest())"
    )
    root = Path(__file__).resolve().parents[3]
    here = os.environ | {"PYTHONPATH": str(root)}
    found = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=root,
            env=here | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "4711")
    }  # fmt: skip
    assert len(found) == 1


def test_joblib_loads_it_with_networkx_alone(tmp_path: Path) -> None:
    import joblib

    state = make_state([*make_events(5), Known(99, NOW_US)])
    (tmp_path / "library.pkl").write_bytes(encode(state))
    library = joblib.load(tmp_path / "library.pkl")
    assert list(library) == ["graph", "processed_ids", "sound_cache", "metadata"]
    graph = library["graph"]
    assert type(graph) is networkx.DiGraph
    assert networkx.utils.graphs_equal(graph, state.graph)
    assert {b: dict(graph.pred[b]) for b in graph} == {b: dict(state.graph.pred[b]) for b in graph}
    assert all(graph.pred[b][a] is graph.succ[a][b] for a, b in graph.edges)
    assert library["sound_cache"].keys() == set(range(1, 6))
    assert all(library["sound_cache"][sound_id] is graph.nodes[sound_id] for sound_id in library["sound_cache"])
    assert library["processed_ids"] == state.processed
    graph.add_edge(1, 12345)
    assert 12345 in graph.nodes


def test_the_graph_class_is_the_only_global_in_the_file() -> None:
    stream = zlib.decompress(encode(make_state(make_events(3))))
    operations = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(stream)]
    names = [name for name, _ in operations]
    place = names.index("STACK_GLOBAL")
    assert [argument for _, argument in operations[place - 2 : place]] == ["networkx.classes.digraph", "DiGraph"]
    assert names.count("STACK_GLOBAL") == names.count("REDUCE") == names.count("BUILD") == 1
    assert not {"GLOBAL", "INST", "OBJ", "NEWOBJ", "EXT1", "PERSID", "BINPERSID"} & set(names)


def test_the_metadata_is_a_function_of_the_content() -> None:
    decoded = decode_checkpoint(encode(make_state(make_events(3))))
    metadata = dict(decoded.metadata)
    assert metadata.pop("digest") == decoded.digest
    assert metadata == {
        "format_version": 1, "timestamp": "2026-09-21T14:13:10Z", "nodes": 3, "edges": 6, "source": SOURCE,
        "similarity_space": "laion_clap", "seeds": [1], "statistics": {"gone": 0, "processed": 3, "records": 3},
    }  # fmt: skip


def test_any_change_changes_the_digest() -> None:
    base = make_state(make_events(3))
    seen = {digest_of(base)}
    for change in (Known(9, NOW_US), Seen(1, make_record(1, name="other"), NOW_US)):
        state = make_state([*make_events(3), change])
        seen.add(digest_of(state))
    other = make_state(make_events(3))
    other.seeds.add(2)
    seen.add(digest_of(other))
    assert len(seen) == 4


def test_the_digest_is_found_without_building_anything() -> None:
    state = make_state(make_events(3))
    assert digest_in(PackedBytes(encode(state))) == digest_of(state)


@pytest.mark.parametrize("harm", ["content", "digest", "no digest", "cut"])
def test_a_digest_that_does_not_match_its_content_is_refused_without_building_anything(harm: str) -> None:
    packed = encode(make_state(make_events(3)))
    stream = bytearray(b"".join(unpacked(PackedBytes(packed))))
    place = len(stream) - END_BYTES
    if harm == "content":
        at = stream.index(b"sound 2")
        stream[at : at + 7] = b"SOUND 2"
    elif harm == "digest":
        stream[place + 11] ^= 1
    elif harm == "no digest":
        stream = stream[:place] + b"."
    packed = packed[:-5] if harm == "cut" else zlib.compress(bytes(stream))
    with pytest.raises(LibraryCorrupt, match=r"digest|cut|end|compression"):
        digest_in(PackedBytes(packed))


def test_what_is_new_changes_no_block_that_was_there() -> None:
    def blocks(packed: bytes) -> set[bytes]:
        return set(packed.split(b"\x00\x00\xff\xff"))

    seen = [event for event in make_events(1000) if isinstance(event, Seen)]
    before = encode(make_state(seen))
    lists = [Linked(i, SimilarList(((i + 1, 0.9), (600, 0.8)), NOW_US + i, 25)) for i in range(1, 1000, 40)]
    for new in ([Known(2000, NOW_US)], lists):
        after = encode(make_state([*seen, *new]))
        assert sum(map(len, blocks(after) - blocks(before))) < len(before) // 4
    linked = encode(make_state(make_events(1000)))
    withdrawn = encode(make_state([*make_events(1000), Withdrawn(500, NOW_US)]))
    assert sum(map(len, blocks(withdrawn) - blocks(linked))) < len(linked) // 4


def test_a_newer_format_is_named_as_such() -> None:
    plain = _plain(format_version=3)
    with pytest.raises(NewerFormat, match="format 3"):
        decode_checkpoint(plain)


def _plain(**changes: object) -> bytes:
    """Return a checkpoint of one sound whose metadata was changed."""
    stream = b"".join(unpacked(PackedBytes(encode(make_state(make_events(1))))))
    changed = stream.replace(b"\x8c\x0eformat_versionK\x01", b"\x8c\x0eformat_versionK\x03")
    assert changed != stream or not changes
    return zlib.compress(changed)


def test_the_stream_is_never_whole_in_memory() -> None:
    encoded = Encoded()
    largest = max(len(chunk) for chunk in encode_checkpoint(make_state(make_events(1000)), encoded))
    assert largest < encoded.size_bytes / 4


def test_a_file_written_by_joblib_itself_is_refused_with_one_line(tmp_path: Path) -> None:
    import joblib

    state = make_state(make_events(3))
    plain = {"graph": state.graph, "processed_ids": state.processed, "sound_cache": {}, "metadata": {}}
    joblib.dump(plain, tmp_path / "theirs.pkl", compress=3)
    with pytest.raises(LibraryCorrupt) as caught:
        decode_checkpoint((tmp_path / "theirs.pkl").read_bytes())
    assert "\n" not in str(caught.value)


def test_records_that_are_not_json_never_reach_a_file() -> None:
    state = SoundGraph(SOURCE)
    state.apply(Known(1, NOW_US))
    state.graph.nodes[1]["client"] = io.BytesIO()
    with pytest.raises(ValueError, match="BytesIO"):
        encode(state)
