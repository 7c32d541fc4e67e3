"""Make the texts of an export from which it can be imported.

Owns what an export of tables and objects carries beside them: at each sound its canonical text (`record`), and in a few
places texts with the facts of the library (`library`). Of a whole library these have its seeds and its deleted and
withdrawn sounds, spread over the sounds of the export, so that no line of a file is much longer than the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harvester.graph import MEASURES, RELATION_FIELDS, Edge, Selected, library_text, sound_text, stands_apart

WHOLE_KEYS = ("record", "library")
"""The names of the two texts, in every format."""
_KEYS = frozenset({"processed", *WHOLE_KEYS, *MEASURES})
"""Keys of an exported object which are not the sound's own."""


class WholeTexts:
    """The texts of one selection."""

    def __init__(self, selected: Selected) -> None:
        """Find the hidden sounds; only a whole selection tells of them."""
        self._selected = selected
        state = selected.state
        gone = filter(state.is_gone, state.graph)
        self._hidden = sorted(gone) if selected.is_whole and state.gone_count else []

    def text(self, sound_id: int) -> str:
        """Return a sound's canonical text, with the edges that belong to it.

        Of a selection these are the selected ones.
        """
        state = self._selected.state
        attributes, edges = state.attributes(sound_id), state.graph.succ[sound_id]
        if self._selected.is_whole:
            return sound_text(sound_id, attributes, edges)
        kept = self._selected.edges_of(sound_id)
        return sound_text(
            sound_id, attributes, {edge.target: _attributes(edge) for edge in kept}, partial=_is_cut(edges, kept)
        )

    def shows_all(self, sound_id: int, shown: Sequence[Edge]) -> bool:
        """Tell whether a plain object of the sound and these edges says all.

        It does not when a field has the name of another key, or when edges are left out.
        """
        state = self._selected.state
        attributes, edges = state.attributes(sound_id), state.graph.succ[sound_id]
        if stands_apart(attributes) or not _KEYS.isdisjoint(attributes):
            return False
        return len(shown) == len(edges) if self._selected.is_whole else not _is_cut(edges, shown)

    def library(self, place: int) -> str:
        """Return the facts that stand at the sound number `place`, or no text."""
        state, whole = self._selected.state, self._selected.is_whole
        hidden = self._hidden[place :: len(self._selected) or 1]
        says = len(self._selected) > 0 or (whole and bool(state.seeds or state.source or hidden))
        is_first = place == 0 and says
        if not is_first and not hidden:
            return ""
        return library_text(state, facts=is_first, seeds=is_first and whole, hidden=hidden)

    def all_of_library(self) -> str:
        """Return all facts in one text."""
        return library_text(self._selected.state, seeds=self._selected.is_whole, hidden=self._hidden)


def _is_cut(edges: Any, shown: Sequence[Edge]) -> bool:
    """Tell whether a similar list is shown in part only."""
    return sum("score" in edge for edge in edges.values()) > sum(edge.score is not None for edge in shown)


def _attributes(edge: Edge) -> dict[str, Any]:
    found: dict[str, Any] = {} if edge.score is None else {"score": edge.score}
    for name in RELATION_FIELDS:
        if (text := getattr(edge, name)) is not None:
            found[name] = json.loads(text)
    return found
