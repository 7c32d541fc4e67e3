"""The communities of a map's sounds, with their names.

Those of `harvester analyse` where the library has an analysis, so that the numbers in the names are those of
`--community`; else those that the map finds itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

from harvester.graph import Selected, name_communities
from harvester.map.communities import Indices, find_communities

_UNKNOWN = 0
"""Analyses number communities from 1."""


class Communities:
    """The community of each sound: numbered from 0, the largest first.

    Sounds that an analysis lacks are the last one. `found` takes the place of those that the map would find itself.
    """

    def __init__(self, selected: Selected, source: Indices, target: Indices, found: Indices | None = None) -> None:
        measures = selected.state.measures
        known = [measures[one].community if one in measures else _UNKNOWN for one in selected.sound_ids]
        sizes = Counter(known)
        self._numbers = sorted(sizes, key=lambda one: (one == _UNKNOWN, -sizes[one], one)) if any(known) else []
        place = {number: index for index, number in enumerate(self._numbers)}
        if place:
            found = np.array([place[one] for one in known], dtype=np.int64)
        self.of: Indices = find_communities(len(known), source, target) if found is None else found

    @property
    def has_unknown(self) -> bool:
        """Whether the last community is of sounds that the analysis lacks."""
        return self._numbers[-1:] == [_UNKNOWN]

    def names(self, tags: Sequence[Set[str]]) -> list[str]:
        """Return the name of each community; `tags` are each sound's."""
        names = name_communities(self.of.tolist(), tags)
        if not self._numbers:
            return names
        named = [f"{name} ({number})" for name, number in zip(names, self._numbers, strict=True)]
        return [*named[:-1], "not analysed"] if self.has_unknown else named
