"""Read the database of `export sqlite` back as the library that it is.

Owns which tables are read (`sounds.record` and `library.facts`, which have everything) and which are not: columns,
edges and tags are copies for people. Tables, views and triggers that another program added are never touched.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harvester.errors import LibraryCorrupt, NewerFormat, SettingsError, WrongSource, words_of
from harvester.graph import WholeSound, read_sound_text
from harvester.importing.file_content import FileContent
from harvester.importing.json_files import add_whole, read_facts
from harvester.importing.records import ImportTally
from harvester.storage import EXPORT_VERSION, opened_database

_READ = {"sounds": ("id", "record"), "library": ("part", "facts")}
_PLAIN = re.compile(r"CREATE\s+TABLE\b", re.IGNORECASE)


FORM = "whole sounds in SQLite"


def read_sqlite_export(path: Path, version: int, tally: ImportTally, relation: str) -> FileContent:
    """Return the sounds and facts of an exported database.

    `version` is that of its header; the file is not changed. Raises `NewerFormat` for a later one, `SettingsError` for
    other tables and for a database that another program has open, `LibraryCorrupt` for a corrupt one.
    """
    if version > EXPORT_VERSION:
        raise NewerFormat(
            f"{path}: its tables have format {version}, this harvester reads {EXPORT_VERSION}: please update harvester"
        )
    found = FileContent(FORM, tally, relation)
    try:
        with opened_database(path) as connection:
            _check_tables(connection, path)
            for part, text in _rows(connection, "library"):
                read_facts(f"row {part} of library", _text(text, "library", part), found)
            for sound_id, text in _rows(connection, "sounds"):
                add_whole(f"row {sound_id} of sounds", partial(_read_sound, sound_id, text), found)
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise LibraryCorrupt(f"{path}: {words_of(error)}; nothing was changed") from error
    except (LibraryCorrupt, NewerFormat, WrongSource) as error:
        raise type(error)(f"{path}: {error}; nothing was changed") from error
    return found


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raise unless the two tables are plain ones and whole."""
    for table, wanted in _READ.items():
        found = connection.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
        # A view, a virtual table or a generated column could run code that the file brings.
        is_plain = len(found) == 1 and found[0][0] == "table" and _PLAIN.match(str(found[0][1]))
        columns = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({table})") if not row[6]]
        if not is_plain or not set(wanted) <= set(columns):
            raise SettingsError(
                f"{path}: it has no table {table}({', '.join(wanted)}), which `harvester export sqlite` writes; "
                "nothing was changed"
            )
        for (problem,) in connection.execute(f"PRAGMA integrity_check({table})"):
            if problem != "ok":
                raise LibraryCorrupt(f"SQLite finds it corrupt ({str(problem).splitlines()[0]})")


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, object]]:
    key, text = _READ[table]
    return connection.execute(f"SELECT {key}, {text} FROM {table} NOT INDEXED ORDER BY {key}")  # noqa: S608  our names


def _read_sound(sound_id: int, text: object) -> WholeSound:
    sound = read_sound_text(_text(text, "sounds", sound_id))
    if sound.sound_id != sound_id:
        raise LibraryCorrupt(f"it has the record of sound {sound.sound_id}")
    return sound


def _text(value: object, table: str, key: object) -> str:
    if type(value) is not str:
        raise LibraryCorrupt(f"row {key} of {table} has no text")
    return value
