"""What the format documents say is enough to read a checkpoint and a journal: by a reader written from them alone."""

from __future__ import annotations

import hashlib
import json
import pickle
import pickletools
import shutil
import signal
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.journal.reader import load_contents
from harvester.model import Event, Gone, Known, Linked, Related, Seeded, Seen, Withdrawn
from tests.support.processes import run, start, wait_until

LIBRARY = Path("sandbox_library")
CHECKPOINT, JOURNAL = "freesound_library.pkl", "freesound_library.journal"

# --- the reader, from checkpoint/FORMAT.md and journal/FORMAT.md alone; nothing of the harvester is in it

NAMES = (
    "PROTO FRAME STOP MARK POP NONE NEWTRUE NEWFALSE BININT1 BININT2 BININT LONG1 LONG4 BINFLOAT SHORT_BINUNICODE "
    "BINUNICODE EMPTY_DICT SETITEM SETITEMS EMPTY_LIST APPENDS EMPTY_SET ADDITEMS BINPUT LONG_BINPUT BINGET "
    "LONG_BINGET STACK_GLOBAL TUPLE1 REDUCE TUPLE2 BUILD"
)
ONCE = {"STACK_GLOBAL", "TUPLE1", "REDUCE", "TUPLE2", "BUILD"}


class Graph:
    def __init__(self, adjacency: dict[int, Any]) -> None:
        self.adjacency = adjacency

    def __setstate__(self, state: Any) -> None:
        assert state[0] is None
        (self.nodes,) = state[1].values()


class Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        assert (module_name, global_name) == ("networkx.classes.digraph", "DiGraph")
        return Graph


def read_stream(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    stream = unpacker.decompress(packed, (16 << 20) + 50 * len(packed))
    assert unpacker.eof and not unpacker.unused_data  # noqa: PT018
    assert stream[:2] == b"\x80\x05"
    assert hashlib.sha256(stream[:-78]).hexdigest().encode() == stream[-67:-3]
    return stream


def read_opcodes(stream: bytes) -> list[tuple[str, Any, int]]:
    opcodes = pickletools.genops(stream)
    found: list[tuple[str, Any, int]] = [(opcode.name, argument, place or 0) for opcode, argument, place in opcodes]
    counts = Counter(name for name, _, _ in found)
    assert counts.keys() <= set(NAMES.split())
    assert all(counts[name] == 1 for name in ONCE)
    assert sum(counts[name] for name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET", "MARK")) <= len(stream) // 4 + 4096
    end = 2
    for place, size in ((place, argument) for name, argument, place in found if name == "FRAME"):
        assert place == end
        end = place + 9 + size
    assert end == len(stream)
    return found


def read_checkpoint(packed: bytes) -> dict[str, Any]:
    stream = read_stream(packed)
    read_opcodes(stream)
    value: dict[str, Any] = Unpickler(BytesIO(stream)).load()
    weighted = any("weights" in edge for edges in value["graph"].adjacency.values() for edge in edges.values())
    assert value["metadata"]["format_version"] == (2 if weighted else 1)
    return value


def checked(seq: int, count: int, body: bytes) -> bytes:
    assert hashlib.blake2b(f"{seq} {count} ".encode() + body[8:], digest_size=8).digest() == body[:8], f"row {seq}"
    return body[8:]


def read_journal(path: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(path)) as database:
        ((body,),), ((last,),) = map(database.execute, ("SELECT body FROM head", "PRAGMA user_version"))
        head = json.loads(checked(0, 0, body)) | {"last": last}
        table = database.execute("SELECT seq, count, body FROM events")
        rows = {seq: json.loads(zlib.decompress(checked(seq, count, body)[1:])) for seq, count, body in table}
        assert sorted(rows) == list(range(head["safe"] + 1, last + 1))
        deferrals, notes = (database.execute(f"SELECT * FROM {name}").fetchall() for name in ("deferrals", "notes"))
        return {"head": head, "rows": rows, "deferrals": deferrals, "notes": notes}


# --- the tests


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library as a harvest of the sandbox leaves it, and then one that was killed."""
    cwd = tmp_path_factory.mktemp("harvest")
    filtered = ("harvest", "--filter", "type:wav", "--concurrency", "4")
    assert run(*filtered, "--samples", "20", cwd=cwd, key=None).code == 0
    journal = cwd / LIBRARY / JOURNAL

    def has_rows() -> bool:
        contents = load_contents(journal)
        return contents is not None and contents.head.last > contents.head.safe + 20

    killed = start(*filtered, "--samples", "4000", cwd=cwd, key=None)
    wait_until(has_rows, what="rows in the journal")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    return cwd / LIBRARY


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of its files: opening a journal whose WAL a killed writer left behind changes the folder."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.endswith("-shm"):
            shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


def test_a_reader_written_from_the_document_reads_a_checkpoint_as_the_library_does(folder: Path) -> None:
    processed = 0
    for path in folder.glob("*.pkl"):
        value, known = read_checkpoint(path.read_bytes()), load_checkpoint(path)
        state = known.state
        assert list(value) == ["graph", "processed_ids", "sound_cache", "metadata"]
        assert value["graph"].nodes == dict(state.graph.nodes(data=True))
        assert value["graph"].adjacency == {source: dict(targets) for source, targets in state.graph.adjacency()}
        assert value["processed_ids"] == state.processed
        assert value["metadata"] == known.metadata
        records = {i: one for i, one in value["graph"].nodes.items() if "fetched_at" in one}
        assert value["sound_cache"] == records
        assert all(value["sound_cache"][sound_id] is one for sound_id, one in records.items())
        processed += len(value["processed_ids"])
    # A backup right after the search has none.
    assert processed


def test_sounds_slots_and_borders_of_blocks_are_as_the_document_says(folder: Path) -> None:
    packed = (folder / CHECKPOINT).read_bytes()
    nodes, found = read_checkpoint(packed)["graph"].nodes, read_opcodes(read_stream(packed))
    order = sorted(nodes, key=lambda sound_id: (nodes[sound_id]["added_at"], sound_id))
    assert list(nodes) == order
    slots = [argument for name, argument, _ in found if name == "LONG_BINPUT" and argument >= 65_536]
    assert slots == list(range(65_536, 65_536 + 2 * len(order)))
    linked = sorted((i for i in nodes if "linked_at" in nodes[i]), key=lambda i: (nodes[i]["linked_at"], i))
    blocks = sum(1 for ids in (order, linked) for _ in borders(ids))
    frames = [size for name, size, _ in found if name == "FRAME"]
    closing_frames = 1 + 3 * (1 + -(-len(order) // 512)) + 2 + -(-len(linked) // 512) + 2 + 1
    assert len(frames) == blocks + closing_frames
    assert frames[-1] == 69
    assert blocks > 2


def borders(ids: list[int]) -> Iterator[int]:
    size = 0
    for place, sound_id in enumerate(ids, 1):
        size += 1
        if sound_id * 0x9E3779B1 % 2**32 * 128 // 2**32 == 0 or size == 512 or place == len(ids):
            yield place
            size = 0


def test_a_reader_written_from_the_document_reads_a_killed_writers_journal_as_the_library_does(copy: Path) -> None:
    known = load_contents(copy / JOURNAL)
    assert known is not None
    found = read_journal(copy / JOURNAL)
    in_the_code = {"adopted": "has_foreign_state", "owed": "backup_required", "salvaged": "recovered"}
    assert {in_the_code.get(name, name): value for name, value in found["head"].items()} == asdict(known.head)
    assert list(found["rows"].items()) == [(seq, list(map(told, events))) for seq, events in known.rows]
    assert {event[0] for events in found["rows"].values() for event in events} >= {"seen", "linked"}
    assert {(topic, key): text for topic, key, text in found["notes"]} == {
        (topic, key): text for topic, texts in known.notes.items() for key, text in texts.items()
    }
    assert {'sweep ["", "type:wav"]'} <= {topic for topic, _, _ in found["notes"]}
    assert {row[0] for row in found["deferrals"]} == set(known.deferrals)


def told(event: Event) -> list[Any]:
    """An event in the document's form."""
    match event:
        case Seen(sound_id, record, fetched_at):
            return ["seen", sound_id, fetched_at, record]
        case Linked(sound_id, one):
            how = [one.linked_at, one.limit, one.space, one.filter, one.origin]
            return ["linked", sound_id, list(map(list, one.neighbours)), *how]
        case Seeded(sound_ids):
            return ["seeded", list(sound_ids)]
        case Known(sound_id, at) | Gone(sound_id, at) | Withdrawn(sound_id, at):
            return [type(event).__name__.lower(), sound_id, at]
        case Related(sound_id, target_id, relation, at, weight):
            return ["related", sound_id, target_id, relation, at, *([] if weight is None else [weight])]


def test_what_is_cut_or_changed_is_refused_by_the_rules_of_the_documents(copy: Path) -> None:
    packed = (copy / CHECKPOINT).read_bytes()
    for cut in (1, 4, 5, len(packed) // 2):
        with pytest.raises(AssertionError):
            read_checkpoint(packed[:-cut])
    stream = bytearray(zlib.decompress(packed))
    stream[len(stream) // 2] ^= 1
    with pytest.raises(AssertionError):
        read_checkpoint(zlib.compress(bytes(stream), 3))
    with closing(sqlite3.connect(copy / JOURNAL)) as database, database:
        (seq,) = database.execute("SELECT max(seq) FROM events").fetchone()
        database.execute("UPDATE events SET count = count + 1 WHERE seq = ?", (seq,))
    with pytest.raises(AssertionError, match=f"row {seq}"):
        read_journal(copy / JOURNAL)
    contents = load_contents(copy / JOURNAL)
    assert contents is not None
    assert f"row {seq}" in contents.damage
