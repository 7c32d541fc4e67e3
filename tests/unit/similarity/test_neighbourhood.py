"""The nearest vectors of some sounds are those of brute force, each sound without itself, whoever compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harvester.errors import ClusterFailed
from harvester.jobs import Threads
from harvester.similarity import knn
from harvester.similarity.nearest import open_table
from harvester.similarity.neighbourhood import find_neighbourhood
from harvester.similarity.vector_table import Table
from tests.support.elsewhere import Elsewhere
from tests.unit.similarity.test_nearest import keep, state_of

COUNT = 120


def test_each_sound_has_the_nearest_of_those_that_were_asked_for(tmp_path: Path) -> None:
    chance = np.random.Generator(np.random.PCG64(2))
    numbers = chance.normal(size=(COUNT, 100)).astype(np.float16).astype(np.float64)
    keep(tmp_path, {at + 1: row.tolist() for at, row in enumerate(numbers)})
    state = state_of(*range(1, COUNT + 5))
    # Sounds after the last one have no vector, and the first ten are not asked for.
    found = find_neighbourhood(open_table(tmp_path, state, range(11, COUNT + 5)))
    assert found.ids.tolist() == list(range(11, COUNT + 1))
    units = numbers[10:] / np.linalg.norm(numbers[10:], axis=1)[:, None]
    assert found.vectors == pytest.approx(units, abs=1e-3)
    apart = 1 - units @ units.T
    np.fill_diagonal(apart, np.inf)
    assert all(len(set(row)) == 90 for row in found.nearest.tolist())
    assert np.take_along_axis(apart, found.nearest, axis=1) == pytest.approx(np.sort(apart, axis=1)[:, :90], abs=1e-5)
    assert found.distances == pytest.approx(np.sort(apart, axis=1)[:, :90], abs=1e-5)


def test_every_team_finds_the_same_and_a_missing_neighbour_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "QUERIES", 50)
    chance = np.random.Generator(np.random.PCG64(3))
    # Some are the same vector, and some none at all.
    vectors = chance.normal(size=(COUNT, 12)).astype(np.float16)[chance.integers(0, COUNT, COUNT)]
    vectors[::17] = 0
    table = Table(vectors, np.arange(COUNT), np.arange(COUNT) * 3)
    alone, *others = (find_neighbourhood(table, team) for team in (Threads(), Threads(2), Threads(5), Elsewhere()))
    assert alone.nearest.shape == (112, 90)
    for other in others:
        for name in ("ids", "vectors", "nearest", "distances"):
            assert getattr(other, name).tobytes() == getattr(alone, name).tobytes()
    forgetful = Elsewhere(lambda *columns: tuple(column[:-1] for column in columns))
    with pytest.raises(ClusterFailed, match="a worker returned neighbours that are not possible"):
        find_neighbourhood(table, forgetful)
