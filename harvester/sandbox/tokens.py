"""Split a query of the index into tokens: the longest match wins.

Columns count from 0, as in the index's messages. A character that begins no token raises `FilterError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SYNTAX_ERROR = "org.apache.solr.search.SyntaxError"
_BLANK = " \t\n\r\u3000"
_START = rf'(?:\\.|[^{_BLANK}+\-!():^\[\]"{{}}~*?\\/])'
_LATER = rf'(?:\\.|[^{_BLANK}():^\[\]"{{}}~*?\\])'
_TOKEN = re.compile(
    "|".join(
        (
            rf"(?P<skipped>[{_BLANK}]+)",
            rf"(?P<word>(?:{_START}|[*?])(?:{_LATER}|[*?])*)",
            r'(?P<quoted>"(?:\\.|[^"\\])*")',
            rf"(?P<bare>[+\-!][{_BLANK}])",
            r"(?P<sign>[+\-!():])",
            r"(?P<regex>/(?:\\/|[^*/])(?:\\/|[^/])*/)",
            r"(?P<fuzzy>~(?:[0-9]+(?:\.[0-9]+)?)?)",
            r"(?P<boost>\^)",
            r"(?P<local>\{!)",
            r"(?P<range>[\[{])",
        )
    ),
    re.DOTALL,
)
_SKIPPED_IN_RANGE = re.compile(r" +|[\t\n\r\u3000](?=[ \]}]|\Z)")
_QUOTED_IN_RANGE = re.compile(r'"(?:\\"|[^"])+"')
_WORD_IN_RANGE = re.compile(r"[^ \]}]+")
_NUMBER = re.compile(r"=?-?[0-9]+(?:\.[0-9]+)?")
_OPERATORS = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "NOT"}
_LITERAL = re.compile(r"(?:\\.|[^*?\\])*", re.DOTALL)


class FilterError(Exception):
    """The index refuses a query; `code` is the HTTP status of its answer."""

    def __init__(self, reason: str, code: int = 400) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class SolrToken:
    """One token; `kind` is its sign, or the kind's name in the index."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        """Return the token as the index shows one that it did not expect."""
        if self.kind == "<EOF>":
            return '"<EOF>"'
        kind = self.kind if self.kind.startswith("<") else f'"{self.kind}"'
        return f'" {kind} "{self.text} ""'


class Tokens:
    """One query's tokens, read lazily: those before an error still count."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: list[SolrToken] = []
        self._next = 0
        self._at = 0
        self._cut = self._cut_plain

    def peek(self, ahead: int = 0) -> SolrToken:
        """Return the token `ahead` places after the next, without taking it."""
        while len(self._known) <= self._next + ahead:
            self._known.append(self._cut())
        return self._known[self._next + ahead]

    def take(self, *kinds: str) -> SolrToken:
        """Take the next token; raise `FilterError` if it is none of `kinds`."""
        token = self.peek()
        if token.kind not in kinds:
            raise self.syntax_error(f"Encountered {token} at line 1, column {token.at}.")
        self._next += 1
        return token

    def try_take(self, *kinds: str) -> SolrToken | None:
        """Take the next token if it is of one of `kinds`; else return None."""
        return self.take(*kinds) if self.peek().kind in kinds else None

    def syntax_error(self, what: str) -> FilterError:
        """Return the error for a query that cannot be parsed."""
        return FilterError(f"{SYNTAX_ERROR}: Cannot parse '{self._text}': {what}")

    def _cut_plain(self) -> SolrToken:
        while True:
            if self._text.startswith("/*", self._at):
                self._skip_comment()
            match = _TOKEN.match(self._text, self._at)
            if match is None or match.lastgroup != "skipped":
                break
            self._at = match.end()
        if self._at == len(self._text):
            return SolrToken("<EOF>", "", self._at)
        if match is None:
            raise self._lexical_error()
        kind = _kind(match.lastgroup or "", match[0])
        if kind == "<TERM>" and match[0] == "filter" and self._text.startswith("(", match.end()):
            return self._token("filter(", "filter(")
        if kind in {"[", "{"}:
            self._cut = self._cut_in_range
        elif kind == "^":
            self._cut = self._cut_boost
        return self._token(kind, match[0])

    def _cut_in_range(self) -> SolrToken:
        while match := _SKIPPED_IN_RANGE.match(self._text, self._at):
            self._at = match.end()
        quoted, word = (one.match(self._text, self._at) for one in (_QUOTED_IN_RANGE, _WORD_IN_RANGE))
        if quoted and (word is None or quoted.end() >= word.end()):
            return self._token("<RANGE_QUOTED>", quoted[0])
        if word:
            return self._token("TO" if word[0] == "TO" else "<RANGE_GOOP>", word[0])
        if self._at == len(self._text):
            return SolrToken("<EOF>", "", self._at)
        self._cut = self._cut_plain
        return self._token(self._text[self._at], self._text[self._at])

    def _cut_boost(self) -> SolrToken:
        self._cut = self._cut_plain
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            raise self._lexical_error()
        return self._token("<NUMBER>", match[0])

    def _skip_comment(self) -> None:
        depth = 0
        for mark in re.finditer(r"/\*|\*/|\Z", self._text[self._at :]):
            depth += {"/*": 1, "*/": -1}.get(mark[0], 0)
            if depth == 0 or not mark[0]:
                self._at += mark.end()
                return

    def _token(self, kind: str, text: str) -> SolrToken:
        token = SolrToken(kind, text, self._at)
        self._at += len(text)
        return token

    def _lexical_error(self) -> FilterError:
        found = self._text[self._at : self._at + 1]
        if found in {'"', "/", "\\", ""}:  # these start a token whose end is missing
            what = f'column {len(self._text)}.  Encountered: <EOF> after : "{self._text[self._at :]}"'
        else:
            what = f'column {self._at}.  Encountered: "{found}" ({ord(found)}), after : ""'
        return self.syntax_error(f"Lexical error at line 1, {what}")


def _kind(group: str, text: str) -> str:
    if group == "word":
        return _kind_of_word(text)
    if group == "sign":
        return "NOT" if text == "!" else text
    if group == "range":
        return text
    return {"quoted": "<QUOTED>", "bare": "<BAREOPER>", "regex": "<REGEXPTERM>", "fuzzy": "<FUZZY_SLOP>", "boost": "^",
            "local": "<LPARAMS>"}[group]  # fmt: skip


def _kind_of_word(text: str) -> str:
    if text in _OPERATORS:
        return _OPERATORS[text]
    if text == "*":
        return "*"
    literal = _LITERAL.match(text)
    length = literal.end() if literal else 0
    if length == len(text):
        return "<TERM>"
    return "<PREFIXTERM>" if length == len(text) - 1 and text.endswith("*") else "<WILDTERM>"
