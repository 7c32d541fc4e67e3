"""Read files of older tools: joblib dict, pickled graph, SQLite.

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harvester.checkpoint import begins_as_checkpoint
from harvester.clock import SECOND_US
from harvester.errors import LibraryCorrupt, SettingsError
from harvester.importing.records import Tally, label
from harvester.importing.unpickle import Inert, load_foreign
from harvester.storage import (
    HEAD_BYTES,
    copy_regular,
    describe_content,
    read_bounded,
    refuse_content,
    unpack_beginning,
)

_LARGEST_BYTES = 2 << 30
_LONGEST_STATEMENT = 100_000
_SQLITE = b"SQLite format 3\x00"
_NOT_OLD = "not a library of an older tool (a .pkl, a .gpickle or an SQLite cache)"
_PICKLE = re.compile(rb"\x80[\x02-\x05]|[(}\]cl]")
"""How a pickle begins; before protocol 2 it begins with its first opcode."""
_PARTS = {"graph", "processed_ids", "sound_cache", "metadata"}
_GRAPHS = ("DiGraph", "Graph", "MultiDiGraph", "MultiGraph")
_COUNTED = {"timestamp", "nodes", "edges", "processed_ids"}


@dataclass(slots=True)
class OldLibrary:
    """Unconverted content of an old file.

    It has nodes and out-edges, records by id, and ids called processed. `timestamp` is in microseconds UTC, or None
    when the file has none. `everything` is searched for API keys.
    """

    form: str
    nodes: dict[Any, Any] = field(default_factory=dict)
    edges: dict[Any, Any] = field(default_factory=dict)
    records: dict[Any, dict[Any, Any]] = field(default_factory=dict)
    processed: list[Any] = field(default_factory=list)
    timestamp: int | None = None
    everything: Any = None


def load_old(path: Path, tally: Tally) -> OldLibrary:
    """Read the file of an older tool; it is not changed.

    Raises `SettingsError` for any other file (also for a library of harvester), `LibraryCorrupt` for a corrupt one.
    """
    try:
        packed = read_bounded(path, _LARGEST_BYTES)
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    refuse_content(packed[:HEAD_BYTES], path)
    tally.allow(len(packed))
    try:
        if packed.startswith(_SQLITE):
            return _read_sqlite(path, tally)
        content = load_foreign(packed)
    except LibraryCorrupt as error:
        if not _is_known(packed):
            raise SettingsError(f"{path}: it is {describe_content(packed)}, {_NOT_OLD}; nothing was changed") from None
        raise LibraryCorrupt(f"{path}: {error}; nothing was changed") from error
    if isinstance(content, Inert) and _is_graph(content):
        old = OldLibrary(f"a pickled {content.class_path}", everything=content)
        _read_graph(content, old, tally)
        return old
    if isinstance(content, dict) and content.keys() & _PARTS:
        return _read_dict(path, content, tally)
    raise SettingsError(f"{path}: it is {describe_content(packed)}, {_NOT_OLD}; nothing was changed")


def _is_known(packed: bytes) -> bool:
    """Tell whether a file that cannot be read is of a known tool.

    Only such a file is corrupt; any other is none of these tools'.
    """
    if begins_as_checkpoint(packed):
        return True
    beginning = unpack_beginning(packed)
    if packed.startswith(_SQLITE):
        return b"sample_id" in beginning
    return _PICKLE.match(beginning) is not None and any(name.encode() in beginning for name in (*_PARTS, "networkx"))


def _read_dict(path: Path, content: dict[Any, Any], tally: Tally) -> OldLibrary:
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
            old.records[key] = record
    if isinstance(metadata, dict):
        old.timestamp = read_stamp(metadata.get("timestamp"))
        for name in metadata.keys() - _COUNTED:
            tally.dropped[f"metadata {label(name)}"] += 1
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


def _read_graph(graph: Inert, old: OldLibrary, tally: Tally) -> None:
    attributes, name = graph.attributes, graph.class_path.rpartition(".")[2]
    nodes = dict(_pairs(attributes.get("_node", attributes.get("node"))))
    edges = {}
    for source, targets in _pairs(attributes.get("_adj", attributes.get("_succ", attributes.get("adj")))):
        edges[source] = dict(_pairs(targets))
        tally.spend(len(edges[source]))
    if name.startswith("Multi"):
        tally.mapped["parallel edges to one"] += 1
        edges = {
            source: {target: _joined(parallel, tally) for target, parallel in targets.items()}
            for source, targets in edges.items()
        }
    if "Di" not in name:
        tally.mapped["undirected edges to one in each direction"] += 1
    old.nodes, old.edges = nodes, edges
    if attributes.get("graph"):
        tally.dropped["attributes of the graph"] += 1


def _joined(parallel: Any, tally: Tally) -> dict[Any, Any]:
    joined: dict[Any, Any] = {}
    for _, attributes in _pairs(parallel):
        tally.spend(1)
        if isinstance(attributes, dict):
            tally.spend(len(attributes))
            joined |= attributes
    return joined


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


def read_stamp(value: Any) -> int | None:
    """Return an older tool's time in microseconds UTC, or None.

    It reads ISO text, seconds and pickled datetimes.
    """
    if isinstance(value, Inert) and value.class_path == "datetime.datetime" and value.arguments:
        raw = value.arguments[0]
        if isinstance(raw, Inert) and raw.class_path == "_codecs.encode" and isinstance(raw.arguments[0], str):
            raw = raw.arguments[0].encode("latin-1", "replace")  # how the oldest pickle protocols write bytes
        if isinstance(raw, bytes) and len(raw) == 10:
            year, month = raw[0] << 8 | raw[1], raw[2] & 0x7F
            value = f"{year:04}-{month:02}-{raw[3]:02}T{raw[4]:02}:{raw[5]:02}:{raw[6]:02}"
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            # Without a zone it is the local time of an unknown machine; a difference of a day does not matter here.
            return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * SECOND_US
        if type(value) in (int, float):
            return int(value * SECOND_US)
    except (ValueError, OverflowError):
        return None
    return None


def _read_sqlite(path: Path, tally: Tally) -> OldLibrary:
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
                _read_rows(connection, path, old, tally, size_bytes)
        except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
            raise LibraryCorrupt(str(error)) from error
        except OSError as error:
            raise SettingsError(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    old.everything = old.records
    return old


def _read_rows(connection: sqlite3.Connection, path: Path, old: OldLibrary, tally: Tally, size_bytes: int) -> None:
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    # Virtual tables and generated columns could run code that the file brings.
    plain = re.match(r"CREATE\s+TABLE\b", str(tables.get("metadata", "")), re.IGNORECASE)
    columns = [(row[1], row[6]) for row in connection.execute("PRAGMA table_xinfo(metadata)")] if plain else []
    if not {"sample_id", "data"} <= {name for name, hidden in columns if not hidden}:
        raise SettingsError(f"{path}: it has no table metadata(sample_id, data); nothing was changed")
    for name in tables.keys() - {"metadata"}:
        tally.dropped[f"table {label(name)}"] += 1
    for name in {name for name, _ in columns} - {"sample_id", "data"}:
        tally.dropped[f"column {label(name)}"] += 1
    for sample_id, data in connection.execute("SELECT sample_id, data FROM metadata NOT INDEXED ORDER BY rowid"):
        size_bytes -= 2 + (len(data) if isinstance(data, (str, bytes)) else 0)
        if size_bytes < 0:
            raise LibraryCorrupt("its rows have more bytes than the file")
        try:
            record = json.loads(data)
        except (ValueError, TypeError, RecursionError):
            record = None
        if isinstance(record, dict):
            old.records[sample_id] = record
        else:
            tally.dropped["rows without a record"] += 1
