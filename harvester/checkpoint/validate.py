"""Check every value from a file, and build a new state of them.

Owns the rules for a library as a whole: its parts, its metadata, a graph whose nodes and edges match, correct counts.
`_validate_content` owns the rules for a record and for an edge. Takes plain, unpickled, still untrusted data; raises
`LibraryCorrupt` with one line.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.writer import DIGEST_LENGTH
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.graph import SoundGraph
from harvester.model import SPACES, is_sound_id

FORMAT_VERSION = 2
"""Format 2 is format 1 with weights of relations. A library without them is written in format 1."""

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


def read_state(plain: object, stand_in: type, budget: int) -> tuple[SoundGraph, dict[str, Any]]:
    """Return the state and metadata of an unpickled checkpoint.

    Its graph is a `stand_in`. `budget` is the maximum number of values to check. Each value takes at least one byte of
    its file, unless containers are shared; an empty container takes one byte and counts twice, as a value and as a
    container.
    """
    if type(plain) is not dict or tuple(plain) != PARTS:
        raise LibraryCorrupt("it is not a dict of graph, processed_ids, sound_cache and metadata")
    metadata = read_metadata(plain["metadata"])
    reader = ContentReader(budget)
    nodes, adjacency = _read_graph(plain["graph"], stand_in)
    records = {sound_id: attributes for sound_id, attributes in nodes.items() if "fetched_at" in attributes}
    _check_cache(plain["sound_cache"], records)
    nodes = {sound_id: reader.attributes(sound_id, attributes) for sound_id, attributes in nodes.items()}
    # Each sound's old edges are freed before the next one's new edges are made, which then use that memory.
    edges = {
        sound_id: reader.adjacency(sound_id, adjacency.pop(sound_id), nodes.keys(), has_list="linked_at" in attributes)
        for sound_id, attributes in nodes.items()
    }
    state = SoundGraph.adopt(
        nodes, edges, seeds=metadata["seeds"], source=metadata["source"], space=metadata["similarity_space"]
    )
    state.has_weights = reader.found_weights
    if metadata["format_version"] < version_for(state.has_weights):
        raise LibraryCorrupt("metadata: its format_version has no weights of relations, but its edges have")
    if type(plain["processed_ids"]) is not set or plain["processed_ids"] != state.processed:
        raise LibraryCorrupt("its processed_ids are not the sounds with both a complete record and a similar list")
    if (metadata["nodes"], metadata["edges"]) != (len(state), state.edge_count):
        raise LibraryCorrupt("metadata: its counts of nodes and edges do not match the graph")
    return state, metadata


def version_for(has_weights: bool) -> int:
    """Return the lowest format version; weights of relations need the new."""
    return FORMAT_VERSION if has_weights else FORMAT_VERSION - 1


def read_metadata(metadata: object) -> dict[str, Any]:
    """Return metadata from a file, checked.

    Raises `LibraryCorrupt` or `NewerFormat`. That the counts are right is not checked here.
    """
    if type(metadata) is not dict:
        raise LibraryCorrupt("metadata: not a dict")
    version = metadata.get("format_version")
    if type(version) is not int or not 0 < version < 1 << 31:
        raise LibraryCorrupt("metadata: no valid format_version")
    if version > FORMAT_VERSION:
        raise NewerFormat(f"it has format {version}, this harvester reads {FORMAT_VERSION}: please update harvester")
    for name, kind in METADATA.items():
        if type(metadata.get(name)) is not kind:
            raise LibraryCorrupt(f"metadata: {name} is missing or is not of type {kind.__name__}")
    if metadata.keys() != METADATA.keys() or len(metadata["digest"]) != DIGEST_LENGTH:
        raise LibraryCorrupt("metadata: unexpected keys, or a digest of another length")
    if metadata["similarity_space"] not in SPACES:
        raise LibraryCorrupt("metadata: unknown similarity space")
    if not all(is_sound_id(sound_id) for sound_id in metadata["seeds"]):
        raise LibraryCorrupt("metadata: a seed is not a sound id (`harvester check --repair` drops it)")
    if not all(type(name) is str and type(count) is int for name, count in metadata["statistics"].items()):
        raise LibraryCorrupt("metadata: statistics are not counts by name")
    return metadata


def _read_graph(graph: object, stand_in: type) -> tuple[dict[int, Any], dict[int, Any]]:
    if type(graph) is not stand_in:
        raise LibraryCorrupt("its graph is not a networkx.DiGraph")
    state = graph.state  # type: ignore[attr-defined]
    if type(state) is not tuple or state[0] is not None or type(state[1]) is not dict or tuple(state[1]) != ("_node",):
        raise LibraryCorrupt("its graph carries more than nodes and edges")
    parts = graph_parts(graph, stand_in)
    if parts is None:
        raise LibraryCorrupt("the nodes and edges of its graph do not match")
    nodes, adjacency = parts
    if not all(map(is_sound_id, nodes)):
        raise LibraryCorrupt("a node of its graph is not a sound id (`harvester check --repair` drops it)")
    if set(map(type, nodes.values())) - {dict}:
        raise LibraryCorrupt("the attributes of a node of its graph are not a dict")
    return nodes, adjacency


def graph_parts(graph: object, stand_in: type) -> tuple[dict[Any, Any], dict[Any, Any]] | None:
    """Return the sounds and adjacencies of a `stand_in`.

    None unless both have the same keys.
    """
    if type(graph) is not stand_in:
        return None
    adjacency, state = graph.adjacency, graph.state  # type: ignore[attr-defined]
    nodes = state[1].get("_node") if type(state) is tuple and len(state) == 2 and type(state[1]) is dict else None
    if type(nodes) is not dict or type(adjacency) is not dict or nodes.keys() != adjacency.keys():
        return None
    return nodes, adjacency


def _check_cache(cache: object, records: dict[int, Any]) -> None:
    if type(cache) is not dict or cache.keys() != records.keys():
        raise LibraryCorrupt("its sound_cache does not hold exactly the sounds with a record")
    if not all(map(is_, map(cache.__getitem__, records), records.values())):
        raise LibraryCorrupt("its sound_cache differs from its graph")
