"""The nearest vectors of some sounds are those of brute force, each sound without itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harvester.errors import SettingsError
from harvester.similarity.neighbourhood import find_neighbourhood
from tests.unit.similarity.test_nearest import keep, state_of

COUNT = 120


def test_each_sound_has_the_nearest_of_those_that_were_asked_for(tmp_path: Path) -> None:
    chance = np.random.Generator(np.random.PCG64(2))
    numbers = chance.normal(size=(COUNT, 100)).astype(np.float16).astype(np.float64)
    keep(tmp_path, {at + 1: row.tolist() for at, row in enumerate(numbers)})
    state = state_of(*range(1, COUNT + 5))
    # Sounds after the last one have no vector, and the first ten are not asked for.
    found = find_neighbourhood(tmp_path, state, range(11, COUNT + 5))
    assert found.ids.tolist() == list(range(11, COUNT + 1))
    units = numbers[10:] / np.linalg.norm(numbers[10:], axis=1)[:, None]
    assert found.vectors == pytest.approx(units, abs=1e-3)
    apart = 1 - units @ units.T
    np.fill_diagonal(apart, np.inf)
    assert all(len(set(row)) == 90 for row in found.nearest.tolist())
    assert np.take_along_axis(apart, found.nearest, axis=1) == pytest.approx(np.sort(apart, axis=1)[:, :90], abs=1e-5)
    assert found.distances == pytest.approx(np.sort(apart, axis=1)[:, :90], abs=1e-5)


def test_a_library_without_vectors_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no vectors: fetch them"):
        find_neighbourhood(tmp_path, state_of(1), [1])
