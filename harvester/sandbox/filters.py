"""The filter language: Solr's syntax as Freesound takes it (freesound-api.md §2.2), parsed into a predicate.

Grammar: clauses side by side are ANDed; `OR`, `AND`, `NOT`, `-`, `+`, parentheses; `name:value` with a word,
"quotes", a range `[a TO b]` / `{a TO b}`, or a group `name:(a OR b)`; `{!terms f=id}1,2,3`.
Invariant: what Solr refuses is refused with Solr's message (`FilterError`). What a field's value means is
decided in `properties`; this module knows only the syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harvester.model import Record
from harvester.sandbox.properties import Range, matcher

Predicate = Callable[[Record], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<open>\() | (?P<close>\))
    | (?P<range>[\[{]\s*(?P<low>"[^"]*"|[^\s\]}]+)\s+TO\s+(?P<high>"[^"]*"|[^\s\]}]+)\s*[\]}])
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<op>AND\b|OR\b|NOT\b|&&|\|\||!|-|\+)
    | (?P<field>[A-Za-z_][\w.]*):
    | (?P<word>(?:[^\s()\[\]{}":\\]|\\.|(?<=\d):(?=\d))+)
    )""",
    re.VERBOSE,
)
_MAX_DEPTH = 50
_TERMS = re.compile(r"\{!terms f=(\w+)\}(.*)", re.DOTALL)


class FilterError(Exception):
    """Solr refuses the filter; the message is what Solr gives as its reason."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter: `matches` decides on a record; `sound_ids`, where not None, are the only ones that can."""

    matches: Predicate
    sound_ids: frozenset[int] | None


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class _Clause:
    matches: Predicate
    sound_ids: frozenset[int] | None = None


def read_filter(text: str, now_s: int) -> Filter:
    """Parse a filter; `now_s` is what `NOW` means in dates. Raises `FilterError`."""
    terms = _TERMS.fullmatch(text.strip())
    if terms:
        clauses = [_value(terms[1], value.strip(), now_s) for value in terms[2].split(",")]
        found = _any(clauses)
    else:
        parser = _Parser(text, now_s)
        found = parser.whole()
    return Filter(found.matches, found.sound_ids)


class _Parser:
    def __init__(self, text: str, now_s: int) -> None:
        self._text = text
        self._now_s = now_s
        self._tokens = self._scan()
        self._next = 0
        self._depth = 0

    def whole(self) -> _Clause:
        clause = self._either(None)
        if self._peek() is not None:
            raise self._unexpected()
        return clause

    def _either(self, field: str | None) -> _Clause:
        clauses = [self._both(field)]
        while self._take_op("OR", "||"):
            clauses.append(self._both(field))
        return clauses[0] if len(clauses) == 1 else _any(clauses)

    def _both(self, field: str | None) -> _Clause:
        clauses = [self._clause(field)]
        while True:
            self._take_op("AND", "&&")
            token = self._peek()
            if token is None or token.kind == "close" or (token.kind == "op" and token.text in {"OR", "||"}):
                break
            clauses.append(self._clause(field))
        return clauses[0] if len(clauses) == 1 else _all(clauses)

    def _clause(self, field: str | None) -> _Clause:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FilterError("filter is nested too deeply")
        try:
            return self._nested(field)
        finally:
            self._depth -= 1

    def _nested(self, field: str | None) -> _Clause:
        if self._take_op("-", "NOT", "!"):
            inner = self._clause(field).matches
            return _Clause(lambda record: not inner(record))
        if self._take_op("+"):
            return self._clause(field)
        token = self._take()
        if token.kind == "open":
            clause = self._either(field)
            if self._take().kind != "close":
                self._next -= 1
                raise self._unexpected()
            return clause
        if token.kind == "field":
            return self._clause(token.text)
        if token.kind in {"word", "quoted", "range"}:
            if field is None:
                raise FilterError("no field name specified in query and no default specified via 'df' param")
            return _value(field, _range(token.text) if token.kind == "range" else token.text, self._now_s)
        self._next -= 1
        raise self._unexpected()

    def _scan(self) -> list[_Token]:
        tokens, at = [], 0
        text = self._text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise FilterError(
                    f"org.apache.solr.search.SyntaxError: Cannot parse '+{self._text}': "
                    f"Lexical error at line 1, column {at + 2}."
                )
            kind = next(name for name in ("open", "close", "range", "quoted", "op", "field", "word") if match[name])
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            at = match.end()
        return tokens

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        if token is None:
            raise self._unexpected()
        return token

    def _take_op(self, *texts: str) -> bool:
        token = self._peek()
        if token is None or token.kind != "op" or token.text not in texts:
            return False
        self._next += 1
        return True

    def _unexpected(self) -> FilterError:
        # The server puts a + before the filter, so Solr counts columns one further than the filter does.
        token = self._peek()
        what, column = ('"<EOF>"', len(self._text) + 1) if token is None else (f'" "{token.text}" "', token.at + 2)
        return FilterError(
            f"org.apache.solr.search.SyntaxError: Cannot parse '+{self._text}': "
            f"Encountered {what} at line 1, column {column}."
        )


def _value(field: str, value: str | Range, now_s: int) -> _Clause:
    try:
        matches = matcher(field, value, now_s)
    except KeyError:
        raise FilterError(f"undefined field {field}") from None
    except ValueError as problem:
        raise FilterError(str(problem)) from None
    sound_ids = None
    if field == "id" and isinstance(value, str) and value.strip('"').isdecimal():
        sound_ids = frozenset((int(value.strip('"')),))
    return _Clause(matches, sound_ids)


def _any(clauses: list[_Clause]) -> _Clause:
    known = [clause.sound_ids for clause in clauses if clause.sound_ids is not None]
    tests = [clause.matches for clause in clauses]
    if len(known) == len(clauses):
        ids = frozenset[int]().union(*known)
        if all(clause.sound_ids is not None and len(clause.sound_ids) == 1 for clause in clauses):
            return _Clause(lambda record: record["id"] in ids, ids)
        return _Clause(lambda record: any(test(record) for test in tests), ids)
    return _Clause(lambda record: any(test(record) for test in tests))


def _all(clauses: list[_Clause]) -> _Clause:
    known = [clause.sound_ids for clause in clauses if clause.sound_ids is not None]
    tests = [clause.matches for clause in clauses]
    ids = known[0].intersection(*known[1:]) if known else None
    return _Clause(lambda record: all(test(record) for test in tests), ids)


def _range(text: str) -> Range:
    low, high = re.split(r"\s+TO\s+", text[1:-1].strip(), maxsplit=1)
    return Range(low.strip('"'), high.strip('"'), text[0] == "[", text[-1] == "]")
