"""The figures of a graph as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Degrees:
    """How many edges the sounds have: the mean, and quantiles.

    `mean` is the average, `least`, `median` and `most` are what they say. At least 95 % of the sounds have at most
    `p95` edges; so for `p25` and `p75`.
    """

    mean: float
    least: int
    p25: int
    median: int
    p75: int
    p95: int
    most: int

    @classmethod
    def of(cls, degrees: Sequence[int]) -> Degrees:
        """Return the quantiles of these degrees, all zero without one."""
        if not degrees:
            return cls(0.0, 0, 0, 0, 0, 0, 0)
        ordered = sorted(degrees)
        places = (max(-(-len(ordered) * percent // 100) - 1, 0) for percent in (0, 25, 50, 75, 95, 100))
        least, p25, median, p75, p95, most = (ordered[place] for place in places)
        return cls(rounded(sum(ordered) / len(ordered)), least, p25, median, p75, p95, most)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a graph.

    A share is from 0 to 1. A figure that the graph has no case of is None, such as the reciprocity without an edge.
    `sounds` and `edges` count; `density` is the share of the possible edges, `reciprocity` that of the edges with one
    in the other direction. `in_degree` and `out_degree` tell how many edges the sounds have. `clustering` is the share
    of closed triples, `mean_clustering` the mean of the sounds' clustering. There are `components` whose sounds are
    connected, and `strong_components` whose sounds are in both directions; `largest_share` and `largest_strong_share`
    are the shares of the sounds in the largest one. `path_length` is the mean number of steps between two sounds of a
    component, `longest_path` the largest number found, both from `path_sources` random sounds. `communities` counts
    them, and `modularity` says how clear they are, at most 1. `max_core_sounds` is the number of sounds in the largest
    core `max_core`.
    """

    sounds: int
    edges: int
    density: float | None
    in_degree: Degrees
    out_degree: Degrees
    reciprocity: float | None
    clustering: float | None
    mean_clustering: float | None
    components: int
    largest_share: float | None
    strong_components: int
    largest_strong_share: float | None
    path_length: float | None
    longest_path: int | None
    path_sources: int
    communities: int
    modularity: float | None
    max_core: int
    max_core_sounds: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return asdict(self)


def rounded(value: float) -> float:
    """Return a number with 6 significant digits."""
    return float(f"{value:.6g}")
