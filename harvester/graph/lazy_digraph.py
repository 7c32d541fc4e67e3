"""The NetworkX graph of a library: a DiGraph that makes its mirror of predecessors once somebody asks for it.

Owns the storage of nodes and edges. A harvest, a checkpoint and a merge only ever follow edges forward; a mirror of a
million of them costs a second and 60 MB, so it is not there before the first reader of `pred`. From then on each change
keeps it true. Copied by pickle it is a plain DiGraph: nobody needs this package to read what it gives away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import networkx as nx

Edge = dict[str, Any]
_VIEWS = ("pred", "in_edges", "degree", "out_degree", "in_degree")
"""What NetworkX keeps of a graph once asked for, and forgets when the predecessors are replaced."""


class LibraryGraph(nx.DiGraph):  # type: ignore[misc]  # NetworkX has no types
    """A directed graph of sounds; every method of DiGraph works, and builds the mirror where it needs one."""

    def __init__(self, incoming_graph_data: Any = None, **attributes: Any) -> None:
        super().__init__(incoming_graph_data, **attributes)
        if not self._adj:
            self._forget_mirror()

    @property
    def _pred(self) -> dict[int, dict[int, Edge]]:
        mirror: dict[int, dict[int, Edge]] | None = self.__dict__.get("_mirror")
        if mirror is None:
            mirror = {sound_id: {} for sound_id in self._adj}
            for source_id, neighbours in self._adj.items():
                for target_id, edge in neighbours.items():
                    mirror[target_id][source_id] = edge
            # Threads that ask at once all get the same one.
            mirror = self.__dict__.setdefault("_mirror", mirror)
        return mirror

    @_pred.setter
    def _pred(self, mirror: dict[int, dict[int, Edge]]) -> None:
        # What NetworkX sets is kept, be it empty: a view's mirror is another graph's, and grows with it.
        self._forget_mirror()
        self.__dict__["_mirror"] = mirror

    def _forget_mirror(self) -> None:
        for name in ("_mirror", *_VIEWS):
            self.__dict__.pop(name, None)

    def __reduce__(self) -> tuple[Any, ...]:
        plain = nx.DiGraph()
        plain.graph.update(self.graph)
        plain._node, plain._adj, plain._pred = self._node, self._adj, self._pred
        return nx.DiGraph, (), plain.__dict__

    # DiGraph removes an edge forwards first: a mirror made after that would lack what is to be removed from it.

    def remove_node(self, n: int) -> None:
        self._see_both_ways()
        super().remove_node(n)

    def remove_nodes_from(self, nodes: Iterable[int]) -> None:
        self._see_both_ways()
        super().remove_nodes_from(nodes)

    def remove_edge(self, u: int, v: int) -> None:
        self._see_both_ways()
        super().remove_edge(u, v)

    def remove_edges_from(self, ebunch: Iterable[tuple[int, int]]) -> None:
        self._see_both_ways()
        super().remove_edges_from(ebunch)

    def _see_both_ways(self) -> dict[int, dict[int, Edge]]:
        return self._pred

    def adopt(self, nodes: dict[int, dict[str, Any]], edges: dict[int, dict[int, Edge]]) -> None:
        """Take these dicts for the whole content: each end of an edge is in `nodes`, each node in `edges`."""
        # What NetworkX documents for subclasses; its public way copies each of a million edge dicts one by one.
        self._node, self._adj = nodes, edges
        self._forget_mirror()

    def know(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Add a node that is not there yet, with this dict for its attributes."""
        self._writable()
        self._node[sound_id] = attributes
        self._adj[sound_id] = {}
        if (mirror := self.__dict__.get("_mirror")) is not None:
            mirror[sound_id] = {}

    def relink(self, sound_id: int, neighbours: dict[int, Edge]) -> None:
        """Replace all out-edges of a node; each target must be a node."""
        self._writable()
        known = self._adj[sound_id]
        mirror = self.__dict__.get("_mirror")
        if mirror is not None:
            for target_id in known:
                del mirror[target_id][sound_id]
            for target_id, edge in neighbours.items():
                mirror[target_id][sound_id] = edge
        # The dict object stays: readers of the graph hold it.
        known.clear()
        known.update(neighbours)

    def freeze(self) -> None:
        """Let nobody add or remove nodes or edges any more."""
        nx.freeze(self)

    def _writable(self) -> None:
        if "frozen" in self.__dict__:
            raise nx.NetworkXError("Frozen graph can't be modified")
