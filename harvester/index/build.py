"""Make the index of a library from its checkpoint.

Owns how an index comes to be: empty, or as a copy of the one of an earlier checkpoint, which then takes what is new. It
is made and sealed as `place` says, so a crash leaves either a pair that matches or none that is believed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.checkpoint import LARGEST_BYTES, version_for, walk_changes
from harvester.errors import LibraryCorrupt
from harvester.graph import LibraryTally
from harvester.index.fill import TableFiller
from harvester.index.place import (
    IndexUnusable,
    Place,
    Seal,
    copy_to,
    place_of,
    read_seal,
    write_sealed,
)
from harvester.index.schema import INDEXES, SCHEMA, TABLES, connect, has_our_schema, pack, unpack
from harvester.library_source import join_sources

_CACHE_KIB = 8 << 10
_MOST_NEW = 0.4
"""Of a checkpoint with more new blocks than this, a new index is as fast."""


@dataclass(frozen=True, slots=True)
class Binding:
    """To what an index belongs.

    `digest` is that of the checkpoint that holds the whole library, `source` the catalogue that the journal beside it
    names; empty without a journal.
    """

    digest: str
    source: str


def build_index(folder: Path, library: Path, binding: Binding) -> Place:
    """Write the index of a library into the folder of indexes.

    `binding` says which checkpoint the library must have. An earlier index is replaced atomically. A crash or an error
    leaves no index that is believed, except the earlier one for an unchanged checkpoint. Raises `LibraryCorrupt` if the
    checkpoint is another one or not laid out as harvester does, `OSError`, or `sqlite3.Error`.
    """

    def fill(database: sqlite3.Connection, checkpoint: int) -> None:
        for statement in TABLES.values():
            database.execute(statement)
        _fill(database, checkpoint, TableFiller(database), binding.source, binding.digest)
        for statement in INDEXES.values():
            database.execute(statement)

    return _make(place_of(folder, library), library, None, fill)


def update_index(folder: Path, library: Path, source: str) -> Place:
    """Write the index of a new checkpoint from that of an earlier.

    Takes the time of copying it, and of what is new. `source` is that of a `Binding`. A crash leaves what it does in
    `build_index`. Raises `IndexUnusable` if the earlier index is none, not proven, of this checkpoint, or so different
    that a new one is as fast, `LibraryCorrupt` if the checkpoint is not proven, `OSError`, or `sqlite3.Error`.
    """
    place = place_of(folder, library)
    seal = read_seal(place)
    if seal is None:
        raise IndexUnusable

    def fill(database: sqlite3.Connection, checkpoint: int) -> None:
        if not has_our_schema(database) or _binding_in(database).get("schema") != SCHEMA:
            raise IndexUnusable
        _fill(database, checkpoint, TableFiller(database, _MOST_NEW), source)

    return _make(place, library, seal, fill)


def _make(place: Place, library: Path, earlier: Seal | None, fill: Callable[[sqlite3.Connection, int], None]) -> Place:
    """Make an index from the one with the `earlier` seal, or an empty one."""

    def make(draft: Path, checkpoint: int, packed: str) -> str:
        if earlier is not None and earlier.checkpoint == packed:
            raise IndexUnusable
        made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(made, "wb") as file:
            if earlier is not None and copy_to(file, place.index) != earlier.index:
                raise IndexUnusable
        with closing(connect(draft, "mode=rw")) as database:
            # The file is synced before it gets its name, so SQLite need not do it, and a torn one is never opened.
            for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                database.execute(f"PRAGMA {setting}")
            database.execute("BEGIN")
            fill(database, checkpoint)
            database.execute("COMMIT")
        return ""

    write_sealed(place, library, make)
    return place


def _fill(
    database: sqlite3.Connection,
    checkpoint: int,
    filler: TableFiller,
    source: str,
    wanted: str | None = None,
) -> None:
    """Fill the tables from a checkpoint, and say to what they belong.

    `wanted` is the digest that it must have.
    """
    walked = walk_changes(checkpoint, filler) if os.fstat(checkpoint).st_size <= LARGEST_BYTES else None
    if walked is None:
        raise LibraryCorrupt("its blocks are not laid out as harvester does")
    digest, metadata = walked
    joined = join_sources(metadata["source"], source)
    if wanted not in (None, digest) or joined is None:
        raise LibraryCorrupt("another process wrote into it")
    about = _about(metadata, filler.end(), joined)
    binding = asdict(Binding(digest, source)) | {"schema": SCHEMA}
    for name, value in (("binding", binding), ("about", about)):
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [name, pack(value)])


def _about(metadata: dict[str, Any], tally: LibraryTally, source: str) -> dict[str, Any]:
    """Return what a library has beside its sounds."""
    return {
        "source": source,
        "space": metadata["similarity_space"],
        "has_weights": metadata["format_version"] == version_for(has_weights=True),
        "nodes": metadata["nodes"],
        "edges": metadata["edges"],
        "lists": tally.numbers["lists"],
        "records": metadata["statistics"]["records"],
        "gone": metadata["statistics"]["gone"],
        "seeds": metadata["seeds"],
    }


def _binding_in(database: sqlite3.Connection) -> dict[str, Any]:
    row = database.execute("SELECT body FROM meta WHERE name = 'binding'").fetchone()
    return unpack(row[0]) if row else {}
