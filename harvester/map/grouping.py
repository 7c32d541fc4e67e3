"""The communities of a map's sounds, with their names.

Those of `harvester analyse` where the library has an analysis, so that the numbers in the names are those of
`--community`; else those that the map finds itself. Communities of few sounds have neither name nor colour, and where
the graph has no clear groups none has.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from harvester.graph import NAMED_FROM, Selected, TellingWords, name_communities
from harvester.map.communities import Clarity, Indices, distinct_edges, find_communities

SINGLE, UNKNOWN, NO_GROUPS = "single sounds", "not analysed", "no clear groups"

_NOT_ANALYSED = 0
"""Analyses number communities from 1."""


class Communities:
    """The community of each sound: numbered from 0, the largest first.

    `of` has the number of each sound's, `clarity` tells how clear they are. Sounds that an analysis lacks are the last
    one. `found` takes the place of those that the map would find itself; `before` is the clarity of an earlier picture,
    and is kept if nothing has changed.
    """

    def __init__(
        self,
        selected: Selected,
        source: Indices,
        target: Indices,
        found: Indices | None = None,
        before: Clarity | None = None,
    ) -> None:
        self._selected = selected
        measures = selected.state.measures
        known = [measures[one].community if one in measures else _NOT_ANALYSED for one in selected.sound_ids]
        sizes = Counter(known)
        self._numbers = sorted(sizes, key=lambda one: (one == _NOT_ANALYSED, -sizes[one], one)) if any(known) else []
        place = {number: index for index, number in enumerate(self._numbers)}
        if place:
            found = np.array([place[one] for one in known], dtype=np.int64)
        self.of: Indices = find_communities(len(known), source, target) if found is None else found
        edges = distinct_edges(len(known), source, target)
        is_same = before is not None and before.is_of(self.of, *edges)
        self.clarity = before if before is not None and is_same else Clarity(self.of, *edges)
        self._names: list[str] | None = None

    def members(self) -> list[Indices]:
        """Return the sounds of each community that gets a name, in order."""
        if not self.clarity.are_clear:
            return []
        counted = np.bincount(self.of)
        last = len(counted) - (1 if self._numbers[-1:] == [_NOT_ANALYSED] else 0)
        return [np.flatnonzero(self.of == one) for one in range(last) if counted[one] >= NAMED_FROM]

    def names(self) -> list[str]:
        """Return the names of the communities of `members`."""
        if self._names is None:
            members = self.members()
            words = TellingWords(self._selected.sounds() if members else ())
            names = name_communities([one.tolist() for one in members], words)
            if self._numbers:
                numbered = zip(names, self._numbers[: len(names)], strict=True)
                names = [f"{name} ({number})" for name, number in numbered]
            self._names = names
        return self._names

    def labels(self) -> list[str]:
        """Return the text of each sound's community in a legend."""
        names = self.names()
        rest = SINGLE if names else NO_GROUPS
        has_unknown = self._numbers[-1:] == [_NOT_ANALYSED]
        unknown = len(self._numbers) - 1 if has_unknown else -1
        return [names[one] if one < len(names) else UNKNOWN if one == unknown else rest for one in self.of.tolist()]
