"""Place the sounds with a list first, the sounds they name between.

After a short harvest most sounds are known from one list only. Forces alone throw such leaves outwards, into brushes
far from the list that names them. Here forces place the samples alone, joined by the sounds that they share; each
sample gets room for the leaves it carries; every other sound then lies at the weighted middle of the lists that name
it, and pushing dots apart makes a flower of each list.

Invariant: the same edges give the same places: sums have a fixed order, and places are rounded after each step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from harvester.map.force import (
    FEW_STEPS,
    GOLDEN_ANGLE,
    Indices,
    Places,
    Weights,
    force_layout,
    length_of,
    push_apart,
    rounded,
)

_STRONGEST = 8
_MOST_LISTS = 200
"""A sound that more lists name than this joins none of them: it says little, and its pairs would be many."""

_DISC, _FILLED = 0.8, 0.5
"""The radius of a sample's disc by the square root of its sounds; the share of the plane that the discs fill."""

_LEAST = 0.7
_ROUNDS = 60
_DOUBLINGS = 3
"""How often the pull of a list is squared: the closest of several lists decides."""

_SEEDS = 0.42
"""The distance of the seeds from the middle, by the root of their number."""


def lay_out_samples(count: int, source: Indices, target: Indices, score: Weights) -> Places:
    """Return places, shape (count, 2); each sound has an edge, none a loop."""
    samples: Indices = np.unique(source)
    of = np.full(count, -1)
    of[samples] = np.arange(len(samples))
    low, high, weights = _join(count, of[source], target, samples)
    middles = np.zeros((1, 2))
    if len(samples) > 1:
        middles = force_layout(len(samples), low, high, weights, FEW_STEPS)
    named = of[target] < 0
    carried = np.bincount(of[source[named]], 1 / np.bincount(target, minlength=count)[target[named]], len(samples))
    radii = _DISC * np.sqrt(1 + carried)
    middles = push_apart(_scaled(middles, radii), radii, _ROUNDS)
    places = np.zeros((count, 2))
    places[samples] = middles
    span = float(score.max() - score.min())
    closeness = ((score - score.min()) / span if span > 0 else np.ones(len(score))) + 0.1
    pull = closeness[named]
    for _ in range(_DOUBLINGS):
        pull = pull * pull
    total = np.bincount(target[named], pull, count)
    others = np.flatnonzero(of < 0)
    for axis in (0, 1):
        sums = np.bincount(target[named], pull * middles[of[source[named]], axis], count)
        places[others, axis] = sums[others] / total[others]
    # Sounds of one list alone would fall on one point: they begin as the seeds of a sunflower, the closest inside.
    is_leaf = np.bincount(target[named], minlength=count)[target[named]] == 1
    leaves, home, near = target[named][is_leaf], of[source[named]][is_leaf], closeness[named][is_leaf]
    order = np.lexsort((leaves, -near, home))
    leaves, home = leaves[order], home[order]
    rank = np.arange(len(leaves)) - np.searchsorted(home, home)
    angle = (rank + 1) * GOLDEN_ANGLE
    away = _SEEDS * np.sqrt(rank + 1.5)
    places[leaves] += away[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    places = rounded(places)
    return push_apart(places, np.full(count, _LEAST / 2), _ROUNDS)


def _join(count: int, sample: Indices, target: Indices, samples: Indices) -> tuple[Indices, Indices, Weights]:
    """Return weighted edges between samples that name the same sounds.

    A sample counts as named by itself. Only the strongest edges of each sample are kept.
    """
    size = len(samples)
    who, what = np.concatenate([sample, np.arange(size)]), np.concatenate([target, samples])
    lists = np.bincount(what, minlength=count)
    telling = lists[what] <= _MOST_LISTS
    who, what = who[telling], what[telling]
    named: Any = sparse.csr_matrix((1 / np.sqrt(np.sqrt(lists[what])), (who, what)), shape=(size, count))
    shared = (named @ named.T).tocoo()
    one, other = shared.row.astype(np.int64), shared.col.astype(np.int64)
    weights = np.rint(shared.data * 2**24) / 2**24
    apart = one != other
    one, other, weights = one[apart], other[apart], weights[apart]
    order = np.lexsort((other, -weights, one))
    one, other, weights = one[order], other[order], weights[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    strong = rank < _STRONGEST
    low, high = np.minimum(one, other)[strong], np.maximum(one, other)[strong]
    pairs, first = np.unique(low * size + high, return_index=True)
    weights = weights[strong][first]
    return pairs // size, pairs % size, weights / max(float(weights.mean()) if len(weights) else 1.0, 1e-9)


def _scaled(middles: Places, radii: Weights) -> Places:
    """Return the places so far apart that the discs fill their share."""
    if len(middles) < 2:
        return middles
    away = middles - middles.mean(axis=0)
    extent = float(np.quantile(length_of(away), 0.95)) or 1.0
    wanted = float(np.sqrt((radii * radii).sum() / _FILLED))
    return rounded(away * (wanted / extent))
