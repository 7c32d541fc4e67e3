"""One block of similar lists, added to sounds of earlier blocks.

Owns how a list's attributes and its edges are written: all edges of a sound in one call, best score first.
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
    """The similar lists of some sounds.

    All blocks of a stream share one `EdgeStarts` cache.
    """

    def __init__(self, starts: EdgeStarts) -> None:
        self._starts = starts
        self._texts = Texts()
        self._texts.take(("score", *LINK_FIELDS))  # the first slots: known before anything is written
        self._queries: dict[tuple[Any, ...], bytes] = {}

    def opcodes(self, sounds: Iterable[tuple[int, dict[str, Any], dict[int, dict[str, Any]]]]) -> bytes:
        """Return the opcodes of the block.

        `sounds` gives for each sound its first memo slot (the record's; the adjacency's is the next), its attributes
        and its out-edges.
        """
        parts: list[bytes] = []
        for slot, attributes, neighbours in sounds:
            if "linked_at" in attributes:
                parts += pack_index(b"j", slot), MARK, self._link(attributes), SETITEMS, POP
            if neighbours:
                parts += pack_index(b"j", slot + 1), MARK, self._edges(neighbours), SETITEMS, POP
        return self._texts.head() + b"".join(parts)

    def _link(self, attributes: dict[str, Any]) -> bytes:
        linked_at, *query = LINK_FIELDS
        values = tuple(map(attributes.__getitem__, query))
        if values not in self._queries:
            pairs = zip(query, values, strict=True)
            self._queries[values] = b"".join(
                [self._texts.text(name) + self._texts.value(value, shared=True) for name, value in pairs]
            )
        return get(1) + encode_int(attributes[linked_at]) + self._queries[values]

    def _edges(self, neighbours: dict[int, dict[str, Any]]) -> bytes:
        """Return opcodes of out-edges: best score first, none last, then id."""
        edges = neighbours.values()
        try:
            if set(map(len, edges)) == _ONE:
                return self._scored(neighbours, list(map(_score_of, edges)))
        except (KeyError, OverflowError):  # an edge without a score, or to an id beyond 32 bits
            pass
        return b"".join(self._mixed(neighbours))

    def _scored(self, neighbours: Iterable[int], scores: list[float]) -> bytes:
        """Return the opcodes of edges with only a score, packed in one call."""
        if not all(map(gt, scores, scores[1:])):
            ranked = sorted(zip(map(neg, scores), neighbours, strict=True))
            scores, neighbours = [-score for score, _ in ranked], [target for _, target in ranked]
        starts = map(self._starts.__getitem__, neighbours)
        return _edges_of(len(scores)).pack(*chain.from_iterable(zip(starts, scores, strict=True)), b"s")[1:]

    def _mixed(self, neighbours: dict[int, dict[str, Any]]) -> Iterator[bytes]:
        """Yield the opcodes of edges of which some carry a relation."""
        for _, target in sorted((-edge.get("score", -1.0), target) for target, edge in neighbours.items()):
            edge = neighbours[target]
            yield encode_int(target) + self._texts.mapping(sorted(edge.items()), shared=True)


class EdgeStarts(dict[int, bytes]):
    """Cache of the bytes before an edge's score, by target id.

    They end the previous edge's dict, then write the target's id, a new dict, the name `score` and the float opcode.
    """

    def __missing__(self, sound_id: int) -> bytes:
        start = self[sound_id] = b"sJ" + sound_id.to_bytes(4, "little", signed=True) + EMPTY_DICT + get(0) + b"G"
        return start


@lru_cache(maxsize=256)
def _edges_of(count: int) -> Struct:
    """Return the byte layout of `count` edges.

    That is the start and score of each, then the end of the last one.
    """
    return Struct(">" + "10sd" * count + "s")
