"""The edges that a map draws, as arrays.

Invariant: an edge is drawn once, whatever the number of its kinds. Its look is the set of its kinds, as places in the
list of all kinds: the page draws it as a similar one if it is one and that kind is shown, else as a related one.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from harvester.counts import counted
from harvester.graph import SIMILAR, Edge, Selected

MOST_KINDS = 12
"""The number of kinds with their own line in the legend; the rarest others share one."""

_MOST_LOOKS = 255 - MOST_KINDS
_ALL_DRAWN, _STRONGEST = 5_000, 3
"""With more edges than this a map draws the strongest of each sound only: all together would be a veil."""


class DrawnEdges:
    """The selected edges of a map by source, best score first.

    `source` and `target` are places of sounds in the selection. `score` is 0 for an edge that is no similar one, and
    `low` and `high` are the least and the largest of the others. `kinds` has the names and numbers of the kinds,
    `looks` the sets of kinds that occur, and `look` each edge's. `weight` is the largest weight of an edge's relations,
    NaN without one; it is empty where no edge has one.
    """

    def __init__(self, selected: Selected) -> None:
        place = {sound_id: index for index, sound_id in enumerate(selected.sound_ids)}
        self.kinds = _listed(selected.edge_kinds)
        self._place_of = {name: min(index, len(self.kinds) - 1) for index, name in enumerate(selected.edge_kinds)}
        self._looks: dict[tuple[int, ...], int] = {}
        count = selected.edge_count
        self.source = np.zeros(count, dtype=np.int64)
        self.target = np.zeros(count, dtype=np.int64)
        self.score = np.zeros(count)
        self.look = np.zeros(count, dtype=np.uint8)
        self.weight: npt.NDArray[np.float64] = np.full(count, math.nan)
        for number, edge in enumerate(selected.edges()):
            self.source[number], self.target[number] = place[edge.source], place[edge.target]
            self.score[number] = edge.score or 0.0
            self.look[number] = self._look_of(edge)
            if edge.weights is not None:
                self.weight[number] = max(one for one in edge.relations.values() if one is not None)
        if np.isnan(self.weight).all():
            self.weight = np.zeros(0)
        self.looks = [list(look) for look in self._looks]
        scores = self.score[self._are_similar()]
        self.low, self.high = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)

    def strong(self) -> npt.NDArray[np.bool_]:
        """Return whether each edge is drawn while the pointer rests.

        Of many edges these are the strongest similar ones and the first related ones of each sound, and the strongest
        one to a sound that has none of its own.
        """
        if len(self.source) <= _ALL_DRAWN:
            return np.ones(len(self.source), dtype=np.bool_)
        is_similar = self._are_similar()
        order = np.lexsort((np.arange(len(self.source)), -self.score, ~is_similar, self.source))
        key = self.source[order] * 2 + ~is_similar[order]
        chosen = np.zeros(len(self.source), dtype=np.bool_)
        chosen[order] = np.arange(len(key)) - np.searchsorted(key, key) < _STRONGEST
        is_leaf = ~np.isin(self.target, self.source)
        leaves = np.flatnonzero(is_leaf)
        best = leaves[np.lexsort((leaves, -self.score[leaves], self.target[leaves]))]
        chosen[best[np.unique(self.target[best], return_index=True)[1]]] = True
        return chosen

    @property
    def counts(self) -> str:
        """The number of edges in words, by kind if there are several."""
        count = len(self.source)
        if [name for name, _ in self.kinds] in ([], [SIMILAR]):
            return counted(count, "similarity edge")
        return counted(count, "edge")

    def _are_similar(self) -> npt.NDArray[np.bool_]:
        """Return whether each edge is a similar one, perhaps among others."""
        looks = [at for at, look in enumerate(self.looks) if any(self.kinds[one][0] == SIMILAR for one in look)]
        return np.isin(self.look, looks)

    def _look_of(self, edge: Edge) -> int:
        places = tuple(sorted({self._place_of[kind] for kind in edge.kinds}))
        if places not in self._looks and len(self._looks) >= _MOST_LOOKS:
            places = places[:1]
        return self._looks.setdefault(places, len(self._looks))


def _listed(kinds: dict[str, int]) -> list[tuple[str, int]]:
    """Return the kinds with their numbers of edges, the rarest as one."""
    rows = list(kinds.items())
    if len(rows) <= MOST_KINDS:
        return rows
    rest = rows[MOST_KINDS - 1 :]
    return [*rows[: MOST_KINDS - 1], (f"{len(rest):,} other kinds", sum(count for _, count in rest))]
