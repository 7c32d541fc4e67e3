"""The tables of an index, and how it is opened.

Owns the schema and its version, the text that a search scans, and the bytes of values that SQLite's types cannot hold.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

SCHEMA = 2
"""Raise it whenever the same library would give another index: of an old one the seal still matches."""

TABLES = {
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "segments": (
        "CREATE TABLE segments (first INTEGER PRIMARY KEY, sounds INTEGER NOT NULL, offset INTEGER NOT NULL, "
        "packed_bytes INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, digest BLOB NOT NULL)"
    ),
    "record_blocks": (
        "CREATE TABLE record_blocks (digest BLOB PRIMARY KEY, facts BLOB NOT NULL, tally BLOB NOT NULL) WITHOUT ROWID"
    ),
    "list_blocks": (
        "CREATE TABLE list_blocks (digest BLOB PRIMARY KEY, facts BLOB NOT NULL, tally BLOB NOT NULL) WITHOUT ROWID"
    ),
    "sounds": (
        "CREATE TABLE sounds (id INTEGER PRIMARY KEY, place INTEGER NOT NULL, flags INTEGER NOT NULL, "
        "added_at INTEGER NOT NULL, name BLOB, fetched_at INTEGER, gone_at INTEGER, linked_at INTEGER)"
    ),
    "words": "CREATE TABLE words (id INTEGER PRIMARY KEY, downloads INTEGER NOT NULL, text BLOB NOT NULL)",
    "tokens": "CREATE TABLE tokens (token BLOB PRIMARY KEY, sounds INTEGER NOT NULL) WITHOUT ROWID",
    "lists": "CREATE TABLE lists (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "edges": (
        "CREATE TABLE edges (source INTEGER NOT NULL, target INTEGER NOT NULL, score REAL, relations BLOB, "
        "PRIMARY KEY (source, target)) WITHOUT ROWID"
    ),
}
INDEXES = {"edges_by_target": "CREATE INDEX edges_by_target ON edges (target)"}
"""Made once all edges are there: sorting them is faster than putting each in its place."""

GONE, PENDING, PROCESSED, COMPLETE = 1, 2, 4, 8
"""The flags of a sound; `COMPLETE` is for its record. A `words` row is there for each sound that is not gone."""

FLAGS = (
    f"flags & {GONE | COMPLETE} | CASE WHEN flags & {COMPLETE} AND linked_at IS NOT NULL THEN {PROCESSED} "
    f"WHEN NOT flags & {GONE} THEN {PENDING} ELSE 0 END"
)
"""The flags of a row of `sounds`, where those for the record are right."""

TOKEN, NAME = b"\xff", b"\xfe"
"""Bytes that UTF-8 never has: each token stands between two of `TOKEN`, the whole name after `NAME`."""


def encode(text: str) -> bytes:
    """Return a text as bytes; lone surrogates, which JSON allows, are kept."""
    return text.encode("utf-8", "surrogatepass")


def decode(content: bytes) -> str:
    """Return the text of `encode`."""
    return content.decode("utf-8", "surrogatepass")


def pack(value: Any) -> bytes:
    """Return a JSON value as bytes; numbers may have any size."""
    # With ASCII alone, two surrogates side by side would come back as one character.
    return encode(json.dumps(value, ensure_ascii=False))


def unpack(content: bytes) -> Any:
    """Return the value of `pack`."""
    return json.loads(decode(content))


def search_text(tokens: Iterable[str], name: str) -> bytes:
    """Return what a search scans: the tokens of a sound and its name.

    A name without `_`, `-` and `.` is nothing but tokens, so it is left out.
    """
    text = TOKEN + b"".join([encode(token) + TOKEN for token in sorted(tokens)])
    return text + NAME + encode(name) if any(mark in name for mark in "_-.") else text


def tokens_in(text: bytes) -> set[bytes]:
    """Return the tokens of a `search_text`."""
    return set(text.split(NAME)[0][len(TOKEN) : -len(TOKEN)].split(TOKEN))


def connect(path: Path, mode: str, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Return a connection; `mode` is a part of SQLite's URI."""
    address = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=check_same_thread)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def has_our_schema(connection: sqlite3.Connection) -> bool:
    """Tell whether a database has these tables and indexes, and no more."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return len(found) == len(TABLES | INDEXES) and dict(found) == TABLES | INDEXES
