"""Values of sounds by id, most of them packed, which are read as dicts.

Owns what packed records and packed edges have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, KeysView, MutableMapping
from typing import Any

from harvester.graph.lent import D, LentById


class PackedById(LentById[D], MutableMapping[int, D]):
    """A dict of each sound, packed or as it is in `_kept`.

    Reading a packed one makes a new dict; changing it changes nothing here. Not thread-safe for changes.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Any] = {}

    def own(self, sound_id: int) -> D:
        """Return a sound's dict to change it; from now on it is kept."""
        found = self._kept[sound_id] = self[sound_id]
        return found

    def __delitem__(self, sound_id: int) -> None:
        del self._kept[sound_id]

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self._kept

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def keys(self) -> KeysView[int]:
        """Return the ids, a view in C."""
        return self._kept.keys()
