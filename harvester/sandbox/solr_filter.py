"""Parse the index's queries, and decide with them which sounds match.

Clauses are read left to right, without precedence; AND is the operator where none is written:

    before the clause    the clause before it            the clause itself
    nothing              stays                           must match, or with `-`, `NOT`, `!` must not
    AND, &&              must match, unless it must not  the same
    OR, ||               may match, unless it must not   may match, or must not

A group matches a sound if all its `must` clauses match, none of its `must not` clauses does, and, without any `must`
clause, at least one of its `may` clauses does. So `a OR b c` means c. A whole query of `must not` clauses only matches
every other sound; a group of them matches nothing. A clause has at most one sign: `NOT +a` is a syntax error.
`solr_fields` knows the fields and their values.
Invariant: a query that the index refuses raises `FilterError` with the index's message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from harvester.model import Record
from harvester.sandbox.matching import Exists, SolrPattern, SolrRange, Value, Words
from harvester.sandbox.solr_fields import DESCRIBED, find_field
from harvester.sandbox.tokens import SYNTAX_ERROR, FilterError, SolrToken, Tokens

__all__ = ["SolrFilter", "FilterError", "read_filter"]

Predicate = Callable[[Record], bool]

_MAX_DEPTH = 100
_MAX_CLAUSES = 1_024
_TERMS = "{!terms f=id}"
_BESIDE_VECTORS = (
    "Parent query must not match any docs besides parent filter. Combine them as must (+) and must-not (-) clauses to "
    "find a problem doc. docID=42"
)


@dataclass(frozen=True, slots=True)
class SolrFilter:
    """A parsed filter: `matches` tells whether a record matches.

    If `sound_ids` is not None, only these sounds can match. `described`: it needs records with their descriptors.
    """

    matches: Predicate
    sound_ids: frozenset[int] | None
    described: bool


@dataclass(frozen=True, slots=True)
class _SolrClause:
    """One clause; if `sound_ids` is not None, only these can match.

    `exact`: all of `sound_ids` match. `finds_vectors`: it may also match documents of vectors.
    """

    matches: Predicate
    sound_ids: frozenset[int] | None = None
    exact: bool = False
    finds_vectors: bool = False


_NOTHING = _SolrClause(lambda _record: False, frozenset())


@dataclass(slots=True)
class _Group:
    """A group's clauses, each as (`must`, `may` or `must not`, clause)."""

    clauses: list[tuple[str, _SolrClause]] = field(default_factory=list)

    def add(self, conjunction: str, negated: bool, clause: _SolrClause | None) -> None:
        """Add a clause; None: it has no words, but its conjunction counts."""
        if conjunction and self.clauses and self.clauses[-1][0] != "must not":
            self.clauses[-1] = ("must" if conjunction == "AND" else "may", self.clauses[-1][1])
        if clause is not None:
            self.clauses.append(("must not" if negated else "may" if conjunction == "OR" else "must", clause))

    def joined(self, *, whole: bool) -> _SolrClause | None:
        """Return the group as one clause; `whole`: it is the whole query."""
        must, may, must_not = ([clause for how, clause in self.clauses if how == kind] for kind in _HOW)
        if must_not and not must and not may:
            return _SolrClause(_none_of(must_not), finds_vectors=True) if whole else _NOTHING
        if not self.clauses:
            return _NOTHING if whole else None
        joined = _all_of(must) if must else _any_of(may)
        if not must_not:
            return joined
        wanted, others = joined.matches, _none_of(must_not)
        return _SolrClause(
            lambda record: wanted(record) and others(record), joined.sound_ids, finds_vectors=joined.finds_vectors
        )


_HOW = ("must", "may", "must not")


def read_filter(query: str, now_s: int, *, of_parents: bool = False) -> SolrFilter:
    """Parse a query as the index receives it; `now_s`: `NOW` in dates.

    `of_parents`: the query restricts the sounds of a similarity search, in which it must not match any document of a
    vector. Raises `FilterError`.
    """
    return _read(query, now_s if "NOW" in query else 0, of_parents)


@lru_cache(maxsize=256)
def _read(query: str, now_s: int, of_parents: bool) -> SolrFilter:
    parser = _SolrParser(f"({query})" if of_parents else query, now_s)
    clause = parser.parse()
    if of_parents and clause.finds_vectors:
        raise FilterError(_BESIDE_VECTORS, 500)
    return SolrFilter(clause.matches, clause.sound_ids, parser.described)


class _SolrParser:
    """The parser of one query; `described`: the query names a descriptor."""

    def __init__(self, query: str, now_s: int) -> None:
        self._query = query
        self._tokens = Tokens(query)
        self._now_s = now_s
        self._depth = 0
        self._count = 0
        self.described = False

    def parse(self) -> _SolrClause:
        if self._query.startswith("{!"):
            return self._terms()
        clause = self._group(None, whole=True)
        self._tokens.take("<EOF>")
        return clause or _NOTHING

    def _terms(self) -> _SolrClause:
        if not self._query.startswith(_TERMS):
            raise FilterError(f"the sandbox supports no local parameters except {_TERMS}")
        values = self._query.removeprefix(_TERMS).split(",")
        return _any_of([self._leaf("id", Words((one.strip(),), quoted=True)) or _NOTHING for one in values])

    def _group(self, name: str | None, *, whole: bool = False) -> _SolrClause | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FilterError("the sandbox supports at most 100 nested groups")
        group = _Group()
        conjunction = ""
        while True:
            words = self._neighbouring_words() if not conjunction else ()
            if words:
                group.add("", False, self._leaf(name, Words(words)))
            else:
                sign = self._tokens.try_take("+", "-", "NOT")
                group.add(conjunction, sign is not None and sign.kind != "+", self._clause(name))
            if self._tokens.peek().kind in {")", "<EOF>"}:
                break
            token = self._tokens.try_take("AND", "OR")
            conjunction = token.kind if token else ""
        self._depth -= 1
        return group.joined(whole=whole)

    def _neighbouring_words(self) -> tuple[str, ...]:
        """Take two or more adjacent words, none before an operator; else none."""
        if self._tokens.peek().kind != "<TERM>" or not self._is_neighbour(1):
            return ()
        words = [_unescaped(self._tokens.take("<TERM>").text)]
        while self._is_neighbour(0):
            words.append(_unescaped(self._tokens.take("<TERM>").text))
        return tuple(words)

    def _is_neighbour(self, ahead: int) -> bool:
        after = {":", "*", "<FUZZY_SLOP>", "^", "AND", "OR"}
        return self._tokens.peek(ahead).kind == "<TERM>" and self._tokens.peek(ahead + 1).kind not in after

    def _clause(self, name: str | None) -> _SolrClause | None:
        first = self._tokens.peek()
        if first.kind in {"<TERM>", "*"} and self._tokens.peek(1).kind == ":":
            name = _unescaped(first.text)
            self._tokens.take(first.kind)
            self._tokens.take(":")
        if self._tokens.try_take("(", "filter("):
            clause = self._group(name)
            self._tokens.take(")")
        else:
            clause = self._term(name)
        if self._tokens.try_take("^"):
            self._tokens.take("<NUMBER>")  # a boost changes scores, not what matches
        return clause

    def _term(self, name: str | None) -> _SolrClause | None:
        token = self._tokens.take(
            "<TERM>", "<PREFIXTERM>", "<WILDTERM>", "*", "<BAREOPER>", "<QUOTED>", "[", "{", "<REGEXPTERM>", "<LPARAMS>"
        )
        if token.kind in {"<REGEXPTERM>", "<LPARAMS>"} or self._tokens.peek().kind == "<FUZZY_SLOP>":
            raise FilterError(
                "the sandbox does not support regular expressions, fuzzy words and nested local parameters"
            )
        if token.kind == "*" and name in {None, "*"}:
            return self._counted(_SolrClause(lambda _record: True, finds_vectors=True))
        return self._leaf(name, self._range(token) if token.kind in {"[", "{"} else _value(token))

    def _range(self, start: SolrToken) -> SolrRange:
        ends = []
        for _ in range(2):
            token = self._tokens.take("<RANGE_GOOP>", "<RANGE_QUOTED>", "TO")
            is_quoted = token.kind == "<RANGE_QUOTED>"
            ends.append(None if token.text == "*" else _unescaped(token.text[1:-1] if is_quoted else token.text))
            if len(ends) == 1:
                self._tokens.take("TO")
        end = self._tokens.take("]", "}")
        return SolrRange(ends[0], ends[1], start.kind == "[", end.kind == "]")

    def _leaf(self, name: str | None, value: Value) -> _SolrClause | None:
        if not name:
            raise FilterError("no field name specified in query and no default specified via 'df' param")
        try:
            found = find_field(name)
        except KeyError:
            raise FilterError(f"undefined field {name}") from None
        try:
            matches = found.match(found.values, value, self._now_s)
        except ValueError as problem:
            raise FilterError(str(problem)) from None
        self.described = self.described or name in DESCRIBED
        if matches is None:
            return None
        sound_ids, exact = None, False
        if name == "id" and isinstance(value, Words):
            sound_ids = frozenset(
                int(one) for one in value.words if len(one) < 20 and one.isdecimal() and str(int(one)) == one
            )
            exact = True
        finds_vectors = found.in_vectors or (name == "id" and not exact)
        return self._counted(_SolrClause(matches, sound_ids, exact, finds_vectors))

    def _counted(self, clause: _SolrClause) -> _SolrClause:
        self._count += 1
        if self._count > _MAX_CLAUSES:
            raise self._tokens.syntax_error("too many boolean clauses")
        return clause


def _value(token: SolrToken) -> Value:
    if token.kind == "*":
        return Exists()
    if token.kind == "<WILDTERM>":
        return SolrPattern(token.text)
    if token.kind == "<PREFIXTERM>":
        return SolrPattern("".join(f"\\{one}" for one in _unescaped(token.text[:-1])) + "*")
    if token.kind == "<QUOTED>":
        return Words((_unescaped(token.text[1:-1]),), quoted=True)
    return Words((token.text[0] if token.kind == "<BAREOPER>" else _unescaped(token.text),))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    plain, at = "", 0
    while at < len(text):
        if text[at] != "\\":
            plain, at = plain + text[at], at + 1
        elif text[at + 1] != "u":
            plain, at = plain + text[at + 1], at + 2
        else:
            digits = text[at + 2 : at + 6]
            wrong = next((digit for digit in digits if digit not in "0123456789abcdefABCDEF"), None)
            if wrong is not None:
                raise FilterError(f"{SYNTAX_ERROR}: Non-hex character in Unicode escape sequence: {wrong}")
            if len(digits) < 4:
                raise FilterError(f"{SYNTAX_ERROR}: Truncated unicode escape sequence.")
            plain, at = plain + chr(int(digits, 16)), at + 6
    return plain


def _any_of(clauses: list[_SolrClause]) -> _SolrClause:
    if len(clauses) == 1:
        return clauses[0]
    known = [clause.sound_ids for clause in clauses if clause.sound_ids is not None]
    finds_vectors = any(clause.finds_vectors for clause in clauses)
    ids = frozenset[int]().union(*known) if len(known) == len(clauses) else None
    if ids is not None and all(clause.exact for clause in clauses):
        return _SolrClause(lambda record: record["id"] in ids, ids, True, finds_vectors)
    tests = [clause.matches for clause in clauses]
    return _SolrClause(lambda record: any(test(record) for test in tests), ids, False, finds_vectors)


def _all_of(clauses: list[_SolrClause]) -> _SolrClause:
    if len(clauses) == 1:
        return clauses[0]
    known = [clause.sound_ids for clause in clauses if clause.sound_ids is not None]
    tests = [clause.matches for clause in clauses]
    ids = known[0].intersection(*known[1:]) if known else None
    finds_vectors = all(clause.finds_vectors for clause in clauses)
    return _SolrClause(lambda record: all(test(record) for test in tests), ids, False, finds_vectors)


def _none_of(clauses: Iterable[_SolrClause]) -> Predicate:
    tests = [clause.matches for clause in clauses]
    return lambda record: not any(test(record) for test in tests)
