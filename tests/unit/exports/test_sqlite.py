"""The SQLite database has what the library has, in the same bytes each time, and reads back as the same library."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from harvester.checkpoint import digest_of
from harvester.errors import DiskFull, SettingsError
from harvester.exports import encode_pieces, save_export
from harvester.exports import sqlite as sqlite_module
from harvester.exports.sqlite import encode_sqlite
from harvester.exports.sqlite_schema import PRAGMAS
from harvester.graph import Selected, Selection, SoundGraph, select
from harvester.importing.records import ImportTally
from harvester.importing.sqlite_export import read_sqlite_export
from harvester.model import Event, Related, Seen
from harvester.storage import describe_file, export_version
from tests.support.histories import histories, quick
from tests.support.samples import make_state as state_of
from tests.support.view_samples import NOW_US, load_edge_cases, make_library, make_record, make_state


def opened(selected: Selected) -> sqlite3.Connection:
    """Return the exported database in memory."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(b"".join(encode_sqlite(selected)))
    return connection


def again(selected: Selected, path: Path) -> SoundGraph:
    """Return the library that the exported database makes."""
    path.write_bytes(b"".join(encode_pieces(encode_sqlite(selected))))
    version = export_version(path)
    assert version is not None
    return read_sqlite_export(path, version, ImportTally(), "related").whole.state()


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    state = make_library()
    for source, target, kind, weight in ((1, 2, "same user", 0.5), (1, 8, "similar", None), (9, 1, "half \ud800", 2.0)):
        state.apply(Related(source, target, kind, NOW_US, weight))
    state.apply(Seen(3, make_record(3, name="Wetter_Dünen-Rains.WAV", tags=["knall", "b", "knall"]), NOW_US + 1))
    with closing(opened(select(state))) as connection:
        yield connection


def test_the_file_is_whole_and_says_what_it_is(database: sqlite3.Connection, tmp_path: Path) -> None:
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    path = tmp_path / "lib.sqlite"
    path.write_bytes(database.serialize())
    assert describe_file(path) == "a database of `harvester export sqlite`"
    assert export_version(path) == 1


def test_each_kind_of_an_edge_is_a_row(database: sqlite3.Connection) -> None:
    rows = database.execute("SELECT * FROM edges WHERE 1 IN (source, target) AND source IN (1, 9)").fetchall()
    assert rows == [
        (1, 2, "relation:same user", None, 0.5),
        (1, 2, "similar", 0.9, None),
        (1, 3, "similar", 0.51, None),
        (1, 8, "relation:similar", None, None),
        (9, 1, "relation:half \ufffd", None, 2.0),
    ]


def test_columns_are_typed_and_times_are_in_utc(database: sqlite3.Connection) -> None:
    (row,) = database.execute(
        "SELECT created, fetched_at, tags, duration, processed, typeof(num_downloads), description FROM sounds"
        " WHERE id = 3"
    )
    assert row == (
        "2012-10-21T14:54:11Z",
        "2026-09-21T14:13:20.000001Z",
        '["knall","b","knall"]',
        3 / 7,
        1,
        "integer",
        None,
    )
    assert database.execute("SELECT name, created, fetched_at FROM sounds WHERE id = 11").fetchall() == [(None,) * 3]
    (text,) = database.execute("SELECT description FROM sounds WHERE id = 4").fetchone()
    assert "\0" not in text


def test_tags_are_numbered_by_name_and_each_sound_has_each_once(database: sqlite3.Connection) -> None:
    tags = [name for _, name in database.execute("SELECT * FROM tags ORDER BY id")]
    assert tags == sorted(tags)
    query = "SELECT t.name FROM sounds_tags JOIN tags t ON t.id = tag_id WHERE sound_id = ? ORDER BY 1"
    assert [name for (name,) in database.execute(query, (3,))] == ["b", "knall"]
    assert [name for (name,) in database.execute(query, (1,))] == ["rain", "tag1"]


@pytest.mark.parametrize("text", ["wetter", "dunen", "rain", "rai*", '"wetter dünen"', "username:user0", "tags:knall"])
def test_the_full_text_finds_words_of_a_file_name(database: sqlite3.Connection, text: str) -> None:
    query = "SELECT rowid FROM sounds_fts WHERE sounds_fts MATCH ?"
    assert (3,) in database.execute(query, (text,)).fetchall()
    assert (4,) not in database.execute(query, (text,)).fetchall()


def test_the_same_library_gives_the_same_bytes(tmp_path: Path) -> None:
    state, other = make_library(), SoundGraph("https://freesound.org/apiv2/")
    for event in reversed(list(state.events())):
        other.apply(event)
    first, second = (b"".join(encode_sqlite(select(one))) for one in (state, other))
    assert first == second
    assert digest_of(again(select(state), tmp_path / "lib.sqlite")) == digest_of(state)


@quick
@given(histories)
def test_any_library_comes_back(tmp_path_factory: pytest.TempPathFactory, history: list[Event]) -> None:
    state = state_of(history)
    path = tmp_path_factory.getbasetemp() / "any.sqlite"
    assert digest_of(again(select(state), path)) == digest_of(state)


def test_real_records_come_back(real_records: Path, tmp_path: Path) -> None:
    state = load_edge_cases(real_records)
    assert digest_of(again(select(state), tmp_path / "lib.sqlite")) == digest_of(state)


def test_a_selection_has_its_own_sounds_and_edges_only(tmp_path: Path) -> None:
    selected = select(make_library(), Selection(users=("user1",)))
    with closing(opened(selected)) as connection:
        assert [row[0] for row in connection.execute("SELECT id FROM sounds")] == [1, 4, 7, 10]
        assert connection.execute("SELECT count(*) FROM edges").fetchone() == (0,)
        records = [json.loads(row[0]) for row in connection.execute("SELECT record FROM sounds")]
        assert [one["neighbours"] for one in records] == [[], [], [], []]
        assert "99" not in "".join(row[0] for row in connection.execute("SELECT facts FROM library"))
    assert sorted(again(selected, tmp_path / "part.sqlite").graph) == [1, 4, 7, 10]


def test_names_that_sql_takes_for_one_are_told_apart() -> None:
    odd = {"Name": 1, "NAME": 2, "record": 3, "Record": 4, 'a"b': 5, "nul\0": 6, "rowid": 7, "\ud800": 8, "": 9}
    state = make_state([make_record(1, **odd)])
    with closing(opened(select(state))) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM sounds").fetchone())
    expected = {
        "name": "sound 1", "NAME_2": 2, "Name_3": 1, "Record_2": 4, "record_3": 3, 'a"b': 5, "nul": 6, "rowid": 7,
        "\ufffd": 8, "_": 9,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_more_fields_than_a_table_has_columns_stay_in_the_record(tmp_path: Path) -> None:
    records = [make_record(one, **{f"f{one}_{number}": number for number in range(60)}) for one in range(1, 41)]
    state = make_state(records)
    with closing(opened(select(state))) as connection:
        assert len(connection.execute("SELECT * FROM sounds").description) == 1001
    assert digest_of(again(select(state), tmp_path / "wide.sqlite")) == digest_of(state)


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_database_that_another_program_writes_is_not_replaced(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "lib.sqlite"
    path.write_bytes(b"theirs")
    path.with_name(f"lib.sqlite{ending}").write_bytes(b"x")
    with pytest.raises(SettingsError, match=rf"another program has it open, or ended and left lib\.sqlite{ending}"):
        save_export(select(make_library()), "sqlite", path)
    assert path.read_bytes() == b"theirs"


def test_the_bytes_are_those_of_a_database_in_memory() -> None:
    selected = select(make_library())
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        sqlite_module._build(connection, selected)
        assert b"".join(encode_sqlite(selected)) == connection.serialize()


def test_the_database_is_built_in_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pieces = encode_sqlite(select(make_library()))
    assert next(pieces).startswith(b"SQLite format 3")
    assert list(tmp_path.iterdir()) == []
    pieces.close()


def test_without_room_to_build_it_the_earlier_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lib.sqlite"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(sqlite_module, "PRAGMAS", {**PRAGMAS, "max_page_count": "5"})
    with pytest.raises(DiskFull, match="to build the database; the earlier file is unchanged; TMPDIR may name"):
        save_export(select(make_library()), "sqlite", path)
    assert [one.name for one in tmp_path.iterdir()] == ["lib.sqlite"]
    assert path.read_bytes() == b"earlier"
