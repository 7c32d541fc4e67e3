"""The journal: whole transactions or nothing, value for value, readable by anyone at any time."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given

from harvester.errors import EventRefused, LibraryCorrupt, NewerFormat
from harvester.journal.events import decode_events, encode_events
from harvester.journal.format import FORMAT, Head, _sum, decode_head, encode_head
from harvester.journal.reader import load_contents
from harvester.journal.writer import Journal
from harvester.model import Deferral, Event, Known, Linked, Note, Seen, SimilarList
from tests.support.histories import histories, quick
from tests.support.samples import NOW_US, make_events

_BELOW = "the last row number is below the saved one"


def damage_of(path: Path) -> str:
    """Return what is wrong with a journal that is there."""
    contents = load_contents(path)
    assert contents is not None
    return contents.damage


@quick
@given(histories)
def test_events_come_back_value_for_value(history: list[Event]) -> None:
    again = decode_events(encode_events(history))
    assert again == history
    assert repr(again) == repr(history)


@pytest.mark.parametrize(
    "value", [2**64 - 1, -(2**63), 1.5e300, -0.0, 0.1 + 0.2, "\ud800", "\x00", [True, 1, 1.0, None], float("inf")]
)
def test_values_that_json_writers_disagree_about_survive(value: object) -> None:
    event = Seen(1, {"odd": value}, NOW_US)
    assert repr(decode_events(encode_events([event]))) == repr([event])


@pytest.mark.parametrize("value", [{1: "a number as a name"}, {"a", "set"}, b"bytes", object()])
def test_what_json_cannot_keep_is_refused_before_it_is_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_events([Seen(1, {"odd": value}, NOW_US)])


@pytest.mark.parametrize(("letters", "window_bits"), [(0, 12), (3_000, 12), (9_000, 14), (100_000, 15)])
def test_a_row_takes_no_larger_window_than_it_is_long_and_comes_back(letters: int, window_bits: int) -> None:
    words = Random(1)
    event = Seen(1, {"id": 1, "description": "".join(words.choices("abcdef ghij", k=letters))}, NOW_US)
    body = encode_events([event])
    assert decode_events(body) == [event]
    assert (body[1] >> 4) + 8 == window_bits
    # Rows of before had the widest window, whatever their length.
    assert decode_events(body[:1] + zlib.compress(zlib.decompress(body[1:]), 1)) == [event]


def test_bytes_that_are_no_events_are_named_as_damage() -> None:
    with pytest.raises(LibraryCorrupt):
        decode_events(b"onothing")


def test_what_was_appended_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append(make_events(3), [Deferral(9, "no vector yet", 1, NOW_US)])
    journal.append([Known(50, 1)], [Deferral(8, "timeout", 2, NOW_US)], undeferred=[9])
    journal.close()
    contents = Journal(path).contents
    assert list(contents.events) == [*make_events(3), Known(50, 1)]
    assert contents.deferrals == {8: Deferral(8, "timeout", 2, NOW_US)}
    assert contents.damage == ""


def test_a_transaction_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([Known(1, 1)])
    with pytest.raises(EventRefused):
        journal.append([Known(2, 1)], [Deferral(3, "x", 2**80, 0)])
    journal.append([Known(4, 1)])
    contents = load_contents(tmp_path / "journal")
    assert contents is not None
    assert list(contents.events) == [Known(1, 1), Known(4, 1)]
    assert contents.damage == ""


def test_forgetting_drops_rows_and_keeps_count(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for sound_id in (1, 2, 3):
        journal.append([Known(sound_id, 1)])
    journal.update(saved=3, backed=2, forget=True)
    journal.close()
    contents = Journal(tmp_path / "journal").contents
    assert list(contents.events) == [Known(3, 1)]
    assert (contents.head.safe, contents.head.saved, contents.head.last) == (2, 3, 3)
    assert (contents.unsaved, contents.unsaved_bytes) == (0, 0)


def test_what_the_checkpoint_lacks_is_counted_in_events_and_in_bytes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    sizes = [journal.append([Known(sound_id, 1), Known(sound_id + 10, 1)]) for sound_id in (1, 2, 3)]
    journal.update(saved=1)
    journal.close()
    contents = Journal(tmp_path / "journal").contents
    assert (contents.unsaved, contents.unsaved_bytes) == (4, sum(sizes[1:]))


def test_three_fields_of_the_head_keep_their_older_names_in_the_file() -> None:
    head = Head(has_foreign_state=True, recovered=True)
    stored = json.loads(encode_head(head)[8:])
    assert stored["adopted"] is True
    assert stored["owed"] is False
    assert stored["salvaged"] is True
    assert not stored.keys() & {"has_foreign_state", "backup_required", "recovered"}
    assert decode_head(encode_head(head), head.last) == head


def test_a_journal_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append([Known(1, 1)])
    journal.close()
    fields = json.loads(encode_head(journal.head)[8:]) | {"format": FORMAT + 1, "something": "new"}
    body = json.dumps(fields).encode()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE head SET body = ?", (_sum(0, 0, body) + body,))
    with pytest.raises(NewerFormat, match="please update it"):
        Journal(path)


def test_the_pages_of_rows_let_go_are_given_back_even_beside_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for sound_id in range(60):
        journal.append(make_events(3, first=1 + 9 * sound_id))

    def pages() -> int:
        return int(journal._connection.execute("PRAGMA page_count").fetchone()[0])

    full = pages()
    journal.update(saved=5, backed=5, forget=True)
    assert pages() == full, "few are free: they are taken up again"
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (55,)
        journal.update(saved=59, backed=59, forget=True)
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (55,)
    assert pages() < full / 4
    journal.close()
    contents = Journal(path).contents
    assert (contents.head.last, contents.damage, len(contents.rows)) == (60, "", 1)


def test_rows_are_let_go_on_a_disk_that_is_too_full_to_give_their_pages_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(new_bytes: int) -> None:
        if not new_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(tmp_path / "journal")
    for sound_id in range(9):
        journal.append(make_events(3, first=1 + 9 * sound_id))
    monkeypatch.setattr(journal._index, "hold", full)
    journal.update(saved=9, backed=9, forget=True)
    assert journal._connection.execute("PRAGMA freelist_count").fetchone()[0] > 9
    journal.append([Known(99, 1)])
    journal.close()
    contents = Journal(tmp_path / "journal").contents
    assert (list(contents.events), contents.damage) == ([Known(99, 1)], "")


def test_a_commit_of_a_usual_row_writes_three_pages(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    wal = tmp_path / "journal-wal"
    similar = SimilarList(tuple((10_000 + other, (0.9 - other / 100) ** 0.5) for other in range(25)), NOW_US, 25)
    sizes = []
    for sound_id in range(1, 41):
        before = wal.stat().st_size
        assert 300 < journal.append([Linked(sound_id, similar)]) < 450
        sizes.append((wal.stat().st_size - before) / (512 + 24))
    assert sorted(sizes)[len(sizes) // 2] == 3


def test_a_reader_sees_whole_transactions_beside_a_writer_and_writes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([Known(1, 1), Known(2, 1)])
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if not path.name.endswith("-shm")}
    contents = load_contents(tmp_path / "journal")
    assert contents is not None
    assert list(contents.events) == [Known(1, 1), Known(2, 1)]
    assert before == {
        path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if not path.name.endswith("-shm")
    }
    journal.append([Known(3, 1)])
    journal.close()


def test_a_row_that_vanished_is_noticed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for sound_id in (1, 2, 3):
        journal.append([Known(sound_id, 1)])
    journal.close()
    with sqlite3.connect(tmp_path / "journal") as connection:
        connection.execute("DELETE FROM events WHERE seq = 2")
    connection.close()
    contents = load_contents(tmp_path / "journal")
    assert contents is not None
    assert contents.damage == "rows are missing"
    assert list(contents.events) == [Known(1, 1), Known(3, 1)]


@pytest.mark.parametrize(
    ("last", "damage"), [(0, "rows are missing"), (2, "rows are missing"), (4, "rows are missing"), (-1, _BELOW)]
)
def test_rows_at_the_end_that_vanished_are_noticed(tmp_path: Path, last: int, damage: str) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for sound_id in (1, 2, 3):
        journal.append([Known(sound_id, 1)])
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {last}")
    contents = load_contents(path)
    assert contents is not None
    assert contents.damage == damage
    assert list(contents.events) == [Known(1, 1), Known(2, 1), Known(3, 1)]


def test_a_last_number_below_what_the_head_says_of_other_files_is_noticed(tmp_path: Path) -> None:
    """Without rows nothing else tells: new ones would take numbers that count as held by the checkpoint."""
    path = tmp_path / "journal"
    journal = Journal(path)
    for sound_id in (1, 2, 3):
        journal.append([Known(sound_id, 1)])
    journal.update(saved=3, backed=3, forget=True)
    journal.close()
    assert damage_of(path) == ""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert damage_of(path) == _BELOW


def test_a_row_under_another_number_is_noticed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([Known(1, 1)])
    journal.close()
    with sqlite3.connect(tmp_path / "journal") as connection:
        connection.execute("UPDATE events SET seq = 7")
    connection.close()
    contents = load_contents(tmp_path / "journal")
    assert contents is not None
    assert "checksum" in contents.damage


@pytest.mark.parametrize("field", ["saved", "backed", "timeline"])
def test_a_head_whose_number_has_rotted_is_noticed(tmp_path: Path, field: str) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([Known(1, 1)])
    journal.update(saved=1, backed=1, timeline=1)
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal")) as connection, connection:
        [(body,)] = connection.execute("SELECT body FROM head")
        rotten = body.replace(f'"{field}": 1'.encode(), f'"{field}": 0'.encode())
        assert rotten != body
        connection.execute("UPDATE head SET body = ?", (rotten,))
    assert damage_of(tmp_path / "journal") == "the journal's head does not match its checksum"


def test_the_journal_is_synced_at_every_commit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    settings = {
        name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "page_size", "fullfsync", "checkpoint_fullfsync")
    }
    assert settings == {
        "synchronous": 2, "journal_mode": "wal", "page_size": 512, "fullfsync": 1, "checkpoint_fullfsync": 1,
    }  # fmt: skip


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from harvester.journal.writer import Journal;"
        "from harvester.model import Known\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for sound_id in range(1, 21):\n"
        "    journal.append([Known(sound_id, 1)]); os.write(1, b'.')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "journal")], capture_output=True, check=False)
    assert done.returncode == -9
    contents = load_contents(tmp_path / "journal")
    assert contents is not None
    assert len(list(contents.events)) == len(done.stdout) == 20


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_cannot_be_written_is_read_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    journal = Journal(folder / "journal")
    journal.append([Known(1, 1)])
    # What a killed writer leaves: the WAL beside the journal, and no index of it.
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for part in ("journal", "journal-wal"):
            (copy / part).write_bytes((folder / part).read_bytes())
        journal.close()
        copy.chmod(0o555)
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            contents = load_contents(copy / "journal")
            os._exit(0 if contents is not None and list(contents.events) == [Known(1, 1)] else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert sorted(path.name for path in copy.iterdir()) == ["journal", "journal-wal"]


def test_notes_are_durable_with_their_events_and_the_latest_text_stands(tmp_path: Path) -> None:
    path = tmp_path / "notes.journal"
    journal = Journal(path)
    journal.append([Known(1, 5)], notes=[Note("a", 1, "old"), Note("b", 1, "other")])
    journal.append([], notes=[Note("a", 1, "new"), Note("a", 2, "two")])
    journal.close()
    contents = load_contents(path)
    assert contents is not None
    assert contents.notes == {"a": {1: "new", 2: "two"}, "b": {1: "other"}}
    again = Journal(path)
    again.append([], notes=[Note("a", 1, "newest")])
    again.close()
    contents = load_contents(path)
    assert contents is not None
    assert contents.notes["a"][1] == "newest"
