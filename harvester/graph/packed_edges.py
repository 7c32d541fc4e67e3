"""The out-edges of sounds in a twentieth of the memory of dicts.

Owns the packed form: 12 bytes an edge, its target and its score. Edges that have more than a score, or a target beyond
32 bits, are kept as they are. Reading the edges of a sound makes new dicts, so only `own` gives some that can be
changed.
"""

from __future__ import annotations

from collections.abc import Iterator, KeysView, MutableMapping
from itertools import chain
from struct import Struct, error
from typing import Any

Neighbours = dict[int, dict[str, Any]]

_EDGE = Struct("<Id")
_SCORE, _INT, _FLOAT = ["score"], {int}, {float}


class PackedEdges(MutableMapping[int, Neighbours]):
    """Out-edges by the id of their sound, packed when they are set.

    Reading them makes new dicts; changing these changes nothing here. Not thread-safe for changes.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Neighbours | bytes] = {}

    def own(self, sound_id: int) -> Neighbours:
        """Return a sound's edges to change them; from now on dicts."""
        kept = self._kept[sound_id] = self[sound_id]
        return kept

    def are_there(self, sound_id: int) -> bool:
        """Tell whether a sound has out-edges, without making them."""
        return bool(self._kept[sound_id])

    def plain(self) -> dict[int, Neighbours]:
        """Return all edges as dicts by id."""
        return {sound_id: self.own(sound_id) for sound_id in self._kept}

    def __getitem__(self, sound_id: int) -> Neighbours:
        kept = self._kept[sound_id]
        if type(kept) is bytes:
            return {target: {"score": score} for target, score in _EDGE.iter_unpack(kept)}
        return kept  # type: ignore[return-value]  # not bytes

    def __setitem__(self, sound_id: int, edges: Neighbours) -> None:
        packed = _packed(edges)
        self._kept[sound_id] = edges if packed is None else packed

    def __delitem__(self, sound_id: int) -> None:
        del self._kept[sound_id]

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self._kept

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def keys(self) -> KeysView[int]:
        """Return the ids, a view in C."""
        return self._kept.keys()


def _packed(edges: Neighbours) -> bytes | None:
    """Return edges with nothing but a score in 12 bytes each, else None."""
    if not edges:
        return b""
    found = list(edges.values())
    if any(list(edge) != _SCORE for edge in found):
        return None
    scores = [edge["score"] for edge in found]
    if set(map(type, scores)) != _FLOAT or set(map(type, edges)) != _INT:
        return None
    try:
        return _of(len(found)).pack(*chain.from_iterable(zip(edges, scores, strict=True)))
    except error:  # a target beyond 32 bits
        return None


def _of(count: int) -> Struct:
    return Struct("<" + "Id" * count)
