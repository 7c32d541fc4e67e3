"""Read GraphML and GEXF: nodes as records, edges as relations.

Owns the two formats' elements. The parser keeps no tree, refuses a document type (so no entity can grow), and bounds
the depth. The id of a sound is that of its node, or the node's attribute `id`, or else its `name`, where programs
number the nodes themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from harvester.errors import LibraryCorrupt
from harvester.importing.cells import Columns
from harvester.importing.file_content import FileContent
from harvester.importing.records import ImportTally
from harvester.model import read_sound_id

GRAPHML, GEXF = "a graph in GraphML", "a graph in GEXF"
_DEEPEST = 100
_IDS = ("id", "sound_id", "freesound_id", "name", "label")


@dataclass(slots=True)
class _Part:
    """A node or an edge: its place, its own XML attributes and its values."""

    place: str
    own: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)


def read_graph_xml(content: bytes, tally: ImportTally, relation: str) -> FileContent | None:
    """Return what a graph brings, or None for XML of another kind.

    Raises `LibraryCorrupt` for XML that is damaged or has a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    reader.line = lambda: parser.CurrentLineNumber
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        if not reader.form:
            return None
        raise LibraryCorrupt(f"line {error.lineno}: its XML is damaged") from error
    except (LookupError, ValueError) as error:
        raise LibraryCorrupt("its XML names an encoding that cannot be read; save it as UTF-8") from error
    if not reader.form:
        return None
    found = FileContent(reader.form, tally, relation)
    _add_nodes(reader, found)
    return found


class _Reader:
    """Collects the nodes and edges while expat reads."""

    def __init__(self) -> None:
        self.form = ""
        self.nodes: list[_Part] = []
        self.edges: list[_Part] = []
        self.is_undirected = False
        self.line: Any = None
        self._names: dict[tuple[str, str], str] = {}
        self._defaults: dict[str, dict[str, str]] = {"node": {}, "edge": {}}
        self._depth = 0
        self._class = "node"
        self._key: tuple[str, str] | None = None
        self._open: list[_Part] = []
        self._data: tuple[str, list[str]] | None = None

    def refuse(self, *_: object) -> None:
        raise LibraryCorrupt("its XML has a document type, which no graph needs")

    def start(self, tag: str, own: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise LibraryCorrupt(f"line {self.line()}: its XML is nested too deep")
        name = tag.rpartition(":")[2]
        if self._depth == 1:
            self.form = {"graphml": GRAPHML, "gexf": GEXF}.get(name, "")
        if not self.form:
            return
        match name:
            case "graph":
                self.is_undirected = "undirected" in (own.get("edgedefault"), own.get("defaultedgetype"))
            case "key":
                self._key = own.get("for", "all"), own.get("attr.name", own.get("id", ""))
                self._names[own.get("for", "all"), own.get("id", "")] = self._key[1]
            case "attributes":
                self._class = own.get("class", "node")
            case "attribute":
                self._key = self._class, own.get("title", own.get("id", ""))
                self._names[self._class, own.get("id", "")] = self._key[1]
            case "node" | "edge":
                part = _Part(f"line {self.line()}", own)
                (self.nodes if name == "node" else self.edges).append(part)
                self._open.append(part)
            case "data":
                self._data = own.get("key", ""), []
            case "default":
                self._data = "", []
            case "attvalue" if self._open:
                self._set(own.get("for", own.get("id", "")), own.get("value", ""))

    def text(self, text: str) -> None:
        if self._data is not None:
            self._data[1].append(text)

    def end(self, tag: str) -> None:
        self._depth -= 1
        match tag.rpartition(":")[2]:
            case "node" | "edge" if self._open:
                self._open.pop()
            case "data" if self._data is not None:
                if self._open:
                    self._set(self._data[0], "".join(self._data[1]))
                self._data = None
            case "default" if self._data is not None:
                if self._key is not None:
                    for kind in ("node", "edge") if self._key[0] == "all" else (self._key[0],):
                        self._defaults.setdefault(kind, {})[self._key[1]] = "".join(self._data[1])
                self._data = None

    def _set(self, key: str, value: str) -> None:
        part = self._open[-1]
        kind = "edge" if "source" in part.own and "target" in part.own else "node"
        part.values[self._names.get((kind, key), self._names.get(("all", key), key))] = value

    def values(self, part: _Part, kind: str) -> dict[str, str]:
        """Return a part's values, with the defaults of what it lacks."""
        return self._defaults.get(kind, {}) | part.values


def _add_nodes(reader: _Reader, found: FileContent) -> None:
    nodes = [(part, reader.values(part, "node")) for part in reader.nodes]
    column = _id_column(nodes)
    names = sorted({name for _, values in nodes for name in values} - {column, "id"})
    columns = Columns(names, found.tally)
    ids: dict[str, Any] = {}
    for part, values in nodes:
        key = values.get(column) if column else part.own.get("id", "")
        found.tally.spend(1 + len(values))
        # A graph has no nulls: what other nodes have and this one lacks is empty.
        cells = {name: values.get(name) for name in names}
        ids[part.own.get("id", "")] = found.add_record(part.place, key, columns.record(cells))
    for part in reader.edges:
        values = reader.values(part, "edge")
        for name in ("weight", "kind"):
            if name in part.own:
                values.setdefault(name, part.own[name])
        found.tally.spend(1 + len(values))
        direction = part.own.get("directed", part.own.get("type", ""))
        both_ways = direction in ("false", "undirected", "mutual") or (not direction and reader.is_undirected)
        source, target = (ids.get(part.own.get(end, ""), part.own.get(end, "")) for end in ("source", "target"))
        found.add_edge(part.place, source, target, values, both_ways=both_ways)
    if reader.is_undirected and reader.edges:
        found.tally.mapped["undirected edges to one in each direction"] += 1


def _id_column(nodes: list[tuple[_Part, dict[str, str]]]) -> str:
    """Return the attribute that has the ids, or no text for the nodes' own."""
    if any(read_sound_id(part.own.get("id")) is not None for part, _ in nodes):
        return ""
    for name in _IDS:
        if nodes and all(read_sound_id(values.get(name)) is not None for _, values in nodes):
            return name
    return ""
