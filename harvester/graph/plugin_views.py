"""Show plugins the sounds, edges and graph of a library, read-only.

Plugin authors rely on these types: they change only with a new major version. Values are checked by the rules of
records, and containers are frozen, so that no plugin can change a library by mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from harvester.graph.queries import KnownSounds
from harvester.graph.selection import Edge, Selected
from harvester.records import value_of


class SoundView(Protocol):
    """One sound, read-only."""

    @property
    def id(self) -> int:
        """The sound's id on Freesound."""

    @property
    def processed(self) -> bool:
        """Whether the library has the sound's record and its similar list."""

    @property
    def raw(self) -> Mapping[str, Any]:
        """The record as the API sent it, and our stamps, of any type."""

    def value(self, field: str) -> Any:
        """Return a field's value, of the type that the API documents.

        None if the field is missing, or its value has another type.
        """


class ExportView(Protocol):
    """The selected sounds of a library and the edges among them, read-only.

    `source` is the catalogue (the API's address, or a sandbox), `similarity_space` that of the scores.
    """

    @property
    def source(self) -> str:
        """The catalogue: the API's address, or `sandbox:` with a digest."""

    @property
    def similarity_space(self) -> str:
        """The space of the scores: `laion_clap` or `freesound_classic`."""

    def __len__(self) -> int:
        """Return the number of sounds."""

    def __contains__(self, sound_id: object) -> bool:
        """Tell whether the sound with this id is selected."""

    def sounds(self) -> Iterable[SoundView]:
        """Return the sounds by ascending id, to iterate once."""

    def edges(self) -> Iterable[Edge]:
        """Return the edges by source, best score first, to iterate once."""


class SelectedView:
    """A selection as plugins see it; `selected` is for our own formats."""

    def __init__(self, selected: Selected) -> None:
        self.selected = selected
        self.source = selected.state.source
        self.similarity_space = selected.state.space

    def __len__(self) -> int:
        return len(self.selected)

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self.selected

    def sounds(self) -> Iterator[SoundView]:
        """Yield the sounds by ascending id."""
        state = self.selected.state
        return (_StateSound(state, sound_id) for sound_id in self.selected.sound_ids)

    def edges(self) -> Iterator[Edge]:
        """Yield the edges by source, best score first."""
        return self.selected.edges()


class GraphView:
    """The graph of a library while a harvest grows it, read-only.

    Methods raise `KeyError` for a sound that is not in the library.
    """

    def __init__(self, state: KnownSounds) -> None:
        """Only harvester makes one."""
        self._state = state

    def __len__(self) -> int:
        return len(self._state)

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self._state

    @property
    def seeds(self) -> Collection[int]:
        """The ids from which harvests started, in ascending order."""
        return tuple(sorted(self._state.seeds))

    def is_processed(self, sound_id: int) -> bool:
        """Tell whether the library has the sound's record and its similar list."""
        return sound_id in self._state.processed

    def value(self, sound_id: int, field: str) -> Any:
        """Return a field's value as `SoundView.value` does."""
        return _frozen(value_of(self._state.attributes(sound_id), field))

    def neighbours(self, sound_id: int) -> tuple[tuple[int, float], ...]:
        """Return the similar list as (id, score), best first; empty without."""
        if sound_id not in self._state:
            raise KeyError(sound_id)
        similar = self._state.similar(sound_id)
        return () if similar is None else similar.neighbours

    def targets(self, sound_id: int) -> Iterator[int]:
        """Yield the ends of the sound's edges: similar and related sounds."""
        return iter(self._state.graph.succ[sound_id])


class _StateSound:
    """A sound of a state; it reads the state when it is asked."""

    def __init__(self, state: KnownSounds, sound_id: int) -> None:
        self._state = state
        self.id = sound_id

    @property
    def processed(self) -> bool:
        return self.id in self._state.processed

    @property
    def raw(self) -> Mapping[str, Any]:
        raw: Mapping[str, Any] = _frozen(self._state.attributes(self.id))
        return raw

    def value(self, field: str) -> Any:
        return _frozen(value_of(self._state.attributes(self.id), field))


def _frozen(value: Any) -> Any:
    """Return a JSON value with its lists and dicts made read-only."""
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return value
