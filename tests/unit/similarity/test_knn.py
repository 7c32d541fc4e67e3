"""Nearest neighbours are the brute force's answer, whatever the blocks, and however many tie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import ClusterFailed
from harvester.jobs import Threads
from harvester.similarity import knn as nearest
from harvester.similarity.knn import find_nearest
from harvester.similarity.vector_table import Table
from tests.support.elsewhere import Elsewhere

Lists = dict[int, list[tuple[int, float]]]
laws = settings(max_examples=60, deadline=None)


def table_of(vectors: np.ndarray) -> Table:
    """Return the table of some vectors; their places are shuffled, as in a file."""
    places = np.random.default_rng(0).permutation(len(vectors))
    shuffled = np.empty(vectors.shape, dtype=np.float16)
    shuffled[places] = vectors
    return Table(shuffled, places, np.arange(len(vectors)) * 7 + 1)


def brute_force(vectors: np.ndarray, queries: list[int], targets: list[int], count: int, least: float) -> Lists:
    wide = vectors.astype(np.float16).astype(np.float64)
    lists = {}
    for query in queries:
        scored = []
        for other in targets:
            cosine = wide[query] @ wide[other] / (np.linalg.norm(wide[query]) * np.linalg.norm(wide[other]))
            score = round(min(1.0, max(0.0, (1 + cosine) / 2)), 6)
            if other != query and score >= least:
                scored.append((other, score))
        lists[query] = sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:count]
    return lists


def found(table: Table, queries: list[int], targets: list[int], count: int, least: float) -> Lists:
    lists: Lists = {query: [] for query in queries}
    asked = np.full(len(queries), least)
    for block, query, target, score in find_nearest(table, np.array(queries), np.array(targets), count, asked):
        assert set(query.tolist()) <= set(block.tolist())
        for one, other, value in zip(query.tolist(), target.tolist(), score.tolist(), strict=True):
            lists[one].append((other, value))
    return lists


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "QUERIES", 7)
    monkeypatch.setattr(nearest, "TARGETS", 11)
    monkeypatch.setattr(nearest, "_WARM_UP", 9)
    monkeypatch.setattr(nearest, "SPARE", 2)
    monkeypatch.setattr(nearest, "_RESCANNED_AT_ONCE", 3)


@laws
@given(
    size=st.integers(1, 40),
    different=st.integers(1, 40),
    count=st.integers(1, 12),
    least=st.sampled_from([0.0, 0.5, 0.7, 0.95]),
    seed=st.integers(0, 10_000),
)
def test_what_is_found_is_the_brute_force_s_answer(
    size: int, different: int, count: int, least: float, seed: int
) -> None:
    dice = np.random.default_rng(seed)
    # Of few different ones many are equal: ties are everywhere.
    kinds = dice.standard_normal((different, 6))
    vectors = kinds[dice.integers(0, different, size)]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = sorted(dice.choice(size, int(dice.integers(1, size + 1)), replace=False).tolist())
    targets = sorted(dice.choice(size, int(dice.integers(1, size + 1)), replace=False).tolist())
    expected = brute_force(vectors, queries, targets, count, least)
    assert found(table_of(vectors), queries, targets, count, least) == expected


def test_of_equal_sounds_the_smaller_ids_are_neighbours_and_never_the_sound_itself() -> None:
    vectors = np.tile(np.array([[0.6, 0.8]]), (60, 1))
    lists = found(table_of(vectors), list(range(60)), list(range(60)), 5, 0.7)
    assert [other for other, _ in lists[50]] == [0, 1, 2, 3, 4]
    assert [other for other, _ in lists[2]] == [0, 1, 3, 4, 5]
    assert {score for pairs in lists.values() for _, score in pairs} == {1.0}


def test_blocks_do_not_show_in_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(3).standard_normal((80, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table, everyone = table_of(vectors), list(range(80))
    small = found(table, everyone, everyone, 10, 0.0)
    for queries, targets in ((80, 80), (1, 80), (33, 2)):
        monkeypatch.setattr(nearest, "QUERIES", queries)
        monkeypatch.setattr(nearest, "TARGETS", targets)
        assert found(table, everyone, everyone, 10, 0.0) == small


def test_an_opposite_scores_nothing_and_a_copy_one() -> None:
    vectors = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    assert found(table_of(vectors), [0], [0, 1, 2], 5, 0.0) == {0: [(2, 1.0), (1, 0.0)]}


def changed(column: np.ndarray, value: float, place: int = -1) -> np.ndarray:
    copy = column.copy()
    copy[place] = value
    return copy


FALSE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "no columns": lambda query, target, score: None,
    "two columns": lambda query, target, score: (query, target),
    "lists": lambda query, target, score: (query.tolist(), target.tolist(), score.tolist()),
    "another type": lambda query, target, score: (query, target, score.astype(np.float32)),
    "another length": lambda query, target, score: (query, target, score[:-1]),
    "a query that was not asked": lambda query, target, score: (changed(query, 999), target, score),
    "a target that does not exist": lambda query, target, score: (query, changed(target, 999), score),
    "itself": lambda query, target, score: (query, changed(target, query[-1]), score),
    "not a number": lambda query, target, score: (query, target, changed(score, np.nan)),
    "more than 1": lambda query, target, score: (query, target, changed(score, 1.5, 0)),
    "less than asked": lambda query, target, score: (query, target, changed(score, 0.1)),
    "too many": lambda query, target, score: tuple(np.concatenate((one[:3], one)) for one in (query, target, score)),
    "another order": lambda query, target, score: (query[::-1], target[::-1], score[::-1]),
    "another score": lambda query, target, score: (query, target, changed(score, score[0] + 1e-6, 0)),
}


@pytest.mark.parametrize("what", FALSE)
def test_neighbours_from_elsewhere_that_cannot_be_right_are_refused(what: str) -> None:
    dice = np.random.default_rng(3)
    table = table_of(dice.standard_normal((30, 8)))
    rows, least = np.arange(30), np.full(30, 0.2)
    here, there = (list(find_nearest(table, rows, rows, 3, least, team)) for team in (Threads(), Elsewhere()))
    for column in range(4):
        ours, theirs = (np.concatenate([block[column] for block in blocks]) for blocks in (here, there))
        assert np.array_equal(ours, theirs)
    with pytest.raises(ClusterFailed, match="a worker returned"):
        list(find_nearest(table, rows, rows, 3, least, Elsewhere(FALSE[what])))
