"""Define the index's fields that a filter may name, and their values.

Invariant: a field has the values that it has in the index: tags in lower case, licenses by name, ratings on a scale of
0 to 10, 0 for an unknown bit depth. Knows records, not the syntax of filters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harvester.model import Record
from harvester.sandbox.dates import read_created
from harvester.sandbox.fields import DESCRIPTORS, TRANSLATED
from harvester.sandbox.matching import (
    Match,
    Values,
    match_analysed,
    match_date,
    match_flag,
    match_numbers,
    match_place,
    match_string,
)

_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]+")
_TRIMMED = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680\u2028\u2029\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B) if code != 0x2007
)
"""White space in Java, without no-break spaces: the index keeps those at the ends of a tag."""


@dataclass(frozen=True, slots=True)
class Field:
    """An index field; `in_vectors`: documents of vectors have it too."""

    match: Match
    values: Values
    in_vectors: bool = False


def find_field(name: str) -> Field:
    """Return the index's field of this name, or raise `KeyError`."""
    field = _FIELDS.get(name)
    if field is not None:
        return field
    # The index accepts any name with such a suffix as a (dynamic) field; without values it is empty.
    for suffix, match in _BY_SUFFIX.items():
        if name.endswith(suffix):
            return Field(match, lambda _record: ())
    raise KeyError(name)


def words_of(text: object) -> list[str]:
    """Return a text's words in order, in lower case, as in the index."""
    return _WORD.findall(str(text).lower()) if text else []


def license_name(address: object) -> str:
    """Return the index's name for the license with this deed address."""
    address = str(address)
    for part, name in (("zero", "Creative Commons 0"), ("by-nc", "Attribution NonCommercial"), ("/by/", "Attribution")):
        if part in address:
            return name
    return "Sampling+" if "sampling" in address else address


def pack_grouping(record: Record) -> str:
    """Return `<pack id>_<pack name>`, empty for a sound without a pack."""
    pack = record.get("pack")
    if not pack:
        return ""
    return f"{str(pack).rstrip('/').rsplit('/', 1)[-1]}_{record.get('pack_name') or ''}"


def created_s(record: Record) -> int:
    """Return the upload time in seconds UTC, 0 if it is no date."""
    return read_created(str(record.get("created", "")))


def index_rating(record: Record) -> float:
    """Return the index's rating, 0 to 10; 0 for fewer than 3 ratings."""
    return 2 * float(record.get("avg_rating") or 0) if int(record.get("num_ratings") or 0) >= 3 else 0.0


def in_sort_order(sound_ids: Iterable[int], sort: str, record_of: Callable[[int], Record]) -> list[int]:
    """Return ids in an order of `SORTS`; ties and `score`: newest first."""
    kind, _, direction = sort.partition("_")
    newest_first = sorted(sound_ids, reverse=True)
    if kind == "score":
        return newest_first
    value_of, sign = _SORT_VALUES[kind], 1 if direction == "asc" else -1
    return sorted(newest_first, key=lambda sound_id: sign * value_of(record_of(sound_id)))


_SORT_VALUES: dict[str, Callable[[Record], float]] = {
    "duration": lambda record: float(record.get("duration") or 0),
    "created": created_s,
    "downloads": lambda record: float(record.get("num_downloads") or 0),
    "rating": index_rating,
}


@lru_cache(maxsize=4_096)
def _whole_text(text: str) -> tuple[str, ...]:
    return (text.lower().strip(_TRIMMED),) if text else ()


def _own(name: str) -> Values:
    def values(record: Record) -> Sequence[object]:
        found = record.get(name)
        if found is None:
            return ()
        return found if isinstance(found, list) else (found,)

    return values


def _created(record: Record) -> Sequence[object]:
    return () if record.get("created") is None else (created_s(record),)


def _pack_groupings(record: Record) -> Sequence[object]:
    grouping = pack_grouping(record)
    return (grouping,) if grouping else ()


def _or_zero(name: str) -> Values:
    def values(record: Record) -> Sequence[object]:
        found = record.get(name)
        return (int(found) if isinstance(found, int | float) else 0,)

    return values


def _or_false(*names: str) -> Values:
    return lambda record: (any(record.get(name) for name in names),)


_license = _own("license")
_keyword, _text = match_analysed(_whole_text), match_analysed(words_of)
_username = match_analysed(lambda text: _LETTERS.findall(text.lower()))
_int, _long, _double = match_numbers(32), match_numbers(64), match_numbers(None)
_BY_SUFFIX = {"_d": _double, "_i": _int, "_b": match_flag, "_ls": _keyword, "_s": match_string}
_FIELDS: dict[str, Field] = {
    "id": Field(match_string, _own("id")),
    "license": Field(match_string, lambda record: [license_name(one) for one in _license(record)]),
    "gen_ai_preference": Field(match_string, _own("gen_ai_preference")),
    "md5": Field(match_string, _own("md5")),
    "pack_grouping": Field(match_string, _pack_groupings, in_vectors=True),
    "content_type": Field(match_string, lambda _record: ("s",), in_vectors=True),
    "tag": Field(_keyword, _own("tags")),
    "type": Field(_keyword, _own("type")),
    "username": Field(_username, _own("username")),
    "name": Field(_text, _own("name")),
    "description": Field(_text, _own("description")),
    "pack": Field(_text, _own("pack_name")),
    "comment": Field(_text, lambda _record: ()),
    "created_range": Field(match_date, _created, in_vectors=True),
    "geotag": Field(match_place, _own("geotag")),
    "duration": Field(_double, _own("duration"), in_vectors=True),
    "avg_rating": Field(_double, lambda record: (index_rating(record),), in_vectors=True),
    "num_downloads": Field(_long, _own("num_downloads"), in_vectors=True),
    "num_ratings": Field(_long, _own("num_ratings"), in_vectors=True),
    "num_comments": Field(_long, _own("num_comments")),
    "filesize": Field(_long, _own("filesize")),
    "channels": Field(_int, _own("channels")),
    "bitdepth": Field(_int, _or_zero("bitdepth")),
    "bitrate": Field(_int, _or_zero("bitrate")),
    "samplerate": Field(_int, _or_zero("samplerate")),
    "is_explicit": Field(match_flag, _or_false("is_explicit")),
    "is_remix": Field(match_flag, _or_false("is_remix")),
    "was_remixed": Field(match_flag, _or_false("was_remixed")),
    "in_remix_group": Field(match_flag, _or_false("is_remix", "was_remixed")),
    "is_geotagged": Field(match_flag, _or_false("is_geotagged")),
    **{indexed: Field(_BY_SUFFIX[indexed.removeprefix(name)], _own(name)) for name, indexed in TRANSLATED.items()},
}
DESCRIBED = frozenset(TRANSLATED[name] for name in DESCRIPTORS if name in TRANSLATED)
"""The fields of the index whose values are descriptors."""
