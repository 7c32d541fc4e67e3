"""A state whose sounds are read from a file when they are asked for.

Owns how such a state is changed by events all the same, as those of a journal that its file lacks: what they change or
add is kept in memory, and lies over the file.
"""

from __future__ import annotations

from typing import Any

from harvester.graph.attributes import is_gone
from harvester.graph.lent import LaidOver
from harvester.graph.state import SoundGraph


class OnDiskState(SoundGraph):
    """A state over a file; `gone_below` are the sounds that are gone there."""

    def __init__(self) -> None:
        super().__init__()
        self.gone_below: set[int] = set()

    def is_gone(self, sound_id: int) -> bool:
        """Tell whether views must hide the sound, without reading its file."""
        above = self.above.get(sound_id)
        return sound_id in self.gone_below if above is None else is_gone(above)

    @property
    def above(self) -> dict[int, dict[str, Any]]:
        """Return the attributes of the sounds that events changed or added."""
        nodes = self.graph._node
        above: dict[int, dict[str, Any]] = nodes.above if isinstance(nodes, LaidOver) else nodes
        return above
