"""Read JSON: lines, lists, answers of the API, node-link graphs.

Owns how our own exports are told from foreign records: by the text `record`, by `library`, or by the keys that only
`export jsonl` writes. Lines end at a line feed only, because a text may hold other line separators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from harvester.errors import LibraryCorrupt
from harvester.graph import MEASURES, read_json, read_library_text, read_sound_object, read_sound_text
from harvester.importing.file_content import FileContent
from harvester.importing.records import ImportTally

LINES, LIST, NODE_LINK = "records in JSON lines", "records in JSON", "a node-link graph in JSON"
_OURS = {"id", "added_at", "processed", "neighbours"}
_BESIDE = {"processed", "library", *MEASURES}
"""Keys of a sound of ours that are not its own. A sound with a field of such a name has the whole in `record`."""


def read_json_file(content: bytes, tally: ImportTally, relation: str) -> FileContent | None:
    """Return what JSON brings, or None for JSON of another kind.

    Raises `LibraryCorrupt` with the number of the line.
    """
    first, _, rest = content.partition(b"\n")
    line = _object_in(first)
    if line is not None and (rest.strip() or _is_record(line)):
        found = FileContent(LINES, tally, relation)
        _read_lines(content, found)
        return found
    value = line if line is not None and not rest.strip() else read_json(content)
    if isinstance(value, dict) and isinstance(value.get("nodes"), list) and _edges_of(value) is not None:
        found = FileContent(NODE_LINK, tally, relation)
        _read_node_link(value, found)
        return found
    rows = value.get("results") if isinstance(value, dict) and "id" not in value else value
    if isinstance(rows, dict) and _is_record(rows):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) or row is None for row in rows) or not any(rows):
        return None
    found = FileContent(LIST, tally, relation)
    _read_objects(((f"record {number}", row) for number, row in enumerate(rows, 1) if row is not None), found)
    return found


def _object_in(line: bytes) -> dict[str, Any] | None:
    try:
        value = read_json(line)
    except LibraryCorrupt:
        return None
    return value if isinstance(value, dict) else None


def _is_record(value: dict[str, Any]) -> bool:
    return ("id" in value or "library" in value) and "nodes" not in value


def _read_lines(content: bytes, found: FileContent) -> None:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = read_json(line)
        except LibraryCorrupt as error:
            raise LibraryCorrupt(f"line {number}: {error}") from error
        if isinstance(value, dict) and isinstance(value.get("results"), list) and "id" not in value:
            _read_objects(((f"line {number}", row) for row in value["results"] if isinstance(row, dict)), found)
        elif isinstance(value, dict):
            _read_object(f"line {number}", value, found)
        else:
            found.add_bad(f"line {number}", "rows without the id of a sound")


def _read_objects(rows: Iterable[tuple[str, dict[str, Any]]], found: FileContent) -> None:
    for place, row in rows:
        _read_object(place, row, found)


def _read_object(place: str, value: dict[str, Any], found: FileContent) -> None:
    """Read our own sound, with what stands beside it, or a record."""
    record, library = value.get("record"), value.get("library")
    if type(library) is str:
        read_facts(place, library, found)
        if "id" not in value:
            return
    if type(record) is str and "id" in value:
        add_whole(place, lambda: read_sound_text(record), found)
    elif value.keys() >= _OURS:
        plain = {name: inner for name, inner in value.items() if name not in _BESIDE}
        add_whole(place, lambda: read_sound_object(plain), found)
    else:
        found.tally.spend(len(value))
        found.add_record(place, value.get("id"), value)


def add_whole(place: str, read: Callable[[], Any], found: FileContent) -> None:
    """Add a whole sound; raise `LibraryCorrupt` with its place."""
    try:
        sound = read()
    except LibraryCorrupt as error:
        raise LibraryCorrupt(f"{place}: {error}") from error
    found.whole.add(place, sound)


def read_facts(place: str, text: str, found: FileContent) -> None:
    """Add the facts of the library; raise `LibraryCorrupt` with the place."""
    try:
        facts = read_library_text(text)
    except LibraryCorrupt as error:
        raise LibraryCorrupt(f"{place}: {error}") from error
    found.whole.add_facts(place, facts)
    found.has_facts = True


def _edges_of(graph: dict[str, Any]) -> list[Any] | None:
    return next((graph[name] for name in ("edges", "links") if isinstance(graph.get(name), list)), None)


def _read_node_link(graph: dict[str, Any], found: FileContent) -> None:
    facts = graph.get("graph")
    if isinstance(facts, dict) and type(library := facts.get("library")) is str:
        read_facts("the graph's library", library, found)
    for number, node in enumerate(graph["nodes"], 1):
        if isinstance(node, dict):
            _read_object(f"node {number}", node, found)
        else:
            found.add_bad(f"node {number}", "nodes without the id of a sound")
    both_ways = graph.get("directed") is False
    for number, edge in enumerate(_edges_of(graph) or (), 1):
        place = f"edge {number}"
        if not isinstance(edge, dict):
            found.add_bad(place, "edges without two sounds")
        elif not found.whole.has_edge(edge.get("source"), edge.get("target")):
            # An edge that a whole sound has is there already; any other is the user's own.
            found.add_edge(place, edge.get("source"), edge.get("target"), edge, both_ways=both_ways)
