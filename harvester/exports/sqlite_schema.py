"""The schema of the SQLite database that `export sqlite` writes.

Owns the tables and their columns; `storage` owns the marks by which a file is recognised. A column of `sounds` is one
of `exports.table`; it is named apart where SQL would take two names for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harvester.exports.table import Column, is_time, plan_columns
from harvester.graph import Selected, in_order
from harvester.storage import EXPORT_MARK, EXPORT_VERSION

PRAGMAS = {
    "page_size": "4096",
    "encoding": "'UTF-8'",
    "auto_vacuum": "NONE",
    "application_id": str(int.from_bytes(EXPORT_MARK)),
    "user_version": str(EXPORT_VERSION),
}
"""What is set before the first table, whatever SQLite was compiled with."""

_MOST_COLUMNS = 1000
"""SQLite allows 2,000 columns, of which many programs show none; further fields are in `record` only."""

_SEARCHED = ("name", "tags", "description", "username", "pack_name")
"""The columns of the full-text index. They are there in every file, so that its schema is always the same."""

_TYPES = {"bool": "INTEGER", "int": "INTEGER", "float": "REAL", "text": "TEXT", "texts": "TEXT"}
_TOKENIZER = "porter unicode61 remove_diacritics 2"
"""`rains` finds `rain`, and `_`, `-` and `.` separate words, as in names of files."""

_TABLES = (
    "CREATE TABLE library (\n  part INTEGER PRIMARY KEY,\n  facts TEXT NOT NULL\n)",
    "CREATE TABLE tags (\n  id INTEGER PRIMARY KEY,\n  name TEXT NOT NULL UNIQUE\n)",
    "CREATE TABLE sounds_tags (\n"
    "  sound_id INTEGER NOT NULL REFERENCES sounds(id),\n"
    "  tag_id INTEGER NOT NULL REFERENCES tags(id),\n"
    "  PRIMARY KEY (sound_id, tag_id)\n"
    ") WITHOUT ROWID",
    "CREATE TABLE edges (\n"
    "  source INTEGER NOT NULL REFERENCES sounds(id),\n"
    "  target INTEGER NOT NULL REFERENCES sounds(id),\n"
    "  kind TEXT NOT NULL,\n"
    "  score REAL,\n"
    "  weight REAL,\n"
    "  PRIMARY KEY (source, target, kind)\n"
    ") WITHOUT ROWID",
)
# Datasette and sqlite-utils find the index only by `content` in double quotes.
_FULL_TEXT = (
    f"CREATE VIRTUAL TABLE sounds_fts USING fts5({', '.join(_SEARCHED)}, "
    f'content="sounds", content_rowid="id", tokenize="{_TOKENIZER}")'
)
FINISHING = (
    "CREATE INDEX sounds_tags_tag ON sounds_tags(tag_id)",
    "CREATE INDEX edges_target ON edges(target)",
    "CREATE INDEX sounds_username ON sounds(username)",
    _FULL_TEXT,
    "INSERT INTO sounds_fts(sounds_fts) VALUES ('rebuild')",
    "INSERT INTO sounds_fts(sounds_fts) VALUES ('optimize')",
)
"""What is made once all rows are there."""


@dataclass(frozen=True, slots=True)
class SoundColumns:
    """The columns of `sounds` but `record`, each with its name in SQL.

    `planned` has those beyond the most that a table may have, too.
    """

    columns: list[Column]
    names: list[str]
    planned: list[Column]


def plan_sound_columns(selected: Selected) -> SoundColumns:
    """Return the columns of the table `sounds`; read all sounds once."""
    columns = plan_columns(selected)
    present = {column.name for column in columns}
    columns += [Column(name, name, "texts" if name == "tags" else "text") for name in _SEARCHED if name not in present]
    place = {field: rank for rank, field in enumerate(in_order({column.field for column in columns}))}
    columns.sort(key=lambda column: (place[column.field], column.name))
    planned, columns = columns, columns[:_MOST_COLUMNS]
    taken = {"record"}
    names = []
    for column in columns:
        plain = column.name.replace("\0", "") or "_"
        name, number = plain, 1
        # SQL does not tell capital letters from small ones.
        while name.casefold() in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return SoundColumns(columns, names, planned)


def tables_sql(columns: SoundColumns) -> Iterator[str]:
    """Yield the statements that create the tables."""
    defined = [f"{_quoted(name)} {_type(column)}" for name, column in zip(columns.names, columns.columns, strict=True)]
    yield "CREATE TABLE sounds (\n  " + ",\n  ".join([*defined, "record TEXT NOT NULL"]) + "\n)"
    yield from _TABLES


def _type(column: Column) -> str:
    if column.name == "id":
        return "INTEGER PRIMARY KEY"
    return "TEXT" if is_time(column) else _TYPES[column.kind]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
