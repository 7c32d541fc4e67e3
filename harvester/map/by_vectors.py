"""Place sounds by their vectors alone, with openTSNE.

Sounds with the nearest vectors lie together, whatever lists the library has. Invariant: equal vectors and versions of
packages give equal places: the start is the first two axes of the vectors (PCA) with fixed signs, rounded, the
neighbours are given, and one thread adds up.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.map.force import Places

_PERPLEXITY = 30
_FEWEST = 8
_EARLY, _LATE = 150, 300
_EXAGGERATION = 12
_START = 1e-4
"""The spread of the start: small, so that distances at the start do not decide."""

_SEED = 7


def require_tsne() -> None:
    """Raise `SettingsError` unless openTSNE is installed."""
    try:
        import openTSNE  # noqa: F401
    except ImportError as error:
        raise SettingsError(missing("map --layout vectors", "openTSNE", "vectors-layout")) from error


def place_by_vectors(
    vectors: npt.NDArray[np.float32], nearest: npt.NDArray[np.int64], distances: npt.NDArray[np.float64]
) -> Places:
    """Return places, shape (n, 2), by vectors and their nearest neighbours.

    `nearest` and `distances` have shape (n, k), the nearest first.
    """
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    start = _axes(vectors.astype(np.float64))
    if len(vectors) < _FEWEST:
        return start
    perplexity = min(_PERPLEXITY, nearest.shape[1] / 3)
    logging.getLogger("openTSNE").setLevel(logging.ERROR)
    affinities = PerplexityBasedNN(
        perplexity=perplexity, knn_index=PrecomputedNeighbors(nearest, distances), n_jobs=1, random_state=_SEED
    )
    embedding = TSNEEmbedding(start * _START, affinities, n_jobs=1, random_state=_SEED)
    embedding = embedding.optimize(_EARLY, exaggeration=_EXAGGERATION, momentum=0.5)
    embedding = embedding.optimize(_LATE, exaggeration=1, momentum=0.8)
    places: Places = np.asarray(embedding, dtype=np.float64)
    return places


def _axes(vectors: npt.NDArray[np.float64]) -> Places:
    """Return the vectors on their first two axes, each with deviation 1.

    The sign of an axis is that of its largest component.
    """
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    places = centred @ (axes * np.sign(largest))
    if places.shape[1] < 2:
        places = np.concatenate([places, np.zeros((len(places), 1))], axis=1)
    deviation = places.std(axis=0)
    rounded: Places = np.round(places / np.where(deviation > 0, deviation, 1.0), 6)
    return rounded
