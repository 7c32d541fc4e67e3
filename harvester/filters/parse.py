"""Parse a filter as a person writes it, with the grammar of the index.

Clauses are read from left to right without precedence: a blank or AND makes a clause required, OR makes the clauses on
both sides alternatives, and alternatives beside a required clause have no effect. The parser keeps that meaning and
adds a notice for the user. It differs from the index in two cases: `NOT x` and `!x` mean `-x`, and a group of negatives
within another clause matches everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NoReturn

from harvester.filters.names import KINDS, suggest
from harvester.filters.tokens import Token, read_tokens, refuse, unescape
from harvester.filters.tree import EVERY_SOUND, EVERYTHING, Leaf, Term, Tree, all_of, any_of, negate
from harvester.filters.values import read_value
from harvester.filters.write import quote, write

_DEEPEST = 40
"""The most nested groups: more than a person writes, far fewer than the call stack allows."""
_NO_CONTENT = (")", "AND", "OR", "NOT", "sign", ":")


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter, with notices about parts without effect."""

    tree: Tree = EVERYTHING
    notices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The filter's one canonical text, empty for everything."""
        return write(self.tree)


@lru_cache(maxsize=256)
def read_filter(text: str) -> Filter:
    """Parse a filter (blank: all matches), or raise `SettingsError`."""
    if not text.strip():
        return Filter()
    parser = _Parser(read_tokens(text))
    tree = parser.clauses(None)
    if parser.peek() is not None:
        refuse("a bracket ')' closes nothing")
    return Filter(tree, tuple(parser.notices))


class _Occur(Enum):
    MUST = "must"
    SHOULD = "should"
    MUST_NOT = "must not"


@dataclass(slots=True)
class _Clause:
    occur: _Occur
    tree: Tree
    word: str | None
    """The clause's word if it has no quotes, name or sign: the index joins two such words in a row to one text."""
    beside_or: bool = False


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self.notices: list[str] = []

    def peek(self, ahead: int = 0) -> Token | None:
        """Return the token `ahead` places on; None at the end."""
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def clauses(self, name: str | None) -> Tree:
        """Parse clauses up to the end or the closing bracket.

        `name` applies to values without a name.
        """
        found: list[_Clause] = []
        while (token := self.peek()) is not None and token.kind != ")":
            joint = token.text if token.kind in ("AND", "OR") else None
            if joint is not None and not found:
                refuse(f"nothing stands before {joint}")
            self._next += joint is not None
            clause = self._clause(name, joint)
            if joint is not None:
                _apply_operator(found[-1], clause, is_or=token.kind == "OR")
            elif found and found[-1].word and clause.word:
                _refuse_one_text(name, found[-1].word, clause.word)
            found.append(clause)
        if not found:
            refuse("a bracket '(' is not closed" if token is None else "a pair of brackets is empty")
        return self._meaning(found)

    def _meaning(self, found: list[_Clause]) -> Tree:
        musts, shoulds, nots = ([one.tree for one in found if one.occur is occur] for occur in _Occur)
        if musts and shoulds:
            self._tell_no_effect(shoulds, musts)
        elif any(one.beside_or for one in found if one.occur is _Occur.MUST_NOT):
            self._tell_not_either([any_of(shoulds)] if shoulds else musts, list(map(negate, nots)))
        alternatives = [any_of(shoulds)] if shoulds and not musts else []
        kept: list[Tree] = []
        for one in found:
            if one.occur is not _Occur.SHOULD:
                kept.append(one.tree if one.occur is _Occur.MUST else negate(one.tree))
            elif alternatives:
                kept.append(alternatives.pop())
        return all_of(kept)

    def _tell_not_either(self, wanted: list[Tree], excluded: list[Tree]) -> None:
        beside, better = write(all_of(excluded)), write(any_of([*wanted, *excluded]))
        self.notices.append(
            f"in the filter, OR has no effect beside `{beside}`, which always excludes; for either write `{better}`"
        )

    def _tell_no_effect(self, shoulds: list[Tree], musts: list[Tree]) -> None:
        without, beside = " OR ".join(map(write, shoulds)), write(all_of(musts))
        better = all_of([any_of(shoulds), *musts]) if len(shoulds) > 1 else any_of([*shoulds, all_of(musts)])
        self.notices.append(f"in the filter, `{without}` has no effect beside `{beside}`; write `{write(better)}`")

    def _clause(self, name: str | None, before: str | None) -> _Clause:
        token, sign = self.peek(), None
        if token is not None and token.kind in ("sign", "NOT"):
            before = sign = token.text
            self._next += 1
            following = self.peek()
            if following is not None and following.kind in ("sign", "NOT"):
                refuse(f"'{sign}' and '{following.text}' stand before one clause; write one of them")
            if token.kind == "sign" and following is not None and following.start > token.end:
                refuse(f"a blank follows '{sign}'; write it right before the name, such as {sign}tag:rain")
        tree, word = self._content(name, before)
        occur = _Occur.MUST if sign in (None, "+") else _Occur.MUST_NOT
        return _Clause(occur, tree, None if sign else word)

    def _content(self, name: str | None, before: str | None) -> tuple[Tree, str | None]:
        token, following = self.peek(), self.peek(1)
        if token is not None and token.kind == "word" and following is not None and following.kind == ":":
            self._next += 2
            return self._named(token.text), None
        if token is None or token.kind in _NO_CONTENT:
            if token is not None and token.kind == ":":
                refuse("a colon has no name before it; put a value with a colon in quotes")
            refuse(f"nothing to match stands after {before}")
        if token.kind == "(":
            return self._group(name), None
        if name is None:
            _refuse_nameless(token)
        leaf = self._leaf(name)
        is_word = token.kind == "word" and isinstance(leaf.value, Term)
        return leaf, leaf.value.text if is_word and isinstance(leaf.value, Term) else None

    def _named(self, name: str) -> Tree:
        token = self.peek()
        if name == "*" and token is not None and token.text == "*":
            self._next += 1
            return EVERY_SOUND
        if name not in KINDS:
            meant = suggest(name)
            hint = f"did you mean '{meant}'?" if meant else "the documentation of Freesound's API lists the names"
            refuse(f"there is no name '{name}' to filter by; {hint}")
        if token is not None and token.kind == "sign":
            refuse(f"the value of '{name}' begins with '{token.text}'; put it in quotes")
        if token is None or token.kind in _NO_CONTENT:
            refuse(f"'{name}' has no value; write {name}:* for any value, and put words such as AND in quotes")
        return self._group(name) if token.kind == "(" else self._leaf(name)

    def _group(self, name: str | None) -> Tree:
        self._next += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            refuse(f"its brackets are nested more than {_DEEPEST} deep")
        tree = self.clauses(name)
        if self.peek() is None:
            refuse("a bracket '(' is not closed")
        self._next += 1
        self._depth -= 1
        return tree

    def _leaf(self, name: str) -> Leaf:
        token, following = self.peek(), self.peek(1)
        assert token is not None
        self._next += 1
        if following is not None and following.kind == ":" and following.start == token.end:
            refuse(f"the value of '{name}' has a colon; put it in quotes")
        return Leaf(name, read_value(name, token))


def _apply_operator(before: _Clause, clause: _Clause, *, is_or: bool) -> None:
    for one in (before, clause):
        one.beside_or = one.beside_or or is_or
        if one.occur is not _Occur.MUST_NOT:
            one.occur = _Occur.SHOULD if is_or else _Occur.MUST


def _refuse_nameless(token: Token) -> NoReturn:
    if token.text in ("and", "or", "not"):
        refuse(f"'{token.text}' is read as a value; write {token.text.upper()} in capitals")
    if token.kind == "range":
        refuse(f"the range {token.text} has no name; write it after one, such as duration:{token.text}")
    shown = token.text if token.kind == "quoted" else quote(unescape(token.text))
    refuse(f"the value {shown} has no name; write tag:{shown}, or use --query for words anywhere in a sound's texts")


def _refuse_one_text(name: str | None, one: str, other: str) -> NoReturn:
    refuse(
        f"the words '{one} {other}' would be read as one text; write {name}:({quote(one)} AND {quote(other)}) for both "
        f"words, {name}:{quote(f'{one} {other}')} for the one text"
    )
