"""Build a state of whole sounds, as an export or a database has them.

Owns what makes sounds from a file of another form a library again: each value is checked by the rules of checkpoints,
a neighbour that is not in the file is a sound without a record, and an id stands once. The texts of the sounds are
those of `graph.whole_sound`.
"""

from __future__ import annotations

from typing import Any

from harvester.checkpoint import ContentReader
from harvester.errors import LibraryCorrupt, WrongSource
from harvester.graph import LibraryFacts, SoundGraph, WholeSound
from harvester.library_source import join_sources
from harvester.model import SPACES

_MOST_VALUES = 2**62
"""No limit: unlike a pickle, JSON shares no container, so a file has a byte for each value."""


class WholeLibrary:
    """Whole sounds and facts of one library, collected from a file.

    The methods raise `LibraryCorrupt` with one line that begins with `place`, where the value stands in the file.
    """

    def __init__(self) -> None:
        """Begin without a sound."""
        self.source = ""
        self._space = ""
        self._seeds: set[int] = set()
        self._reader = ContentReader(_MOST_VALUES)
        self._nodes: dict[int, dict[str, Any]] = {}
        self._sounds: dict[int, tuple[str, WholeSound]] = {}

    def __len__(self) -> int:
        return len(self._sounds)

    def place_of(self, sound_id: int) -> str:
        """Return where the sound stands, or an empty text."""
        return self._sounds[sound_id][0] if sound_id in self._sounds else ""

    def has_edge(self, source: object, target: object) -> bool:
        """Tell whether a sound that was added has an edge to `target`."""
        return isinstance(source, int) and source in self._sounds and target in self._sounds[source][1].edges

    def add(self, place: str, sound: WholeSound) -> None:
        """Add a sound; its values are checked."""
        sound_id = sound.sound_id
        if sound_id in self._sounds:
            raise LibraryCorrupt(f"{place}: sound {sound_id} stands in {self.place_of(sound_id)} already")
        try:
            attributes = self._reader.attributes(sound_id, sound.attributes)
        except LibraryCorrupt as error:
            raise LibraryCorrupt(f"{place}: {error}") from error
        self._take_space(place, attributes.get("link_space", ""))
        self._nodes[sound_id] = attributes
        self._sounds[sound_id] = place, sound

    def add_facts(self, place: str, facts: LibraryFacts) -> None:
        """Add facts, with the hidden sounds in them.

        Raises `WrongSource` where the facts in one file name two libraries.
        """
        joined = join_sources(self.source, facts.source)
        if joined is None:
            raise WrongSource(f"{place}: it is of {facts.source}, and what stands before is of {self.source}")
        self.source = joined
        self._take_space(place, facts.space)
        self._seeds.update(facts.seeds)
        for sound in facts.hidden:
            self.add(place, sound)

    def _take_space(self, place: str, space: str) -> None:
        if space and space not in SPACES:
            raise LibraryCorrupt(f"{place}: a similar list has an unknown similarity space")
        if space and self._space not in ("", space):
            raise WrongSource(f"{place}: it has the similarity space {space}, and what stands before has {self._space}")
        self._space = space or self._space

    def state(self) -> SoundGraph:
        """Return the state; call it once, after everything was added."""
        for _, sound in self._sounds.values():
            for target in sound.edges:
                # A sound is known at the latest since it is in a list.
                known_at = sound.attributes.get("linked_at", sound.attributes["added_at"])
                unknown = self._nodes.setdefault(target, {"added_at": known_at})
                if target not in self._sounds:
                    unknown["added_at"] = min(unknown["added_at"], known_at)
        edges = {sound_id: self._edges(sound_id) for sound_id in self._nodes}
        state = SoundGraph.adopt(self._nodes, edges, seeds=self._seeds, source=self.source)
        state.space = self._space or state.space
        state.has_weights = self._reader.found_weights
        return state

    def _edges(self, sound_id: int) -> dict[int, dict[str, Any]]:
        if sound_id not in self._sounds:
            return {}
        place, sound = self._sounds[sound_id]
        try:
            return self._reader.adjacency(
                sound_id, sound.edges, self._nodes.keys(), has_list="linked_at" in self._nodes[sound_id]
            )
        except LibraryCorrupt as error:
            raise LibraryCorrupt(f"{place}: {error}") from error
