"""The check of one value at a time: what a record, a similar list and an edge out of a file may be.

Owns the rules and their messages: integer ids, records of JSON values, stamps, scores in [0, 1], edges whose ends
exist. A failure is `LibraryCorrupt` with one line.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from harvester.clock import LATEST_US
from harvester.errors import LibraryCorrupt
from harvester.graph import DEEPEST, FLAT, LINK_FIELDS, OWN_FIELDS, blanked, extra_names, in_order, record_of
from harvester.model import is_complete

OWN_KINDS: dict[str, type] = dict.fromkeys(OWN_FIELDS, int)
OWN_KINDS |= {**dict.fromkeys(("link_origin", "link_space", "link_filter"), str), "extra_stamps": dict}
_TEXT = {str}
_OWN = frozenset(OWN_FIELDS)

Plan: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, type], ...]]
"""For the names of a node's attributes: their canonical order, and our own among them with their types."""


class ContentReader:
    """Checks values against one budget, so that containers shared a thousandfold cannot cost more than the file."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self._orders: dict[tuple[str, ...], Plan] = {}
        self._owned: set[int] = set()

    def spend(self, values: int) -> None:
        """Take so many values from the budget; `LibraryCorrupt` when it is used up."""
        self.left -= values
        if self.left < 0:
            raise LibraryCorrupt("its containers are shared in a way that a library never has")

    def attributes(self, sound_id: int, attributes: dict[Any, Any]) -> dict[str, Any]:
        """Return the node's attributes as a dict of our own, in canonical order."""
        self.spend(len(attributes) + 1)
        self._own(sound_id, attributes)
        names = tuple(attributes)
        order, own = self.plan(names)
        for name, kind in own:
            if type(attributes[name]) is not kind or (kind is int and not 0 <= attributes[name] <= LATEST_US):
                raise LibraryCorrupt(f"sound {sound_id} has no valid {name}")
        if "id" in attributes and (type(attributes["id"]) is not int or attributes["id"] != sound_id):
            raise LibraryCorrupt(f"the record of sound {sound_id} is that of another sound")
        if "id" in attributes:
            attributes["id"] = sound_id  # one object for both
        if not FLAT.issuperset(map(type, attributes.values())):
            for value in attributes.values():
                if type(value) not in FLAT:
                    self._value(sound_id, value, 0)
        if "extra_stamps" in attributes:
            self._extra_stamps(sound_id, attributes)
        if "withdrawn_at" in attributes:
            record = record_of(attributes)
            if any(value is not record[name] for name, value in blanked(record).items()):
                raise LibraryCorrupt(f"sound {sound_id} was withdrawn, but its texts are still there")
        return attributes if order == names else {name: attributes[name] for name in order}

    def _extra_stamps(self, sound_id: int, attributes: dict[str, Any]) -> None:
        stamps, fetched_at = attributes["extra_stamps"], attributes["fetched_at"]
        if not stamps or not stamps.keys() <= extra_names(attributes):
            raise LibraryCorrupt(f"sound {sound_id} has stamps of fields that it does not have")
        if not all(type(at) is int and 0 <= at <= LATEST_US and at != fetched_at for at in stamps.values()):
            raise LibraryCorrupt(f"sound {sound_id} has no valid extra_stamps")
        if not is_complete(attributes) and max(stamps.values()) > fetched_at:
            raise LibraryCorrupt(f"sound {sound_id} has a field of a later record than the latest")

    def _own(self, sound_id: int, container: object) -> None:
        if id(container) in self._owned:
            raise LibraryCorrupt(f"the record of sound {sound_id} shares a container with another")
        self._owned.add(id(container))

    def plan(self, names: tuple[Any, ...]) -> Plan:
        """Return what the names of a node's attributes tell, or raise when no sound has such names."""
        known = self._orders.get(names)
        if known is None:
            known = self._orders[names] = self._read_names(names)
        return known

    def _read_names(self, names: tuple[Any, ...]) -> Plan:
        if not all(type(name) is str for name in names):
            raise LibraryCorrupt("a field of a record has a name that is not a text")
        linked = [name in names for name in LINK_FIELDS]
        if "added_at" not in names or any(linked) != all(linked):
            raise LibraryCorrupt("a sound lacks the stamps of its record or its similar list")
        if "fetched_at" not in names and (set(names) - _OWN or "extra_stamps" in names):
            raise LibraryCorrupt("a record has no stamp")
        return in_order(names), tuple((name, OWN_KINDS[name]) for name in names if name in _OWN)

    def _value(self, sound_id: int, value: object, depth: int) -> None:
        if depth >= DEEPEST:
            raise LibraryCorrupt(f"the record of sound {sound_id} is nested too deep, or in a circle")
        if type(value) is dict:
            self.spend(len(value) + 1)
            if not _TEXT.issuperset(map(type, value)):
                raise LibraryCorrupt(f"the record of sound {sound_id} has a name that is not a text")
            inner = value.values()
        elif type(value) is list:
            self.spend(len(value) + 1)
            inner = value  # type: ignore[assignment]
        else:
            raise LibraryCorrupt(f"the record of sound {sound_id} holds a {type(value).__name__}")
        self._own(sound_id, value)
        if not FLAT.issuperset(map(type, inner)):
            for element in inner:
                if type(element) not in FLAT:
                    self._value(sound_id, element, depth + 1)

    def adjacency(self, sound_id: int, neighbours: object, nodes: dict[int, Any]) -> dict[int, dict[str, Any]]:
        """Return a node's out-edges as dicts of our own."""
        if type(neighbours) is not dict:
            raise LibraryCorrupt(f"the edges of sound {sound_id} are not a dict")
        self.spend(len(neighbours) + 1)
        if not nodes.keys() >= neighbours.keys():
            raise LibraryCorrupt(f"an edge of sound {sound_id} ends at a sound that is not there")
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
        self.spend(len(kinds))
        if kinds != sorted(set(kinds)):
            raise LibraryCorrupt(f"an edge of sound {sound_id} has relations that are not in order")
        return list(kinds)
