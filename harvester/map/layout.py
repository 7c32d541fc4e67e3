"""Place sounds on the map: force-directed layout in numpy and scipy.

Every sound repels every other one (a particle mesh: masses on a grid, one convolution by FFT for all pairs). Edges
attract by the logarithm of their length, so that communities become islands. A last step pushes overlapping dots
apart. Sounds without an edge fill a spiral around the others.

Invariant: the same graph gives the same places on any machine. The layout starts from a diffusion of seeded noise, not
from a BLAS solver; every sum has a fixed order; and places are rounded after each step, so that differences in the
last bits between processors do not grow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, sparse
from scipy.spatial import cKDTree

Places = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

STEPS = 300
SPAN = 65_535
"""The largest coordinate of a place, on both axes; the least is 0."""

_SEED = 7
_DIFFUSION_STEPS = 80
_GOLDEN_ANGLE = 2.399963229728653
_GRAVITY = 0.25
_DECLUTTER_STEPS = 40
_ROUNDING = 2.0**24
_MESHES = ((64, 300), (128, 1_500), (256, 20_000), (512, 1 << 62))
"""(cells along a side of the mesh, for fewer sounds than this)."""


def lay_out(count: int, source: Indices, target: Indices) -> npt.NDArray[np.uint16]:
    """Return places, shape (count, 2), from edges between indices."""
    low, high = np.minimum(source, target), np.maximum(source, target)
    edges = np.unique(low[low != high] * count + high[low != high])
    low, high = edges // max(count, 1), edges % max(count, 1)
    degrees = np.bincount(low, minlength=count) + np.bincount(high, minlength=count)
    linked = np.flatnonzero(degrees)
    places = np.zeros((count, 2))
    if len(linked):
        renumbered = np.zeros(count, dtype=np.int64)
        renumbered[linked] = np.arange(len(linked))
        places[linked] = _lay_out_linked(len(linked), renumbered[low], renumbered[high])
    _surround(places, linked, np.flatnonzero(degrees == 0))
    return _to_integers(places)


def _lay_out_linked(count: int, low: Indices, high: Indices) -> Places:
    degrees = (np.bincount(low, minlength=count) + np.bincount(high, minlength=count)).astype(np.float64)
    mesh = _Mesh(next(size for size, sounds in _MESHES if count < sounds))
    places = _diffused(count, low, high, degrees) * np.sqrt(count)
    mass = degrees + 1
    strength = degrees.sum() / mass.sum() / mass.sum() * 6 * np.sqrt(count)
    reach = np.sqrt(count) / 4
    for step in range(STEPS):
        left = 1 - step / STEPS
        force = mesh.repulsion(places, mass) * strength
        force += _attraction(places, low, high, count) / mass[:, None]
        distance = _length(places)
        force -= _GRAVITY * places / (distance + np.sqrt(count) * 0.1)[:, None]
        length = _length(force)
        longest = reach * left * left + 1e-3
        places = _rounded(places + force * (np.minimum(length * 4, longest) / (length + 1e-12))[:, None])
    return _decluttered(places)


def _diffused(count: int, low: Indices, high: Indices, degrees: npt.NDArray[np.float64]) -> Places:
    """Return start places: noise smoothed by averaging neighbours."""
    noise = np.random.Generator(np.random.PCG64(_SEED)).random((count, 2)) - 0.5
    ones = np.ones(len(low))
    matrix: Any = sparse.csr_matrix((ones, (low, high)), shape=(count, count))
    matrix = matrix + matrix.T
    share = degrees / degrees.sum()
    places = noise
    for _ in range(_DIFFUSION_STEPS):
        places = 0.5 * places + 0.5 * (matrix @ places) / degrees[:, None]
        places = places - (places * share[:, None]).sum(axis=0)
        first = places[:, 0]
        overlap = (first * places[:, 1] * share).sum() / max((first * first * share).sum(), 1e-300)
        places[:, 1] -= overlap * first
        places /= np.sqrt((places * places).mean(axis=0)) + 1e-300
        places = _rounded(places)
    # Diffusion puts most sounds near the middle and a few far out; ranks spread them evenly.
    ranks: Places = np.empty_like(places)
    for axis in (0, 1):
        ranks[np.lexsort((np.arange(count), places[:, axis])), axis] = (np.arange(count) + 0.5) / count - 0.5
    return ranks


class _Mesh:
    """Repulsion of pairs by 1/distance on a grid of `size` cells a side."""

    def __init__(self, size: int) -> None:
        self._size = size
        steps = np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size)).astype(np.float64)
        square = steps[:, None] ** 2 + steps[None, :] ** 2
        # Softened below the size of a cell, which the grid cannot resolve. Scale only adds a constant to a logarithm.
        self._kernel = fft.rfft2(-0.5 * np.log(square + 0.5))

    def repulsion(self, places: Places, mass: npt.NDArray[np.float64]) -> Places:
        """Return the force on a unit of mass at each place, shape (n, 2)."""
        size = self._size
        lowest = places.min(axis=0)
        cell = max(float((places.max(axis=0) - lowest).max()), 1e-9) / (size - 5)
        within = (places - lowest) / cell + 2
        corner = within.astype(np.int64)
        part = within - corner
        at = corner[:, 0] * size + corner[:, 1]
        shares = (
            (at, (1 - part[:, 0]) * (1 - part[:, 1])),
            (at + 1, (1 - part[:, 0]) * part[:, 1]),
            (at + size, part[:, 0] * (1 - part[:, 1])),
            (at + size + 1, part[:, 0] * part[:, 1]),
        )
        grid = np.zeros(size * size)
        for where, share in shares:
            grid += np.bincount(where, weights=mass * share, minlength=size * size)
        spectrum = fft.rfft2(grid.reshape(size, size), s=(2 * size, 2 * size))
        potential = fft.irfft2(spectrum * self._kernel, s=(2 * size, 2 * size))[:size, :size]
        force = np.zeros_like(places)
        for axis in (0, 1):
            slope = np.zeros((size, size))
            inner = (slice(1, -1), slice(None)) if axis == 0 else (slice(None), slice(1, -1))
            ahead = (slice(2, None), slice(None)) if axis == 0 else (slice(None), slice(2, None))
            behind = (slice(None, -2), slice(None)) if axis == 0 else (slice(None), slice(None, -2))
            slope[inner] = (potential[behind] - potential[ahead]) / (2 * cell)
            flat = slope.ravel()
            for where, share in shares:
                force[:, axis] += flat[where] * share
        return force


def _attraction(places: Places, low: Indices, high: Indices, count: int) -> Places:
    along = places[high] - places[low]
    length = _length(along)
    along *= (np.log1p(length) / (length + 1e-9))[:, None]
    force = np.empty_like(places)
    for axis in (0, 1):
        force[:, axis] = np.bincount(low, weights=along[:, axis], minlength=count)
        force[:, axis] -= np.bincount(high, weights=along[:, axis], minlength=count)
    return force


def _decluttered(places: Places) -> Places:
    """Return the places after pushing apart dots that are too close."""
    count = len(places)
    if count < 2:
        return places
    low, high = np.quantile(places, [0.01, 0.99], axis=0)
    least = 0.62 * max(float((high - low).max()), 1e-6) / np.sqrt(count)
    for _ in range(_DECLUTTER_STEPS):
        pairs = cKDTree(places).query_pairs(least, output_type="ndarray")
        if not len(pairs):
            break
        # The order of the pairs depends on how scipy was built; the sums need a fixed one.
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        one, other = pairs[:, 0], pairs[:, 1]
        along = places[other] - places[one]
        length = _length(along)
        angle = (one * _GOLDEN_ANGLE) % (2 * np.pi)
        same = length < 1e-9
        along[same] = np.stack([np.cos(angle[same]), np.sin(angle[same])], axis=1)
        push = along * ((least - length) * 0.4 / np.where(same, 1.0, length))[:, None]
        for axis in (0, 1):
            places[:, axis] += np.bincount(other, weights=push[:, axis], minlength=count)
            places[:, axis] -= np.bincount(one, weights=push[:, axis], minlength=count)
        places = _rounded(places)
    return places


def _surround(places: Places, linked: Indices, alone: Indices) -> None:
    """Put sounds without an edge on a spiral around the rest, in place.

    If no sound has an edge, the spiral starts at the centre.
    """
    if not len(alone):
        return
    inner, spacing = 0.0, 1.0
    if len(linked):
        middle = (places[linked].min(axis=0) + places[linked].max(axis=0)) / 2
        places[linked] -= middle
        inner = float(_length(places[linked]).max()) * 1.06
        spacing = max(inner / np.sqrt(len(linked)) * 0.9, 1e-6)
    turn = np.arange(len(alone))
    radius = np.sqrt(inner * inner + spacing * spacing * (turn + 0.5))
    places[alone] = np.stack([radius * np.cos(turn * _GOLDEN_ANGLE), radius * np.sin(turn * _GOLDEN_ANGLE)], axis=1)


def _to_integers(places: Places) -> npt.NDArray[np.uint16]:
    if not len(places):
        return np.zeros((0, 2), dtype=np.uint16)
    lowest, highest = places.min(axis=0), places.max(axis=0)
    extent = float((highest - lowest).max())
    if extent == 0:
        return np.full(places.shape, SPAN // 2, dtype=np.uint16)
    centred = (places - (lowest + highest) / 2) / extent + 0.5
    integers: npt.NDArray[np.uint16] = np.rint(centred * SPAN).astype(np.uint16)
    return integers


def _length(vectors: Places) -> npt.NDArray[np.float64]:
    length: npt.NDArray[np.float64] = np.sqrt(vectors[:, 0] * vectors[:, 0] + vectors[:, 1] * vectors[:, 1])
    return length


def _rounded(places: Places) -> Places:
    rounded: Places = np.rint(places * _ROUNDING) / _ROUNDING
    return rounded
