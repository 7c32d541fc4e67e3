"""Names that a filter may use, and the kind of value of each.

Also owns the list of names that the server translates into internal ones; it does so only where a piece between blanks
starts with them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from harvester.records import CATEGORIES, DESCRIPTORS, FILE_TYPES, LICENSES, FieldKind

Kind = Literal["text", "number", "flag", "date"]


def _descriptors(*kinds: FieldKind) -> tuple[str, ...]:
    return tuple(name for name, rule in DESCRIPTORS.items() if rule.kind in kinds)


_DESCRIPTOR_NUMBERS = _descriptors(FieldKind.INT, FieldKind.FLOAT)
_DESCRIPTOR_FLAGS = _descriptors(FieldKind.BOOL)
_DESCRIPTOR_TEXTS = _descriptors(FieldKind.TEXT, FieldKind.TEXTS)

TRANSLATED = frozenset({"category", "subcategory", *_DESCRIPTOR_NUMBERS, *_DESCRIPTOR_FLAGS, *_DESCRIPTOR_TEXTS})
"""The names that the server translates, only where a piece between blanks starts with them."""

KINDS: dict[str, Kind] = {
    **dict.fromkeys(
        ("id", "username", "name", "description", "tag", "comment", "pack", "pack_grouping", "license", "type", "md5"),
        "text",
    ),
    **dict.fromkeys(("gen_ai_preference", "category", "subcategory", "geotag", *_DESCRIPTOR_TEXTS), "text"),
    **dict.fromkeys(("duration", "channels", "bitdepth", "bitrate", "samplerate", "filesize"), "number"),
    **dict.fromkeys(("num_downloads", "avg_rating", "num_ratings", "num_comments", *_DESCRIPTOR_NUMBERS), "number"),
    **dict.fromkeys(("is_explicit", "is_remix", "was_remixed", "in_remix_group", "is_geotagged"), "flag"),
    **dict.fromkeys(_DESCRIPTOR_FLAGS, "flag"),
    "created": "date",
}

VOCABULARIES: dict[str, tuple[str, ...]] = {
    "category": tuple(CATEGORIES),
    "license": tuple(one.index_name for one in LICENSES),
    "type": FILE_TYPES,
}
"""The values of names that have few; the index compares them exactly."""

FLAGS = {"true": True, "1": True, "false": False, "0": False}
"""The words that a flag accepts; the index reads every other word as false."""

_OTHER_WORDS = {"tags": "tag", "licence": "license", "user": "username", "title": "name", "pack_name": "pack"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}))?)?)?)?)?Z?")
_UNIT = r"(?:YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?"
_DATE_MATHS = re.compile(rf"(?:NOW|({_DATE.pattern}(?:\.[0-9]+Z?)?))(?:[+-][0-9]{{1,6}}{_UNIT}|/{_UNIT})*")


def suggest(name: str) -> str | None:
    """Return the known name that the user probably meant, or None."""
    # Imported only when a filter is refused, so that the command line starts faster.
    from difflib import get_close_matches

    lowered = name.lower()
    close = get_close_matches(lowered, KINDS, n=1)
    return _OTHER_WORDS.get(lowered) or (close[0] if close else None)


def is_number(text: str) -> bool:
    """Tell whether the index can read `text` as a number."""
    return _NUMBER.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Tell whether the index can read `text` as a date.

    Dates are `2016`, `2016-02` and so on, a whole instant, or date maths.
    """
    found = _DATE_MATHS.fullmatch(text)
    return found is not None and (found[1] is None or read_period(re.sub(r"\.[0-9]+", "", found[1])) is not None)


def read_period(text: str) -> tuple[datetime, datetime] | None:
    """Return a date's period [start, end), or None for date maths."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    parts = [int(part) for part in found.groups() if part is not None]
    try:
        start = datetime(*(*parts, 1, 1)[: max(3, len(parts))], tzinfo=UTC)  # type: ignore[misc,arg-type]
        if len(parts) > 2:
            return start, start + timedelta(days=1) / (1, 24, 1_440, 86_400)[len(parts) - 3]
        months = start.year * 12 + start.month - 1 + (12 if len(parts) == 1 else 1)
        return start, start.replace(year=months // 12, month=months % 12 + 1)
    except (ValueError, OverflowError):
        return None
