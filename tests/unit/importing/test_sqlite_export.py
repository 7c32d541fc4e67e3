"""A database of `export sqlite` that somebody changed is refused in one line, and no code in it runs."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from harvester.checkpoint import digest_of
from harvester.errors import HarvesterError, LibraryCorrupt, NewerFormat, SettingsError, WrongSource
from harvester.exports.sqlite import encode_sqlite
from harvester.graph import select
from harvester.importing.records import ImportTally
from harvester.importing.sqlite_export import read_sqlite_export
from harvester.storage import export_version
from tests.support.view_samples import make_library

CONTENT = b"".join(encode_sqlite(select(make_library())))
DIGEST = digest_of(make_library())


def read(path: Path) -> str:
    """Return the digest of the library in the file, or the text of the error."""
    version = export_version(path)
    assert version is not None
    return digest_of(read_sqlite_export(path, version, ImportTally(), "related").whole.state())


def changed(path: Path, *statements: str) -> Path:
    path.write_bytes(CONTENT)
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return path


def test_what_other_programs_add_is_not_read(tmp_path: Path) -> None:
    path = changed(
        tmp_path / "lib.sqlite",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
        "CREATE VIEW loud AS SELECT * FROM sounds WHERE abs(id)",
        "CREATE TRIGGER broken AFTER INSERT ON sounds BEGIN SELECT raise(FAIL, 'it ran'); END",
        "CREATE INDEX sounds_license ON sounds(license)",
        "ALTER TABLE sounds ADD COLUMN stars INTEGER",
        "UPDATE sounds SET name = 'renamed', stars = 5",
        "DELETE FROM edges",
    )
    before = path.read_bytes()
    assert read(path) == DIGEST
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["lib.sqlite"]


TURNED = "ALTER TABLE sounds RENAME TO old"
BAD: dict[str, tuple[tuple[str, ...], type[HarvesterError], str]] = {
    "a view for the sounds": (
        (TURNED, "CREATE VIEW sounds AS SELECT id, randomblob(9) AS record FROM old"), SettingsError,
        "it has no table sounds(id, record), which `harvester export sqlite` writes",
    ),
    "a generated column": (
        (TURNED, "CREATE TABLE sounds (id INTEGER PRIMARY KEY, r TEXT, record TEXT AS (upper(r)))"), SettingsError,
        "it has no table sounds(id, record)",
    ),
    "a virtual table": (
        (TURNED, "CREATE VIRTUAL TABLE sounds USING fts5(id, record)"), SettingsError,
        "it has no table sounds(id, record)",
    ),
    "no table": (("DROP TABLE library",), SettingsError, "it has no table library(part, facts)"),
    "a text that is no JSON": (("UPDATE sounds SET record = '{'",), LibraryCorrupt, "it is not JSON"),
    "bytes for a text": (("UPDATE sounds SET record = x'7b7d'",), LibraryCorrupt, "row 1 of sounds has no text"),
    "the record of another sound": (
        ("UPDATE sounds SET record = (SELECT record FROM sounds WHERE id = 2) WHERE id = 1",), LibraryCorrupt,
        "row 1 of sounds: it has the record of sound 2",
    ),
    "a value that is impossible": (
        ("""UPDATE sounds SET record = replace(record, '"id":1,', '"id":1,"gone_at":"now",') WHERE id = 1""",),
        LibraryCorrupt, "row 1 of sounds: ",
    ),
    "facts of another version": (
        ("""UPDATE library SET facts = replace(facts, '"format":1', '"format":9')""",), NewerFormat, "update harvester",
    ),
    "facts of two libraries": (
        ("""INSERT INTO library VALUES (7, '{"format":1,"source":"https://elsewhere.example/apiv2/"}')""",),
        WrongSource, "it is of https://elsewhere.example/apiv2/",
    ),
    "a later version": (("PRAGMA user_version = 9",), NewerFormat, "its tables have format 9, this harvester reads 1"),
    "a text that is not UTF-8": (
        ("UPDATE sounds SET record = CAST(x'ff7b' AS TEXT)",), LibraryCorrupt, "nothing was changed",
    ),
    "a huge value": (("UPDATE sounds SET record = zeroblob(100000000) WHERE id = 1",), LibraryCorrupt, "row 1 of"),
}  # fmt: skip


@pytest.mark.parametrize("how", BAD)
def test_a_changed_database_is_refused_in_one_line(tmp_path: Path, how: str) -> None:
    statements, kind, says = BAD[how]
    path = changed(tmp_path / "lib.sqlite", *statements)
    with pytest.raises(kind) as raised:
        read(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_database_that_another_program_writes_is_not_read(tmp_path: Path) -> None:
    path = changed(tmp_path / "lib.sqlite")
    path.with_name("lib.sqlite-wal").write_bytes(b"")
    with pytest.raises(SettingsError, match="another program has it open"):
        read(path)


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(100, len(content)) :]


def _flipped(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 30))):
        content[chance.randrange(100, len(content))] ^= chance.randrange(1, 256)


def _shuffled(content: bytearray, chance: random.Random) -> None:
    one, other = (4096 * chance.randrange(1, len(content) // 4096) for _ in range(2))
    content[one : one + 4096], content[other : other + 4096] = (
        content[other : other + 4096],
        content[one : one + 4096],
    )


@pytest.mark.parametrize("damage", [_cut, _flipped, _shuffled])
def test_a_damaged_database_gives_an_error_of_ours_or_the_same_library(
    tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    path, refused = tmp_path / "lib.sqlite", 0
    for seed in range(40):
        content = bytearray(CONTENT)
        damage(content, random.Random(seed))
        path.write_bytes(content)
        with suppress(HarvesterError):
            # A flipped letter of a name is a valid name: a file of JSON has no checksum.
            digest = read(path)
            assert damage is _flipped or digest == DIGEST
            continue
        refused += 1
    assert refused > 5
