"""Take some sounds out of a library, to work on them elsewhere.

Invariant: of its sounds, an excerpt has the same attributes, measures and edges as the selection that it is from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harvester.graph.edges import EdgeRule
from harvester.graph.measures import Measures
from harvester.graph.selection import Selected
from harvester.graph.state import SoundGraph


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Plain data of some sounds, which another process can read.

    `edges` has all out-edges by source and target, `members` the targets that are selected, `processed` the
    sounds that are.
    """

    attributes: dict[int, Mapping[str, Any]]
    edges: dict[int, dict[int, dict[str, Any]]]
    members: frozenset[int]
    processed: frozenset[int]
    measures: dict[int, Measures]
    edge_rule: EdgeRule
    is_whole: bool

    def selected(self) -> Selected:
        """Return the sounds as a selection of a state of their own.

        The state has no other sounds, not even as ends of edges: only out-edges can be asked for.
        """
        state = SoundGraph()
        state.graph.adopt({one: dict(self.attributes.get(one, {})) for one in self.edges}, self.edges)
        state.processed.update(self.processed)
        state.measures = self.measures
        return Selected(state, self.edges, self.edge_rule, is_whole=self.is_whole, others=self.members)


def take_excerpt(selected: Selected, sound_ids: Sequence[int], *, attributes: bool = True) -> Excerpt:
    """Return some sounds of a selection, or their edges only."""
    state = selected.state
    edges = {sound_id: dict(state.graph._adj[sound_id]) for sound_id in sound_ids}
    return Excerpt(
        {sound_id: state.attributes(sound_id) for sound_id in sound_ids if attributes},
        edges,
        frozenset().union(*edges.values()) & selected.members,
        frozenset(state.processed.intersection(sound_ids)),
        {sound_id: state.measures[sound_id] for sound_id in sound_ids if sound_id in state.measures},
        selected.edge_rule,
        selected.is_whole,
    )
