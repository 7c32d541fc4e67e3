"""The names that older tools gave to stamps, housekeeping and edges.

Owns the tables of these names and their one fate. A stamp is read; then it is dropped with the other housekeeping
fields, because it says nothing about the sound. The kinds and weights of an edge are kept as relations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from harvester.clock import SECOND_US
from harvester.graph import MEASURES, OWN_FIELDS
from harvester.importing.unpickle import Inert

STAMPS = (
    "last_metadata_update_at", "last_updated", "updated_at", "fetched_at", "collected_at", "cached_at",
    "downloaded_at", "retrieved_at", "timestamp", "saved_at", "created_at",
)  # fmt: skip
"""Names of the time at which a record, or a whole file, was fetched or written; the first one that is there counts."""

_HOUSEKEEPING = {
    *STAMPS, *OWN_FIELDS, "score", "distance_to_target", "last_existence_check_at", "last_validated", "priority_score",
    "is_dormant", "dormant_since", "audio_url", "is_seed", "depth", "processed", "processed_at", "query",
    *MEASURES,
}  # fmt: skip
"""Fields that say nothing about the sound: what an older tool did with it, what belongs to one search or one pair."""

_KINDS_OF_NODE = {"sample", "sound", "node"}
"""What older tools wrote into `type`, the field in which the API has the type of the file."""

RENAMED = {"user": "username"}
"""Fields of the API under the names of older tools."""

_RELATIONS = ("edge_type", "relation", "type", "kind")
_WEIGHT, _SIMILARITY = "weight", "similarity"
EDGE_NAMES = {"score", _WEIGHT, _SIMILARITY, *_RELATIONS}
PLAIN_RELATION = "related"
"""The relation of an imported edge that has no kind of its own."""

_FIRST_US = int(datetime(2005, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US
"""Freesound began in April 2005: no tool fetched anything before."""

_MILLISECONDS_FROM, _MICROSECONDS_FROM = 10**11, 10**14


def is_housekeeping(name: str, value: object) -> bool:
    """Tell whether a field says nothing about the sound."""
    return name in _HOUSEKEEPING or (name == "type" and isinstance(value, str) and value in _KINDS_OF_NODE)


def stamp_in(values: Mapping[Any, Any], now_us: int) -> int | None:
    """Return the first valid stamp of a record or of a file's metadata.

    It is in microseconds UTC. A time before Freesound or after `now_us` is none.
    """
    found = (read_stamp(values[name]) for name in STAMPS if name in values)
    return next((stamp for stamp in found if stamp is not None and _FIRST_US <= stamp <= now_us), None)


def read_stamp(value: Any) -> int | None:
    """Return an older tool's time in microseconds UTC, or None.

    It reads ISO text, pickled datetimes, and numbers of seconds, milliseconds or microseconds.
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
            unit_us = SECOND_US if value < _MILLISECONDS_FROM else 1_000 if value < _MICROSECONDS_FROM else 1
            return int(value * unit_us)
    except (ValueError, OverflowError):
        return None
    return None


def relations_in(
    edge: Mapping[Any, Any], *, scored: bool, plain: str = PLAIN_RELATION
) -> Iterator[tuple[str, float | None]]:
    """Yield the kinds of an old edge, each with its weight or None.

    `weight` belongs to the edge's own kind, which is `plain` where it names none; `similarity` is a kind of its own.
    A `scored` edge is in a similar list: it is a relation too only where it has a kind, a weight or a similarity.
    """
    kind = next((edge[name] for name in _RELATIONS if isinstance(edge.get(name), str) and edge[name]), None)
    weight, similarity = weight_of(edge.get(_WEIGHT)), weight_of(edge.get(_SIMILARITY))
    if kind is not None or weight is not None or (similarity is None and not scored):
        yield kind or plain, weight
    if similarity is not None:
        yield _SIMILARITY, similarity


def weight_of(value: object) -> float | None:
    """Return a weight as a finite number, or None."""
    if type(value) is int and value.bit_length() <= 63:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None
