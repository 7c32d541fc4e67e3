"""Split a filter into tokens as the index's grammar does.

The longest match wins; blanks only separate. Refuses what no filter needs or no server accepts: regular expressions,
boosts, fuzzy words, local parameters, texts that a request cannot carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from harvester.errors import SettingsError
from harvester.filters.tree import Range
from harvester.filters.write import KEYWORDS

LONGEST = 10_000
"""The most characters of a text that is parsed; a filter that is sent has a lower limit (`LONGEST_ENCODED`)."""

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\n\r\u3000]+)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<range>[\[{][ \t\n\r]*(?P<low>"(?:[^"\\]|\\.)*"|[^\s\]}"]+)[ \t\n\r]+TO
                [ \t\n\r]+(?P<high>"(?:[^"\\]|\\.)*"|[^\s\]}"]+)[ \t\n\r]*[\]}])
    | (?P<mark>[():])
    | (?P<sign>[-+!])
    | (?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?(?![^ \t\n\r\u3000)]))
    | (?P<word>(?:[^ \t\n\r\u3000+\-!():^\[\]"{}~\\/]|\\.)(?:[^ \t\n\r\u3000!():^\[\]"{}~\\/]|\\.)*)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})|\\(.)", re.DOTALL)
_REASONS = {
    '"': 'a quote is not closed; write \\" for a quote within a value',
    "\\": "a backslash ends it; write \\\\ for a backslash",
    "/": "a slash begins a regular expression, which is not supported; put a value with a slash in quotes",
    "^": "^ has no meaning in a filter; put a value with ^ in quotes",
    "~": "fuzzy words are not supported; put a value with ~ in quotes",
    "[": "a range is not complete; write [1 TO 5], or [* TO 5] with an open end",
    "{": "a range is not complete; write {1 TO 5}, or {* TO 5} with an open end",
    "]": "a bracket ']' closes no range",
    "}": "a bracket '}' closes no range",
}

Kind = Literal["(", ")", ":", "sign", "AND", "OR", "NOT", "word", "quoted", "date", "range"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text as written, and its place."""

    kind: Kind
    text: str
    start: int
    end: int
    range: Range | None = None


def refuse(reason: str) -> NoReturn:
    """Raise `SettingsError` with the reason and what to write instead."""
    raise SettingsError(f"the filter cannot be used: {reason}")


def read_tokens(text: str) -> list[Token]:
    """Return a filter's tokens without blanks, or raise `SettingsError`."""
    check_characters(text)
    if text.lstrip().startswith("{!"):
        refuse('{!…} is not supported; write id:(1 OR 2) for ids, geotag:"Intersects(…)" for a place')
    return list(_scan(text))


def check_characters(text: str) -> None:
    """Raise `SettingsError` for a text that a request cannot carry."""
    if len(text) > LONGEST:
        refuse(f"it has {len(text)} characters; no request holds more than {LONGEST}")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        refuse("it holds NUL or bytes that are not UTF-8, which no request can carry")


def unescape(text: str) -> str:
    r"""Resolve backslashes and `\uXXXX` as the index does."""
    if re.search(r"(?<!\\)(?:\\\\)*\\u(?![0-9A-Fa-f]{4})", text):
        refuse("\\u needs four hexadecimal digits; write \\\\u for a backslash before a u")
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
    if not plain.isascii():
        try:
            # A surrogate pair: Java writes a character above U+FFFF as two halves.
            plain = plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            refuse("\\u names half a character; write the character itself")
    if "\0" in plain:
        refuse("\\u0000 is a character that no request can carry")
    return plain


def _scan(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            refuse(_REASONS.get(text[at], f"the character {text[at]!r} cannot begin a value; put the value in quotes"))
        kind, written = str(found.lastgroup), found[0]
        at = found.end()
        match kind:
            case "blank":
                continue
            case "mark":
                kind = written
            case "word" if written in KEYWORDS:
                kind = {"&&": "AND", "||": "OR"}.get(written, written)
        value = _range(found["low"], found["high"], written) if kind == "range" else None
        yield Token(kind, written, found.start(), found.end(), value)  # type: ignore[arg-type]


def _range(low: str, high: str, written: str) -> Range:
    return Range(_end(low), _end(high), written[0] == "[", written[-1] == "]")


def _end(text: str) -> str | None:
    if text == "*":
        return None
    return unescape(text[1:-1] if text.startswith('"') else text)
