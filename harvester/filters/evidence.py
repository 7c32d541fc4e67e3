"""Decide whether a record contradicts the filter that found it.

There are three verdicts: it matches, it does not match, or it is not known. Only fields that have the same value in
the index and in the record are compared. Not compared are texts, which the index splits into words; categories, which
change with its classifier; and counters and ratings, which it updates later than the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias, TypeGuard

from harvester.clock import SECOND_US
from harvester.filters.names import FLAGS, read_period
from harvester.filters.parse import read_filter
from harvester.filters.tree import And, Leaf, Not, Or, Pattern, Range, Term, Tree
from harvester.model import Record
from harvester.records import LICENSES, created_us, find_license

Verdict: TypeAlias = bool | None

_LICENSE_NAMES = frozenset(one.index_name for one in LICENSES)
_NUMBERS = frozenset({"duration", "channels", "bitdepth", "bitrate", "samplerate", "filesize"})
_FLAGS = frozenset({"is_explicit", "is_geotagged"})
_TELLING = _NUMBERS | _FLAGS | {"license", "type", "id", "created"}
_PRECISION = 1e-6
"""Relative. The index holds numbers in single precision: it may round one this close to an end to either side."""


def contradicts(text: str, record: Record) -> bool:
    """Tell whether a record surely does not match a filter."""
    return any(_judge(part, record) is False for part in _telling_parts(text))


@lru_cache(maxsize=64)
def _telling_parts(text: str) -> tuple[Tree, ...]:
    """Return the required parts that name a comparable field."""
    tree = read_filter(text).tree
    return tuple(part for part in (tree.parts if isinstance(tree, And) else (tree,)) if _TELLING & _names(part))


def _names(tree: Tree) -> frozenset[str]:
    match tree:
        case Leaf(name):
            return frozenset((name,))
        case Not(part):
            return _names(part)
        case And(parts) | Or(parts):
            return frozenset[str]().union(*map(_names, parts))


def _judge(tree: Tree, record: Record) -> Verdict:
    match tree:
        case And(parts):
            return _all(_judge(part, record) for part in parts)
        case Or(parts):
            verdicts = [_judge(part, record) for part in parts]
            return True if True in verdicts else None if None in verdicts else False
        case Not(part):
            verdict = _judge(part, record)
            return None if verdict is None else not verdict
        case Leaf(name, value):
            return _judge_leaf(name, value, record)


def _judge_leaf(name: str, value: Term | Pattern | Range, record: Record) -> Verdict:
    found = record.get(name)
    if found is None:
        return None
    if value == Pattern("*"):
        return True if name in ("id", "type") else None
    if name in _NUMBERS:
        return _judge_number(value, found) if _is_measured(name, found) else None
    if name == "created":
        return _judge_date(value, record)
    if not isinstance(value, Term):
        return None
    if name in _FLAGS and isinstance(found, bool):
        return FLAGS[value.text.lower()] is found
    match name:
        case "license" if isinstance(found, str):
            return _judge_license(value.text, found)
        case "type" if isinstance(found, str):
            return True if value.text == found else None if value.text.lower() == found.lower() else False
        case "id" if value.text.isascii() and value.text.isdigit():
            return value.text == str(found)
    return None


def _is_measured(name: str, found: object) -> TypeGuard[int | float]:
    """Decide if a number is known: 0 is not, except for `duration`."""
    return type(found) in (int, float) and 0 <= found < 2**53 and (found > 0 or name == "duration")  # type: ignore[operator]


def _judge_license(wanted: str, deed: str) -> Verdict:
    found = find_license(deed)
    return wanted == found.index_name if found and wanted in _LICENSE_NAMES else None


def _judge_number(value: Term | Pattern | Range, found: float) -> Verdict:
    if isinstance(value, Pattern):
        return None
    if isinstance(value, Term):
        value = Range(value.text, value.text)
    above = _beyond(found, value.low, included=value.low_included, sign=1)
    below = _beyond(found, value.high, included=value.high_included, sign=-1)
    return _all((above, below))


def _beyond(found: float, end: str | None, *, included: bool, sign: int) -> Verdict:
    """Decide whether a number is inside one end of a range.

    `sign` is 1 for the low end, -1 for the high one.
    """
    if end is None:
        return True
    bound = float(end)
    if found == bound:
        return included
    if abs(found - bound) <= _PRECISION * max(abs(found), abs(bound)):
        return None
    return (found - bound) * sign > 0


def _judge_date(value: Term | Pattern | Range, record: Record) -> Verdict:
    created = created_us(record)
    if created is None or isinstance(value, Pattern):
        return None
    seconds, fraction = divmod(created, SECOND_US)
    moment = datetime.fromtimestamp(seconds, UTC)
    if isinstance(value, Term):
        value = Range(value.text, value.text)
    after = _within(moment, value.low, included=value.low_included, is_low=True)
    before = _within(moment, value.high, included=value.high_included, is_low=False)
    verdict = _all((after, before))
    # Whether the index holds the fraction of a second is not known: it can only put a sound later.
    return None if verdict and fraction else verdict


def _within(moment: datetime, end: str | None, *, included: bool, is_low: bool) -> Verdict:
    """Decide whether a moment is inside one end of a range."""
    if end is None:
        return True
    period = read_period(end)
    if period is None:
        return None
    earlier, later = moment < period[0], moment >= period[1]
    outside, inside = (earlier, later) if is_low else (later, earlier)
    # Whether an excluded end leaves out its whole period depends on the index, so within the period it is unknown.
    return False if outside else True if included or inside else None


def _all(verdicts: Iterable[Verdict]) -> Verdict:
    known = list(verdicts)
    return False if False in known else None if None in known else True
