"""A journal from others is distrusted like a checkpoint: nothing of its schema runs, nothing in it is without bound."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from harvester.errors import LibraryCorrupt, LibraryUnwritable
from harvester.journal.database import Bound, connect
from harvester.journal.events import decode_events, encode_events
from harvester.journal.format import _sum
from harvester.journal.reader import load_contents, load_head, read_contents
from harvester.journal.writer import Journal
from harvester.library.reader import load_view
from harvester.model import Deferral, Known, Note, Seen
from harvester.storage.paths import JOURNAL
from tests.support.samples import NOW_US, open_store

SOUNDS = (1, 2, 3, 4, 5)


def make_journal(folder: Path) -> Path:
    path = folder / JOURNAL
    with closing(Journal(path)) as journal:
        for sound_id in SOUNDS:
            journal.append([Known(sound_id, NOW_US)], notes=[Note("sweep", 1, "page 1")])
    return path


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


FOREIGN = {
    "a view": "CREATE VIEW v AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END",
    "an index": "CREATE INDEX i ON events (count)",
    "an index on an expression": "CREATE INDEX i ON events (length(hex(body)))",
    "another table": "CREATE TABLE other (a)",
    "a virtual table": "CREATE VIRTUAL TABLE other USING rtree (a, b, c)",
    "another column": "ALTER TABLE deferrals ADD COLUMN more TEXT DEFAULT (hex(randomblob(9)))",
    "a generated column": "ALTER TABLE head ADD COLUMN more AS (hex(zeroblob(1000000)))",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_anything_but_our_tables_is_damage_and_what_is_ours_is_salvaged(kind: str, tmp_path: Path) -> None:
    path = make_journal(tmp_path)
    changed(path, FOREIGN[kind])
    contents = load_contents(path)
    assert contents is not None
    assert "more than a journal's tables" in contents.damage
    assert list(contents.events) == [Known(one, NOW_US) for one in SOUNDS]
    with pytest.raises(LibraryCorrupt, match="more than a journal's tables"):
        Journal(path)
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == set(SOUNDS)
        assert any("the journal was corrupt" in line for line in store.notices)
    healed = load_contents(path)
    assert healed is not None
    assert healed.damage == ""
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_view_in_place_of_a_table_is_never_read(tmp_path: Path) -> None:
    path = make_journal(tmp_path)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, 1, x'00' FROM n"
    changed(path, "DROP TABLE events", f"CREATE VIEW events (seq, count, body) AS {endless}")
    began = time.process_time()
    contents = load_contents(path)
    assert contents is not None
    assert contents.damage
    assert contents.rows == []
    assert contents.notes == {"sweep": {1: "page 1"}}
    assert time.process_time() - began < 1


def test_pages_that_are_listed_again_and_again_do_not_make_rows_without_end(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    with closing(Journal(path)) as journal:
        for sound_id in range(1, 600):
            journal.append([Known(sound_id, NOW_US)])
        journal.fold()
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    raw = bytearray(path.read_bytes())
    # Each interior page names its own first child again and again: rows double with every level.
    for page in range(1, len(raw) // 512):
        start = page * 512
        if raw[start] == 5:
            cells = int.from_bytes(raw[start + 3 : start + 5], "big")
            places = [int.from_bytes(raw[start + 12 + 2 * i : start + 14 + 2 * i], "big") for i in range(cells)]
            child = raw[start + places[0] : start + places[0] + 4]
            for place in places:
                raw[start + place : start + place + 4] = child
            raw[start + 8 : start + 12] = child
    assert raw[(root - 1) * 512] == 5
    path.write_bytes(raw)
    path.with_name(f"{JOURNAL}-wal").unlink(missing_ok=True)
    contents = load_contents(path)
    assert contents is not None
    assert contents.damage
    assert len(contents.rows) < 600
    assert "out of order" in contents.damage


MUCH: dict[str, Callable[[Journal], object]] = {
    "events": lambda journal: [
        journal.append([Seen(n, {"id": n, "description": Random(n).randbytes(500).hex()}, NOW_US)])
        for n in range(1, 200)
    ],
    "deferrals": lambda journal: journal.append([], [Deferral(n, "x" * 99, 1, NOW_US) for n in range(1, 1_000)]),
    "notes": lambda journal: journal.append([], notes=[Note("sweep", n, "x" * 99) for n in range(1_000)]),
    "a long value": lambda journal: journal.append([], notes=[Note("sweep", 1, "x" * 100_000)]),
}


@pytest.mark.parametrize("kind", MUCH)
def test_no_table_gives_more_than_its_files_can_hold(kind: str, tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    with closing(Journal(path)) as journal:
        MUCH[kind](journal)
    with closing(connect(path, "mode=ro")) as connection:
        assert read_contents(connection, Bound(path)).damage == ""
        # As if so much came out of files that hold nothing.
        contents = read_contents(connection, Bound(tmp_path / "missing"))
    assert contents.damage == (
        "string or blob too big" if kind == "a long value" else "its rows have more bytes than its files"
    )


def test_nothing_of_a_foreign_schema_may_call_what_has_effects(tmp_path: Path) -> None:
    path = make_journal(tmp_path)
    changed(path, "CREATE VIEW v AS SELECT touch()")
    touched: list[int] = []
    with closing(connect(path)) as connection:
        connection.create_function("touch", 0, lambda: touched.append(1))
        with pytest.raises(sqlite3.OperationalError, match="unsafe use of touch"):
            connection.execute("SELECT * FROM v").fetchall()
    assert touched == []


def _with_body(path: Path, body: bytes) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for seq in (2, 4):
            connection.execute("UPDATE events SET body = ? WHERE seq = ?", (_sum(seq, 1, body) + body, seq))
        connection.commit()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (lambda: b"o" + zlib.compress(b"[" + b" " * 50_000_000 + b"]", 9), "unpacks to too many bytes"),
        (lambda: b"j" + zlib.compress(b"[" * 100_000, 0), "nested too deeply"),
        (lambda: b"o" + zlib.compress(b"[]") + b"more", "is truncated"),
        (lambda: b"o", "is truncated"),
    ],
    ids=["a zip bomb", "nesting", "bytes after the end", "nothing"],
)
def test_a_row_that_no_writer_made_is_damage_of_that_row_alone(
    body: Callable[[], bytes], told: str, tmp_path: Path
) -> None:
    path = make_journal(tmp_path)
    _with_body(path, body())
    contents = load_contents(path)
    assert contents is not None
    assert "a row of the journal cannot be read" in contents.damage
    assert told in contents.damage
    assert [seq for seq, _ in contents.rows] == [1, 3, 5]


def test_a_score_beyond_floats_is_left_out_of_its_row(tmp_path: Path) -> None:
    path = make_journal(tmp_path)
    _with_body(path, b"j" + zlib.compress(b'[["linked",1,[[1,' + b"9" * 400 + b']],1,1,"","",""]]'))
    contents = load_contents(path)
    assert contents is not None
    assert contents.damage == ""
    assert contents.dropped
    assert [seq for seq, _ in contents.rows] == [*SOUNDS]
    assert contents.rows[1][1] == []


def test_a_row_that_would_pass_for_a_bomb_is_written_so_that_it_comes_back() -> None:
    event = Seen(1, {"id": 1, "description": " " * 3_000_000}, NOW_US)
    assert decode_events(encode_events([event])) == [event]


HEADS: dict[str, Callable[[dict[str, object]], object]] = {
    "a list": lambda head: [],
    "no format": lambda head: {},
    "a format that is a text": lambda head: head | {"format": "2"},
    "a format that no release wrote": lambda head: head | {"format": 1},
    "a last row of its own": lambda head: head | {"last": 3},
    "an unknown field": lambda head: head | {"x": 1},
    "a count that is a text": lambda head: head | {"saved": "1"},
    "an unknown field with a text": lambda head: head | {"x": "y"},
    "a count that is a flag": lambda head: head | {"saved": True},
    "a count that is negative": lambda head: head | {"safe": -1},
    "a stamp of the year 40000": lambda head: head | {"backup_at": 10**18},
    "a giant stamp": lambda head: head | {"checkpoint_at": 10**400},
    "a restore of a file elsewhere": lambda head: head | {"restore": "../../other/freesound_library.pkl"},
    "a flag that is a number": lambda head: head | {"owed": 1},
    "a field by its name in the code": lambda head: head | {"recovered": True},
    "a source without end": lambda head: head | {"source": "x" * 100_000},
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_of_another_shape_is_damage(kind: str, tmp_path: Path) -> None:
    path = make_journal(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        (body,) = connection.execute("SELECT body FROM head").fetchone()
        forged = json.dumps(HEADS[kind](json.loads(body[8:]))).encode()
        connection.execute("UPDATE head SET body = ?", (_sum(0, 0, forged) + forged,))
        connection.commit()
    contents = load_contents(path)
    assert contents is not None
    assert "head" in contents.damage
    assert len(contents.rows) == len(SOUNDS)
    assert load_head(path) is not None
    with open_store(tmp_path) as store:
        assert set(store.state.graph) == set(SOUNDS)


@pytest.mark.parametrize("part", ["", "-wal"])
def test_a_journal_that_is_no_file_is_named_and_never_waited_for(part: str, tmp_path: Path) -> None:
    path = make_journal(tmp_path)
    odd = path.with_name(f"{JOURNAL}{part}")
    odd.unlink(missing_ok=True)
    os.mkfifo(odd)
    contents = load_contents(path)
    assert contents is not None
    assert "a FIFO" in contents.damage
    assert any("a FIFO" in line for line in load_view(tmp_path).notices)
    with pytest.raises(
        LibraryUnwritable, match=rf"{JOURNAL}{part}: it is a FIFO, not a regular file; nothing was changed"
    ):
        open_store(tmp_path)


@pytest.mark.parametrize("part", ["", "-wal", "-shm"])
def test_no_link_is_followed_by_the_writer(part: str, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "lib", tmp_path / "elsewhere"
    folder.mkdir()
    make_journal(folder)
    odd = folder / f"{JOURNAL}{part}"
    if part:
        elsewhere.write_bytes(b"")
    else:
        odd.rename(elsewhere)
    odd.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    with pytest.raises(
        LibraryUnwritable, match=rf"{JOURNAL}{part}: it is a symbolic link, not a regular file; nothing was changed"
    ):
        open_store(folder)
    assert elsewhere.read_bytes() == before
