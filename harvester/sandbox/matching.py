"""Compare a filter's value with a field's: a function for each type.

Each takes (a field's values, the filter's value, now in seconds) and returns a matcher, or None for a text without
words. A value that is not of the type raises `ValueError` with the index's message. Knows no field by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harvester.model import Record
from harvester.sandbox.dates import read_date

Matcher = Callable[[Record], bool]
Values = Callable[[Record], Sequence[object]]

_DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[dDfF]?\s*")
# The index's integer fields refuse fractions; a recorded answer shows that they accept `96000.0`.
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0*)?")


@dataclass(frozen=True, slots=True)
class SolrRange:
    """A range; None is an open end."""

    low: str | None
    high: str | None
    low_included: bool
    high_included: bool


@dataclass(frozen=True, slots=True)
class Words:
    """Unescaped text: a word, adjacent words, or the inside of quotes."""

    words: tuple[str, ...]
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class SolrPattern:
    """A text with the wildcards `*` and `?`, and escapes by backslash."""

    text: str

    def compiled(self, lower: bool) -> re.Pattern[str]:
        """Return the regular expression that the whole of a value must match."""
        text = self.text.lower() if lower else self.text
        parts = re.findall(r"\\.|[^\\]|\\\Z", text, re.DOTALL)
        signs = {"*": ".*", "?": "."}
        return re.compile("".join(signs.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Exists:
    """Any value: the field must have one."""


Value = SolrRange | Words | SolrPattern | Exists
Match = Callable[[Values, Value, int], Matcher | None]


def match_string(values: Values, value: Value, _now_s: int) -> Matcher | None:
    """Match a text that the index holds whole."""
    if isinstance(value, Words):
        # Adjacent words are alternatives here; in an analysed text all of them must occur.
        wanted = {value.words[0]} if value.quoted or len(value.words) == 1 else set(value.words)
        return lambda record: not wanted.isdisjoint(map(str, values(record)))
    return _among(values, value, lower=False)


def match_analysed(analyse: Callable[[str], Sequence[str]]) -> Match:
    """Return a `Match` by words: a phrase in quotes, else in any order."""

    def match(values: Values, value: Value, _now_s: int) -> Matcher | None:
        def words(record: Record) -> Sequence[str]:
            return [word for text in values(record) for word in analyse(str(text))]

        if not isinstance(value, Words):
            return _among(words, value, lower=True)
        wanted = analyse(" ".join(value.words))
        size = len(wanted)
        if size == 0:
            return None
        if size == 1:
            (word,) = wanted
            return lambda record: any(word in analyse(str(text)) for text in values(record))
        if not value.quoted:
            return lambda record: set(wanted) <= set(words(record))

        def has_phrase(record: Record) -> bool:
            return any(
                own[at : at + size] == wanted
                for own in (analyse(str(text)) for text in values(record))
                for at in range(len(own) - size + 1)
            )

        return has_phrase

    return match


def _among(values: Callable[[Record], Sequence[object]], value: Value, *, lower: bool) -> Matcher:
    """Return a matcher for a range, pattern or presence, compared as text."""
    if isinstance(value, SolrPattern):
        pattern = value.compiled(lower)
        return lambda record: any(pattern.fullmatch(str(one)) for one in values(record))
    if isinstance(value, SolrRange):
        low, high = ((end.lower() if lower else end) if end is not None else None for end in (value.low, value.high))

        def within(text: str) -> bool:
            return (low is None or low < text or (value.low_included and low == text)) and (
                high is None or text < high or (value.high_included and high == text)
            )

        return lambda record: any(within(str(one)) for one in values(record))
    return lambda record: len(values(record)) > 0


def match_numbers(bits: int | None) -> Match:
    """Return a `Match` for integers of `bits` bits; None: any number."""

    def number(text: str) -> float:
        if bits is None and _DECIMAL.fullmatch(text):
            return float(text.strip().rstrip("dDfF"))
        if bits is not None and _WHOLE.fullmatch(text) and len(text) <= 25:
            whole = int(text.partition(".")[0])
            if -(2 ** (bits - 1)) <= whole < 2 ** (bits - 1):
                return whole
        raise ValueError(f"Invalid Number: {text}")

    def match(values: Values, value: Value, _now_s: int) -> Matcher | None:
        if isinstance(value, Words):
            wanted = {number(text) for text in value.words}
            return lambda record: any(one in wanted for one in values(record))
        if isinstance(value, SolrPattern):
            if re.fullmatch(r"[^*?]*\*", value.text):
                raise ValueError("Can't run prefix queries on numeric fields")
            return lambda _record: False
        if isinstance(value, Exists):
            return lambda record: len(values(record)) > 0
        low = float("-inf") if value.low is None else number(value.low)
        high = float("inf") if value.high is None else number(value.high)
        low_in, high_in = value.low_included or value.low is None, value.high_included or value.high is None

        def within(record: Record) -> bool:
            return any(
                (low < one or (low_in and low == one)) and (one < high or (high_in and one == high))
                for one in values(record)
                if isinstance(one, int | float)
            )

        return within

    return match


def match_flag(values: Values, value: Value, _now_s: int) -> Matcher | None:
    """Match a flag: words that begin with 1 or t are true, others false."""
    if isinstance(value, Words):
        wanted = {text[:1] in {"1", "t", "T"} for text in value.words}
        return lambda record: any(bool(one) in wanted for one in values(record))
    return lambda record: len(values(record)) > 0


def match_date(values: Values, value: Value, now_s: int) -> Matcher | None:
    """Match a time, in seconds since 1970, within the period of a date."""
    if isinstance(value, SolrPattern):
        return lambda _record: False
    if isinstance(value, Words):
        periods = [_date_range(text, now_s) for text in value.words]
    elif isinstance(value, SolrRange):
        periods = [_written_range(value, now_s)]
    else:
        periods = [(float("-inf"), float("inf"))]
    return lambda record: any(low <= one < high for one in values(record) for low, high in periods)  # type: ignore[operator]


def _written_range(value: SolrRange, now_s: int) -> tuple[float, float]:
    # As in the index, excluding the low end moves it by a millisecond only, not by the period that it names.
    low, high = float("-inf"), float("inf")
    if value.low is not None:
        low = read_date(value.low, now_s)[0] + (0 if value.low_included else 0.001)
    if value.high is not None:
        start, end = read_date(value.high, now_s)
        high = end if value.high_included else start
    if low >= high:
        raise ValueError(f"Wrong order: {value.low} TO {value.high}")
    return low, high


def _date_range(text: str, now_s: int) -> tuple[float, float]:
    low, to, high = text.strip("[]").partition(" TO ")
    start, end = read_date(low, now_s)
    return (start, read_date(high, now_s)[1]) if to else (start, end)


def match_place(values: Values, value: Value, _now_s: int) -> Matcher | None:
    """Match a geotag within a box."""
    if isinstance(value, Exists) or (isinstance(value, SolrRange) and value.low is None and value.high is None):
        return lambda record: len(values(record)) > 0
    if not isinstance(value, SolrRange) or value.low is None or value.high is None:
        raise ValueError("the sandbox supports geotags in a box only")
    (south, west), (north, east) = _point(value.low), _point(value.high)

    def inside(record: Record) -> bool:
        places = (_point(str(one).replace(" ", ",")) for one in values(record))
        return any(south <= latitude <= north and west <= longitude <= east for latitude, longitude in places)

    return inside


def _point(text: str) -> tuple[float, float]:
    latitude, comma, longitude = text.partition(",")
    if not comma or not _DECIMAL.fullmatch(latitude) or not _DECIMAL.fullmatch(longitude):
        raise ValueError(f"Can't parse point '{text}' because: not 'latitude,longitude'")
    return float(latitude), float(longitude)
