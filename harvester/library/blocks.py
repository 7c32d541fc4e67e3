"""One block of the stream: the records or lists of some sounds as opcodes, with the texts that recur among them.

Owns how a value, a record and a table of edges are written. The bytes of a block depend on nothing outside it but its
sounds' memo slots, and on nothing but content inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter, neg
from typing import Any, NoReturn

from harvester.graph import SHARED_TEXTS
from harvester.library.opcodes import (
    APPENDS,
    BYTES,
    EMPTY_DICT,
    EMPTY_LIST,
    FALSE,
    LENGTHS,
    MARK,
    NONE,
    POP,
    SETITEMS,
    TRUE,
    encode_int,
    encode_text,
    get,
    pack_double,
    pack_float,
    pack_index,
    pack_long_text,
    put,
)

_score_of, _TEXT, _ONE, _SCORED = itemgetter("score"), {str}, {1}, {"score"}

TEXT_SLOTS = 1 << 16
"""Memo slots of a block's recurring texts; the sounds' own slots start above."""

DEEPEST = 100
"""Containers nested deeper than this are not a record's; both sides of the codec refuse them."""


class Heads(dict[int, bytes]):
    """The opcodes of ids, each made once."""

    def __missing__(self, number: int) -> bytes:
        code = self[number] = encode_int(number)
        return code


class _Shared(dict[str, bytes]):
    """The opcodes of a block's recurring texts: written and kept in a slot the first time, fetched after."""

    def __missing__(self, text: str) -> bytes:
        index = len(self)
        if index >= TEXT_SLOTS:
            return encode_text(text)
        if type(text) is not str:
            _not_a_name(text)
        self[text] = get(index)
        return encode_text(text) + put(index)


class Block:
    """The opcodes of one block: `parts` in order, and the slots of the texts it shares."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.shared = _Shared()

    def value(self, value: Any, *, shared: bool, depth: int = 0) -> bytes:
        """Return the opcodes of a JSON value."""
        kind = type(value)
        if kind is str:
            return self.shared[value] if shared else encode_text(value)
        if kind is int:
            return encode_int(value)
        if kind is float:
            return pack_float(b"G", value)
        if value is None:
            return NONE
        if kind is bool:
            return TRUE if value else FALSE
        if depth >= DEEPEST:
            raise ValueError(f"a value is nested deeper than {DEEPEST} containers")
        if kind is list or kind is tuple:
            if not value:
                return EMPTY_LIST
            inner = b"".join([self.value(element, shared=shared, depth=depth + 1) for element in value])
            return EMPTY_LIST + MARK + inner + APPENDS
        if kind is dict:
            return self.mapping(sorted(value.items()), shared=shared, depth=depth + 1)
        raise ValueError(f"a {kind.__name__} is not a JSON value")

    def mapping(self, pairs: Iterable[tuple[str, Any]], *, shared: bool, depth: int) -> bytes:
        parts = [
            self.shared[name] + self.value(value, shared=shared or name in SHARED_TEXTS, depth=depth)
            for name, value in pairs
        ]
        return EMPTY_DICT + MARK + b"".join(parts) + SETITEMS if parts else EMPTY_DICT

    def attributes(self, values: Iterable[Any], order: tuple[str, ...]) -> None:
        """Append a node's attributes: the fast path of `mapping`, for the values that most fields have."""
        append, shared = self.parts.append, self.shared
        append(b"}(")
        for name, value in zip(order, values, strict=True):
            append(shared[name])
            kind = type(value)
            if kind is str:
                if name in SHARED_TEXTS:
                    append(shared[value])
                else:
                    try:
                        raw = value.encode()
                    except UnicodeEncodeError:
                        raw = value.encode("utf-8", "surrogatepass")
                    size = len(raw)
                    append(LENGTHS[size] if size < 256 else pack_long_text(b"X", size))
                    append(raw)
            elif kind is int:
                append(BYTES[value] if 0 <= value < 256 else encode_int(value))
            elif kind is float:
                append(pack_float(b"G", value))
            elif kind is dict and set(map(type, value.values())) == _TEXT and SHARED_TEXTS.isdisjoint(value):
                pairs = [shared[inner] + encode_text(text) for inner, text in sorted(value.items())]
                append(b"}(" + b"".join(pairs) + b"u")
            elif kind is list and name == "tags" and set(map(type, value)) == _TEXT:
                append(b"](" + b"".join([shared[text] for text in value]) + b"e")
            else:
                append(self.value(value, shared=name == "tags"))
        append(b"u")

    def additions(self, slot: int, attributes: dict[str, Any], names: tuple[str, ...]) -> None:
        """Append what is added to the dict in `slot`: attributes that came after it was written."""
        self.parts.append(pack_index(b"j", slot) + MARK)
        self.parts += [self.shared[name] + self.value(attributes[name], shared=True) for name in names]
        self.parts.append(SETITEMS + POP)

    def adjacency(self, slot: int, neighbours: dict[int, dict[str, Any]], heads: Heads) -> None:
        """Append the out-edges that go into `slot`: scored ones best first, then those of other kinds by id."""
        plain = self.shared["score"]
        if len(plain) > 2:  # first use in this block: the text itself, so that every edge below is alike
            self.parts.append(plain + POP)
            plain = self.shared["score"]
        middle = b"}" + plain + b"G"
        edges = neighbours.values()
        self.parts.append(pack_index(b"j", slot) + MARK)
        try:
            scores = list(map(_score_of, edges))
        except KeyError:
            scores = []
        if scores and set(map(len, edges)) == _ONE:
            ranked = sorted(zip(map(neg, scores), neighbours, strict=True))
            self.parts += [heads[target] + middle + pack_double(-score, b"s") for score, target in ranked]
        else:
            self.parts += self._mixed(neighbours, heads)
        self.parts.append(SETITEMS + POP)

    def _mixed(self, neighbours: dict[int, dict[str, Any]], heads: Heads) -> Iterator[bytes]:
        """Give edges of which some carry a relation, with a score or without."""
        plain = b"}" + self.shared["score"] + b"G"
        for _, target in sorted((-edge.get("score", -1.0), target) for target, edge in neighbours.items()):
            edge = neighbours[target]
            if edge.keys() == _SCORED:
                yield heads[target] + plain + pack_double(edge["score"], b"s")
            else:
                yield heads[target] + self.mapping(sorted(edge.items()), shared=True, depth=0)


def _not_a_name(name: object) -> NoReturn:
    raise ValueError(f"a {type(name).__name__} is not a field's name")
