"""The layout by vectors: sounds with near vectors lie together, without any edge."""

from __future__ import annotations

import numpy as np
import pytest

from harvester.graph.selection import select
from harvester.map.arrangement import arrange_by
from harvester.map.edges import DrawnEdges
from harvester.map.vector_places import VectorPlaces
from tests.support.view_samples import make_record, make_state


@pytest.fixture(autouse=True)
def _open_tsne() -> None:
    """Import it when a test runs, not in every process that collects them: sklearn comes along, half a second."""
    pytest.importorskip("openTSNE")


def test_near_vectors_lie_together_and_sounds_without_one_in_the_strip() -> None:
    chance = np.random.Generator(np.random.PCG64(1))
    vectors = np.repeat(np.eye(3, 16), 30, axis=0) + chance.normal(0, 0.05, (90, 16))
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    apart = 1 - vectors @ vectors.T + 9 * np.eye(90)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :60]
    given = VectorPlaces(
        np.arange(1, 91), vectors.astype(np.float32), nearest, np.take_along_axis(apart, nearest, axis=1)
    )
    selected = select(make_state([make_record(at) for at in range(1, 96)]))
    first, second = (arrange_by(given)(selected, DrawnEdges(selected)) for _ in range(2))
    assert first.places.tobytes() == second.places.tobytes()
    assert np.flatnonzero(first.alone).tolist() == [90, 91, 92, 93, 94]
    places = first.places[:90].astype(float).reshape(3, 30, 2)
    middles = places.mean(axis=1)
    radius = np.linalg.norm(places - middles[:, None], axis=2).mean()
    assert min(np.linalg.norm(middles[one] - middles[one - 1]) for one in range(3)) > 2 * radius


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_sounds_lie_on_the_axes_of_their_vectors(count: int) -> None:
    vectors = np.eye(count, 8, dtype=np.float32)
    none = np.zeros((count, count - 1))
    given = VectorPlaces(np.arange(1, count + 1), vectors, none.astype(np.int64), none)
    selected = select(make_state([make_record(at) for at in range(1, count + 1)]))
    places = arrange_by(given)(selected, DrawnEdges(selected)).places
    assert len({tuple(place) for place in places.tolist()}) == count
