"""Read a checkpoint's sounds from disk, when they are asked for.

Owns a state whose records, lists and edges are in a temporary file, where they are as cheap to read in one order as in
another. It is made while the checkpoint is walked, so nothing in it is unchecked. In memory it has about 100 bytes a
sound instead of 5 kB. For commands and programs that only read.
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from harvester.checkpoint.validate import version_for
from harvester.graph import LINK_FIELDS, LaidOver, OnDiskState, is_gone
from harvester.storage import ScratchFile


class StoringKeeper:
    """Stores what a walk over a checkpoint finds.

    After a walk that ended well it has the `state` and the `metadata`.
    """

    def __init__(self) -> None:
        """Raise `OSError` if there can be no temporary file."""
        self.state = OnDiskState()
        self.metadata: dict[str, Any] = {}
        self._sounds = _SoundFile()

    def keep_record(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Store the record; raise `OSError` if the disk is full."""
        self._sounds.add(attributes)
        if is_gone(attributes):
            self.state.gone_below.add(sound_id)

    def keep_list(self, place: int, link: dict[str, Any], neighbours: dict[int, dict[str, Any]]) -> None:
        """Store list and edges; raise `OSError` if the disk is full."""
        self._sounds.add_list(place, tuple(map(link.__getitem__, LINK_FIELDS)) if link else (), neighbours)
        self.state.list_count += bool(link)

    def keep_facts(self, metadata: dict[str, Any], places: dict[int, int], processed: list[int]) -> None:
        """Finish the state; raise `OSError` if the disk is full."""
        state, counts = self.state, metadata["statistics"]
        self.metadata = metadata
        self._sounds.end(places)
        state.source, state.space = metadata["source"], metadata["similarity_space"]
        state.has_weights = metadata["format_version"] == version_for(has_weights=True)
        state.edge_count, state.record_count, state.gone_count = metadata["edges"], counts["records"], counts["gone"]
        state.seeds.update(metadata["seeds"])
        state.processed.update(processed)
        state.graph.adopt(LaidOver(_Attributes(self._sounds)), LaidOver(_Neighbours(self._sounds)))


class _SoundFile:
    """The stored sounds; `places` numbers them in the order of the file."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self._file = ScratchFile()
        self._orders: dict[tuple[str, ...], int] = {}
        self._names: list[tuple[str, ...]] = []
        self._order_of = array("I")
        self._list_of = array("I")
        """By sound, where its list is in the file; its edges follow it."""

    def add(self, attributes: dict[str, Any]) -> None:
        names = tuple(attributes)
        order = self._orders.get(names)
        if order is None:
            order = self._orders[names] = len(self._names)
            self._names.append(names)
        self._order_of.append(order)
        self._file.add(pickle.dumps(tuple(attributes.values()), pickle.HIGHEST_PROTOCOL))

    def add_list(self, place: int, link: tuple[Any, ...], neighbours: dict[int, dict[str, Any]]) -> None:
        if not self._list_of:
            self._list_of = array("I", bytes(self._list_of.itemsize * len(self._order_of)))
        self._list_of[place] = len(self._file)
        self._file.add(pickle.dumps(link, pickle.HIGHEST_PROTOCOL))
        self._file.add(pickle.dumps(neighbours, pickle.HIGHEST_PROTOCOL))

    def end(self, places: dict[int, int]) -> None:
        self.places = places
        self._file.end()

    def attributes(self, sound_id: int) -> dict[str, Any]:
        place = self.places[sound_id]
        names = self._names[self._order_of[place]]
        # This process wrote these pickles, of plain values, into a file that no other process can open.
        attributes = dict(zip(names, pickle.loads(self._file[place]), strict=True))  # noqa: S301
        if at := self._list_at(place):
            attributes.update(zip(LINK_FIELDS, pickle.loads(self._file[at]), strict=False))  # noqa: S301
        return attributes

    def neighbours(self, sound_id: int) -> dict[int, dict[str, Any]]:
        at = self._list_at(self.places[sound_id])
        found: dict[int, dict[str, Any]] = pickle.loads(self._file[at + 1]) if at else {}  # noqa: S301
        return found

    def _list_at(self, place: int) -> int:
        # A list comes after all records, so its place is never 0.
        return self._list_of[place] if self._list_of else 0


class _ByIds(Mapping[int, dict[Any, Any]]):
    """A value of each stored sound by its id, in the order of the file.

    Most readers ask for one sound several times in a row, so the last value is kept.
    """

    def __init__(self, sounds: _SoundFile) -> None:
        self._sounds = sounds
        self._last: tuple[int, dict[Any, Any]] = 0, {}

    def _read(self, sound_id: int) -> dict[Any, Any]:
        raise NotImplementedError

    def __getitem__(self, sound_id: int) -> dict[Any, Any]:
        last = self._last
        if last[0] != sound_id:
            last = self._last = sound_id, self._read(sound_id)
        return last[1]

    def value(self, sound_id: int, name: str, default: Any) -> Any:
        return self[sound_id].get(name, default)

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self._sounds.places

    def __iter__(self) -> Iterator[int]:
        return iter(self._sounds.places)

    def __len__(self) -> int:
        return len(self._sounds.places)


class _Attributes(_ByIds):
    def _read(self, sound_id: int) -> dict[str, Any]:
        return self._sounds.attributes(sound_id)


class _Neighbours(_ByIds):
    def _read(self, sound_id: int) -> dict[int, dict[str, Any]]:
        return self._sounds.neighbours(sound_id)
