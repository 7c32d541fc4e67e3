"""Read a consistent view of a library while a process writes it.

For `status`, exports and other programs. Owns the order of reading that makes a view consistent without a lock: first
the journal, then the checkpoint, and both again if a rollback happened meanwhile. The writer removes rows from the
journal only once the checkpoint holds them, so a view misses no event. Writes nothing: a read-only folder or a missing
journal is no problem.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvester.checkpoint import metadata_of
from harvester.errors import LibraryCorrupt, LibraryUnwritable
from harvester.graph import Dropped, SoundGraph
from harvester.journal import Head, JournalContents, load_contents, load_head
from harvester.library.load import Loaded, load_state
from harvester.model import Deferral, Record, check_sound_id
from harvester.storage import JOURNAL

_ATTEMPTS = 5
_HOW_TO_DROP = "the next harvest drops it for good, or `harvester check --repair` now"


@dataclass(slots=True)
class LibraryView:
    """A library at one moment: state, deferrals and warnings (`notices`)."""

    folder: Path
    exists: bool = False
    state: SoundGraph = field(default_factory=SoundGraph)
    deferrals: dict[int, Deferral] = field(default_factory=dict)
    unsaved: int = 0
    last_checkpoint_at: int | None = None
    last_backup_at: int | None = None
    notices: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)
    """Invalid values of its files, which are left out."""


def load_view(folder: Path) -> LibraryView:
    """Return a view of the library as it is now, empty without a library.

    Needs no lock and no write permission, also beside a running writer. Raises `LibraryCorrupt` when the checkpoint is
    corrupt and no valid backup can replace it, `NewerFormat`, or `LibraryUnwritable` when files cannot be read.
    """
    try:
        contents, loaded = _load(folder)
    except OSError as error:
        raise LibraryUnwritable(
            f"{folder}: it cannot be read ({error.strerror or error}); nothing was changed"
        ) from error
    view = LibraryView(folder, state=loaded.state, notices=loaded.notices)
    view.exists = contents is not None or loaded.path is not None
    if loaded.dropped and loaded.path is not None:
        view.dropped.add(loaded.dropped)
        view.notices.append(f"{loaded.path.name} holds {loaded.dropped}: left out ({_HOW_TO_DROP})")
    if loaded.signature is not None:
        view.last_checkpoint_at = loaded.signature.modified_ns // 1000
    if contents is not None:
        if contents.damage:
            view.notices.append(f"the journal is corrupt ({contents.damage}); the next harvest recovers the rest of it")
        if contents.dropped:
            view.dropped.add(contents.dropped)
            view.notices.append(f"the journal holds {contents.dropped}: left out ({_HOW_TO_DROP})")
        view.deferrals = contents.deferrals
        view.unsaved = contents.unsaved
        view.last_backup_at = contents.head.backup_at
        # The journal's stamp belongs to the file that it knows; a foreign file has only its own modification time.
        if not loaded.foreign:
            view.last_checkpoint_at = contents.head.checkpoint_at or view.last_checkpoint_at
    return view


def _load(folder: Path) -> tuple[JournalContents | None, Loaded]:
    path = folder / JOURNAL
    for attempt in range(_ATTEMPTS):
        contents = load_contents(path)
        try:
            loaded = load_state(folder, contents)
        except LibraryCorrupt:
            # A writer may have moved files between the two reads; real corruption is still there at the next attempt.
            if attempt == _ATTEMPTS - 1 or _timeline(load_head(path)) == _timeline(contents.head if contents else None):
                raise
            continue
        if _timeline(load_head(path)) == _timeline(contents.head if contents else None):
            break
    return contents, loaded


def _timeline(head: Head | None) -> tuple[int, str]:
    return (0, "") if head is None else (head.timeline, head.restore)


class Library:
    """A read-only library for other programs.

    It is complete when opened, and usable from any thread or process. library = Library.open("freesound_library")
    for neighbour_id, score in library.neighbours(1234): print(library.records[neighbour_id]["name"], score)

    It never changes: open the library again to see what a running harvest has added.
    """

    def __init__(self, view: LibraryView) -> None:
        """Use `Library.open`."""
        state = view.state
        state.graph.freeze()
        self._state = state
        self.folder: Path = view.folder
        self.notices: tuple[str, ...] = tuple(view.notices)
        self.processed_ids: frozenset[int] = frozenset(state.processed)
        self.records: Mapping[int, Record] = _Records(state)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Library:
        """Open the library in the folder `path`, with its journal's events.

        Takes no lock, writes nothing. A folder without a library gives an empty one. Raises
        `harvester.errors.LibraryCorrupt` when the checkpoint is corrupt and no valid backup can replace it,
        `NewerFormat`, or `LibraryUnwritable` (it cannot be read).
        """
        return cls(load_view(Path(path)))

    @property
    def graph(self) -> Any:
        """Return the frozen `networkx.DiGraph` of the library.

        Nodes are ids with the record's fields; an edge A→B has a `score` when B is in A's similar list. Copy the graph
        before changing attributes.
        """
        return self._state.graph

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the view's metadata, as a checkpoint has it.

        Counts, source, seeds, time of the latest event.
        """
        metadata = metadata_of(self._state, list(self._state.graph))
        del metadata["digest"]
        return metadata

    def neighbours(self, sound_id: int) -> tuple[tuple[int, float], ...]:
        """Return a sound's similar list as (id, score), best first.

        Empty when it has none yet. Raises `KeyError` for a sound that is not in the library, `ValueError` for an
        invalid sound id.
        """
        sound_id = check_sound_id(sound_id)
        if sound_id not in self._state:
            raise KeyError(sound_id)
        similar = self._state.similar(sound_id)
        return similar.neighbours if similar is not None else ()

    def __len__(self) -> int:
        return len(self._state)

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self._state.graph


class _Records(Mapping[int, Record]):
    """The API's records by id; each access returns a new dict."""

    def __init__(self, state: SoundGraph) -> None:
        self._state = state

    def __getitem__(self, sound_id: int) -> Record:
        record = self._state.record(sound_id)
        if record is None:
            raise KeyError(sound_id)
        return record

    def __iter__(self) -> Iterator[int]:
        return (sound_id for sound_id, attributes in self._state.graph.nodes.items() if "fetched_at" in attributes)

    def __len__(self) -> int:
        return self._state.record_count
