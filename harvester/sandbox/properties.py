"""What can be filtered by, and what a value means there: the fields of the search index (freesound-api.md §2.2).

Invariant: a value matches as Solr would match it: `id` as a string, texts by their words, licences by name,
ratings on the index's scale of 0 to 10, dates as periods. Knows records, not the syntax of filters.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import translate

from harvester.model import Record
from harvester.sandbox.fields import DESCRIPTORS

Matcher = Callable[[Record], bool]

_WORD = re.compile(r"\w+")
_TEXTS = {"username", "name", "description", "pack", "comment"}
_FLAGS = {"is_explicit", "is_remix", "was_remixed", "is_geotagged", "in_remix_group"}
_NUMBERS = {
    "duration", "channels", "bitdepth", "bitrate", "samplerate", "filesize", "num_downloads", "avg_rating",
    "num_ratings", "num_comments",
}  # fmt: skip
_STRINGS = {
    "id", "tag", "license", "gen_ai_preference", "category", "subcategory", "type", "md5", "pack_grouping", "geotag",
}  # fmt: skip
_MATHS = re.compile(r"([+-])(\d+)(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?|/(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?")
_INSTANT = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.\d+)?)?)?)?)?)?Z?")
_SECONDS = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


@dataclass(frozen=True, slots=True)
class Range:
    """A range as it was written; `*` at an end leaves it open."""

    low: str
    high: str
    low_included: bool
    high_included: bool


def matcher(field: str, value: str | Range, now_s: int) -> Matcher:
    """Return what decides whether a record has `value` in `field`; values may still be in quotes.

    Raises `KeyError` for a field that is not in the index and `ValueError` (with Solr's words) for a value
    that is not of the field's type.
    """
    kind = DESCRIPTORS.get(field)
    if field == "created":
        return _date(value, now_s)
    if field in _NUMBERS or kind in {"number", "count"}:
        return _number(field, value)
    if field in _FLAGS or kind == "flag":
        wanted = isinstance(value, Range) or value.strip('"').lower() in {"true", "1", "*"}
        any_value = isinstance(value, Range) or value == "*"
        return lambda record: any_value or bool(record.get(field)) is wanted
    if field in _TEXTS:
        return _text(field, value)
    if field in _STRINGS or kind == "text":
        return _string(field, value)
    raise KeyError(field)


def words_of(text: object) -> list[str]:
    """Return the words of a text as the index holds them, lower-cased, in order."""
    return _WORD.findall(str(text).lower()) if text else []


def licence_name(address: object) -> str:
    """Return the name the index has for a deed's address; `by-nc` before `by`."""
    address = str(address)
    for part, name in (("zero", "Creative Commons 0"), ("by-nc", "Attribution NonCommercial"), ("/by/", "Attribution")):
        if part in address:
            return name
    return "Sampling+" if "sampling" in address else address


def pack_grouping(record: Record) -> str:
    """Return `<pack id>_<pack name>`, or "" for a sound without a pack."""
    pack = record.get("pack")
    if not pack:
        return ""
    return f"{str(pack).rstrip('/').rsplit('/', 1)[-1]}_{record.get('pack_name') or ''}"


def created_s(record: Record) -> int:
    """Return the upload time in seconds UTC, 0 where it cannot be read."""
    match = _INSTANT.fullmatch(str(record.get("created", "")))
    return _period(match)[0] if match else 0


def index_rating(record: Record) -> float:
    """Return the rating as the index has it: 0 to 10, and 0 below three ratings."""
    return 2 * float(record.get("avg_rating") or 0) if int(record.get("num_ratings") or 0) >= 3 else 0.0


def _string(field: str, value: str | Range) -> Matcher:
    def values(record: Record) -> list[str]:
        if field == "license":
            return [licence_name(record.get("license"))]
        if field == "pack_grouping":
            return [pack_grouping(record)]
        if field == "tag":
            return [str(tag).lower() for tag in record.get("tags") or ()]
        found = record.get(field)
        return [] if found is None else [str(found)]

    if isinstance(value, Range):
        low, high = value.low, value.high
        return lambda record: any(
            (low == "*" or (low <= v if value.low_included else low < v))
            and (high == "*" or (v <= high if value.high_included else v < high))
            for v in values(record)
        )
    wanted, is_pattern = _plain(value)
    if field == "tag":
        wanted = wanted.lower()
    if is_pattern:
        pattern = re.compile(translate(wanted))
        return lambda record: any(pattern.match(v) for v in values(record))
    return lambda record: wanted in values(record)


def _text(field: str, value: str | Range) -> Matcher:
    source = "pack_name" if field == "pack" else field
    if isinstance(value, Range):
        # A ValueError like all other refusals of a value: the caller turns those into Solr's answer.
        raise ValueError(f"can not use a range on the text field {field}")  # noqa: TRY004
    wanted, is_pattern = _plain(value)
    if is_pattern:
        pattern = re.compile(translate(wanted.lower()))
        return lambda record: any(pattern.match(word) for word in words_of(record.get(source)))
    phrase = words_of(wanted)
    size = len(phrase)

    def matches(record: Record) -> bool:
        words = words_of(record.get(source))
        return any(words[at : at + size] == phrase for at in range(len(words) - size + 1)) if size else False

    return matches


def _number(field: str, value: str | Range) -> Matcher:
    def number(text: str, otherwise: float) -> float:
        if text == "*":
            return otherwise
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"Invalid Number: {text}") from None

    def own(record: Record) -> float | None:
        if field == "avg_rating":
            return index_rating(record)
        found = record.get(field)
        return float(found) if isinstance(found, int | float) else None

    if isinstance(value, Range):
        low, high = number(value.low, float("-inf")), number(value.high, float("inf"))
        low_in, high_in = value.low_included or value.low == "*", value.high_included or value.high == "*"

        def within(record: Record) -> bool:
            found = own(record)
            return found is not None and (
                low < found < high or (low_in and found == low) or (high_in and found == high)
            )

        return within
    text = value.strip('"').replace("\\", "")
    if text == "*":
        return lambda record: own(record) is not None
    wanted = number(text, 0.0)
    return lambda record: own(record) == wanted


def _date(value: str | Range, now_s: int) -> Matcher:
    if not isinstance(value, Range):
        text = value.strip('"').replace("\\", "")
        if text == "*":
            return lambda record: "created" in record
        start, end = _read_date(text, now_s)
        return lambda record: start <= created_s(record) < end
    low = float("-inf") if value.low == "*" else float(_read_date(value.low, now_s)[0 if value.low_included else 1])
    high = float("inf") if value.high == "*" else float(_read_date(value.high, now_s)[1 if value.high_included else 0])
    return lambda record: low <= created_s(record) < high


def _read_date(text: str, now_s: int) -> tuple[int, int]:
    """Return the period a date stands for, [start, end) in seconds: a prefix is a whole year, month, day …"""
    match = _INSTANT.match(text)
    if text.startswith("NOW"):
        start, end, rest = now_s, now_s + 1, text[3:]
    elif match:
        start, end = _period(match)
        rest = text[match.end() :]
    else:
        raise ValueError(f"Invalid Date String:'{text}'")
    moment = datetime.fromtimestamp(start, UTC)
    at = 0
    while at < len(rest):
        step = _MATHS.match(rest, at)
        if step is None:
            raise ValueError(f"Invalid Date in Date Math String:'{text}'")
        moment = _floor(moment, step[4]) if step[4] else _add(moment, int(step[1] + step[2]), step[3])
        at = step.end()
    if rest:
        start = int(moment.timestamp())
        end = start + 1
    return start, end


def _period(match: re.Match[str]) -> tuple[int, int]:
    parts = [int(part) for part in match.groups() if part is not None]
    try:
        start = datetime(*([*parts, 1, 1][:3] if len(parts) < 3 else parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise ValueError(f"Invalid Date String:'{match[0]}'") from None
    return int(start.timestamp()), int(_add(start, 1, _UNITS[len(parts) - 1]).timestamp())


def _add(moment: datetime, count: int, unit: str) -> datetime:
    try:
        if unit in _SECONDS:
            return moment + timedelta(seconds=count * _SECONDS[unit])
        months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "YEAR" else 1)
        year, month = divmod(months, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)
    except (OverflowError, ValueError, calendar.IllegalMonthError):
        raise ValueError("Invalid Date: out of range") from None


def _floor(moment: datetime, unit: str) -> datetime:
    kept = _UNITS.index(unit) + 1
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return datetime(*(parts[:kept] + (1, 1, 1, 0, 0, 0)[kept:]), tzinfo=UTC)  # type: ignore[misc,arg-type]


def _plain(value: str) -> tuple[str, bool]:
    """Return a value without quotes and escapes, and whether it is a pattern (an unescaped * or ?)."""
    if value.startswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1]), False
    return re.sub(r"\\(.)", r"\1", value), bool(re.search(r"(?<!\\)[*?]", value))
