"""The state of a library, read from its index and its checkpoint.

Owns how such a state is read sound by sound, and searched. Events may be applied to it, such as those that the journal
has and the checkpoint lacks: it then answers as the loaded library would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harvester.checkpoint import store_open_checkpoint
from harvester.graph import LaidOver, LibraryTally, OnDiskState, SmallGraph, Sound, has_words, rank_words, tokens_of
from harvester.index.reader import Attributes, Index, Neighbours
from harvester.index.schema import GONE, PROCESSED
from harvester.storage import OpenFile

_FEWEST_BLOCKS = 64


class IndexedState(OnDiskState):
    """The state that a proven index describes, until events change it.

    It takes 100 bytes a sound in memory at most, and reads a sound only when it is asked for.
    """

    def __init__(self, index: Index) -> None:
        """Raise what reading an index may."""
        super().__init__()
        self.index = index
        about = index.about
        self.source, self.space, self.has_weights = about["source"], about["space"], about["has_weights"]
        self.edge_count, self.list_count = about["edges"], about["lists"]
        self.record_count, self.gone_count = about["records"], about["gone"]
        self.seeds.update(about["seeds"])
        self.processed.update(index.flagged(PROCESSED))
        self.gone_below.update(index.flagged(GONE))
        nodes: LaidOver[Attributes] = LaidOver(_IndexedAttributes(index, about["nodes"]))
        edges: LaidOver[Neighbours] = LaidOver(_IndexedEdges(index, about["nodes"]))
        self.graph = SmallGraph(nodes, edges, index.edges_to)  # type: ignore[assignment]  # a state needs no more of it

    def name_of(self, sound_id: int) -> str | None:
        """Return a sound's name, without reading its record."""
        row = None if sound_id in self.above else self.index.row(sound_id)
        return super().name_of(sound_id) if row is None else row[3]

    def sounds(self, sound_ids: Iterable[int]) -> Iterator[Sound]:
        """Yield these sounds in the order in which they are read fastest."""
        ids, above = list(sound_ids), self.above
        yield from map(self.sound, (one for one in ids if one in above))
        yield from map(self.sound, self.index.by_place(one for one in ids if one not in above))

    def search(self, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Yield rank, downloads and id of each sound with every word.

        The rank is that of `rank_words`. Sounds that are gone are left out; without words nothing is found.
        """
        if not words:
            return
        above = self.above
        yield from (found for found in self.index.search(words) if found[2] not in above)
        for sound in map(self.sound, above):
            if not sound.is_gone and has_words(sound, words):
                yield rank_words(sound, words), sound.num_downloads or 0, sound.id

    def has_lost_words(self) -> bool:
        """Tell whether `tokens_near` may yield words that no sound has now."""
        known = self._words_above
        before = (Sound(one, self.index.attributes(one)) for one in self.index.by_place(self.above))
        return not all(sound.is_gone or tokens_of(sound) <= known for sound in before)

    def tokens_near(self, word: str) -> Iterator[str]:
        """Yield, once each, the words of sounds that may be spelt like `word`."""
        return iter({*self.index.tokens_near(word), *self._words_above})

    @property
    def _words_above(self) -> set[str]:
        sounds = (sound for sound in map(self.sound, self.above) if not sound.is_gone)
        return set().union(*map(tokens_of, sounds))

    def tally(self) -> LibraryTally:
        """Return all counts of the state."""
        touched = {*self.above, *self.graph._adj.above}
        if not touched:
            return self.index.tally()
        tally = self.index.tally_without(LibraryTally.around(IndexedState(self.index), touched), touched)
        tally.add(LibraryTally.around(self, touched))
        return tally


class _InOrder:
    """What both mappings by id have in common."""

    def __init__(self, index: Index, count: int) -> None:
        self._index, self._count = index, count

    def __contains__(self, sound_id: object) -> bool:
        return type(sound_id) is int and self._index.row(sound_id) is not None

    def __iter__(self) -> Iterator[int]:
        return iter(self._index.ids())

    def __len__(self) -> int:
        return self._count


class _IndexedAttributes(_InOrder):
    """The attributes of the sounds in the checkpoint.

    A few are read from their blocks. Once as many blocks were read as the file has, the rest comes from a temporary
    file, where one sound is as cheap as another.
    """

    def __init__(self, index: Index, count: int) -> None:
        super().__init__(index, count)
        self._most_blocks = max(_FEWEST_BLOCKS, index.segments)
        self._stored: Mapping[int, Attributes] | None = None

    def __getitem__(self, sound_id: int) -> Attributes:
        if self._stored is None and self._index.blocks_read > self._most_blocks:
            self._store()
        return self._index.attributes(sound_id) if self._stored is None else self._stored[sound_id]

    def _store(self) -> None:
        try:
            stored = store_open_checkpoint(OpenFile(self._index.checkpoint))
        except OSError:
            stored = None  # there is no room for a temporary file
        if stored is None or stored.digest != self._index.binding.digest:
            self._most_blocks *= 2
        else:
            self._stored = stored.state.graph.nodes

    def value(self, sound_id: int, name: str, default: Any) -> Any:
        if name == "added_at" and (row := self._index.row(sound_id)) is not None:
            return row[2]
        return self[sound_id].get(name, default)


class _IndexedEdges(_InOrder):
    """The out-edges of the sounds in the checkpoint."""

    def __getitem__(self, sound_id: int) -> Neighbours:
        return self._index.edges_from(sound_id)

    def value(self, sound_id: int, name: str, default: Any) -> Any:
        return self[sound_id].get(name, default)  # type: ignore[call-overload]
