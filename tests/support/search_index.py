"""What the server makes of a filter, and what its index finds: a second opinion for tests, on its own.

Written from the server's rewriting and Solr's grammar and clause rules: it shares no code with `harvester.filters`, nor
with the sandbox. Finds sets of ids, so that thousands of filters take seconds. Knows the fields of the recorded
catalogue whose text is not taken apart; tags match as a whole without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, unquote

from harvester.freesound.address import encode_query

Ids = frozenset[int]

_SUFFIXES = {"category": "_s", "subcategory": "_s", "note_name": "_s", "tonality": "_s", "loopable": "_b"}
_SUFFIXES |= dict.fromkeys(("bpm", "pitch", "loudness", "brightness", "warmth", "hardness"), "_d")
_LICENCES = {"/by/": "Attribution", "/by-nc/": "Attribution NonCommercial", "/zero/": "Creative Commons 0"}
_NUMBERS = {"duration", "channels", "samplerate", "num_downloads", "avg_rating", "num_ratings"}
_OF_VECTORS = ("duration", "created", "num_downloads", "avg_rating", "num_ratings")

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n\r\u3000]+) | (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<mark>[():])
    | (?P<range>[\[{] \s* (?:"(?:[^"\\]|\\.)*"|[^ \]}"]+) \s+ TO \s+ (?:"(?:[^"\\]|\\.)*"|[^ \]}"]+) \s* [\]}])
    | (?P<alone>[-+!](?=[ \t\n\r\u3000])) | (?P<sign>[-+!])
    | (?P<word>(?:[^ \t\n\r\u3000+\-!():^\[\]"{}~\\/]|\\.)(?:[^ \t\n\r\u3000!():^\[\]"{}~\\/]|\\.)*)""",
    re.VERBOSE | re.DOTALL,
)


class Refused(Exception):
    """The server answers 400 to the filter."""


def on_the_wire(text: str) -> str:
    """Return the value of `filter` that reaches the server when the client sends `text`."""
    return dict(parse_qsl(encode_query({"filter": text}), strict_parsing=True))["filter"]


def rewrite(sent: str) -> str:
    """Return the query that the server passes to its index for a filter."""
    text = sent.strip()
    if not text:
        raise Refused("Invalid filter.")
    pieces = unquote(text).split(" ")
    for at, piece in enumerate(pieces):
        for name, suffix in _SUFFIXES.items():
            if piece.startswith(f"{name}:"):
                pieces[at] = piece.replace(f"{name}:", f"{name}{suffix}:")
                break
    text = " ".join(pieces).replace("created:", "created_range:")
    text = re.sub(r"\b([a-zA-Z_]+:)", r"+\1", text)
    text = re.sub(r"\++", "+", text).replace("-+", "-")
    return text.removesuffix("+")


class Index:
    """The sounds of a catalogue, and beside them the documents of their vectors, which no search may find."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._documents = {record["id"]: _document(record) for record in records}
        self.ids = frozenset(self._documents)
        self._vectors = {
            -sound_id: {name: found[name] for name in _OF_VECTORS if name in found}
            for sound_id, found in self._documents.items()
        }
        self._known: dict[tuple[str, str], Ids] = {}

    def search(self, sent: str) -> Ids:
        """Return the ids that a search with the filter finds; raises `Refused` as the server does."""
        return self._find(_parse(rewrite(sent)), top=True) & self.ids

    def search_similar(self, sent: str) -> Ids:
        """Return the ids that pass the filter of a search by similarity, where it stands within another clause."""
        found = self._find(_parse(rewrite(sent)), top=False)
        if not found <= self.ids:
            raise Refused("Child query must not match same docs with parent filter")
        return found

    def read(self, query: str) -> Ids:
        """Return the ids that a query finds which the server has not rewritten."""
        return self._find(_parse(query), top=True) & self.ids

    def _find(self, node: Any, *, top: bool) -> Ids:
        if node[0] == "leaf":
            if node[1:] not in self._known:
                matches = _matcher(*node[1:])
                everything = {**self._documents, **self._vectors}
                self._known[node[1:]] = frozenset(i for i, document in everything.items() if matches(document))
            return self._known[node[1:]]
        clauses = [(occur, self._find(inner, top=False)) for occur, inner in node[1]]
        musts, shoulds, nots = ([found for occur, found in clauses if occur == kind] for kind in ("+", "?", "-"))
        if musts:
            found = musts[0].intersection(*musts[1:])
        elif shoulds:
            found = shoulds[0].union(*shoulds[1:])
        else:
            # Negatives alone find nothing, but at the top, where the index adds "everything" itself.
            found = self.ids if top else frozenset()
        return found.difference(*nots)


def _parse(query: str) -> Any:
    tokens, at = [], 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup == "alone":
            raise Refused(f"Cannot parse '{query}' at {at}")
        at = match.end()
        if match.lastgroup != "blank":
            kind = match[0] if match.lastgroup == "mark" else str(match.lastgroup)
            joints = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "sign"}
            tokens.append((joints.get(match[0], kind) if kind == "word" else kind, match[0]))
    tokens.append(("end", ""))
    node = _clauses(tokens, None)
    if tokens[0][0] != "end":
        raise Refused(f"Cannot parse '{query}': {tokens[0][1]} is left")
    return node


def _clauses(tokens: list[tuple[str, str]], field: str | None) -> Any:
    clauses: list[list[Any]] = []
    signs = 0
    while tokens[0][0] not in ("end", ")"):
        joint = tokens.pop(0)[0] if tokens[0][0] in ("AND", "OR") else ""
        if joint and not clauses:
            raise Refused("a conjunction comes first")
        sign = tokens.pop(0)[1] if tokens[0][0] == "sign" else ""
        signs += bool(sign)
        node = _clause(tokens, field)
        occur = "-" if sign in ("-", "!", "NOT") else "?" if joint == "OR" else "+"
        if joint and clauses[-1][0] != "-":
            clauses[-1][0] = "?" if joint == "OR" else "+"
        clauses.append([occur, node])
    if not clauses:
        raise Refused("nothing to match")
    if len(clauses) == 1 and not signs:
        return clauses[0][1]
    return "group", [(occur, node) for occur, node in clauses]


def _clause(tokens: list[tuple[str, str]], field: str | None) -> Any:
    kind, text = tokens.pop(0)
    if kind == "word" and tokens[0][0] == ":":
        tokens.pop(0)
        field = text
        kind, text = tokens.pop(0)
    if kind == "(":
        node = _clauses(tokens, field)
        if tokens.pop(0)[0] != ")":
            raise Refused("a bracket is not closed")
        return node
    if kind not in ("word", "quoted", "range"):
        raise Refused(f"{text!r} is no value")
    if field is None:
        raise Refused("no field name specified in query and no default specified via 'df' param")
    # Words side by side are analysed as one text.
    while kind == "word" and tokens[0][0] == "word" and tokens[1][0] != ":":
        text += f" {tokens.pop(0)[1]}"
    return "leaf", field, text


def _document(record: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {name: record[name] for name in _NUMBERS if record.get(name) is not None}
    if document.get("num_ratings", 3) < 3:
        document["avg_rating"] = 0.0
    elif "avg_rating" in document:
        document["avg_rating"] *= 2
    licence = str(record.get("license"))
    document |= {
        "id": str(record["id"]),
        "tag": [str(tag).lower() for tag in record.get("tags") or ()],
        "type": record["type"],
        "license": next((name for part, name in _LICENCES.items() if part in licence), "Sampling+"),
        "created": record["created"],
        "is_explicit": str(bool(record.get("is_explicit"))).lower(),
    }
    if record.get("category"):
        document["category_s"] = record["category"]
    return document


def _matcher(field: str, text: str) -> Callable[[Mapping[str, Any]], bool]:
    name = "created" if field == "created_range" else field
    if name not in {*_NUMBERS, "id", "tag", "type", "license", "created", "category_s", "is_explicit"}:
        raise Refused(f"undefined field {name}")
    if text == "*":
        return lambda document: name in document
    if text[0] in "[{":
        low, high = re.split(r"\s+TO\s+", text[1:-1].strip())
        return _within(name, low, high, low_in=text[0] == "[", high_in=text[-1] == "]")
    if name in _NUMBERS:
        return _within(name, text.strip('"'), text.strip('"'), low_in=True, high_in=True)
    wanted = _unescape(text[1:-1] if text[0] == '"' else text)
    if name == "created":
        return lambda document: str(document.get(name, "")).startswith(wanted)
    if name == "tag":
        wanted = wanted.lower()
    if text[0] != '"' and re.search(r"(?<!\\)(?:\\\\)*[*?]", text):
        parts = re.findall(r"\\.|.", text, re.DOTALL)
        shell = "".join(p if p in "*?" else f"[{p[-1]}]" if p[-1] in "*?[" else p[-1] for p in parts)
        shell = shell.lower() if name == "tag" else shell
        return lambda document: any(fnmatchcase(one, shell) for one in _values(document, name))
    return lambda document: wanted in _values(document, name)


def _values(document: Mapping[str, Any], name: str) -> list[str]:
    found = document.get(name, [])
    return found if isinstance(found, list) else [found]


def _within(name: str, low: str, high: str, *, low_in: bool, high_in: bool) -> Callable[[Mapping[str, Any]], bool]:
    kind: Callable[[str], Any] = float if name in _NUMBERS else str

    def inside(document: Mapping[str, Any]) -> bool:
        found = document.get(name)
        if found is None:
            return False
        above = low == "*" or found > kind(low) or (low_in and found == kind(low))
        return above and (high == "*" or found < kind(high) or (high_in and found == kind(high)))

    return inside


def _unescape(text: str) -> str:
    text = re.sub(
        r"\\u([0-9a-fA-F]{4})|\\(.)", lambda found: chr(int(found[1], 16)) if found[1] else found[2], text, flags=re.S
    )
    return text.encode("utf-16", "surrogatepass").decode("utf-16")
