"""Dicts of sounds by id, which are made for their reader.

Owns what a graph needs of a store that keeps its sounds in another form: packed in memory, or in a file. What is read
is made for the reader, and changing it changes nothing; what is owned is kept as it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

D = TypeVar("D", bound=dict[Any, Any])
D_co = TypeVar("D_co", bound=dict[Any, Any], covariant=True)


class LentById(Mapping[int, D]):
    """A dict of each sound. Not thread-safe for changes."""

    def own(self, sound_id: int) -> D:
        """Return a sound's dict to change it; from now on it is kept."""
        raise NotImplementedError

    def plain(self) -> dict[int, D]:
        """Return all dicts by id."""
        return {sound_id: self.own(sound_id) for sound_id in self}

    def value(self, sound_id: int, name: str, default: Any = None) -> Any:
        """Return one value of a sound's dict."""
        return self[sound_id].get(name, default)

    def shared_id(self, sound_id: int) -> int:
        """Return the id as the object that a sound's record in memory has."""
        return sound_id

    def stamps(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield each id with one value, or None."""
        return ((sound_id, self.value(sound_id, name)) for sound_id in self)

    def are_there(self, sound_id: int) -> bool:
        """Tell whether a sound's dict has anything."""
        return bool(self[sound_id])

    def __setitem__(self, sound_id: int, kept: D) -> None:
        raise NotImplementedError


class Below(Protocol[D_co]):
    """Dicts by id that never change, in the order of a file."""

    def __getitem__(self, sound_id: int, /) -> D_co:
        """Return a dict, which the caller does not change."""

    def __contains__(self, sound_id: object, /) -> bool:
        """Tell whether the sound is there."""

    def __iter__(self) -> Iterator[int]:
        """Return the ids."""

    def __len__(self) -> int:
        """Return the number of sounds."""

    def value(self, sound_id: int, name: str, default: Any, /) -> Any:
        """Return one value of a dict."""


class LaidOver(LentById[D]):
    """Dicts of a file, with those that changed or were added over them.

    `above` has the latter, by id.
    """

    def __init__(self, below: Below[D]) -> None:
        self._below = below
        self.above: dict[int, D] = {}
        self._added: dict[int, None] = {}

    def own(self, sound_id: int) -> D:
        """Return a sound's dict to change it; from now on it is kept."""
        found = self.above.get(sound_id)
        if found is None:
            found = self.above[sound_id] = _copy(self._below[sound_id])
        return found

    def plain(self) -> dict[int, D]:
        """Return all dicts by id; nothing else refers to them."""
        return {sound_id: _copy(self[sound_id]) for sound_id in self}

    def value(self, sound_id: int, name: str, default: Any = None) -> Any:
        """Return one value of a sound's dict."""
        found = self.above.get(sound_id)
        return self._below.value(sound_id, name, default) if found is None else found.get(name, default)

    def __getitem__(self, sound_id: int) -> D:
        found = self.above.get(sound_id)
        return self._below[sound_id] if found is None else found

    def __setitem__(self, sound_id: int, kept: D) -> None:
        if sound_id not in self._below:
            self._added[sound_id] = None
        self.above[sound_id] = kept

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self.above or sound_id in self._below

    def __iter__(self) -> Iterator[int]:
        yield from self._below
        yield from self._added

    def __len__(self) -> int:
        return len(self._below) + len(self._added)


def _copy(found: D) -> D:
    """Return a copy of a dict and of its dicts: those of edges are changed."""
    copied: Any = {name: dict(value) if type(value) is dict else value for name, value in found.items()}
    return copied  # type: ignore[no-any-return]
