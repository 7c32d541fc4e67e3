"""Where the sounds of a map lie, and to which community each belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    if vectors is None:
        return arranged
    given = vectors

    def by_vectors(selected: Selected, edges: DrawnEdges) -> Arrangement:
        communities = Communities(selected, edges.source, edges.target)
        wanted = given.places(selected.sound_ids)
        layout = lay_out(len(selected), edges.source, edges.target, communities=communities.of, wanted=wanted)
        return Arrangement(layout.places, communities, layout.alone)

    return by_vectors


def arranged(selected: Selected, edges: DrawnEdges) -> Arrangement:
    """Lay out the sounds, and find their communities."""
    communities = Communities(selected, edges.source, edges.target)
    layout = lay_out(len(selected), edges.source, edges.target, edges.score, communities.of)
    return Arrangement(layout.places, communities, layout.alone)
