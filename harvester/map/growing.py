"""A map that grows with its library and stays recognisable.

Owns the rule for new sounds: each gets a place near its neighbours, and the community of the nearest; the others stay
where they are. Once the sounds, the sounds with an edge, or the edges have grown by a fifth since the last layout, a
new one is due; it is turned and mirrored so that it fits the picture before.

Invariant: a sound keeps its number in the data as long as no sound before it leaves the selection.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from harvester.graph import Selected, Surroundings
from harvester.map.arrangement import Arrangement, arranged
from harvester.map.communities import Clarity, Indices, number_by_size
from harvester.map.data import MapData
from harvester.map.edges import DrawnEdges
from harvester.map.force import GOLDEN_ANGLE
from harvester.map.grouping import Communities
from harvester.map.layout import SPAN

Marks = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_Arrange = Callable[[Selected, DrawnEdges, Marks], Arrangement]
"""The marks are the sounds with an edge."""

GROWTH = 1.2
"""A new layout is due when sounds or edges are this many times those of the last."""

_GOLDEN_SHARE = 0.6180339887498949
_LEAST_WEIGHT = 0.05
"""What an edge weighs beside its score: one without a score still draws its sound near."""


class GrowingMap:
    """The map of one library over time; `title` is its heading.

    `library` is the name of the library's folder.
    """

    def __init__(self, title: str, library: str = "") -> None:
        self._title, self._library = title, library
        self._ids: list[int] = []
        self._places: Floats = np.zeros((0, 2))
        self._community: Indices = np.zeros(0, dtype=np.int64)
        self._linked: Marks = np.zeros(0, dtype=np.bool_)
        self._clarity: Clarity | None = None
        self._size = self._laid_out = (0, 0, 0)

    @property
    def is_due(self) -> bool:
        """Tell whether the map has grown so much that it needs a layout."""
        return any(now > before * GROWTH for now, before in zip(self._size, self._laid_out, strict=True))

    def show(self, selected: Selected, ego: int | None = None, around: Surroundings | None = None) -> MapData:
        """Return the data for the selection as it is now, without a layout."""
        return self._shown(selected, ego, around, self._grown)

    def lay_out(self, selected: Selected, ego: int | None = None, around: Surroundings | None = None) -> MapData:
        """Return the data for the selection as it is now, laid out."""
        return self._shown(selected, ego, around, self._laid)

    def _shown(self, selected: Selected, ego: int | None, around: Surroundings | None, arrange: _Arrange) -> MapData:
        there = np.array([one in selected for one in self._ids], dtype=np.bool_)
        self._ids = [one for one in self._ids if one in selected]
        self._places, self._community, self._linked = self._places[there], self._community[there], self._linked[there]

        def kept(ordered: Selected, edges: DrawnEdges) -> Arrangement:
            ends = np.concatenate([edges.source, edges.target])
            linked = np.bincount(ends, minlength=len(ordered)) > 0
            arrangement = arrange(ordered, edges, linked)
            self._size = len(ordered), int(linked.sum()), len(edges.source)
            self._ids, self._linked = list(ordered.sound_ids), linked
            self._places, self._community = arrangement.places.astype(np.float64), arrangement.communities.of
            self._clarity = arrangement.communities.clarity
            return arrangement

        ordered = selected.led_by(self._ids)
        data = MapData(ordered, self._title, ego, library=self._library, around=around, arrange=kept)
        if arrange == self._laid:
            self._laid_out = self._size
        return data

    def _laid(self, selected: Selected, edges: DrawnEdges, linked: Marks) -> Arrangement:
        fresh, old = arranged(selected, edges), len(self._ids)
        both = np.flatnonzero(linked[:old] & self._linked)
        places = fitted(fresh.places.astype(np.float64), self._places, both, np.flatnonzero(linked))
        return Arrangement(_to_integers(places), fresh.communities, fresh.alone)

    def _grown(self, selected: Selected, edges: DrawnEdges, linked: Marks) -> Arrangement:
        count, old = len(selected), len(self._ids)
        known = np.zeros(count, dtype=np.bool_)
        # A sound that had no edge lies among those without one, and moves to its neighbours.
        known[:old] = self._linked | ~linked[:old]
        places, nearest = place_new(self._places, known, edges)
        # Until a layout, a sound without a neighbour is a community of its own.
        community = np.arange(count) + count
        community[:old] = self._community
        for sound, neighbour in nearest.items():
            community[sound] = community[neighbour]
        found = number_by_size(community)
        communities = Communities(selected, edges.source, edges.target, found=found, before=self._clarity)
        return Arrangement(_to_integers(places), communities, ~linked & linked.any())


def place_new(places: Floats, known: Marks, edges: DrawnEdges) -> tuple[Floats, dict[int, int]]:
    """Return places for all sounds, and the nearest neighbour of new ones.

    `places` are those of the first sounds; `known` marks the sounds that keep theirs. A new sound lies at the mean of
    its neighbours, weighted by score; those with the same nearest neighbour lie on a spiral, so that dots do not cover
    each other. Then it may draw its own neighbours. Sounds that no edge connects with a known one lie along the lower
    edge.
    """
    count = len(known)
    everywhere = np.zeros((count, 2))
    everywhere[: len(places)] = places
    is_placed, step = known.copy(), SPAN * 0.6 / np.sqrt(max(count, 1))
    around = _neighbours_of(np.flatnonzero(~known), edges)
    waiting, nearest, turns = sorted(around), dict[int, int](), Counter[int]()
    while ready := [one for one in waiting if any(is_placed[other] for other, _ in around[one])]:
        for sound in ready:
            near = [(other, weight) for other, weight in around[sound] if is_placed[other]]
            weights = np.array([weight for _, weight in near])
            middle = (everywhere[[other for other, _ in near]] * weights[:, None]).sum(axis=0) / weights.sum()
            nearest[sound] = best = max(near, key=lambda pair: (pair[1], -pair[0]))[0]
            turns[best] += 1
            angle, away = turns[best] * GOLDEN_ANGLE, step * math.sqrt(turns[best])
            everywhere[sound] = middle + away * np.array([math.cos(angle), math.sin(angle)])
        is_placed[ready] = True
        waiting = [one for one in waiting if not is_placed[one]]
    alone = np.flatnonzero(~is_placed)
    everywhere[alone, 0] = (alone * _GOLDEN_SHARE) % 1 * SPAN
    everywhere[alone, 1] = SPAN
    return np.clip(everywhere, 0, SPAN), nearest


def _neighbours_of(sounds: Indices, edges: DrawnEdges) -> dict[int, list[tuple[int, float]]]:
    """Return the neighbours of some sounds, each with its weight."""
    new = np.zeros(int(max(edges.source.max(initial=-1), edges.target.max(initial=-1), sounds.max(initial=-1))) + 1)
    new[sounds] = 1
    around: dict[int, list[tuple[int, float]]] = {}
    touching = np.flatnonzero((new[edges.source] > 0) | (new[edges.target] > 0))
    for source, target, score in zip(
        edges.source[touching].tolist(), edges.target[touching].tolist(), edges.score[touching].tolist(), strict=True
    ):
        for one, other in ((source, target), (target, source)):
            if new[one] and one != other:
                around.setdefault(one, []).append((other, _LEAST_WEIGHT + max(score, 0.0)))
    return around


def fitted(places: Floats, before: Floats, both: Indices, linked: Indices) -> Floats:
    """Return a layout turned and mirrored so that it fits the one before.

    `both` are sounds with a place and an edge in both, `linked` those with an edge now. These are turned around their
    middle and keep the room that they had; the others stay.
    """
    if len(both) < 2:
        return places
    now, old = _complex(places), _complex(before)
    middle = now[linked].mean()
    now, was = now - middle, old[both] - old[both].mean()
    centred = now[both] - now[both].mean()
    straight, mirrored = (was * centred.conj()).sum(), (was * centred).sum()
    if abs(mirrored) > abs(straight):
        now, straight = now.conj(), mirrored
    if abs(straight) == 0:
        return places
    turned = now[linked] * (straight / abs(straight))
    extent = np.stack([turned.real, turned.imag], axis=1)
    room_low, room_high = places[linked].min(axis=0), places[linked].max(axis=0)
    low, high = extent.min(axis=0), extent.max(axis=0)
    scale = float(((room_high - room_low) / np.maximum(high - low, 1e-9)).min())
    result = places.copy()
    result[linked] = (extent - (low + high) / 2) * min(scale, 1.0) + (room_low + room_high) / 2
    return result


def _complex(places: Floats) -> npt.NDArray[np.complex128]:
    return places[:, 0] + 1j * places[:, 1]


def _to_integers(places: Floats) -> npt.NDArray[np.uint16]:
    integers: npt.NDArray[np.uint16] = np.rint(np.clip(places, 0, SPAN)).astype(np.uint16)
    return integers
