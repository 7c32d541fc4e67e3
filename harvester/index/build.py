"""Build the index of a library from its state and its checkpoint.

Owns what the index holds: where each record lies in the checkpoint, and beside that only what a search, a sound's edges
and the counts need. The records stay in the checkpoint alone. The index is built in a temporary file, synced once and
renamed; the seal follows, so a crash leaves either a pair that matches or none that is believed.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.checkpoint import scan_segments
from harvester.errors import LibraryCorrupt
from harvester.graph import LINK_FIELDS, RELATION_FIELDS, Sound, SoundGraph, tokens_of
from harvester.index.place import Place, Seal, digest_of_file, is_private, place_of, seal_bytes, sweep
from harvester.index.schema import (
    GONE,
    INDEXES,
    PENDING,
    PROCESSED,
    SCHEMA,
    TABLES,
    connect,
    encode,
    pack,
    search_text,
)
from harvester.storage import CHECKPOINT, TEMPORARY_SUFFIX, full_sync, opened, path_text, write_atomically

_CACHE_KIB = 8 << 10
_SOUNDS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Binding:
    """To what an index belongs.

    `digest` is that of the checkpoint that holds the whole library, `source` the catalogue that the journal beside it
    names; empty without a journal.
    """

    digest: str
    source: str


def build_index(folder: Path, library: Path, state: SoundGraph, binding: Binding, facts: dict[str, Any]) -> Place:
    """Write the index of a library into the folder of indexes.

    `state` is the content of the library's checkpoint, to which `binding` binds it, and `facts` are its counts. An
    earlier index is replaced atomically. A crash or an error leaves no index that is believed, except the earlier one
    for an unchanged checkpoint. Raises `LibraryCorrupt` if the checkpoint is another one or not laid out as
    harvester does, `OSError`, or `sqlite3.Error`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(errno.EPERM, f"{path_text(folder)} is not a folder that only you can write")
    sweep(folder)
    place = place_of(folder, library)
    draft = folder / f".{place.index.name}.{os.getpid()}{TEMPORARY_SUFFIX}"
    with suppress(FileNotFoundError):  # left by a killed process with the same process id
        draft.unlink()
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        with opened(library / CHECKPOINT) as checkpoint:
            packed = digest_of_file(checkpoint)
            with closing(connect(draft, "mode=rw")) as database:
                _fill(database, checkpoint, state, binding, facts)
            if digest_of_file(checkpoint) != packed:
                raise LibraryCorrupt("another process wrote into it")
        with opened(draft) as descriptor:
            full_sync(descriptor)
            seal = Seal(digest_of_file(descriptor), packed, place.library)
        draft.replace(place.index)
        write_atomically(place.seal, [seal_bytes(seal)])
    finally:
        draft.unlink(missing_ok=True)
    return place


def _fill(
    database: sqlite3.Connection, checkpoint: int, state: SoundGraph, binding: Binding, facts: dict[str, Any]
) -> None:
    # The file is synced before it gets its name, so SQLite need not do it, and a torn one is never opened.
    for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
        database.execute(f"PRAGMA {setting}")
    database.execute("BEGIN")
    for statement in TABLES.values():
        database.execute(statement)
    about = asdict(binding) | {"schema": SCHEMA}
    kept = {"binding": about, "about": _about(state), "facts": facts}
    database.executemany("INSERT INTO meta VALUES (?, ?)", [(name, pack(value)) for name, value in kept.items()])
    order = _order_of(state)
    database.executemany("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)", _segments(checkpoint, state, order, binding))
    places = {sound_id: place for place, sound_id in enumerate(order)}
    ids = sorted(order)
    tokens: set[str] = set()
    for start in range(0, len(ids), _SOUNDS_AT_ONCE):
        sounds = list(map(state.sound, ids[start : start + _SOUNDS_AT_ONCE]))
        database.executemany("INSERT INTO sounds VALUES (?, ?, ?, ?, ?)", _sounds(state, sounds, places))
        database.executemany("INSERT INTO words VALUES (?, ?, ?)", _words(sounds, tokens))
    database.executemany("INSERT INTO tokens VALUES (?)", sorted((encode(token),) for token in tokens))
    database.executemany("INSERT INTO lists VALUES (?, ?)", _lists(state, ids))
    database.executemany("INSERT INTO edges VALUES (?, ?, ?, ?)", _edges(state, ids))
    for statement in INDEXES.values():
        database.execute(statement)
    database.execute("COMMIT")


def _about(state: SoundGraph) -> dict[str, Any]:
    """Return what a state has beside its sounds."""
    return {
        "source": state.source,
        "space": state.space,
        "has_weights": state.has_weights,
        "nodes": len(state),
        "edges": state.edge_count,
        "lists": state.list_count,
        "records": state.record_count,
        "gone": state.gone_count,
        "seeds": sorted(state.seeds),
    }


def _order_of(state: SoundGraph) -> list[int]:
    """Return all ids in the order of the checkpoint's file."""
    return [sound_id for _, sound_id in sorted((stamp, one) for one, stamp in state.graph.stamps("added_at"))]


def _segments(checkpoint: int, state: SoundGraph, order: list[int], binding: Binding) -> Iterator[tuple[Any, ...]]:
    for one, records in scan_segments(checkpoint, order, binding.digest):
        ids = order[one.first : one.first + one.sounds]
        for sound_id, record in zip(ids, records, strict=True):
            expected = {k: v for k, v in state.attributes(sound_id).items() if k not in LINK_FIELDS}
            if record != expected and repr(record) != repr(expected):  # NaN is not equal to itself
                raise LibraryCorrupt(f"sound {sound_id} has another record in it")
        yield one.first, one.sounds, one.offset, one.packed_bytes, one.raw_bytes, one.digest


def _sounds(state: SoundGraph, sounds: list[Sound], places: dict[int, int]) -> Iterator[tuple[Any, ...]]:
    for sound in sounds:
        flags = GONE * sound.is_gone | PENDING * state.is_pending(sound.id) | PROCESSED * sound.processed
        added_at = state.graph.value(sound.id, "added_at")
        yield sound.id, places[sound.id], flags, added_at, None if sound.name is None else encode(sound.name)


def _words(sounds: list[Sound], tokens: set[str]) -> Iterator[tuple[int, int, bytes]]:
    """Yield the rows of `words`, and add their tokens without the ids."""
    for sound in sounds:
        if not sound.is_gone:
            found = tokens_of(sound)
            yield sound.id, sound.num_downloads or 0, search_text(found, (sound.name or "").casefold())
            tokens |= found - {str(sound.id)}


def _lists(state: SoundGraph, ids: list[int]) -> Iterator[tuple[int, bytes]]:
    listed = {sound_id for sound_id, stamp in state.graph.stamps("linked_at") if stamp is not None}
    for sound_id in ids:
        if sound_id in listed:
            yield sound_id, pack({name: state.graph.value(sound_id, name) for name in LINK_FIELDS})


def _edges(state: SoundGraph, ids: list[int]) -> Iterator[tuple[Any, ...]]:
    for sound_id in ids:
        for target, edge in sorted(state.graph.succ[sound_id].items()):
            relations = {name: edge[name] for name in RELATION_FIELDS if name in edge}
            yield sound_id, target, edge.get("score"), pack(relations) if relations else None
