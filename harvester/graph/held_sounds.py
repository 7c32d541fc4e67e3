"""The sounds and edges that a graph holds, and every change of them.

Owns what both graphs have in common: the one of NetworkX, and the small one that needs no NetworkX. The attributes and
the out-edges of a sound are dicts, or lent by a store that keeps them in another form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harvester.graph.lent import LentById

Edge = dict[str, Any]


class HeldSounds:
    """Attributes by id, and out-edges by source and target."""

    _node: Any
    _adj: Any

    def adopt(self, nodes: Mapping[int, dict[str, Any]], edges: Mapping[int, dict[int, Edge]]) -> None:
        """Replace the content by these mappings.

        Each end of an edge must be in `nodes`, each node in `edges`. Only in dicts and in what `LentById` owns can it
        be changed afterwards.
        """
        self._node, self._adj = nodes, edges

    def own(self, sound_id: int) -> dict[str, Any]:
        """Return a node's attributes to change them."""
        nodes = self._node
        found: dict[str, Any] = nodes.own(sound_id) if isinstance(nodes, LentById) else nodes[sound_id]
        return found

    def own_edges(self, sound_id: int) -> dict[int, Edge]:
        """Return a node's out-edges to change them."""
        edges = self._adj
        found: dict[int, Edge] = edges.own(sound_id) if isinstance(edges, LentById) else edges[sound_id]
        return found

    def value(self, sound_id: int, name: str, default: Any = None) -> Any:
        """Return one attribute of a node; faster than all of them if lent."""
        nodes = self._node
        if isinstance(nodes, LentById):
            return nodes.value(sound_id, name, default)
        return nodes[sound_id].get(name, default)

    def shared_id(self, sound_id: int) -> int:
        """Return a node's id as the int object that its record has.

        With it as the key in every list there is one object for each sound.
        """
        nodes = self._node
        if isinstance(nodes, LentById):
            return nodes.shared_id(sound_id)
        found: int = nodes[sound_id].get("id", sound_id)
        return found

    def some(self, sound_id: int, names: Iterable[str]) -> dict[str, Any]:
        """Return the attributes of a node with these names, without nulls."""
        return {name: value for name in names if (value := self.value(sound_id, name)) is not None}

    def stamps(self, name: str) -> Iterator[tuple[int, int | None]]:
        """Yield each node with one of its stamps, or None; the fastest way."""
        nodes = self._node
        if isinstance(nodes, LentById):
            return nodes.stamps(name)
        return ((sound_id, attributes.get(name)) for sound_id, attributes in nodes.items())

    def has_out_edges(self, sound_id: int) -> bool:
        """Tell whether a node has out-edges."""
        edges = self._adj
        return edges.are_there(sound_id) if isinstance(edges, LentById) else bool(edges[sound_id])

    def know(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Add a new node with this dict as its attributes."""
        self._node[sound_id] = attributes
        self._adj[sound_id] = {}

    def relink(self, sound_id: int, neighbours: dict[int, Edge]) -> None:
        """Replace all out-edges of a node; each target must be a node."""
        self._adj[sound_id] = neighbours

    def link(self, source_id: int, target_id: int, edge: Edge) -> None:
        """Add one edge, which is not there yet; both ends must be nodes."""
        self.own_edges(source_id)[target_id] = edge
