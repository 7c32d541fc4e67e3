"""Refuse a filter with a value that no sound can have.

Those are a value outside a closed vocabulary, a range that ends before it begins, and a date to come. The server would
answer such a search with no sound. A pattern such as `category:Musi*` is left to the server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches

from harvester.clock import LATEST_US, SECOND_US
from harvester.filters.names import KINDS, VOCABULARIES, read_period
from harvester.filters.parse import read_filter
from harvester.filters.tokens import refuse
from harvester.filters.tree import And, Leaf, Not, Or, Pattern, Range, Term, Tree

_SHOWN = 40


def refuse_impossible(text: str, now_us: int) -> None:
    """Raise `SettingsError` if a filter has a value that no sound can have."""
    _check(read_filter(text).tree, datetime.fromtimestamp(min(now_us, LATEST_US) // SECOND_US, UTC))


def why_impossible(name: str, value: Term | Pattern | Range, now: datetime | None = None) -> str:
    """Return why no sound has this value, with what was meant; or empty."""
    match value:
        case Term(text) if name in VOCABULARIES and text not in VOCABULARIES[name]:
            known = {one.casefold(): one for one in VOCABULARIES[name]}
            near = [known[one] for one in get_close_matches(text.casefold(), known, n=1)]
            meant = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(map(repr, known.values()))}"
            return f"no sound has the {name} '{text[:_SHOWN]}'; {meant}"
        case Term(text) if KINDS[name] == "date":
            return _why_impossible_date(name, text, None, now)
        case Range(str(low), high) if KINDS[name] == "date":
            return _why_impossible_date(name, low, high, now)
        case Range(str(low), str(high)) if KINDS[name] == "number" and float(low) > float(high):
            return f"the range of '{name}' ends before it begins; write [{high} TO {low}]"
    return ""


def _why_impossible_date(name: str, low: str, high: str | None, now: datetime | None) -> str:
    first, last = read_period(low), read_period(high) if high is not None else None
    if first is None:
        return ""  # date maths is the server's
    if now is not None and first[0] > now:
        return f"'{name}' is in the future: today is {now:%Y-%m-%d}"
    if last is not None and first[0] >= last[1]:
        return f"the range of '{name}' ends before it begins; write [{high} TO {low}]"
    return ""


def _check(tree: Tree, now: datetime) -> None:
    match tree:
        case Leaf(name, value):
            if problem := why_impossible(name, value, now):
                refuse(problem)
        case Not(part):
            _check(part, now)
        case And(parts) | Or(parts):
            for part in parts:
                _check(part, now)
