"""The sounds of a file and their edges, without NetworkX.

Owns a graph with what a state reads and changes of it: importing NetworkX takes as long as an answer from an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harvester.graph.held_sounds import Edge, HeldSounds
from harvester.graph.lent import LaidOver

Neighbours = dict[int, Edge]


class SmallGraph(HeldSounds):
    """Attributes by id and edges by source and target, over a file.

    `edges_to` returns the edges to a sound in the file, by source.
    """

    _node: LaidOver[dict[str, Any]]
    _adj: LaidOver[Neighbours]

    def __init__(
        self, nodes: LaidOver[dict[str, Any]], edges: LaidOver[Neighbours], edges_to: Callable[[int], Neighbours]
    ) -> None:
        self.adopt(nodes, edges)
        self.pred = _InEdges(nodes, edges, edges_to)

    @property
    def nodes(self) -> LaidOver[dict[str, Any]]:
        """The attributes by id."""
        return self._node

    @property
    def succ(self) -> LaidOver[Neighbours]:
        """The edges by source and target."""
        return self._adj

    def __iter__(self) -> Iterator[int]:
        return iter(self._node)

    def __len__(self) -> int:
        return len(self._node)


class _InEdges(Mapping[int, Neighbours]):
    """The edges by target and source."""

    def __init__(
        self, nodes: Mapping[int, object], edges: LaidOver[Neighbours], edges_to: Callable[[int], Neighbours]
    ) -> None:
        self._nodes, self._edges, self._edges_to = nodes, edges, edges_to

    def __getitem__(self, sound_id: int) -> Neighbours:
        above = self._edges.above
        found = {source: edge for source, edge in self._edges_to(sound_id).items() if source not in above}
        for source, targets in above.items():
            if sound_id in targets:
                found[source] = targets[sound_id]
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)
