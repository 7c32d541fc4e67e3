"""Find nearest neighbours exactly, by blocks of matrix products.

The result equals that of brute force in double precision, best score first, then the smaller id. Products in single
precision only choose the candidates that are scored exactly, with a margin for rounding. Memory is that of a few
blocks, for any size of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from harvester.errors import ClusterFailed
from harvester.jobs import Team, Threads
from harvester.similarity.vector_table import Table

if TYPE_CHECKING:
    from harvester.similarity.vector_table import Doubles, Floats, Rows

QUERIES, TARGETS = 2048, 4096
"""Rows of a block on either side: 32 MB of products at a time."""

SPARE = 8
"""Candidates kept beyond `count`, so that the rounding of their scores loses no neighbour."""

_ALONE = Threads()
_BLOCKS_OF_A_CORE = 2
"""Blocks for each core of a cluster, of smaller blocks: none waits long for the last one."""

_WARM_UP = 512
_RESCANNED_AT_ONCE = 16
_EMPTY = -1


def find_nearest(
    table: Table, queries: Rows, targets: Rows, count: int, min_scores: Doubles, team: Team = _ALONE
) -> Iterator[tuple[Rows, Rows, Rows, Doubles]]:
    """Yield (queries, query, target, score) for each block of `queries`.

    The last three are columns of pairs: each query with its `count` best of `targets`, without itself, that reach its
    score in `min_scores`; best first, then by id. `queries` and `targets` are rows of the table, ascending. A larger
    team of threads shares smaller blocks, so that memory stays the same. Raises `ClusterFailed` for a result from
    another machine that cannot be right.
    """
    if not len(queries):
        return  # nothing is sent to a cluster
    size = QUERIES // _BLOCKS_OF_A_CORE if team.is_remote else -(-QUERIES // team.size)
    blocks = [
        (queries[start : start + size], min_scores[start : start + size], count)
        for start in range(0, len(queries), size)
    ]
    for (block, least, _), found in zip(blocks, team.each(_answer, blocks, table, targets), strict=True):
        if team.is_remote:
            _check(table, block, targets, count, least, found)
        yield block, *found


def _answer(table: Table, targets: Rows, task: tuple[Rows, Doubles, int]) -> tuple[Rows, Rows, Doubles]:
    """Return the pairs of one block."""
    block, min_scores, count = task
    return _nearest(table, block, targets, count, min_scores)


def _check(table: Table, block: Rows, targets: Rows, count: int, min_scores: Doubles, found: Any) -> None:
    """Raise `ClusterFailed` for pairs that no correct worker returns.

    The scores of the first query that has neighbours are computed again.
    """
    if not _is_possible(block, targets, count, min_scores, found):
        raise ClusterFailed("a worker returned neighbours that are not possible: compare without it")
    query, target, score = found
    again = slice(0, int(np.searchsorted(query, query[0], side="right"))) if len(query) else slice(0)
    if not np.array_equal(table.scores(query[again], target[again]), score[again]):
        raise ClusterFailed("a worker returned scores that are not those of the vectors here: compare without it")


def _is_possible(block: Rows, targets: Rows, count: int, min_scores: Doubles, found: Any) -> bool:
    if not (isinstance(found, tuple) and len(found) == 3 and all(isinstance(one, np.ndarray) for one in found)):
        return False
    query, target, score = found
    kinds = [(one.dtype, one.shape) for one in found]
    if kinds != [(np.int64, (len(query),)), (np.int64, (len(query),)), (np.float64, (len(query),))]:
        return False
    if not (np.isin(query, block).all() and np.isin(target, targets).all() and (query != target).all()):
        return False
    rank = np.arange(len(query)) - np.searchsorted(query, query, side="left")
    each = np.bincount(np.searchsorted(block, query), minlength=len(block))
    # No score is below 0: a query that asks for no more has all its neighbours.
    lacking = (min_scores <= 0) & (each < np.minimum(count, len(targets) - np.isin(block, targets)))
    # NaN fails the comparisons.
    return bool(
        (score >= min_scores[np.searchsorted(block, query)]).all()
        and (score <= 1).all()
        and (rank < count).all()
        and not lacking.any()
        and np.array_equal(np.lexsort((target, -score, query)), np.arange(len(query)))
    )


def rounding_of(dimension: int) -> float:
    """Return the largest error of a cosine and its rounded score."""
    return dimension * float(np.finfo(np.float32).eps) + 4e-6


def _nearest(table: Table, block: Rows, targets: Rows, count: int, min_scores: Doubles) -> tuple[Rows, Rows, Doubles]:
    error = rounding_of(table.dimension)
    kept = count + SPARE
    # The lowest cosine that can still matter; it rises as better candidates are found.
    floor = (2.0 * min_scores - 1.0 - error).astype(np.float32)
    best = np.full((len(block), kept), -np.inf, dtype=np.float32)
    chosen = np.full((len(block), kept), _EMPTY, dtype=np.int64)
    vectors = table.block(block)
    products = np.empty((len(block), TARGETS), dtype=np.float32)
    for start in range(0, len(targets), TARGETS):
        tile = targets[start : start + TARGETS]
        cosines = products[:, : len(tile)]
        np.matmul(vectors, table.block(tile).T, out=cosines)
        _, ours, theirs = np.intersect1d(block, tile, assume_unique=True, return_indices=True)
        cosines[ours, theirs] = -np.inf
        if start == 0 and len(tile) > _WARM_UP >= kept:
            np.maximum(floor, np.partition(cosines[:, :_WARM_UP], -kept, axis=1)[:, -kept], out=floor)
        best, chosen = _merge(best, chosen, floor, cosines, tile)
        # A sound that only ties with the worst of `kept` candidates is dropped; `_score` handles ties.
        np.maximum(floor, np.nextafter(best.min(axis=1), np.float32(np.inf)), out=floor)
    return _score(table, block, targets, count, min_scores, best, chosen, error)


def _merge(best: Floats, chosen: Rows, floor: Floats, cosines: Floats, tile: Rows) -> tuple[Floats, Rows]:
    """Merge the best candidates so far with the tile's: as many as before."""
    hits = np.flatnonzero(cosines >= floor[:, None])
    if not len(hits):
        return best, chosen
    query, place = np.divmod(hits, cosines.shape[1])
    each = np.bincount(query, minlength=len(best))
    # As many columns as the query with the most hits needs; _EMPTY fills the other rows.
    column = np.arange(len(hits)) - np.repeat(np.cumsum(each) - each, each)
    fresh = np.full((len(best), int(each.max())), -np.inf, dtype=np.float32)
    rows = np.full(fresh.shape, _EMPTY, dtype=np.int64)
    fresh[query, column], rows[query, column] = cosines[query, place], tile[place]
    all_best, all_chosen = np.hstack((best, fresh)), np.hstack((chosen, rows))
    order = np.argpartition(all_best, -best.shape[1], axis=1)[:, -best.shape[1] :]
    return np.take_along_axis(all_best, order, axis=1), np.take_along_axis(all_chosen, order, axis=1)


def _score(
    table: Table, block: Rows, targets: Rows, count: int, min_scores: Doubles, best: Floats, chosen: Rows, error: float
) -> tuple[Rows, Rows, Doubles]:
    """Return the pairs with exact scores; handle ties for the last place."""
    at, place = np.nonzero(chosen != _EMPTY)
    query, target, score = _order(table, block[at], chosen[at, place])
    query, target, score = _cut(query, target, score, count, min_scores, block)
    last = np.full(len(block), -np.inf)
    ends = np.searchsorted(query, block, side="right")
    full = ends - np.searchsorted(query, block, side="left") == count
    last[full] = 2.0 * score[ends[full] - 1] - 1.0
    # Within the rounding, a dropped sound may be as good as the last kept one.
    reach = best.min(axis=1) + error
    crowded = np.isfinite(reach) & (reach >= np.maximum(last, 2.0 * min_scores - 1.0))
    if not crowded.any():
        return query, target, score
    parts = [_rescan(table, block[crowded], targets, count, min_scores[crowded], last[crowded], error)]
    stays = ~np.isin(query, block[crowded])
    parts.append((query[stays], target[stays], score[stays]))
    query, target, score = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((target, -score, query))
    return query[order], target[order], score[order]


def _rescan(
    table: Table, block: Rows, targets: Rows, count: int, min_scores: Doubles, last: Doubles, error: float
) -> tuple[Rows, Rows, Doubles]:
    """Return the pairs of queries with many ties for the last place."""
    parts: list[tuple[Rows, Rows, Doubles]] = []
    for start in range(0, len(block), _RESCANNED_AT_ONCE):
        some = slice(start, start + _RESCANNED_AT_ONCE)
        few = block[some]
        floor = np.maximum(last[some], 2.0 * min_scores[some] - 1.0) - error
        vectors = table.block(few)
        found: list[tuple[Rows, Rows]] = []
        for first in range(0, len(targets), TARGETS):
            tile = targets[first : first + TARGETS]
            at, place = np.nonzero(vectors @ table.block(tile).T >= floor[:, None])
            found.append((few[at], tile[place]))
        query, target = (np.concatenate(columns) for columns in zip(*found, strict=True))
        apart = query != target
        parts.append(_cut(*_order(table, query[apart], target[apart]), count, min_scores[some], few))
    query, target, score = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return query, target, score


def _order(table: Table, query: Rows, target: Rows) -> tuple[Rows, Rows, Doubles]:
    """Return pairs with exact scores, by query, best first, then by id."""
    score = table.scores(query, target)
    order = np.lexsort((target, -score, query))
    return query[order], target[order], score[order]


def _cut(
    query: Rows, target: Rows, score: Doubles, count: int, min_scores: Doubles, block: Rows
) -> tuple[Rows, Rows, Doubles]:
    """Keep each query's first `count` pairs that reach its score."""
    rank = np.arange(len(query)) - np.searchsorted(query, query, side="left")
    keep = (rank < count) & (score >= min_scores[np.searchsorted(block, query)])
    return query[keep], target[keep], score[keep]
