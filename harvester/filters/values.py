"""Parse the value of a name.

It is a number, a date, a flag or a text: alone, with wildcards or as a range. Refuses values that the index would
refuse or read in another way than a person expects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from harvester.filters.names import FLAGS, KINDS, is_date, is_number
from harvester.filters.tokens import Token, refuse, unescape
from harvester.filters.tree import Pattern, Range, Term
from harvester.filters.write import escape_word

_TAKES = {
    "number": "a number or a range such as [0 TO 10]",
    "date": "a date such as 2016-02 or 2016-02-29T12:00:00Z, or a range of dates",
    "flag": "true or false",
}
_READABLE: dict[str, Callable[[str], bool]] = {
    "number": is_number,
    "date": is_date,
    "flag": lambda text: text.lower() in FLAGS,
}


def read_value(name: str, token: Token) -> Term | Pattern | Range:
    """Parse a name's value; raise `SettingsError` if it is invalid."""
    kind = KINDS[name]
    value = _read(token)
    if isinstance(value, Range):
        if name == "id":
            refuse("a range of ids would be compared as texts, not as numbers; name the ids: id:(1 OR 2)")
        if kind == "flag":
            _refuse_kind(name, kind)
        texts = [end for end in (value.low, value.high) if end is not None]
    else:
        texts = [value.text]
    if kind == "text":
        if "" in texts:
            refuse(f"the value of '{name}' is empty; write {name}:* for any value")
    elif value != Pattern("*") and (isinstance(value, Pattern) or not all(map(_READABLE[kind], texts))):
        _refuse_kind(name, kind)
    return value


def _refuse_kind(name: str, kind: str) -> NoReturn:
    refuse(f"'{name}' takes {_TAKES[kind]}")


def _read(token: Token) -> Term | Pattern | Range:
    if token.range is not None:
        return token.range
    match token.kind:
        case "quoted":
            return Term(unescape(token.text[1:-1]))
        case "date":
            return Term(token.text)
    parts = re.findall(r"[*?]|(?:\\.|[^*?\\])+", token.text, re.DOTALL)
    if {"*", "?"}.isdisjoint(parts):
        return Term(unescape(token.text), quoted=False)
    return Pattern("".join(part if part in ("*", "?") else escape_word(unescape(part)) for part in parts))
