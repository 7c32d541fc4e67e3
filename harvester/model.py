"""Define the data types: records, similar lists, events, fetch results.

All types are plain immutable data; nothing here reads a clock, a socket or a file.
Stamps are integer microseconds UTC. Field names of a record are the API's own.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any, SupportsIndex, TypeAlias

Record: TypeAlias = dict[str, Any]
"""A sound's metadata as the API gave it: field name → JSON value."""

CORE_FIELDS: tuple[str, ...] = (
    "id", "url", "name", "tags", "description", "category", "subcategory", "geotag", "created", "license", "type",
    "channels", "filesize", "bitrate", "bitdepth", "duration", "samplerate", "username", "pack", "previews", "images",
    "num_downloads", "avg_rating", "num_ratings", "num_comments",
)  # fmt: skip
"""The fields of every complete record (values may be null). A record that lacks one is partial."""

_CORE_NAMES = frozenset(CORE_FIELDS)

LATER_FIELDS: tuple[str, ...] = ("pack_name", "gen_ai_preference", "md5", "is_explicit")
"""Requested with the core fields, but absent from records of older servers and catalogues."""

RECORD_FIELDS: tuple[str, ...] = (*CORE_FIELDS, *LATER_FIELDS)
"""The fields a request names, besides `score` on similar lists."""

API_PAGE = 150
"""Rows of the API's largest page; the server cuts longer pages to this (API.md §2.1)."""

SPACES = ("laion_clap", "freesound_classic")
DIMENSIONS = {"laion_clap": 512, "freesound_classic": 100}
"""The length of a sound's vector in each similarity space."""

Vector: TypeAlias = "array[float]"
"""A sound's position in a similarity space: a unit vector in single precision."""

SERVER, COMPUTED = "server", "computed"


LARGEST_ID = 2**53 - 1
"""The largest id: some JSON readers round larger integers."""
_MOST_DIGITS = len(str(LARGEST_ID))


def is_sound_id(value: object) -> bool:
    """Tell whether `value` can be a sound's id: 1 to 2**53 - 1, no bool."""
    return type(value) is int and 0 < value <= LARGEST_ID


def read_sound_id(value: object) -> int | None:
    """Return the id that a number or a text of digits holds, or None."""
    found = value
    if isinstance(value, str):
        found = int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None
    elif isinstance(value, float):
        found = int(value) if value.is_integer() else None
    return found if isinstance(found, int) and is_sound_id(found) else None


def check_sound_id(value: object) -> int:
    """Return a value, also of NumPy, as an id, or raise `ValueError`."""
    found = index(value) if isinstance(value, SupportsIndex) and type(value) is not bool else value
    if not is_sound_id(found):
        raise ValueError(f"{ascii(value)[:60]} is not a sound's id: ids are whole numbers from 1 to {LARGEST_ID}")
    assert isinstance(found, int)
    return found


def is_complete(record: Record) -> bool:
    """Tell whether a record has every core field (its value may be null)."""
    return record.keys() >= _CORE_NAMES


@dataclass(frozen=True, slots=True)
class SimilarList:
    """A sound's similar list: its neighbours with scores, and its request.

    `neighbours` is ordered by score, best first, then id; `limit` is the requested length; `filter` is the Solr filter
    of the request, empty for none; `origin` is `server` or `computed`.
    """

    neighbours: tuple[tuple[int, float], ...]
    linked_at: int
    limit: int
    space: str = SPACES[0]
    filter: str = ""
    origin: str = SERVER


@dataclass(frozen=True, slots=True)
class Seen:
    """Event: the sound's record as it was at `fetched_at`."""

    sound_id: int
    record: Record
    fetched_at: int


@dataclass(frozen=True, slots=True)
class Known:
    """Event: the id is known since `added_at`; the record may be missing."""

    sound_id: int
    added_at: int


@dataclass(frozen=True, slots=True)
class Linked:
    """Event: the sound's similar list."""

    sound_id: int
    similar: SimilarList


@dataclass(frozen=True, slots=True)
class Gone:
    """Event: the sound was found deleted at `gone_at` (a tombstone)."""

    sound_id: int
    gone_at: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Event: a person withdrew the sound: texts and links stay blank."""

    sound_id: int
    withdrawn_at: int


@dataclass(frozen=True, slots=True)
class Related:
    """Event: a relation, imported or computed, in no similar list.

    `relation` is its kind and `weight` a number of any range, None without one. `known_at` is
    a time at which both ends were known.
    """

    sound_id: int
    target_id: int
    relation: str
    known_at: int
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Seeded:
    """Event: a harvest was started from these sounds."""

    sound_ids: tuple[int, ...]


Event: TypeAlias = Seen | Known | Linked | Gone | Withdrawn | Related | Seeded


@dataclass(frozen=True, slots=True)
class Deferral:
    """A failed fetch: the reason, the number of failures, the next retry."""

    sound_id: int
    reason: str
    count: int
    next_try_at: int


@dataclass(frozen=True, slots=True)
class Note:
    """A fact for later runs on this machine, in the journal only.

    A note replaces the one with the same topic and key. The topic defines the meaning of key and text.
    """

    topic: str
    key: int
    text: str


Notes: TypeAlias = dict[str, dict[int, str]]
"""Notes by topic and key."""


@dataclass(frozen=True, slots=True)
class SimilarPage:
    """A fetched similar list: scores and the neighbours' records.

    `records` holds only usable records (with a valid id); `oddities` counts tolerated errors of the answer by kind
    (`null result`, `duplicate`, `no id`, `no score`).
    """

    sound_id: int
    neighbours: tuple[tuple[int, float], ...]
    records: tuple[Record, ...]
    count: int
    fetched_at: int
    oddities: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """A fetched search: usable records in order, and if more pages follow."""

    records: tuple[Record, ...]
    count: int
    has_next: bool
    fetched_at: int
    oddities: dict[str, int] = field(default_factory=dict)
    vectors: Mapping[int, Vector] = field(default_factory=dict)
    """Vectors by id, if requested; the server has not analysed a sound without one yet."""
