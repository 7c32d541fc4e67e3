"""Validate single values from a file: record, similar list, edge.

Owns the rules and their messages: integer ids, records of JSON values, stamps, scores in [0, 1], edges between known
sounds. Raises `LibraryCorrupt` with one line.
"""

from __future__ import annotations

from collections.abc import KeysView
from typing import Any, NamedTuple

from harvester.clock import LATEST_US
from harvester.errors import LibraryCorrupt
from harvester.graph import (
    DEEPEST,
    FLAT,
    LINK_FIELDS,
    OWN_FIELDS,
    RELATION_FIELDS,
    blanked,
    extra_names,
    in_order,
    is_weight,
    record_of,
)
from harvester.model import is_complete

OWN_KINDS: dict[str, type] = dict.fromkeys(OWN_FIELDS, int)
OWN_KINDS |= {**dict.fromkeys(("link_origin", "link_space", "link_filter"), str), "extra_stamps": dict}
_TEXT = {str}
_PAGE_BYTES = 1 << 14
_OWN = frozenset(OWN_FIELDS)
_EDGE = frozenset(("score", *RELATION_FIELDS))

_MOST_PLANS = 4096
"""More kinds of records than these are no regularity: their plans are not kept."""


class _Names(NamedTuple):
    """What the names of a node's attributes tell of it.

    Has their canonical order, and those among them that are of `OWN_FIELDS` and whole numbers.
    """

    order: tuple[str, ...]
    numbers: tuple[str, ...]


class _Plan(NamedTuple):
    """What is left to check of attributes with some names and types.

    `order` is the canonical one, None if they have it. `nested` are the names of containers.
    """

    order: tuple[str, ...] | None
    numbers: tuple[str, ...]
    nested: tuple[str, ...]
    has_id: bool
    has_extra_stamps: bool
    is_withdrawn: bool


class ContentReader:
    """Validator with one budget.

    Because of the budget, a container shared a thousand times cannot cost more than the file.
    """

    def __init__(self, budget: int) -> None:
        self.left = budget
        self._names: dict[tuple[Any, ...], _Names] = {}
        self._plans: dict[tuple[tuple[Any, ...], tuple[type, ...]], _Plan] = {}
        self._owned: dict[int, bytearray] = {}
        self.found_weights = False

    def spend(self, values: int) -> None:
        """Take `values` from the budget, or raise `LibraryCorrupt` at its end."""
        self.left -= values
        if self.left < 0:
            raise LibraryCorrupt("its containers are shared more often than a library ever does")

    def attributes(self, sound_id: int, attributes: dict[Any, Any]) -> dict[str, Any]:
        """Check a node's attributes and return them in canonical order."""
        self._take(sound_id, attributes)
        names, kinds = tuple(attributes), tuple(map(type, attributes.values()))
        order, numbers, nested, has_id, has_extra_stamps, is_withdrawn = self._plans.get((names, kinds)) or self._plan(
            sound_id, names, kinds
        )
        for name in numbers:
            if not 0 <= attributes[name] <= LATEST_US:
                raise LibraryCorrupt(f"sound {sound_id}: invalid {name}")
        if has_id:
            if attributes["id"] != sound_id:
                raise LibraryCorrupt(f"sound {sound_id}: its record has the id of another sound")
            attributes["id"] = sound_id  # one int object for both saves memory
        for name in nested:
            self._value(sound_id, attributes[name], 0)
        if has_extra_stamps:
            self._extra_stamps(sound_id, attributes)
        if is_withdrawn:
            record = record_of(attributes)
            if any(value is not record[name] for name, value in blanked(record).items()):
                raise LibraryCorrupt(f"sound {sound_id}: withdrawn, but its texts are still there")
        return attributes if order is None else {name: attributes[name] for name in order}

    def _extra_stamps(self, sound_id: int, attributes: dict[str, Any]) -> None:
        stamps, fetched_at = attributes["extra_stamps"], attributes["fetched_at"]
        if not stamps or not stamps.keys() <= extra_names(attributes):
            raise LibraryCorrupt(f"sound {sound_id}: extra_stamps are empty or name fields that it does not have")
        if not all(type(at) is int and 0 <= at <= LATEST_US and at != fetched_at for at in stamps.values()):
            raise LibraryCorrupt(f"sound {sound_id}: extra_stamps hold an invalid stamp")
        if not is_complete(attributes) and max(stamps.values()) > fetched_at:
            raise LibraryCorrupt(f"sound {sound_id}: extra_stamps is newer than fetched_at")

    def _take(self, sound_id: int, container: dict[Any, Any] | list[Any]) -> None:
        """Spend what a container has, and see that no other record has it."""
        self.left -= len(container) + 1
        if self.left < 0:
            self.spend(0)
        # One bit for each address, in pages of 1 MB: a set of addresses takes 70 bytes a container.
        address = id(container)
        page = self._owned.get(address >> 20)
        if page is None:
            page = self._owned[address >> 20] = bytearray(_PAGE_BYTES)
        place, bit = address >> 6 & _PAGE_BYTES - 1, 1 << (address >> 3 & 7)
        if page[place] & bit:
            raise LibraryCorrupt(f"sound {sound_id}: its record shares a container with another record")
        page[place] |= bit

    def _plan(self, sound_id: int, names: tuple[Any, ...], kinds: tuple[type, ...]) -> _Plan:
        """Return the plan for names and types, or raise `LibraryCorrupt`."""
        order, numbers = self._names.get(names) or self._read_names(names)
        for name, kind in zip(names, kinds, strict=True):
            if OWN_KINDS.get(name, kind) is not kind:
                raise LibraryCorrupt(f"sound {sound_id}: invalid {name}")
            if name == "id" and kind is not int:
                raise LibraryCorrupt(f"sound {sound_id}: its record has the id of another sound")
        plan = _Plan(
            None if order == names else order,
            numbers,
            tuple(name for name, kind in zip(names, kinds, strict=True) if kind not in FLAT),
            has_id="id" in names,
            has_extra_stamps="extra_stamps" in names,
            is_withdrawn="withdrawn_at" in names,
        )
        if len(self._plans) < _MOST_PLANS:
            self._plans[names, kinds] = plan
        return plan

    def _read_names(self, names: tuple[Any, ...]) -> _Names:
        if not all(type(name) is str for name in names):
            raise LibraryCorrupt("a record has a field name that is not a text")
        linked = [name in names for name in LINK_FIELDS]
        if "added_at" not in names or any(linked) != all(linked):
            raise LibraryCorrupt("a sound lacks added_at or a part of its similar list's attributes")
        if "fetched_at" not in names and (set(names) - _OWN or "extra_stamps" in names):
            raise LibraryCorrupt("a record has no fetched_at")
        found = _Names(in_order(names), tuple(name for name in names if OWN_KINDS.get(name) is int))
        if len(self._names) < _MOST_PLANS:
            self._names[names] = found
        return found

    def _value(self, sound_id: int, value: object, depth: int) -> None:
        if depth >= DEEPEST:
            raise LibraryCorrupt(f"sound {sound_id}: its record is nested too deep, or in a circle")
        if type(value) is dict:
            self._take(sound_id, value)
            if not _TEXT.issuperset(map(type, value)):
                raise LibraryCorrupt(f"sound {sound_id}: its record has a nested name that is not a text")
            inner = value.values()
        elif type(value) is list:
            self._take(sound_id, value)
            inner = value  # type: ignore[assignment]
        else:
            raise LibraryCorrupt(f"sound {sound_id}: its record holds a value that JSON does not have")
        if not FLAT.issuperset(map(type, inner)):
            for element in inner:
                if type(element) not in FLAT:
                    self._value(sound_id, element, depth + 1)

    def adjacency(
        self, sound_id: int, neighbours: object, known: KeysView[int], *, has_list: bool
    ) -> dict[int, dict[str, Any]]:
        """Check a node's out-edges and return them as new dicts.

        They may end at `known` sounds, and have scores only if the node has a similar list.
        """
        if type(neighbours) is not dict:
            raise LibraryCorrupt(f"sound {sound_id}: its edges are not a dict")
        self.spend(len(neighbours) + 1)
        if not known >= neighbours.keys():
            raise LibraryCorrupt(f"sound {sound_id}: an edge ends at a sound that is not in the library")
        edges: dict[int, dict[str, Any]] = {}
        for target, edge in neighbours.items():
            if type(target) is not int or type(edge) is not dict or not edge:
                raise LibraryCorrupt(f"sound {sound_id}: malformed edge")
            score = edge.get("score")
            if type(score) is float and 0.0 <= score <= 1.0:
                if len(edge) == 1:
                    edges[target] = {"score": score}
                    continue
            elif "score" in edge:
                raise LibraryCorrupt(f"sound {sound_id}: an edge has a score that is not between 0 and 1")
            if edge.keys() - _EDGE:
                raise LibraryCorrupt(f"sound {sound_id}: an edge has attributes other than score, relation and weights")
            edges[target] = dict(edge)
            if "relation" in edge:
                edges[target]["relation"] = self._kinds(sound_id, edge["relation"])
            if "weights" in edge:
                edges[target]["weights"] = self._weights(sound_id, edge["weights"], edge.get("relation", []))
        if not has_list and any("score" in edge for edge in edges.values()):
            raise LibraryCorrupt(f"sound {sound_id}: edges with scores, but no similar list")
        return edges

    def _kinds(self, sound_id: int, kinds: object) -> list[str]:
        """Return the relation of an edge: distinct texts, checked and sorted."""
        if type(kinds) is not list or not kinds or not all(type(kind) is str for kind in kinds):
            raise LibraryCorrupt(f"sound {sound_id}: the relation of an edge is not a list of texts")
        self.spend(len(kinds))
        if kinds != sorted(set(kinds)):
            raise LibraryCorrupt(f"sound {sound_id}: the relations of an edge are not sorted and distinct")
        return list(kinds)

    def _weights(self, sound_id: int, weights: object, kinds: list[str]) -> dict[str, float]:
        """Return the weights of an edge by kind, checked and in order."""
        if type(weights) is not dict or not weights or not weights.keys() <= set(kinds):
            raise LibraryCorrupt(f"sound {sound_id}: the weights of an edge are not those of its relations")
        self.spend(len(weights))
        if not all(map(is_weight, weights.values())):
            raise LibraryCorrupt(f"sound {sound_id}: the weight of a relation is not a finite number")
        self.found_weights = True
        return {kind: weight + 0.0 for kind, weight in sorted(weights.items())}
