"""Files from Git and from colleagues are untrusted: whatever is in them, nothing runs and the answer is one line."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.checkpoint._opcodes import frame
from harvester.checkpoint.container import PackedBytes, unpacked
from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint
from harvester.errors import HarvesterError, LibraryCorrupt
from tests.support.samples import NOW_US, content_of, make_events, make_record, make_state

GOOD = b"".join(encode_checkpoint(make_state(make_events(4))))
STREAM = b"".join(unpacked(PackedBytes(GOOD)))


class _Runs:
    """Runs a command when it is unpickled the ordinary way."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch harm-was-done",)


class _Stub:
    """Pickles as the graph of a checkpoint, with whatever nodes and edges a test wants."""

    def __init__(self, nodes: Any, edges: Any, state: Any = None) -> None:
        self.nodes, self.edges, self.state = nodes, edges, state

    def __reduce__(self) -> tuple[Any, ...]:
        return networkx.DiGraph, (self.edges,), self.state or (None, {"_node": self.nodes})


class _Forger(pickle._Pickler):
    """Writes with the opcodes that a checkpoint has, so that the scan lets it through to the check of values."""

    # The pickler that is written in Python has these; its stub does not say so.
    write: Any
    save: Any
    framer: Any

    def put(self, index: int) -> bytes:
        return b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index)

    def _batch_appends(self, items: Any, *_: Any) -> None:
        self.write(pickle.MARK)
        for element in items:
            self.save(element)
        self.write(pickle.APPENDS)


def forged(
    nodes: Any,
    edges: Any = None,
    *,
    processed: Any = None,
    cache: Any = None,
    state: Any = None,
    changed: dict[str, Any] | None = None,
) -> bytes:
    """Return a checkpoint with a true digest around whatever content a test wants."""
    edges = edges if edges is not None else {sound_id: {} for sound_id in nodes}
    cache = cache if cache is not None else {key: value for key, value in nodes.items() if "fetched_at" in value}
    count = sum(len(targets) for targets in edges.values()) if isinstance(edges, dict) else 0
    plain = {
        "graph": _Stub(nodes, edges, state),
        "processed_ids": processed if processed is not None else set(),
        "sound_cache": cache,
        "metadata": {
            "format_version": 1, "timestamp": "", "nodes": len(nodes), "edges": count, "source": "",
            "similarity_space": "laion_clap", "seeds": [], "statistics": {}, **(changed or {}), "digest": "0" * 64,
        },
    }  # fmt: skip
    out = io.BytesIO()
    forger = _Forger(out, 5)
    forger.framer.start_framing = lambda: None
    forger.dump(plain)
    return sign(out.getvalue())


def sign(stream: bytes) -> bytes:
    """Return a stream with its digest made true and packed, so that only what is inside can be refused."""
    tail = b"\x8c\x40" + b"0" * 64
    body = stream[: stream.rindex(tail)]
    frame = b"\x95" + struct.pack("<Q", len(tail) + 3)
    body += frame
    digest = hashlib.sha256(body[: -len(frame)]).hexdigest().encode()
    return zlib.compress(body + b"\x8c\x40" + digest + b"uu.")


NODE = {"added_at": NOW_US}


def _behind_a_frame(hidden: bytes) -> bytes:
    """Return opcodes in which the unpickler runs `hidden`, and who does not know of frames sees a short text.

    The frame ends in the middle of an argument: the unpickler forgets the two bytes and reads four others.
    """
    return b"\x95" + struct.pack("<Q", 3) + b"J\x01\x01" + b"\0\0\x8c" + bytes([len(hidden)]) + hidden + b"0"


def test_the_forger_of_these_tests_can_write_a_file_that_is_accepted() -> None:
    record = make_record(1) | {"added_at": NOW_US, "fetched_at": NOW_US}
    assert len(decode_checkpoint(forged({1: record, 2: dict(NODE)})).state) == 2
    assert decode_checkpoint(forged(_record(bpm=1, extra_stamps={"bpm": 3}))).state.attributes(1)["bpm"] == 1


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _record(**changes: Any) -> dict[int, dict[str, Any]]:
    return {1: make_record(1) | {"added_at": 1, "fetched_at": 1} | changes}


LINKED = {"linked_at": 1, "link_origin": "server", "link_space": "laion_clap", "link_limit": 5, "link_filter": ""}
SHARED_LIST = ["x"]

HOSTILE: dict[str, Callable[[], bytes]] = {
    "a call of os.system": lambda: zlib.compress(pickle.dumps({"graph": _Runs()}, 5)),
    "a call of os.system in a good file": lambda: zlib.compress(STREAM[:-1] + pickle.dumps(_Runs(), 5)[2:]),
    "an old protocol": lambda: zlib.compress(pickle.dumps({}, 2)),
    "a memo bomb": lambda: zlib.compress(b"\x80\x05Nr\xff\xff\xff\x7f."),
    "a memo bomb within a block": lambda: zlib.compress(STREAM[:2] + b"Nr\xff\xff\xff\x00" + STREAM[2:]),
    "a memo bomb behind a frame": lambda: zlib.compress(STREAM[:2] + _behind_a_frame(b"0Nr\0\0\0\x100") + STREAM[2:]),
    "a frame within a frame": lambda: zlib.compress(
        STREAM[:2] + b"\x95" + struct.pack("<Q", len(STREAM) - 11) + STREAM[2:]
    ),
    "gigabytes of bytearray": lambda: zlib.compress(pickle.dumps(bytearray(8), 5).replace(b"\x08", b"\xff", 1)),
    "a bytearray by name": lambda: zlib.compress(
        b"\x80\x05\x8c\x08builtins\x8c\x09bytearray\x93J\x00\x00\x00\x20\x85R."
    ),
    "a text longer than the file": lambda: zlib.compress(b"\x80\x05X\xff\xff\xff\x7fabc."),
    "nothing but braces": lambda: zlib.compress(STREAM[:2] + frame(b"}0" * 6_000_000) + STREAM[2:]),
    "a zip bomb": lambda: zlib.compress(b"\x80\x05" + b"N0" * 40_000_000, 9),
    "BUILD that shadows a method": lambda: forged(
        {1: dict(NODE)}, state=(None, {"_node": {1: dict(NODE)}, "add_node": 1})
    ),
    "BUILD that sets the dict": lambda: forged({1: dict(NODE)}, state={"_node": {1: dict(NODE)}}),
    "a second BUILD": lambda: zlib.compress(STREAM[:-1] + b"}b."),
    "an integer of a megabyte as key": lambda: zlib.compress(
        b"\x80\x05}\x8b" + struct.pack("<I", 1 << 20) + b"\x01" * (1 << 20) + b"Ns."
    ),
    "nothing": lambda: b"",
    "no zlib": lambda: b"x\x9cgarbage",
    "plain pickle": lambda: STREAM,
    "one byte cut": lambda: GOOD[:-1],
    "the trailer cut": lambda: GOOD[:-4],
    "bytes after the end": lambda: GOOD + b"\0",
    "a second file after the end": lambda: GOOD + GOOD,
    "a stream after the stream": lambda: zlib.compress(STREAM + STREAM),
    "a wrong digest": lambda: zlib.compress(STREAM.replace(b"sound 1", b"sound 7", 1)),
    "a list": lambda: sign(pickle.dumps([1, {"digest": "0" * 64}], 5)[:-2] + b"uu."),
    "ids that are texts": lambda: forged({"1": dict(NODE)}),
    "ids that are floats": lambda: forged({1.0: dict(NODE)}),
    "ids that are booleans": lambda: forged({True: dict(NODE)}),
    "an id of zero": lambda: forged({0: dict(NODE)}),
    "attributes that are a list": lambda: forged({1: []}, cache={}),
    "no stamp": lambda: forged({1: {}}),
    "a stamp that is a text": lambda: forged({1: {"added_at": "now"}}),
    "a stamp that is negative": lambda: forged({1: {"added_at": -1}}),
    "a stamp of the year 10000": lambda: forged({1: {"added_at": 253_402_300_800_000_000}}),
    "a stamp of the year 10000 among others": lambda: forged(
        _record(fetched_at=253_402_300_800_000_000) | {2: dict(NODE)}
    ),
    "an extra stamp of the year 10000": lambda: forged(_record(bpm=1, extra_stamps={"bpm": 253_402_300_800_000_000})),
    "an extra field of a record later than the latest": lambda: forged(
        {1: {"id": 1, "added_at": 1, "fetched_at": 5, "bpm": 3, "extra_stamps": {"bpm": 10}}}
    ),
    "a record without a stamp": lambda: forged({1: {"added_at": 1, "name": "x"}}),
    "extra stamps without a record": lambda: forged({1: {"added_at": 1, "extra_stamps": {"bpm": 3}}}),
    "extra stamps that are a list": lambda: forged(_record(bpm=1, extra_stamps=["bpm"])),
    "extra stamps of nothing": lambda: forged(_record(bpm=1, extra_stamps={})),
    "an extra stamp of a field that is not there": lambda: forged(_record(bpm=1, extra_stamps={"loudness": 3})),
    "an extra stamp of a field that is none": lambda: forged(_record(bpm=1, extra_stamps={"name": 3})),
    "an extra stamp that is a text": lambda: forged(_record(bpm=1, extra_stamps={"bpm": "3"})),
    "an extra stamp that is the record's": lambda: forged(_record(bpm=1, extra_stamps={"bpm": 1})),
    "a record of another sound": lambda: forged(_record(id=2)),
    "a name that is a number": lambda: forged({1: {"added_at": 1, "fetched_at": 1, 5: 1}}),
    "an integer that cannot be written as text": lambda: forged(_record(num_downloads=10**4300)),
    "a value that is a set": lambda: forged(_record(tags=set())),
    "a value that is a tuple": lambda: forged(_record(tags=(1,))),
    "a value that is bytes": lambda: forged(_record(tags=b"x")),
    "nesting that could not be written again": lambda: forged(_record(tags=_nested(100))),
    "nesting without end": lambda: forged(_record(tags=_nested(150))),
    "a list within itself": lambda: forged(_record(tags=_circle())),
    "a list shared by two records": lambda: forged(
        {i: make_record(i, tags=SHARED_LIST) | {"added_at": 1, "fetched_at": 1} for i in (1, 2)}
    ),
    "an edge to nowhere": lambda: forged({1: NODE | LINKED}, {1: {2: {"score": 0.5}}}),
    "an edge that is no dict": lambda: forged({1: NODE | LINKED}, {1: {1: 0.5}}),
    "an edge with more": lambda: forged({1: NODE | LINKED}, {1: {1: {"score": 0.5, "weight": 1}}}),
    "a score above one": lambda: forged({1: NODE | LINKED}, {1: {1: {"score": 1.5}}}),
    "a score that is not a number": lambda: forged({1: NODE | LINKED}, {1: {1: {"score": float("nan")}}}),
    "a score that is a text": lambda: forged({1: NODE | LINKED}, {1: {1: {"score": "1"}}}),
    "a scored edge without a list": lambda: forged({1: dict(NODE)}, {1: {1: {"score": 0.5}}}),
    "half of a list's stamps": lambda: forged({1: NODE | {"linked_at": 5}}),
    "edges of a sound that is not there": lambda: forged({1: dict(NODE)}, {1: {}, 2: {}}),
    "edges that are a list": lambda: forged({1: dict(NODE)}, []),
    "a processed sound without a record": lambda: forged({1: dict(NODE)}, processed={1}),
    "processed ids that are a list": lambda: forged({1: dict(NODE)}, processed=[1]),
    "a sound cache of copies": lambda: forged(_record(), cache={1: dict(_record()[1])}),
    "a sound cache without a sound": lambda: forged(_record(), cache={}),
    "wrong counts": lambda: forged({1: dict(NODE)}, changed={"nodes": 2}),
    "counts that are texts": lambda: forged({1: dict(NODE)}, changed={"nodes": "1"}),
    "an unknown space": lambda: forged({1: dict(NODE)}, changed={"similarity_space": "x"}),
    "seeds that are texts": lambda: forged({1: dict(NODE)}, changed={"seeds": ["1"]}),
    "statistics that are lists": lambda: forged({1: dict(NODE)}, changed={"statistics": {"a": []}}),
    "more metadata": lambda: forged({1: dict(NODE)}, changed={"client": "x"}),
}

REASONS = {
    "a memo bomb": "an opcode", "a memo bomb behind a frame": "frame", "a frame within a frame": "an opcode",
    "nothing but braces": "far more containers", "a zip bomb": "unpacks to more",
    "one byte cut": "its end is missing", "the trailer cut": "its end is missing", "a wrong digest": "its digest",
    "ids that are texts": "not a sound id", "ids that are floats": "not a sound id",
    "a stamp that is a text": "added_at",
    "a stamp of the year 10000": "invalid added_at",
    "a stamp of the year 10000 among others": "invalid fetched_at",
    "an extra stamp of the year 10000": "extra_stamps hold an invalid stamp",
    "an extra field of a record later than the latest": "newer than fetched_at",
    "an integer that cannot be written as text": "thousands of digits",
    "a record of another sound": "another sound", "a value that is a set": "holds a value that JSON does not have",
    "nesting without end": "too deep", "nesting that could not be written again": "too deep",
    "a list within itself": "shares", "a list shared by two records": "shares",
    "an edge to nowhere": "not in the library", "an edge with more": "other than score, relation and weights",
    "a score above one": "between 0 and 1",
    "a score that is not a number": "between 0 and 1", "a scored edge without a list": "no similar list",
    "a processed sound without a record": "processed_ids", "a sound cache of copies": "differs",
    "wrong counts": "counts", "an unknown space": "metadata", "BUILD that shadows a method": "more than nodes",
    "BUILD that sets the dict": "", "no stamp": "lacks added_at",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_one_line_and_nothing_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "freesound_library.pkl"
    path.write_bytes(HOSTILE[kind]())
    begin = time.process_time()
    with pytest.raises(LibraryCorrupt) as caught:
        load_checkpoint(path)
    assert time.process_time() - begin < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    if kind in REASONS:
        assert REASONS[kind] in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_edges_shared_ten_thousandfold_cost_no_more_than_the_file() -> None:
    count = 3000
    nodes = {sound_id: dict(NODE | LINKED) for sound_id in range(1, count + 1)}
    edge = {"score": 0.5}
    shared = dict.fromkeys(nodes, edge)
    with pytest.raises(LibraryCorrupt, match="shared"):
        decode_checkpoint(forged(nodes, dict.fromkeys(nodes, shared)))


def _bound_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20))


def test_memory_stays_bounded_by_the_file(tmp_path: Path) -> None:
    """All bombs are opened by a process that may take 900 MB of address space, the libraries included."""
    program = (
        "import sys; from pathlib import Path; from harvester.errors import LibraryCorrupt;"
        "from harvester.checkpoint.files import load_checkpoint\n"
        "for name in sys.argv[1:]:\n"
        "    try: load_checkpoint(Path(name))\n"
        "    except LibraryCorrupt: print(Path(name).name)\n"
    )
    bombs = ["a memo bomb", "a memo bomb behind a frame", "nothing but braces", "gigabytes of bytearray", "a zip bomb"]
    for kind in bombs:
        (tmp_path / kind).write_bytes(HOSTILE[kind]())
    done = subprocess.run(
        [sys.executable, "-c", program, *(str(tmp_path / kind) for kind in bombs)], capture_output=True, text=True,
        check=False, preexec_fn=_bound_memory,
    )  # fmt: skip
    assert done.stdout.splitlines() == bombs, done.stderr


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_streams_give_a_named_error_or_a_true_state(data: st.DataObject) -> None:
    _judge(_mutate(STREAM, data))


@pytest.mark.chaos
@settings(max_examples=30_000, deadline=None)
@given(st.data())
def test_tens_of_thousands_of_mutated_streams(data: st.DataObject) -> None:
    _judge(_mutate(STREAM, data))


def _mutate(stream: bytes, data: st.DataObject) -> bytes:
    changed = bytearray(stream[: stream.rindex(b"\x8c\x40") + 2] + b"0" * 64 + b"uu.")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(2, len(changed) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "copy"]))
        if kind == "set":
            changed[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del changed[place : place + data.draw(st.integers(1, 20))]
        elif kind == "insert":
            changed[place:place] = data.draw(st.binary(min_size=1, max_size=8))
        else:
            changed[place:place] = changed[: data.draw(st.integers(1, 200))]
    return bytes(changed)


def _judge(stream: bytes) -> None:
    try:
        packed = sign(stream)
    except ValueError:
        packed = zlib.compress(stream)
    try:
        decoded = decode_checkpoint(packed)
    except HarvesterError:
        return
    content_of(decoded.state)
    assert decode_checkpoint(b"".join(encode_checkpoint(decoded.state))).digest
