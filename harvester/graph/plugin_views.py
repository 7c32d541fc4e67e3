"""Show plugins the sounds, edges and graph of a library, read-only.

Plugin authors rely on these types: they change only with a new major version. Values are checked by the rules of
records, and containers are frozen, so that no plugin can change a library by mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Protocol

from harvester.graph.edges import Edge
from harvester.graph.queries import KnownSounds
from harvester.graph.selection import Selected
from harvester.graph.sound import Sound, frozen
from harvester.records import value_of


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

    def sounds(self) -> Iterable[Sound]:
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

    def sounds(self) -> Iterator[Sound]:
        """Yield the sounds by ascending id."""
        return map(self.selected.state.sound, self.selected.sound_ids)

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
        """Return a field's value as `Sound.value` does."""
        return frozen(value_of(self._state.attributes(sound_id), field))

    def neighbours(self, sound_id: int) -> tuple[tuple[int, float], ...]:
        """Return the similar list as (id, score), best first; empty without."""
        if sound_id not in self._state:
            raise KeyError(sound_id)
        similar = self._state.similar(sound_id)
        return () if similar is None else similar.neighbours

    def targets(self, sound_id: int) -> Iterator[int]:
        """Yield the ends of the sound's edges: similar and related sounds."""
        return iter(self._state.graph.succ[sound_id])
