"""The state of a library and its algebra: one room, entered here."""

from harvester.graph.attributes import (
    LINK_FIELDS,
    OWN_FIELDS,
    SHARED_TEXTS,
    STAMPS,
    blanked,
    canonical_bytes,
    extra_names,
    in_order,
    is_gone,
    is_withdrawn,
    record_of,
)
from harvester.graph.merge_rules import similar_of
from harvester.graph.state import SoundGraph

__all__ = [
    "LINK_FIELDS",
    "OWN_FIELDS",
    "SHARED_TEXTS",
    "STAMPS",
    "SoundGraph",
    "blanked",
    "canonical_bytes",
    "extra_names",
    "in_order",
    "is_gone",
    "is_withdrawn",
    "record_of",
    "similar_of",
]
