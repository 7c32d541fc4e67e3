"""The out-edges of sounds in a twentieth of the memory of dicts.

Owns the packed form: 12 bytes an edge, its target and its score. Edges that have more than a score, or a target beyond
32 bits, are kept as they are. Reading the edges of a sound makes new dicts, so only `own` gives some that can be
changed.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from struct import Struct, error
from typing import Any

from harvester.graph.packed import PackedById

Neighbours = dict[int, dict[str, Any]]

_EDGE = Struct("<Id")
_ONE, _INT, _FLOAT = {1}, {int}, {float}
_score_of = itemgetter("score")


class PackedEdges(PackedById[Neighbours]):
    """Out-edges by the id of their sound, packed when they are set."""

    def are_there(self, sound_id: int) -> bool:
        """Tell whether a sound has out-edges, without making them."""
        return bool(self._kept[sound_id])

    def __getitem__(self, sound_id: int) -> Neighbours:
        kept = self._kept[sound_id]
        if type(kept) is bytes:
            return {target: {"score": score} for target, score in _EDGE.iter_unpack(kept)}
        found: Neighbours = kept
        return found

    def __setitem__(self, sound_id: int, edges: Neighbours) -> None:
        packed = _packed(edges)
        self._kept[sound_id] = edges if packed is None else packed


def _packed(edges: Neighbours) -> bytes | None:
    """Return edges with nothing but a score in 12 bytes each, else None."""
    if not edges:
        return b""
    found = list(edges.values())
    if set(map(len, found)) != _ONE:
        return None
    try:
        scores = list(map(_score_of, found))
    except KeyError:
        return None
    if set(map(type, scores)) != _FLOAT or set(map(type, edges)) != _INT:
        return None
    try:
        return _of(len(found)).pack(*chain.from_iterable(zip(edges, scores, strict=True)))
    except error:  # a target beyond 32 bits
        return None


def _of(count: int) -> Struct:
    return Struct("<" + "Id" * count)
