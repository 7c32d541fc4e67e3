"""Forces that place the nodes of a graph, in numpy and scipy.

Every node repels every other one (a particle mesh: masses on a grid, one convolution by FFT for all pairs). Edges
attract by the logarithm of their length, so that communities become islands.

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
Weights = npt.NDArray[np.float64]

STEPS, FEW_STEPS = 300, 150
"""Steps to rest: few are enough for sounds in groups that lie far apart, and for samples; the others need all."""

GOLDEN_ANGLE = 2.399963229728653

_SEED = 7
_DIFFUSION_STEPS = 80
_GRAVITY = 0.25
_ROUNDING = 2.0**24
_MESHES = ((64, 300), (128, 1_500), (256, 20_000), (512, 1 << 62))
"""(cells along a side of the mesh, for fewer sounds than this)."""


def force_layout(count: int, low: Indices, high: Indices, weights: Weights | None = None, steps: int = STEPS) -> Places:
    """Return places, shape (count, 2), that forces move to their rest.

    `weights` are those of the edges' attraction, 1 by default. After `steps` all are at rest. Overlapping dots are not
    pushed apart.
    """
    degrees = (np.bincount(low, minlength=count) + np.bincount(high, minlength=count)).astype(np.float64)
    if weights is None:
        weights = np.ones(len(low))
    mesh = _Mesh(next(size for size, sounds in _MESHES if count < sounds))
    places: Places = _diffused(count, low, high, weights) * np.sqrt(count)
    mass = degrees + 1
    strength = degrees.sum() / mass.sum() / mass.sum() * 6 * np.sqrt(count)
    reach = np.sqrt(count) / 4
    for step in range(steps):
        left = 1 - step / steps
        force = mesh.repulsion(places, mass) * strength
        force += _attraction(places, low, high, weights) / mass[:, None]
        distance = length_of(places)
        force -= _GRAVITY * places / (distance + np.sqrt(count) * 0.1)[:, None]
        length = length_of(force)
        longest = reach * left * left + 1e-3
        places = rounded(places + force * (np.minimum(length * 4, longest) / (length + 1e-12))[:, None])
    return places


def _diffused(count: int, low: Indices, high: Indices, weights: Weights) -> Places:
    """Return start places: noise smoothed by averaging neighbours."""
    noise = np.random.Generator(np.random.PCG64(_SEED)).random((count, 2)) - 0.5
    matrix: Any = sparse.csr_matrix((weights, (low, high)), shape=(count, count))
    matrix = matrix + matrix.T
    degrees = np.bincount(low, weights, count) + np.bincount(high, weights, count)
    share = degrees / max(float(degrees.sum()), 1e-300)
    # A node without an edge stays where it is.
    degrees = np.where(degrees > 0, degrees, np.inf)
    places = noise
    for _ in range(_DIFFUSION_STEPS):
        places = 0.5 * places + 0.5 * (matrix @ places) / degrees[:, None]
        places = places - (places * share[:, None]).sum(axis=0)
        first = places[:, 0]
        overlap = (first * places[:, 1] * share).sum() / max((first * first * share).sum(), 1e-300)
        places[:, 1] -= overlap * first
        places /= np.sqrt((places * places).mean(axis=0)) + 1e-300
        places = rounded(places)
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


def _attraction(places: Places, low: Indices, high: Indices, weights: Weights) -> Places:
    count = len(places)
    along = places[high] - places[low]
    length = length_of(along)
    along *= (weights * np.log1p(length) / (length + 1e-9))[:, None]
    force = np.empty_like(places)
    for axis in (0, 1):
        force[:, axis] = np.bincount(low, weights=along[:, axis], minlength=count)
        force[:, axis] -= np.bincount(high, weights=along[:, axis], minlength=count)
    return force


def push_apart(places: Places, radii: npt.NDArray[np.float64], rounds: int) -> Places:
    """Return the places after pushing apart discs that overlap."""
    count, places = len(places), places.copy()
    if count < 2:
        return places
    for _ in range(rounds):
        pairs = cKDTree(places).query_pairs(2 * float(radii.max()), output_type="ndarray")
        reach = radii[pairs[:, 0]] + radii[pairs[:, 1]]
        pairs = pairs[length_of(places[pairs[:, 1]] - places[pairs[:, 0]]) <= reach]
        if not len(pairs):
            break
        # The order of the pairs depends on how scipy was built; the sums need a fixed one.
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        one, other = pairs[:, 0], pairs[:, 1]
        least = radii[one] + radii[other]
        along = places[other] - places[one]
        length = length_of(along)
        angle = (one * GOLDEN_ANGLE) % (2 * np.pi)
        same = length < 1e-9
        along[same] = np.stack([np.cos(angle[same]), np.sin(angle[same])], axis=1)
        push = along * ((least - length) * 0.4 / np.where(same, 1.0, length))[:, None]
        moves = np.empty_like(places)
        for axis in (0, 1):
            moves[:, axis] = np.bincount(other, weights=push[:, axis], minlength=count)
            moves[:, axis] -= np.bincount(one, weights=push[:, axis], minlength=count)
        # Where many lie on one point, all their pushes together would throw them far away.
        moves *= np.minimum(1.0, radii / (length_of(moves) + 1e-12))[:, None]
        places += moves
        places = rounded(places)
    return places


def length_of(vectors: Places) -> npt.NDArray[np.float64]:
    """Return the lengths of vectors, shape (n, 2)."""
    length: npt.NDArray[np.float64] = np.sqrt(vectors[:, 0] * vectors[:, 0] + vectors[:, 1] * vectors[:, 1])
    return length


def rounded(places: Places) -> Places:
    """Return places without the last bits, which processors may differ in."""
    rounded: Places = np.rint(places * _ROUNDING) / _ROUNDING
    return rounded
