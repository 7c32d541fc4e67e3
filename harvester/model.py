"""The words of the harvester as types: records, similar lists, events, and what a fetch brings back.

Everything here is plain and immutable data; nothing here reads a clock, a socket or a file.
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
    "id",
    "url",
    "name",
    "tags",
    "description",
    "category",
    "subcategory",
    "geotag",
    "created",
    "license",
    "type",
    "channels",
    "filesize",
    "bitrate",
    "bitdepth",
    "duration",
    "samplerate",
    "username",
    "pack",
    "previews",
    "images",
    "num_downloads",
    "avg_rating",
    "num_ratings",
    "num_comments",
)
"""What every complete record has (the value may be null). A record that lacks one is partial."""

_CORE_NAMES = frozenset(CORE_FIELDS)

LATER_FIELDS: tuple[str, ...] = ("pack_name", "gen_ai_preference", "md5", "is_explicit")
"""Asked for with the core fields, but absent from records of older servers and catalogues."""

RECORD_FIELDS: tuple[str, ...] = (*CORE_FIELDS, *LATER_FIELDS)
"""The fields a request names, besides `score` on similar lists."""

SPACES = ("laion_clap", "freesound_classic")
DIMENSIONS = {"laion_clap": 512, "freesound_classic": 100}
"""How many numbers the vector of a sound has in each similarity space."""

Vector: TypeAlias = "array[float]"
"""A sound's place in a similarity space: single-precision numbers, of length 1 together."""

SERVER, COMPUTED = "server", "computed"


LARGEST_ID = 2**53 - 1
"""A larger integer is not exact in every JSON reader."""
_MOST_DIGITS = len(str(LARGEST_ID))


def is_sound_id(value: object) -> bool:
    """Tell whether `value` can be a sound's id: a positive integer below 2**53, and not a bool."""
    return type(value) is int and 0 < value <= LARGEST_ID


def read_sound_id(value: object) -> int | None:
    """Return a sound's id given as a number or as digits, or None when it is not one."""
    found = value
    if isinstance(value, str):
        found = int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None
    elif isinstance(value, float):
        found = int(value) if value.is_integer() else None
    return found if isinstance(found, int) and is_sound_id(found) else None


def check_sound_id(value: object) -> int:
    """Return `value` as a sound's id; raise `ValueError` when it is not one. Integers of NumPy are accepted."""
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
    """The similar list of one sound: its neighbours with their scores, and how it was asked for.

    `neighbours` is ordered by score, best first, then id; `limit` is the length that was asked for; `filter`
    is the Solr filter that restricted it, empty for none; `origin` is `server` or `computed`.
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
    """Event: the sound is known by its id since `added_at`; its record may still be missing."""

    sound_id: int
    added_at: int


@dataclass(frozen=True, slots=True)
class Linked:
    """Event: the sound's similar list."""

    sound_id: int
    similar: SimilarList


@dataclass(frozen=True, slots=True)
class Gone:
    """Event: the sound was not on Freesound any more at `gone_at` (a tombstone)."""

    sound_id: int
    gone_at: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Event: a person took the sound out at `withdrawn_at`; its texts and links are blank from then on, for ever."""

    sound_id: int
    withdrawn_at: int


@dataclass(frozen=True, slots=True)
class Related:
    """Event: an older tool's edge of the kind `relation`, without a score: never part of a similar list.

    `known_at` is when both ends were known at the latest.
    """

    sound_id: int
    target_id: int
    relation: str
    known_at: int


@dataclass(frozen=True, slots=True)
class Seeded:
    """Event: a harvest was started from these sounds."""

    sound_ids: tuple[int, ...]


Event: TypeAlias = Seen | Known | Linked | Gone | Withdrawn | Related | Seeded


@dataclass(frozen=True, slots=True)
class Deferral:
    """A sound that could not be fetched yet: why, how often so far, and when to try again."""

    sound_id: int
    reason: str
    count: int
    next_try_at: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something a run learned that is no part of the library: local to the machine, kept with the journal.

    A note replaces the one of the same topic and key; what the key and the text mean is the topic's business.
    """

    topic: str
    key: int
    text: str


Notes: TypeAlias = dict[str, dict[int, str]]
"""Notes by topic and key."""


@dataclass(frozen=True, slots=True)
class SimilarPage:
    """What a request for one sound's similar list brought: scores and the neighbours' records.

    `records` holds only usable records (a valid id); `oddities` counts what was tolerated, by kind
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
    """What a search request brought: usable records in the server's order, and whether more pages follow."""

    records: tuple[Record, ...]
    count: int
    has_next: bool
    fetched_at: int
    oddities: dict[str, int] = field(default_factory=dict)
    vectors: Mapping[int, Vector] = field(default_factory=dict)
    """By id, where they were asked for; a sound without one is not analysed yet."""
