"""The canonical JSON text of a whole sound and of a library's facts.

Owns both directions. A sound's text has its record, the stamps and marks of `OWN_FIELDS`, the query of its similar
list, and its edges: what a checkpoint holds of it. Equal content gives an equal text in ASCII, and no value changes its
type on the way, so exports that carry these texts can be imported without loss. Every line of an export in JSON Lines
is such an object with more keys. Reading checks the form only: `checkpoint` checks the values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harvester.errors import LibraryCorrupt, NewerFormat, words_of
from harvester.graph.attributes import LINK_FIELDS, RELATION_FIELDS, canonical_bytes
from harvester.graph.queries import KnownSounds
from harvester.model import SPACES, is_sound_id

Edges = Mapping[int, Mapping[str, Any]]
"""The attributes of a sound's out-edges by target: score, relation and weights."""

FACTS_VERSION = 1
_APART = "attributes"
_NEIGHBOURS, _PARTIAL = "neighbours", "list_is_partial"
_TAKEN = frozenset({_APART, _NEIGHBOURS, _PARTIAL})
"""Keys beside the record's fields. A record that has a field of such a name stands apart, under `attributes`."""


@dataclass(frozen=True, slots=True)
class WholeSound:
    """A sound as a text has it: attributes and out-edges, unchecked."""

    sound_id: int
    attributes: dict[str, Any]
    edges: dict[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    """What a library holds besides the sounds that its views show.

    `seeds` are the sounds that harvests started from, `hidden` the deleted and withdrawn sounds. `source` and `space`
    are empty where the text does not name them.
    """

    source: str = ""
    space: str = ""
    seeds: tuple[int, ...] = ()
    hidden: tuple[WholeSound, ...] = ()


def sound_object(
    sound_id: int, attributes: Mapping[str, Any], edges: Edges, *, partial: bool = False
) -> dict[str, Any]:
    """Return a whole sound as a JSON object; `sound_text` writes it.

    `partial`: its similar list is longer than `edges` shows, so a reader must not take them for the whole list.
    """
    own: dict[str, Any] = {_NEIGHBOURS: [{"id": target, **edges[target]} for target in sorted(edges)]}
    if partial:
        own[_PARTIAL] = True
    if stands_apart(attributes):
        return {"id": sound_id, _APART: dict(attributes), **own}
    return {"id": sound_id, **attributes, **own}


def stands_apart(attributes: Mapping[str, Any]) -> bool:
    """Tell whether the object of a sound has its attributes under one key.

    They are then not told apart from keys of the object: a field has the name of one, or a record lacks its id.
    """
    return not _TAKEN.isdisjoint(attributes) or ("fetched_at" in attributes) != ("id" in attributes)


def sound_text(sound_id: int, attributes: Mapping[str, Any], edges: Edges, *, partial: bool = False) -> str:
    """Return the canonical text of a whole sound, as `sound_object` has it."""
    return canonical_bytes(sound_object(sound_id, attributes, edges, partial=partial)).decode()


def text_of_sound(state: KnownSounds, sound_id: int) -> str:
    """Return the canonical text of a sound with all its edges."""
    return sound_text(sound_id, state.graph._node[sound_id], state.graph._adj[sound_id])


def read_sound_text(text: str | bytes) -> WholeSound:
    """Return the sound in a text; raises `LibraryCorrupt`."""
    return read_sound_object(read_json(text))


def read_sound_object(value: Any) -> WholeSound:
    """Return the sound in an object of `sound_object`; it keeps its values.

    A list that is not the whole one is read as a shorter one, so that the whole one wins a merge; without a neighbour
    it is none. Raises `LibraryCorrupt` for another form.
    """
    if type(value) is not dict or not is_sound_id(value.get("id")):
        raise LibraryCorrupt("it is not an object with the id of a sound")
    sound_id = value["id"]
    if _APART in value:
        attributes = value[_APART]
        if type(attributes) is not dict or not value.keys() <= {"id", *_TAKEN}:
            raise LibraryCorrupt(f"sound {sound_id}: its attributes are not an object of their own")
    else:
        but = _TAKEN if "fetched_at" in value else _TAKEN | {"id"}
        attributes = {name: inner for name, inner in value.items() if name not in but}
    edges = _read_edges(sound_id, value.get(_NEIGHBOURS, []))
    if value.get(_PARTIAL, False) is not False:
        _shorten(attributes, edges)
    return WholeSound(sound_id, attributes, edges)


def _read_edges(sound_id: int, neighbours: Any) -> dict[int, dict[str, Any]]:
    if type(neighbours) is not list:
        raise LibraryCorrupt(f"sound {sound_id}: its neighbours are not a list")
    edges: dict[int, dict[str, Any]] = {}
    for one in neighbours:
        if type(one) is not dict or not is_sound_id(one.get("id")):
            raise LibraryCorrupt(f"sound {sound_id}: a neighbour is not an object with the id of a sound")
        edge = {name: inner for name, inner in one.items() if name != "id"}
        for name in RELATION_FIELDS:
            # Exports for people have the relation of an edge, and its weights, as texts.
            if type(edge.get(name)) is str:
                edge[name] = read_json(edge[name])
        if one["id"] in edges:
            raise LibraryCorrupt(f"sound {sound_id}: sound {one['id']} is its neighbour twice")
        edges[one["id"]] = edge
    return edges


def _shorten(attributes: dict[str, Any], edges: Edges) -> None:
    """Change the query to one for fewer neighbours than the whole list.

    Of two lists the one for more neighbours wins.
    """
    scored = sum("score" in edge for edge in edges.values())
    limit = attributes.get("link_limit")
    if scored and type(limit) is int:
        attributes["link_limit"] = max(0, min(limit - 1, scored))
    elif not scored:
        for name in LINK_FIELDS:
            attributes.pop(name, None)


def library_text(state: KnownSounds, *, facts: bool = True, seeds: bool = True, hidden: Iterable[int] = ()) -> str:
    """Return the canonical text of a library's facts.

    `facts`: source and similarity space. `seeds`: those of the harvests, which belong to the whole library and not to a
    selection. `hidden`: ids of sounds that views hide. What is left out may stand in a second text.
    """
    nodes, successors = state.graph._node, state.graph._adj
    content: dict[str, Any] = {"format": FACTS_VERSION}
    if facts:
        content |= {"source": state.source, "similarity_space": state.space}
    if seeds:
        content["seeds"] = sorted(state.seeds)
    if objects := [sound_object(sound_id, nodes[sound_id], successors[sound_id]) for sound_id in hidden]:
        content["hidden"] = objects
    return canonical_bytes(content).decode()


def read_library_text(text: str | bytes) -> LibraryFacts:
    """Return the facts in a text of `library_text`.

    Raises `LibraryCorrupt` for another form, `NewerFormat` for one of a later version.
    """
    facts = read_json(text)
    version = facts.get("format") if type(facts) is dict else None
    if type(version) is int and version > FACTS_VERSION:
        raise NewerFormat(f"it has format {version}, this harvester reads {FACTS_VERSION}: please update harvester")
    if version != FACTS_VERSION:
        raise LibraryCorrupt("the facts of its library have no format")
    source, space = facts.get("source", ""), facts.get("similarity_space", "")
    if type(source) is not str or (space != "" and space not in SPACES):
        raise LibraryCorrupt("its library has no valid source or similarity space")
    seeds, hidden = facts.get("seeds", []), facts.get("hidden", [])
    if type(seeds) is not list or not all(map(is_sound_id, seeds)):
        raise LibraryCorrupt("a seed of its library is not a sound id")
    if type(hidden) is not list:
        raise LibraryCorrupt("the hidden sounds of its library are not a list")
    return LibraryFacts(source, space, tuple(seeds), tuple(map(read_sound_object, hidden)))


def read_json(text: str | bytes) -> Any:
    """Return a JSON value with every number and text as it is written.

    Raises `LibraryCorrupt` with one line for what is not JSON, or is nested too deep.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LibraryCorrupt(f"it is not JSON ({words_of(error)})") from error
