"""A NetworkX DiGraph that builds its predecessors at their first use.

A harvest, a checkpoint and a merge only follow edges forward. The predecessors of a million edges cost a second and 60
MB, so the graph builds them when a caller first reads `pred`; from then on each change updates them. A pickled copy is
a plain DiGraph, which can be loaded without this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

from harvester.graph.held_sounds import Edge, HeldSounds
from harvester.graph.lent import LentById
from harvester.graph.packed_edges import PackedEdges
from harvester.graph.packed_records import PackedRecords

if TYPE_CHECKING:
    # The class takes no parameters when it runs; the stubs `types-networkx` declare one.
    DiGraph: TypeAlias = nx.DiGraph[int]
else:
    DiGraph = nx.DiGraph

_VIEWS = ("pred", "in_edges", "degree", "out_degree", "in_degree")
"""Properties that NetworkX caches in a graph; the cache must be cleared when the predecessors are replaced."""


class LibraryGraph(HeldSounds, nx.DiGraph):  # type: ignore[misc]  # NetworkX has no types
    """A directed graph of sounds with every method of DiGraph.

    The attributes and the out-edges of its nodes may be lent, until `unpack` makes them dicts. Predecessors are built
    of dicts, so that unpacks the edges too.
    """

    _node: Any
    _adj: Any

    def __init__(self, incoming_graph_data: Any = None, **attributes: Any) -> None:
        super().__init__(incoming_graph_data, **attributes)
        if not self._adj:
            self._forget_mirror()

    @property
    def _pred(self) -> dict[int, dict[int, Edge]]:
        mirror: dict[int, dict[int, Edge]] | None = self.__dict__.get("_mirror")
        if mirror is None:
            self._unpack_edges()  # an edge is one dict, for both of its ends
            mirror = {sound_id: {} for sound_id in self._adj}
            for source_id, neighbours in self._adj.items():
                for target_id, edge in neighbours.items():
                    mirror[target_id][source_id] = edge
            # Threads that build the predecessors at the same time all get the same dict.
            mirror = self.__dict__.setdefault("_mirror", mirror)
        return mirror

    @_pred.setter
    def _pred(self, mirror: dict[int, dict[int, Edge]]) -> None:
        # Keep the dict that NetworkX sets, even an empty one: a view's predecessors are another graph's dict, which
        # grows with that graph.
        self._forget_mirror()
        self.__dict__["_mirror"] = mirror

    def _forget_mirror(self) -> None:
        for name in ("_mirror", *_VIEWS):
            self.__dict__.pop(name, None)

    def __reduce__(self) -> tuple[Any, ...]:
        plain = nx.DiGraph()
        plain.graph.update(self.graph)
        self.unpack()
        plain._node, plain._adj, plain._pred = self._node, self._adj, self._pred
        return nx.DiGraph, (), plain.__dict__

    # DiGraph removes an edge from the successors first. Predecessors that were built after that would lack the edge,
    # and removing it from them would fail. So build them before.

    def remove_node(self, n: int) -> None:
        """Remove a node and all its edges."""
        self._build_predecessors()
        super().remove_node(n)

    def remove_nodes_from(self, nodes: Iterable[int]) -> None:
        """Remove several nodes and all their edges."""
        self._build_predecessors()
        super().remove_nodes_from(nodes)

    def remove_edge(self, u: int, v: int) -> None:
        """Remove one edge."""
        self._build_predecessors()
        super().remove_edge(u, v)

    def remove_edges_from(self, ebunch: Iterable[tuple[int, int]]) -> None:
        """Remove several edges."""
        self._build_predecessors()
        super().remove_edges_from(ebunch)

    def _build_predecessors(self) -> dict[int, dict[int, Edge]]:
        return self._pred

    def adopt(self, nodes: Mapping[int, dict[str, Any]], edges: Mapping[int, dict[int, Edge]]) -> None:
        """Replace the content, as `HeldSounds` does."""
        # NetworkX documents these attributes for subclasses; its public methods would copy a million edge dicts.
        super().adopt(nodes, edges)
        self._forget_mirror()

    def pack(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Add a new node whose attributes are kept in packed form.

        Only for a graph that is just being loaded.
        """
        nodes = self._node
        if not isinstance(nodes, PackedRecords):
            nodes, self._adj = PackedRecords(), PackedEdges()
            self._node = nodes
        nodes.pack(sound_id, attributes)
        self._adj[sound_id] = {}

    def extend(self, sound_id: int, more: dict[str, Any]) -> None:
        """Add attributes to a node of `pack` that it does not have yet."""
        self._node.extend(sound_id, more)

    def repack(self, sound_ids: Iterable[int]) -> None:
        """Pack the attributes of nodes again that were added or changed.

        Only in a graph that was loaded in packed form. A dict that `own` gave for one of them is no longer the node's.
        """
        nodes = self._node
        if isinstance(nodes, PackedRecords):
            for sound_id in sound_ids:
                nodes.repack(sound_id)

    def unpack(self) -> None:
        """Make all attributes and edges dicts, as those of any DiGraph are."""
        nodes = self._node
        if isinstance(nodes, LentById):
            self._node = nodes.plain()
        self._unpack_edges()

    def _unpack_edges(self) -> None:
        edges = self._adj
        if isinstance(edges, LentById):
            self._adj = edges.plain()

    def know(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Add a new node with this dict as its attributes."""
        self._writable()
        super().know(sound_id, attributes)
        if (mirror := self.__dict__.get("_mirror")) is not None:
            mirror[sound_id] = {}

    def relink(self, sound_id: int, neighbours: dict[int, Edge]) -> None:
        """Replace all out-edges of a node; each target must be a node."""
        self._writable()
        if isinstance(self._adj, LentById):
            super().relink(sound_id, neighbours)
            return
        known = self._adj[sound_id]
        mirror = self.__dict__.get("_mirror")
        if mirror is not None:
            for target_id in known:
                del mirror[target_id][sound_id]
            for target_id, edge in neighbours.items():
                mirror[target_id][sound_id] = edge
        # Keep the dict object: readers of the graph refer to it.
        known.clear()
        known.update(neighbours)

    def link(self, source_id: int, target_id: int, edge: Edge) -> None:
        """Add one edge, which is not there yet; both ends must be nodes."""
        self._writable()
        super().link(source_id, target_id, edge)
        if (mirror := self.__dict__.get("_mirror")) is not None:
            mirror[target_id][source_id] = edge

    def freeze(self) -> None:
        """Make the graph read-only: adding or removing raises from now on."""
        nx.freeze(self)

    def _writable(self) -> None:
        if "frozen" in self.__dict__:
            raise nx.NetworkXError("Frozen graph can't be modified")
