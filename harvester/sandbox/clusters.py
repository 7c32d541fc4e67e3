"""Place every generated sound in a similarity space, in closed form.

A sound is one of eight members of a cluster; a cluster has three coordinates. Each coordinate that two sounds
share adds its weight, of `SHARED`, to their cosine. Each sound also has its own angle, which changes the cosine by at
most `OWN`. So two sounds reach the threshold exactly when their clusters share two coordinates. The similar list of a
sound is therefore its own cluster and all clusters that share two coordinates with it; it is exact and needs no search.
Any two clusters are joined by at most three such steps.

The weights differ, so that the graph has islands: the best places of a list go to clusters with the same first
coordinate, and only a few edges of a walk lead to another. With equal weights no communities would exist.

Invariant: scores are the cosines of the vectors that this module returns.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence
from functools import lru_cache
from operator import mul

MEMBERS = 8
SHARED = (0.312, 0.304, 0.304)
OWN = 1 - sum(SHARED)
# Two shared coordinates: at least 0.304 + 0.304 - 0.08 = 0.528. One: at most 0.312 + 0.08 = 0.392. The
# threshold, a cosine of 0.4, lies between, so neither rounding nor float32 can move a sound across it.
_AXES = 32
"""Directions of a coordinate; a symbol from 32 to 63 is the opposite of the symbol 32 before it."""

Place = tuple[int, int, int]


class Clusters:
    """Sounds 0 to `size` - 1 in a space of at least 99 `dimensions`."""

    def __init__(self, size: int, seed: str, dimensions: int) -> None:
        self._size = size
        self._dimensions = dimensions
        draw = random.Random(seed)
        self._factor = coprime(size, draw)
        self._inverse = pow(self._factor, -1, size) if size > 1 else 0
        self._shift = draw.randrange(max(size, 1))
        self._clusters = -(-size // MEMBERS)
        self._side = 1
        while self._side**3 < self._clusters:
            self._side += 1
        if self._side > 2 * _AXES:
            raise ValueError(f"{size} sounds do not fit into the geometry of a generated catalogue")
        angles = [math.tau * draw.random() for _ in range(size)]
        self._cos = array("f", map(math.cos, angles))
        self._sin = array("f", map(math.sin, angles))

    def place(self, number: int) -> Place:
        """Return the three coordinates of the sound's cluster."""
        return self._coordinates(self._position(number) // MEMBERS)

    def neighbours(self, number: int) -> list[tuple[float, int]]:
        """Return (score, number) of other sounds from 0.4 up, best first."""
        position = self._position(number)
        home = position // MEMBERS
        cos, sin = self._cos, self._sin
        own_cos, own_sin = OWN * cos[position], OWN * sin[position]
        found: list[tuple[float, int]] = []
        for cluster, base in [(home, sum(SHARED)), *self._overlapping(home)]:
            first = cluster * MEMBERS
            found += [
                (base + own_cos * cos[at] + own_sin * sin[at], at)
                for at in range(first, min(first + MEMBERS, self._size))
                if at != position
            ]
        return self._best_first(found)

    def nearest(self, vector: Sequence[float]) -> list[tuple[float, int]]:
        """Return (score, number) from 0.4 up against `vector`, best first."""
        length = math.sqrt(sum(map(mul, vector, vector)))
        if not length:
            return []
        latent = [sum(map(mul, row, vector)) / length for row in _basis(self._dimensions)]
        symbols = [
            [
                math.sqrt(SHARED[axis]) * (latent[axis * _AXES + x % _AXES] * (1 if x < _AXES else -1))
                for x in range(self._side)
            ]
            for axis in range(3)
        ]
        own_cos, own_sin = math.sqrt(OWN) * latent[-2], math.sqrt(OWN) * latent[-1]
        reach = math.hypot(own_cos, own_sin)
        found = []
        for cluster in range(self._clusters):
            a, b, c = self._coordinates(cluster)
            base = symbols[0][a] + symbols[1][b] + symbols[2][c]
            if base + reach < 0.4:
                continue
            for at in range(cluster * MEMBERS, min((cluster + 1) * MEMBERS, self._size)):
                cosine = base + own_cos * self._cos[at] + own_sin * self._sin[at]
                if cosine >= 0.4:
                    found.append((cosine, at))
        return self._best_first(found)

    def vector(self, number: int) -> list[float]:
        """Return a sound's unit vector with six decimals, as the API has it."""
        position = self._position(number)
        own = math.sqrt(OWN)
        parts = [
            (axis * _AXES + x % _AXES, math.sqrt(SHARED[axis]) * (1 if x < _AXES else -1))
            for axis, x in enumerate(self._coordinates(position // MEMBERS))
        ]
        parts += [(3 * _AXES, own * self._cos[position]), (3 * _AXES + 1, own * self._sin[position])]
        rows = _basis(self._dimensions)
        (a, wa), (b, wb), (c, wc), (d, wd), (e, we) = parts
        columns = zip(rows[a], rows[b], rows[c], rows[d], rows[e], strict=True)
        return [round(wa * va + wb * vb + wc * vc + wd * vd + we * ve, 6) for va, vb, vc, vd, ve in columns]

    def _position(self, number: int) -> int:
        # An affine permutation needs no storage and moves sounds of one cluster far apart in id and date.
        return (self._factor * number + self._shift) % self._size

    def _best_first(self, found: list[tuple[float, int]]) -> list[tuple[float, int]]:
        inverse, shift, size = self._inverse, self._shift, self._size
        rows = [((-1 - cosine) / 2, (at - shift) * inverse % size) for cosine, at in found]
        rows.sort()
        return [(-score, number) for score, number in rows]

    def _coordinates(self, cluster: int) -> Place:
        rest, c = divmod(cluster, self._side)
        a, b = divmod(rest, self._side)
        return a, b, c

    def _overlapping(self, home: int) -> list[tuple[int, float]]:
        """Return the clusters that share two coordinates, and their cosine."""
        side = self._side
        clusters = []
        stride = 1
        for own, weight in zip(reversed(self._coordinates(home)), reversed(SHARED), strict=True):
            first = home - own * stride
            base = sum(SHARED) - weight
            for x in range(side):
                cluster = first + x * stride
                if x != own and abs(x - own) != _AXES and cluster < self._clusters:
                    clusters.append((cluster, base))
            stride *= side
        return clusters


def coprime(size: int, draw: random.Random) -> int:
    """Draw a factor coprime to `size`: it permutes 0 to size - 1."""
    if size < 3:
        return 1
    factor = draw.randrange(size // 3, size)
    while math.gcd(factor, size) != 1:
        factor += 1
    return factor


@lru_cache(maxsize=2)
def _basis(dimensions: int) -> tuple[tuple[float, ...], ...]:
    # Orthonormal rows turn sparse positions into dense vectors like the real ones and keep their cosines:
    # a Hadamard matrix where the length is a power of two (cheap), else a discrete cosine transform.
    count = 3 * _AXES + 2
    if dimensions & (dimensions - 1) == 0:
        unit = 1 / math.sqrt(dimensions)
        signs = (unit, -unit)
        return tuple(
            tuple(signs[(row & column).bit_count() & 1] for column in range(dimensions)) for row in range(1, count + 1)
        )
    scale = math.sqrt(2 / dimensions)
    return tuple(
        tuple(scale * math.cos(math.pi * (2 * column + 1) * row / (2 * dimensions)) for column in range(dimensions))
        for row in range(1, count + 1)
    )
