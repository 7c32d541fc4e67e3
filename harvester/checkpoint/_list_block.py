"""One block of similar lists: those of some sounds as opcodes, added to records and adjacencies that are there.

Owns how a list's attributes and its edges are written: all edges of a sound in one go, best first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from operator import gt, itemgetter, neg
from struct import Struct
from typing import Any

from harvester.checkpoint._interned import Texts
from harvester.checkpoint._opcodes import EMPTY_DICT, MARK, POP, SETITEMS, encode_int, get, pack_index
from harvester.graph import LINK_FIELDS

_ONE = {1}
_score_of = itemgetter("score")


class ListBlock:
    """The similar lists of some sounds. `begun` is kept from block to block: how an edge to each sound begins."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._texts = Texts()
        self._texts.take(("score", *LINK_FIELDS))  # the first slots: known before anything is written
        self._ways: dict[tuple[Any, ...], bytes] = {}

    def opcodes(self, sounds: Iterable[tuple[int, dict[str, Any], dict[int, dict[str, Any]]]]) -> bytes:
        """Return the block: for each sound's slot, attributes and out-edges what is added to its record and its
        adjacency, which lie in the slots from that on."""
        parts: list[bytes] = []
        for slot, attributes, neighbours in sounds:
            if "linked_at" in attributes:
                parts += pack_index(b"j", slot), MARK, self._link(attributes), SETITEMS, POP
            if neighbours:
                parts += pack_index(b"j", slot + 1), MARK, self._edges(neighbours), SETITEMS, POP
        return self._texts.head() + b"".join(parts)

    def _link(self, attributes: dict[str, Any]) -> bytes:
        linked_at, *way = LINK_FIELDS
        values = tuple(map(attributes.__getitem__, way))
        if values not in self._ways:
            pairs = zip(way, values, strict=True)
            self._ways[values] = b"".join(
                [self._texts.text(name) + self._texts.value(value, shared=True) for name, value in pairs]
            )
        return get(1) + encode_int(attributes[linked_at]) + self._ways[values]

    def _edges(self, neighbours: dict[int, dict[str, Any]]) -> bytes:
        """Return out-edges: scored ones best first, then by id, those of other kinds after them."""
        edges = neighbours.values()
        try:
            if set(map(len, edges)) == _ONE:
                return self._scored(neighbours, list(map(_score_of, edges)))
        except (KeyError, OverflowError):  # of another kind, or to an id beyond 32 bits
            pass
        return b"".join(self._mixed(neighbours))

    def _scored(self, neighbours: Iterable[int], scores: list[float]) -> bytes:
        """Return edges that carry a score and nothing else, all in one go."""
        if not all(map(gt, scores, scores[1:])):
            ranked = sorted(zip(map(neg, scores), neighbours, strict=True))
            scores, neighbours = [-score for score, _ in ranked], [target for _, target in ranked]
        begun = map(self._begun.__getitem__, neighbours)
        return _edges_of(len(scores)).pack(*chain.from_iterable(zip(begun, scores, strict=True)), b"s")[1:]

    def _mixed(self, neighbours: dict[int, dict[str, Any]]) -> Iterator[bytes]:
        """Give edges of which some carry a relation, with a score or without."""
        for _, target in sorted((-edge.get("score", -1.0), target) for target, edge in neighbours.items()):
            edge = neighbours[target]
            yield encode_int(target) + self._texts.mapping(sorted(edge.items()), shared=True)


class Begun(dict[int, bytes]):
    """The end of an edge's dict and the begin of the next one, to a sound: its id, its score to come."""

    def __missing__(self, sound_id: int) -> bytes:
        begun = self[sound_id] = b"sJ" + sound_id.to_bytes(4, "little", signed=True) + EMPTY_DICT + get(0) + b"G"
        return begun


@lru_cache(maxsize=256)
def _edges_of(count: int) -> Struct:
    """Return the layout of so many edges, each begun as `Begun` has it, and of the last one's end."""
    return Struct(">" + "10sd" * count + "s")
