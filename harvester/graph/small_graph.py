"""The sounds of a file and their edges, without NetworkX.

Owns a graph with what a state reads and changes of it: importing NetworkX takes as long as an answer from an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
        self._sources: dict[int, set[int]] = {}
        self.pred = _InEdges(nodes, edges, edges_to, self._sources)

    @property
    def nodes(self) -> LaidOver[dict[str, Any]]:
        """The attributes by id."""
        return self._node

    @property
    def succ(self) -> LaidOver[Neighbours]:
        """The edges by source and target."""
        return self._adj

    def own_edges(self, sound_id: int) -> Neighbours:
        """Return a node's out-edges to change them."""
        edges = super().own_edges(sound_id)
        self._note(sound_id, edges)
        return edges

    def relink(self, sound_id: int, neighbours: Neighbours) -> None:
        """Replace all out-edges of a node; each target must be a node."""
        super().relink(sound_id, neighbours)
        self._note(sound_id, neighbours)

    def link(self, source_id: int, target_id: int, edge: Edge) -> None:
        """Add one edge, which is not there yet; both ends must be nodes."""
        super().link(source_id, target_id, edge)
        self._note(source_id, (target_id,))

    def _note(self, source_id: int, targets: Iterable[int]) -> None:
        for target_id in targets:
            self._sources.setdefault(target_id, set()).add(source_id)

    def __iter__(self) -> Iterator[int]:
        return iter(self._node)

    def __len__(self) -> int:
        return len(self._node)


class _InEdges(Mapping[int, Neighbours]):
    """The edges by target and source.

    `sources` has, by target, the sounds that have or had an edge to it since the file.
    """

    def __init__(
        self,
        nodes: Mapping[int, object],
        edges: LaidOver[Neighbours],
        edges_to: Callable[[int], Neighbours],
        sources: Mapping[int, Iterable[int]],
    ) -> None:
        self._nodes, self._edges, self._edges_to, self._sources = nodes, edges, edges_to, sources

    def __getitem__(self, sound_id: int) -> Neighbours:
        above = self._edges.above
        found = {source: edge for source, edge in self._edges_to(sound_id).items() if source not in above}
        for source in self._sources.get(sound_id, ()):
            if sound_id in above[source]:
                found[source] = above[source][sound_id]
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)
