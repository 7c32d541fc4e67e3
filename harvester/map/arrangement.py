"""Where the sounds of a map lie, and to which community each belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from harvester.graph import Selected
from harvester.map.edges import DrawnEdges
from harvester.map.grouping import Communities
from harvester.map.layout import lay_out
from harvester.map.vector_places import VectorPlaces


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Places of sounds, shape (n, 2), and their communities.

    `alone` marks the sounds in the strip below the others.
    """

    places: npt.NDArray[np.uint16]
    communities: Communities
    alone: npt.NDArray[np.bool_]


Arrange = Callable[[Selected, DrawnEdges], Arrangement]


def arrange_by(vectors: VectorPlaces | None) -> Arrange:
    """Return how to arrange: by the vectors, or by the graph without them."""
    return partial(arranged, vectors=vectors)


def arranged(selected: Selected, edges: DrawnEdges, vectors: VectorPlaces | None = None) -> Arrangement:
    """Lay out the sounds, and find their communities."""
    communities = Communities(selected, edges.source, edges.target)
    wanted = None if vectors is None else vectors.places(selected.sound_ids)
    layout = lay_out(len(selected), edges.source, edges.target, edges.score, communities.clarity, wanted)
    return Arrangement(layout.places, communities, layout.alone)
