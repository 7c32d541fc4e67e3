"""Read files of older tools: joblib dict, pickled graph, SQLite, JSON.

Owns the names of the parts in each format, and converts all of them to an `OldLibrary`. Decides nothing about sounds,
and counts every part that it does not know.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvester.checkpoint import begins_as_checkpoint
from harvester.errors import LibraryCorrupt, SettingsError, words_of
from harvester.graph import UNKNOWN_TIME
from harvester.importing.names import PLAIN_RELATION, STAMPS, is_housekeeping, stamp_in
from harvester.importing.records import ImportTally, label
from harvester.importing.unpickle import Inert, load_foreign
from harvester.storage import (
    HEAD_BYTES,
    copy_regular,
    describe_content,
    read_bounded,
    refuse_content,
    unpack_beginning,
)

LARGEST_BYTES = 2 << 30
_LONGEST_STATEMENT = 100_000
_SQLITE = b"SQLite format 3\x00"
_NOT_OLD = "not a library of an older tool (a .pkl, a .gpickle, an SQLite cache, or the JSON beside them)"
_PICKLE = re.compile(rb"\x80[\x02-\x05]|[(}\]cl]")
"""How a pickle begins; before protocol 2 it begins with its first opcode."""
_PARTS = {"graph", "processed_ids", "sound_cache", "metadata"}
_GRAPHS = ("DiGraph", "Graph", "MultiDiGraph", "MultiGraph")
_COUNTED = {"nodes", "edges", "processed_ids"}
_LARGEST_JSON_BYTES = 64 << 20


@dataclass(slots=True)
class OldLibrary:
    """Unconverted content of an old file, or of several.

    It has nodes as (key, attributes), out-edges as (source, target, attributes), records as (key, record, stamp) and
    keys called processed. A key is an id as the older tool wrote it. `timestamp` is that of the file, the stamp of a
    record that of its row; both are in microseconds UTC, or None where there is none. `everything` is searched for API
    keys.
    """

    form: str
    relation: str = PLAIN_RELATION
    """The kind of an edge that has none of its own."""
    known_at: int = UNKNOWN_TIME
    """Since when the end of an edge is known, if nothing else says it; microseconds UTC."""
    nodes: list[tuple[Any, Any]] = field(default_factory=list)
    edges: list[tuple[Any, Any, Any]] = field(default_factory=list)
    records: list[tuple[Any, dict[Any, Any], int | None]] = field(default_factory=list)
    processed: list[Any] = field(default_factory=list)
    timestamp: int | None = None
    everything: Any = None


def load_old(path: Path, tally: ImportTally, now_us: int, otherwise: str = _NOT_OLD) -> OldLibrary:
    """Read the file of an older tool; it is not changed.

    `otherwise` says of any other file what it is not. Stamps after `now_us` are ignored. Raises `SettingsError` for any
    other file (also for a library of harvester), `LibraryCorrupt` for a corrupt one.
    """
    try:
        packed = read_bounded(path, LARGEST_BYTES)
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    refuse_content(packed[:HEAD_BYTES], path)
    tally.allow(len(packed))
    try:
        if packed.startswith(_SQLITE):
            return _read_sqlite(path, tally, now_us)
        if packed[:HEAD_BYTES].lstrip()[:1] == b"{" and len(packed) <= _LARGEST_JSON_BYTES:
            return _read_json(path, packed, tally, now_us, otherwise)
        content = load_foreign(packed)
    except LibraryCorrupt as error:
        if not _is_known(path, packed):
            raise SettingsError(f"{path}: it is {describe_content(packed)}, {otherwise}; nothing was changed") from None
        raise LibraryCorrupt(f"{path}: {error}; nothing was changed") from error
    if isinstance(content, Inert) and _is_graph(content):
        old = OldLibrary(f"a pickled {content.class_path}", everything=content)
        _read_graph(content, old, tally)
        return old
    if isinstance(content, dict) and content.keys() & _PARTS:
        return _read_dict(path, content, tally, now_us)
    raise SettingsError(f"{path}: it is {describe_content(packed)}, {otherwise}; nothing was changed")


def _is_known(path: Path, packed: bytes) -> bool:
    """Tell whether a file that cannot be read is of a known tool.

    Only such a file is corrupt; any other is none of these tools'. The name tells it of JSON alone, because pickles and
    caches have any name.
    """
    if begins_as_checkpoint(packed):
        return True
    beginning = unpack_beginning(packed)
    if packed.startswith(_SQLITE):
        return b"sample_id" in beginning
    if beginning.lstrip()[:1] == b"{":
        return "checkpoint" in path.name or b'"processed_ids"' in beginning
    return _PICKLE.match(beginning) is not None and any(name.encode() in beginning for name in (*_PARTS, "networkx"))


def _read_json(path: Path, text: bytes, tally: ImportTally, now_us: int, otherwise: str) -> OldLibrary:
    """Read the JSON object that an older tool wrote beside its graph."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LibraryCorrupt(f"it is not JSON ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("processed_ids"), list):
        raise SettingsError(f"{path}: it is {describe_content(text)}, {otherwise}; nothing was changed")
    old = OldLibrary("the checkpoint's metadata in JSON", processed=content["processed_ids"], everything=content)
    tally.spend(len(old.processed))
    _read_metadata(content, old, tally, now_us)
    return old


def _read_metadata(metadata: dict[Any, Any], old: OldLibrary, tally: ImportTally, now_us: int) -> None:
    old.timestamp = stamp_in(metadata, now_us)
    for name in metadata.keys() - _COUNTED:
        if isinstance(name, str) and is_housekeeping(name, None):
            tally.housekeeping[name] += 1
        else:
            tally.dropped[f"metadata {label(name)}"] += 1


def _read_dict(path: Path, content: dict[Any, Any], tally: ImportTally, now_us: int) -> OldLibrary:
    metadata = content.get("metadata")
    if isinstance(metadata, dict) and "format_version" in metadata and "digest" in metadata:
        raise SettingsError(f"{path} is a library of harvester itself: `harvester merge {path}` merges it")
    old = OldLibrary("a joblib dictionary", everything=content)
    graph = content.get("graph")
    if isinstance(graph, Inert) and _is_graph(graph):
        _read_graph(graph, old, tally)
    elif graph is not None:
        tally.dropped["graph (not a NetworkX graph)"] += 1
    old.processed = _members(content.get("processed_ids"))
    cache = _pairs(content.get("sound_cache"))
    for key, value in cache:
        record = _record_in(value)
        tally.spend(len(record or ()))
        if record is None:
            tally.dropped["cached sounds without a record"] += 1
        else:
            tally.mapped["objects of foreign classes to records"] += isinstance(value, Inert)
            old.records.append((key, record, None))
    if isinstance(metadata, dict):
        _read_metadata(metadata, old, tally, now_us)
    for name in content.keys() - _PARTS:
        tally.dropped[f"part {label(name)}"] += 1
    return old


def _record_in(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    if not isinstance(value, Inert):
        return None
    attributes = value.attributes
    inner = attributes.get("json_dict")
    if isinstance(inner, dict):
        return inner
    return attributes if "id" in attributes and "name" in attributes else None


def _is_graph(value: Inert) -> bool:
    module, _, name = value.class_path.rpartition(".")
    return module.startswith("networkx") and name in _GRAPHS


def _read_graph(graph: Inert, old: OldLibrary, tally: ImportTally) -> None:
    attributes, name = graph.attributes, graph.class_path.rpartition(".")[2]
    old.nodes = _pairs(attributes.get("_node", attributes.get("node")))
    tally.spend(len(old.nodes))
    is_multi = name.startswith("Multi")
    for source, targets in _pairs(attributes.get("_adj", attributes.get("_succ", attributes.get("adj")))):
        for target, edge in _pairs(targets):
            parallel = [one for _, one in _pairs(edge)] if is_multi else [edge]
            tally.spend(len(parallel))
            old.edges += [(source, target, one) for one in parallel]
    if is_multi:
        tally.mapped["parallel edges to one with several relations"] += 1
    if "Di" not in name:
        tally.mapped["undirected edges to one in each direction"] += 1
    if attributes.get("graph"):
        tally.dropped["attributes of the graph"] += 1


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    """Return a mapping's pairs, also of a foreign one (`OrderedDict`)."""
    if isinstance(value, Inert):
        return value.pairs
    return list(value.items()) if isinstance(value, dict) else []


def _members(value: Any) -> list[Any]:
    """Return the members of a set or list, of any pickle protocol."""
    if isinstance(value, Inert):
        value = next(iter(value.arguments), None) or value.elements
    return list(value) if isinstance(value, set | frozenset | list | tuple) else []


def _read_sqlite(path: Path, tally: ImportTally, now_us: int) -> OldLibrary:
    old = OldLibrary("an SQLite cache")
    with tempfile.TemporaryDirectory(prefix="harvester") as folder:
        # Read a copy: SQLite applies the older tool's WAL there, and the original file is not changed.
        copy = Path(folder) / "cache"
        try:
            for ending in ("", "-wal"):
                part = path.with_name(f"{path.name}{ending}")
                if part.exists():
                    copy_regular(part, copy.with_name(f"cache{ending}"))
            with closing(sqlite3.connect(copy)) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA cell_size_check = ON")
                size_bytes = sum(part.stat().st_size for part in Path(folder).iterdir())
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, size_bytes)
                connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
                _read_rows(connection, path, old, tally, size_bytes, now_us)
        except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
            raise LibraryCorrupt(words_of(error)) from error
        except OSError as error:
            raise SettingsError(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    old.everything = [record for _, record, _ in old.records]
    return old


def _read_rows(
    connection: sqlite3.Connection, path: Path, old: OldLibrary, tally: ImportTally, size_bytes: int, now_us: int
) -> None:
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    # Virtual tables and generated columns could run code that the file brings.
    plain = re.match(r"CREATE\s+TABLE\b", str(tables.get("metadata", "")), re.IGNORECASE)
    columns = [(row[1], row[6]) for row in connection.execute("PRAGMA table_xinfo(metadata)")] if plain else []
    if not {"sample_id", "data"} <= {name for name, hidden in columns if not hidden}:
        raise SettingsError(f"{path}: it has no table metadata(sample_id, data); nothing was changed")
    for name in tables.keys() - {"metadata"}:
        tally.dropped[f"table {label(name)}"] += 1
    stamped = [name for name, hidden in columns if name in STAMPS and not hidden]
    for name in {name for name, _ in columns} - {"sample_id", "data"}:
        if is_housekeeping(name, None):
            tally.housekeeping[name] += 1
        else:
            tally.dropped[f"column {label(name)}"] += 1
    wanted = ", ".join(["sample_id", "data", *stamped])
    statement = f"SELECT {wanted} FROM metadata NOT INDEXED ORDER BY rowid"  # noqa: S608  the names are in `STAMPS`
    for sample_id, data, *stamps in connection.execute(statement):
        size_bytes -= 2 + sum(len(value) for value in (data, *stamps) if isinstance(value, (str, bytes)))
        if size_bytes < 0:
            raise LibraryCorrupt("its rows have more bytes than the file")
        try:
            record = json.loads(data)
        except (ValueError, TypeError, RecursionError):
            record = None
        if isinstance(record, dict):
            old.records.append((sample_id, record, stamp_in(dict(zip(stamped, stamps, strict=True)), now_us)))
        else:
            tally.dropped["rows without a record"] += 1
