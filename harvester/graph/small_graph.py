"""A few sounds and their edges, where NetworkX is not worth its import.

Owns a read-only stand-in for the graph of a state: it has what the views of a state read, and nothing of NetworkX.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Adjacency = dict[int, dict[int, dict[str, Any]]]


class SmallGraph:
    """Attributes by id, and edges by source and target.

    `nodes` has every end of an edge; `succ` and `pred` have an entry for each node.
    """

    def __init__(self, nodes: dict[int, dict[str, Any]], edges: Adjacency) -> None:
        self.nodes = self._node = nodes
        self.succ: Adjacency = {sound_id: edges.get(sound_id, {}) for sound_id in nodes}
        self.pred: Adjacency = {sound_id: {} for sound_id in nodes}
        for source, targets in edges.items():
            for target, edge in targets.items():
                self.pred[target][source] = edge
        self._adj = self.succ

    def some(self, sound_id: int, names: Iterable[str]) -> dict[str, Any]:
        """Return the attributes of a node with these names, without nulls."""
        attributes = self.nodes[sound_id]
        return {name: value for name in names if (value := attributes.get(name)) is not None}

    def __iter__(self) -> Iterator[int]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)
