"""Place sounds on the map by the figures of their graph.

Where fewer than half of the sounds have a similar list of their own, as after a short harvest, the samples are placed
first and the sounds they name between them (`samples_first`). Else forces place all sounds; where communities are more
than chance but not clear, edges inside them attract more, so that islands can be told apart. Those of chance would be
islands that the sounds do not form. Where most neighbours are close in score, choosing a backbone of the edges was no
gain. Sounds without an edge fill a strip below.

Invariant: the same graph gives the same places on any machine: see `force`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harvester.map.communities import Clarity, Indices, distinct_edges, find_communities
from harvester.map.force import FEW_STEPS, STEPS, Places, Weights, force_layout, push_apart, rounded
from harvester.map.samples_first import lay_out_samples

SPAN = 65_535
"""The largest coordinate of a place, on both axes; the least is 0."""

LAYOUTS = ("samples first", "communities", "forces", "vectors")

_FEW_LISTS = 0.5
_CLEAR = 0.4
"""With communities clearer than this, edges inside them need no more weight: it would crush them to balls."""

_FAR_APART = 0.6
"""Communities clearer than this lie in their islands after few steps; between others, more steps go on to sort."""

_INSIDE, _ACROSS = 1.6, 0.4
_DECLUTTER_STEPS = 40


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the sounds are.

    `places` has shape (count, 2) with coordinates from 0 to `SPAN`; `alone` marks the sounds in the strip below the
    others; `kind` is one of `LAYOUTS`.
    """

    places: npt.NDArray[np.uint16]
    alone: npt.NDArray[np.bool_]
    kind: str


def lay_out(
    count: int,
    source: Indices,
    target: Indices,
    score: Weights | None = None,
    communities: Clarity | None = None,
    wanted: Places | None = None,
) -> Layout:
    """Return the layout of a graph from its edges between indices.

    `score` are those of the edges, in [0, 1], `communities` how clear each sound's are, by default of those that
    `find_communities` finds. With `wanted` places, NaN where there is none, the graph decides only on the strip.
    """
    low, high = distinct_edges(count, source, target)
    degrees = np.bincount(low, minlength=count) + np.bincount(high, minlength=count)
    is_placed = degrees > 0 if wanted is None else ~np.isnan(wanted[:, 0])
    shown = np.flatnonzero(is_placed)
    number: Indices = np.cumsum(is_placed) - 1
    kind, places = "forces", np.zeros((count, 2))
    if wanted is not None:
        kind, places[shown] = "vectors", _decluttered(wanted[shown])
    elif len(shown):
        own = np.unique(source[source != target])
        if len(own) < _FEW_LISTS * len(shown):
            apart = source != target
            scores = np.ones(len(source)) if score is None else score
            kind = "samples first"
            places[shown] = lay_out_samples(len(shown), number[source[apart]], number[target[apart]], scores[apart])
        else:
            groups = communities or Clarity(find_communities(count, source, target), low, high)
            labels, weights = groups.labels, None
            if groups.modularity < _CLEAR and groups.exceed_chance:
                kind, weights = "communities", np.where(labels[low] == labels[high], _INSIDE, _ACROSS)
            steps = FEW_STEPS if groups.modularity > _FAR_APART else STEPS
            places[shown] = _decluttered(force_layout(len(shown), number[low], number[high], weights, steps))
    alone = np.flatnonzero(~is_placed)
    places[shown] = _turned(places[shown])
    return Layout(_to_integers(places, shown, alone), ~is_placed & is_placed.any(), kind)


def _decluttered(places: Places) -> Places:
    if len(places) < 2:
        return places
    low, high = np.quantile(places, [0.01, 0.99], axis=0)
    least = 0.62 * max(float((high - low).max()), 1e-6) / np.sqrt(len(places))
    return push_apart(places, np.full(len(places), least / 2), _DECLUTTER_STEPS)


def _turned(places: Places) -> Places:
    """Return the places turned so that the longest axis is horizontal."""
    if len(places) < 3:
        return places
    away = places - places.mean(axis=0)
    x, y = away[:, 0], away[:, 1]
    across, twice = float((x * x - y * y).sum()), 2 * float((x * y).sum())
    length = np.hypot(across, twice)
    if length < 1e-9 * max(float((x * x + y * y).sum()), 1e-300):
        return places
    # The half angle by its cosine and sine, which need no trigonometry.
    cosine = np.sqrt(max((1 + across / length) / 2, 0.0))
    sine = np.copysign(np.sqrt(max((1 - across / length) / 2, 0.0)), twice)
    turned: Places = np.stack([x * cosine + y * sine, y * cosine - x * sine], axis=1)
    return rounded(turned)


def _to_integers(places: Places, shown: Indices, alone: Indices) -> npt.NDArray[np.uint16]:
    """Return the places as whole numbers: the shown above, a strip below."""
    integers = np.zeros(places.shape, dtype=np.uint16)
    if not len(places):
        return integers
    strip = _rows(len(alone), len(places)) if len(shown) else _square(len(alone))
    room = SPAN - (float(strip[:, 1].max()) + 1.6 * _pitch(len(places)) if len(alone) and len(shown) else 0.0)
    if len(shown):
        lowest, highest = places[shown].min(axis=0), places[shown].max(axis=0)
        extent = highest - lowest
        scale = min(SPAN / max(float(extent[0]), 1e-9), room / max(float(extent[1]), 1e-9))
        if not extent.any():
            scale = 0.0
        middle = np.array([SPAN / 2, room / 2])
        integers[shown] = np.rint((places[shown] - (lowest + highest) / 2) * scale + middle).astype(np.uint16)
        if len(alone):
            bottom = float(integers[shown, 1].max()) + 1.6 * _pitch(len(places))
            strip = strip + np.array([0.0, bottom])
    if len(alone):
        integers[alone] = np.rint(np.clip(strip, 0, SPAN)).astype(np.uint16)
    return integers


def _pitch(count: int) -> float:
    """Return the distance of dots in the strip: that of all on average."""
    return SPAN * 0.6 / float(np.sqrt(max(count, 1)))


def _rows(alone: int, count: int) -> Places:
    """Return places in rows below the map, at most as high as a third."""
    pitch = _pitch(count)
    columns = max(int(SPAN / pitch), 1)
    while -(-alone // columns) * pitch > SPAN / 3:
        pitch *= 0.9
        columns = max(int(SPAN / pitch), 1)
    at = np.arange(alone)
    left = (SPAN - (min(alone, columns) - 1) * pitch) / 2
    return np.stack([left + at % columns * pitch, at // columns * pitch], axis=1).astype(np.float64)


def _square(alone: int) -> Places:
    """Return places in rows that fill a square."""
    columns = int(np.ceil(np.sqrt(max(alone, 1))))
    at = np.arange(alone)
    if alone == 1:
        return np.full((1, 2), SPAN / 2)
    return np.stack([at % columns, at // columns], axis=1).astype(np.float64) * (SPAN / max(columns - 1, 1))
