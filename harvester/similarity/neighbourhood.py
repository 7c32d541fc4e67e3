"""Read the vectors of some sounds, and find the nearest ones of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harvester.jobs import Team, Threads
from harvester.similarity.knn import find_nearest

if TYPE_CHECKING:
    from harvester.similarity.vector_table import Doubles, Floats, Ids, Rows, Table

_ALONE = Threads()

MOST_NEIGHBOURS = 90
"""So many neighbours a layout needs: three times its perplexity of 30."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Sounds by id, ascending, with their vectors and nearest neighbours.

    `vectors` has shape (n, dimension), normalised. `nearest` are places in `ids`, shape (n, k), the nearest first, and
    `distances` are 1 - cosine.
    """

    ids: Ids
    vectors: Floats
    nearest: Rows
    distances: Doubles


def find_neighbourhood(table: Table, team: Team = _ALONE) -> Neighbourhood:
    """Return the neighbourhood of the sounds of a table that have a vector.

    The `team` that compares the vectors changes no byte of it. Raises `ClusterFailed`.
    """
    rows = np.flatnonzero(table.are_vectors())
    place = np.zeros(len(table), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    count = min(MOST_NEIGHBOURS, max(len(rows) - 1, 0))
    nearest, scores = np.zeros((len(rows), count), dtype=np.int64), np.zeros((len(rows), count))
    if count:
        for block, query, target, score in find_nearest(table, rows, rows, count, np.zeros(len(rows)), team):
            begin, end = int(place[block[0]]), int(place[block[-1]]) + 1
            order = np.argsort(query, kind="stable")
            nearest[begin:end] = place[target[order]].reshape(-1, count)
            scores[begin:end] = score[order].reshape(-1, count)
    return Neighbourhood(table.ids[rows], table.block(rows), nearest, 2.0 * (1.0 - scores))
