"""The check of every value that came out of a file, and the new state made of them.

Owns what a library may hold: integer ids, records of JSON values, scores in [0, 1], stamps, edges whose ends exist,
counts that are true. Takes plain, unpickled, still untrusted data; a failure is `LibraryCorrupt` with one line.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import OWN_FIELDS, SoundGraph, blanked, in_order, record_of
from harvester.library.pickling import DEEPEST, DIGEST_LENGTH
from harvester.model import SPACES, is_sound_id

FORMAT_VERSION = 1
PARTS = ("graph", "processed_ids", "sound_cache", "metadata")
METADATA = {
    "format_version": int,
    "timestamp": str,
    "nodes": int,
    "edges": int,
    "source": str,
    "similarity_space": str,
    "seeds": list,
    "statistics": dict,
    "digest": str,
}
_LINK = ("linked_at", "link_origin", "link_space", "link_limit", "link_filter")
_OWN_KINDS = {name: str if name in ("link_origin", "link_space", "link_filter") else int for name in OWN_FIELDS}
_FLAT = {str, int, float, bool, type(None)}
_TEXT, _INTEGER, _DICT, _FLOAT, _ONE = {str}, {int}, {dict}, {float}, {1}
_OWN = frozenset(OWN_FIELDS)


def read_state(plain: object, stand_in: type, budget: int) -> tuple[SoundGraph, dict[str, Any]]:
    """Return the state and the metadata in an unpickled checkpoint whose graph is a `stand_in`.

    `budget` bounds the values looked at: each takes at least a byte of its file, unless containers are shared.
    """
    if type(plain) is not dict or tuple(plain) != PARTS:
        raise LibraryCorrupt("it is not a dict of graph, processed_ids, sound_cache and metadata")
    metadata = _read_metadata(plain["metadata"])
    reader = _Reader(budget)
    nodes, adjacency = _read_graph(plain["graph"], stand_in)
    records = {sound_id: attributes for sound_id, attributes in nodes.items() if "fetched_at" in attributes}
    _check_cache(plain["sound_cache"], records)
    nodes = {sound_id: reader.attributes(sound_id, attributes) for sound_id, attributes in nodes.items()}
    edges = {sound_id: reader.adjacency(sound_id, adjacency.pop(sound_id), nodes) for sound_id in nodes}
    state = SoundGraph.adopt(
        nodes, edges, seeds=metadata["seeds"], source=metadata["source"], space=metadata["similarity_space"]
    )
    if type(plain["processed_ids"]) is not set or plain["processed_ids"] != state.processed:
        raise LibraryCorrupt("its processed_ids are not the sounds that have both a full record and a similar list")
    if (metadata["nodes"], metadata["edges"]) != (len(state), state.edge_count):
        raise LibraryCorrupt("its metadata counts other nodes or edges than it holds")
    return state, metadata


def _read_metadata(metadata: object) -> dict[str, Any]:
    if type(metadata) is not dict:
        raise LibraryCorrupt("its metadata is not a dict")
    version = metadata.get("format_version")
    if type(version) is not int or not 0 < version < 1 << 31:
        raise LibraryCorrupt("its metadata has no format version")
    if version > FORMAT_VERSION:
        raise NewerFormat(f"it has format {version}, this harvester reads {FORMAT_VERSION}: please update harvester")
    for name, kind in METADATA.items():
        if type(metadata.get(name)) is not kind:
            raise LibraryCorrupt(f"its metadata has no valid {name}")
    if metadata.keys() != METADATA.keys() or version != FORMAT_VERSION or len(metadata["digest"]) != DIGEST_LENGTH:
        raise LibraryCorrupt("its metadata is not that of a library")
    if not all(is_sound_id(sound_id) for sound_id in metadata["seeds"]) or metadata["similarity_space"] not in SPACES:
        raise LibraryCorrupt("its metadata is not that of a library")
    if not all(type(name) is str and type(count) is int for name, count in metadata["statistics"].items()):
        raise LibraryCorrupt("its statistics are not counts")
    return metadata


def _read_graph(graph: object, stand_in: type) -> tuple[dict[int, Any], dict[int, Any]]:
    if type(graph) is not stand_in:
        raise LibraryCorrupt("its graph is not a graph")
    adjacency, state = graph.adjacency, graph.state  # type: ignore[attr-defined]
    if type(state) is not tuple or state[0] is not None or type(state[1]) is not dict or tuple(state[1]) != ("_node",):
        raise LibraryCorrupt("its graph carries more than nodes and edges")
    nodes = state[1]["_node"]
    if type(nodes) is not dict or type(adjacency) is not dict or nodes.keys() != adjacency.keys():
        raise LibraryCorrupt("the nodes and edges of its graph do not match")
    if not all(map(is_sound_id, nodes)) or not all(type(attributes) is dict for attributes in nodes.values()):
        raise LibraryCorrupt("the nodes of its graph are not sounds")
    return nodes, adjacency


def _check_cache(cache: object, records: dict[int, Any]) -> None:
    if type(cache) is not dict or cache.keys() != records.keys():
        raise LibraryCorrupt("its sound_cache does not hold exactly the sounds with a record")
    if not all(cache[sound_id] is attributes for sound_id, attributes in records.items()):
        raise LibraryCorrupt("its sound_cache differs from its graph")


_Plan: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, type], ...]]
"""For the names of a node's attributes: their canonical order, and our own among them with their types."""


def _plain_edges(neighbours: dict[Any, Any]) -> dict[int, dict[str, Any]] | None:
    """Return edges that have a good score and nothing else, as nearly all are; None when one must be looked at."""
    edges = neighbours.values()
    if set(map(type, neighbours)) != _INTEGER or set(map(type, edges)) != _DICT or set(map(len, edges)) != _ONE:
        return None
    scores = [edge.get("score") for edge in edges]
    # A NaN may hide from min and max, never from the sum.
    if set(map(type, scores)) != _FLOAT or min(scores) < 0.0 or max(scores) > 1.0 or not sum(scores) >= 0.0:
        return None
    return {target: {"score": score} for target, score in zip(neighbours, scores, strict=True)}


class _Reader:
    """Checks values against one budget, so that containers shared a thousandfold cannot cost more than the file."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._orders: dict[tuple[str, ...], _Plan] = {}
        self._owned: set[int] = set()

    def _spend(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise LibraryCorrupt("its containers are shared in a way that a library never has")

    def attributes(self, sound_id: int, attributes: dict[Any, Any]) -> dict[str, Any]:
        """Return the node's attributes as a dict of our own, in canonical order."""
        self._spend(len(attributes) + 1)
        self._own(sound_id, attributes)
        names = tuple(attributes)
        known = self._orders.get(names)
        if known is None:
            known = self._orders[names] = self._read_names(names)
        order, own = known
        for name, kind in own:
            if type(attributes[name]) is not kind or (kind is int and not 0 <= attributes[name] < 2**63):
                raise LibraryCorrupt(f"sound {sound_id} has no valid {name}")
        if "id" in attributes and (type(attributes["id"]) is not int or attributes["id"] != sound_id):
            raise LibraryCorrupt(f"the record of sound {sound_id} is that of another sound")
        if not _FLAT.issuperset(map(type, attributes.values())):
            for value in attributes.values():
                if type(value) not in _FLAT:
                    self._value(sound_id, value, 0)
        if "withdrawn_at" in attributes:
            record = record_of(attributes)
            if any(value is not record[name] for name, value in blanked(record).items()):
                raise LibraryCorrupt(f"sound {sound_id} was withdrawn, but its texts are still there")
        return attributes if order == names else {name: attributes[name] for name in order}

    def _own(self, sound_id: int, container: object) -> None:
        if id(container) in self._owned:
            raise LibraryCorrupt(f"the record of sound {sound_id} shares a container with another")
        self._owned.add(id(container))

    def _read_names(self, names: tuple[Any, ...]) -> _Plan:
        if not all(type(name) is str for name in names):
            raise LibraryCorrupt("a field of a record has a name that is not a text")
        linked = [name in names for name in _LINK]
        if "added_at" not in names or any(linked) != all(linked):
            raise LibraryCorrupt("a sound lacks the stamps of its record or its similar list")
        if "fetched_at" not in names and set(names) - _OWN:
            raise LibraryCorrupt("a record has no stamp")
        return in_order(names), tuple((name, _OWN_KINDS[name]) for name in names if name in _OWN)

    def _value(self, sound_id: int, value: object, depth: int) -> None:
        if depth > DEEPEST:
            raise LibraryCorrupt(f"the record of sound {sound_id} is nested too deep, or in a circle")
        if type(value) is dict:
            self._spend(len(value) + 1)
            if not _TEXT.issuperset(map(type, value)):
                raise LibraryCorrupt(f"the record of sound {sound_id} has a name that is not a text")
            inner = value.values()
        elif type(value) is list:
            self._spend(len(value) + 1)
            inner = value  # type: ignore[assignment]
        else:
            raise LibraryCorrupt(f"the record of sound {sound_id} holds a {type(value).__name__}")
        self._own(sound_id, value)
        if not _FLAT.issuperset(map(type, inner)):
            for element in inner:
                if type(element) not in _FLAT:
                    self._value(sound_id, element, depth + 1)

    def adjacency(self, sound_id: int, neighbours: object, nodes: dict[int, Any]) -> dict[int, dict[str, Any]]:
        """Return a node's out-edges as dicts of our own."""
        if type(neighbours) is not dict:
            raise LibraryCorrupt(f"the edges of sound {sound_id} are not a dict")
        self._spend(len(neighbours) + 1)
        if not nodes.keys() >= neighbours.keys():
            raise LibraryCorrupt(f"an edge of sound {sound_id} ends at a sound that is not there")
        plain = _plain_edges(neighbours) if "linked_at" in nodes[sound_id] else None
        if plain is not None:
            return plain
        edges: dict[int, dict[str, Any]] = {}
        for target, edge in neighbours.items():
            if type(target) is not int or type(edge) is not dict or not edge:
                raise LibraryCorrupt(f"an edge of sound {sound_id} is not one")
            score = edge.get("score")
            if type(score) is float and 0.0 <= score <= 1.0:
                if len(edge) == 1:
                    edges[target] = {"score": score}
                    continue
            elif "score" in edge:
                raise LibraryCorrupt(f"an edge of sound {sound_id} has a score that is not between 0 and 1")
            if edge.keys() - {"score", "relation"}:
                raise LibraryCorrupt(f"an edge of sound {sound_id} carries what no edge has")
            edges[target] = dict(edge)
            if "relation" in edge:
                edges[target]["relation"] = self._kinds(sound_id, edge["relation"])
        if "linked_at" not in nodes[sound_id] and any("score" in edge for edge in edges.values()):
            raise LibraryCorrupt(f"sound {sound_id} has scored edges but no similar list")
        return edges

    def _kinds(self, sound_id: int, kinds: object) -> list[str]:
        """Return what an edge says of its relation: texts, sorted, each once."""
        if type(kinds) is not list or not kinds or not all(type(kind) is str for kind in kinds):
            raise LibraryCorrupt(f"an edge of sound {sound_id} has a relation that is not a list of texts")
        self._spend(len(kinds))
        if kinds != sorted(set(kinds)):
            raise LibraryCorrupt(f"an edge of sound {sound_id} has relations that are not in order")
        return list(kinds)
