"""What a node carries: the record under the API's own names plus OWN_FIELDS, and what can be told from it alone.

Owns the names, their canonical order and which texts recur. A withdrawn sound keeps its numbers and its place, never a
text or a link. Knows neither the graph nor an event: a node's attributes are a plain dict here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harvester.model import RECORD_FIELDS, Record

OWN_FIELDS = (
    "added_at",
    "fetched_at",
    "extra_stamps",
    "linked_at",
    "link_origin",
    "link_space",
    "link_limit",
    "link_filter",
    "gone_at",
    "withdrawn_at",
)
"""What we add to a record: when the sound was first known, when its record and its similar list were fetched and how
the list was asked for, when it was found gone, when a person took it out. Stamps in microseconds UTC. `extra_stamps`
tells of extra fields (by name) that came with another record than the one at `fetched_at` when that was fetched."""

STAMPS = tuple(name for name in OWN_FIELDS if name.endswith("_at"))

KEPT_WHEN_WITHDRAWN = frozenset({"id", "type", "license", "category", "subcategory", "gen_ai_preference"})
"""The fields of a withdrawn record that keep a text: none of them tells what the sound is called, where or whose."""

SHARED_TEXTS = frozenset(
    {"username", "license", "type", "category", "subcategory", "pack", "pack_name", "gen_ai_preference", "geotag"}
)
"""Fields whose texts recur from sound to sound: kept once in memory."""

LINK_FIELDS = ("linked_at", "link_origin", "link_space", "link_limit", "link_filter")
"""The attributes that come with a similar list, often long after the record, and replace each other together."""

_CORE = frozenset(RECORD_FIELDS)
_OWN = frozenset(OWN_FIELDS)
_NAMED = _CORE | _OWN
_UNKNOWN = 1000
_RANK = {name: rank for rank, name in enumerate((*RECORD_FIELDS, *OWN_FIELDS))}
_RANK |= {name: _UNKNOWN + 1 + rank for rank, name in enumerate(LINK_FIELDS)}

DEEPEST = 100
"""Containers nested deeper than this are not a record's; no journal and no checkpoint takes them."""

FLAT = frozenset({str, int, float, bool, type(None)})
"""The types of JSON values that hold no others."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return field names in the canonical order of a node's attributes, which is the order in which they come:
    record, our own stamps, unknown fields, what came with the similar list."""
    return tuple(sorted(names, key=lambda name: (_RANK.get(name, _UNKNOWN), name)))


def canonical_bytes(value: object) -> bytes:
    """Return a JSON value as bytes that are equal for equal content: the last tie-breaker of the join."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def extra_names(attributes: Record) -> set[str]:
    """Return the names of its extra fields: those asked for by the user, not with every record."""
    return attributes.keys() - _NAMED


def core_of(attributes: Record) -> Record:
    """Return what every record is asked for, without extra fields and without what we added."""
    return {name: value for name, value in attributes.items() if name in _CORE}


def record_of(attributes: dict[str, Any]) -> Record:
    """Return the record in a node's attributes, without what we added to it."""
    return {name: value for name, value in attributes.items() if name not in _OWN}


def blanked(record: Record) -> Record:
    """Return a record as it is kept of a withdrawn sound: numbers and the plainest facts stay, the rest is null."""
    return {
        name: value if name in KEPT_WHEN_WITHDRAWN or not isinstance(value, str | list | dict) else None
        for name, value in record.items()
    }


def is_withdrawn(attributes: dict[str, Any]) -> bool:
    """Tell whether a person took the sound out."""
    return "withdrawn_at" in attributes


def is_gone(attributes: dict[str, Any]) -> bool:
    """Tell whether nobody should see the sound: it was withdrawn, or its tombstone is newer than its record."""
    if "withdrawn_at" in attributes:
        return True
    gone_at = attributes.get("gone_at")
    return gone_at is not None and gone_at > attributes.get("fetched_at", -1)
