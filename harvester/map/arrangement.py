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


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Places of sounds, shape (n, 2), and their communities."""

    places: npt.NDArray[np.uint16]
    communities: Communities


Arrange = Callable[[Selected, DrawnEdges], Arrangement]


def arranged(selected: Selected, edges: DrawnEdges) -> Arrangement:
    """Lay out the sounds, and find their communities."""
    places = lay_out(len(selected), edges.source, edges.target)
    return Arrangement(places, Communities(selected, edges.source, edges.target))
