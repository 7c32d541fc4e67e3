"""The attributes of a sound: the API's fields plus OWN_FIELDS.

Owns the names, their canonical order, and which texts recur. A withdrawn sound keeps its numbers and its place in the
graph, but no text and no link. Knows neither the graph nor events: a node's attributes are a plain dict here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harvester.model import RECORD_FIELDS, Record

OWN_FIELDS = (
    "added_at", "fetched_at", "extra_stamps", "linked_at", "link_origin", "link_space", "link_limit", "link_filter",
    "gone_at", "withdrawn_at",
)  # fmt: skip
"""What harvester adds to a record: when the sound was first known, when its record was fetched, when its similar list
was fetched and with which query, when the sound was found deleted, when a person withdrew it. Stamps in microseconds
UTC. `extra_stamps` has, by name, the stamps of extra fields that came with a record of another time than
`fetched_at`."""

UNKNOWN_TIME = 0
"""The stamp of what an older tool brought without a time. Every other stamp is newer; readers show no time for it."""

STAMPS = tuple(name for name in OWN_FIELDS if name.endswith("_at"))

KEPT_WHEN_WITHDRAWN = frozenset({"id", "type", "license", "category", "subcategory", "gen_ai_preference"})
"""The fields whose texts stay in a withdrawn record: none identifies the sound, its place or its author."""

SHARED_TEXTS = frozenset(
    {"username", "license", "type", "category", "subcategory", "pack", "pack_name", "gen_ai_preference", "geotag"}
)
"""Fields whose texts recur from sound to sound: each text is interned, one object in memory."""

LINK_FIELDS = ("linked_at", "link_origin", "link_space", "link_limit", "link_filter")
"""The attributes of a similar list: they often come long after the record, and are always replaced together."""

RELATION_FIELDS = ("relation", "weights")
"""The attributes of an edge that was imported or computed: its kinds, and the weights of some of them by kind."""

_CORE = frozenset(RECORD_FIELDS)
_OWN = frozenset(OWN_FIELDS)
_NAMED = _CORE | _OWN
_UNKNOWN = 1000
_RANK = {name: rank for rank, name in enumerate((*RECORD_FIELDS, *OWN_FIELDS))}
_RANK |= {name: _UNKNOWN + 1 + rank for rank, name in enumerate(LINK_FIELDS)}

DEEPEST = 100
"""Maximum nesting of containers in a record; the journal and the checkpoint refuse a deeper one."""

FLAT = frozenset({str, int, float, bool, type(None)})
"""The types of JSON values that are not containers."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return field names in the canonical order of a node's attributes.

    It is the order in which they usually arrive: record, OWN_FIELDS, unknown fields, attributes of the similar list.
    """
    return tuple(sorted(names, key=lambda name: (_RANK.get(name, _UNKNOWN), name)))


def canonical_bytes(value: object) -> bytes:
    """Return a JSON value as bytes, equal for equal content.

    They are the last tie-breaker of a merge.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def extra_names(attributes: Record) -> set[str]:
    """Return the names of the extra fields, which only `--fields` requests."""
    return attributes.keys() - _NAMED


def core_of(attributes: Record) -> Record:
    """Return the fields that every request asks for.

    Extra fields and OWN_FIELDS are left out.
    """
    return {name: value for name, value in attributes.items() if name in _CORE}


def record_of(attributes: dict[str, Any]) -> Record:
    """Return the record in a node's attributes, without OWN_FIELDS."""
    return {name: value for name, value in attributes.items() if name not in _OWN}


def blanked(record: Record) -> Record:
    """Return a withdrawn sound's record.

    Numbers and KEPT_WHEN_WITHDRAWN stay, the rest is null.
    """
    return {
        name: value if name in KEPT_WHEN_WITHDRAWN or not isinstance(value, str | list | dict) else None
        for name, value in record.items()
    }


def is_withdrawn(attributes: dict[str, Any]) -> bool:
    """Tell whether a person withdrew the sound."""
    return "withdrawn_at" in attributes


GONE_FIELDS = ("withdrawn_at", "gone_at", "fetched_at")
"""The attributes that `is_gone` reads."""


def is_gone(attributes: Mapping[str, Any]) -> bool:
    """Tell whether views must hide the sound.

    It was withdrawn, or its tombstone is newer than its record.
    """
    if "withdrawn_at" in attributes:
        return True
    gone_at = attributes.get("gone_at")
    return gone_at is not None and gone_at > attributes.get("fetched_at", -1)
