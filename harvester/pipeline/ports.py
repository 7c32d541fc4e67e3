"""Name what the pipeline needs of network and disk, as protocols.

`freesound.FreesoundClient` implements the first, `library.Store` the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from harvester.graph import SoundGraph
from harvester.model import Deferral, Event, Note, Notes, Record, RecordsPage, SimilarPage, Vector


class SoundApi(Protocol):
    """What fetchers ask the API for.

    Methods raise `FetchFailed` when this request failed, `Stopped` when the run closes before the request is sent, and
    another `HarvesterError` when the run must end. With `vectors` a page that times out raises `PageTooLarge`.
    """

    async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
        """Fetch the similar list of a sound, at most `limit` long."""

    async def fetch_records(
        self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
    ) -> RecordsPage:
        """Fetch the records of those sounds that exist and match `filter`."""

    async def fetch_sound(self, sound_id: int) -> Record | None:
        """Fetch a sound's own resource; None when it is deleted."""

    async def search(
        self, *, query: str, filter: str, sort: str, page: int, page_size: int, vectors: bool = False
    ) -> RecordsPage:
        """Fetch one page of a search; pages count from 1."""


class Checkpointed(Protocol):
    """What a store reports about a checkpoint that it wrote."""

    @property
    def nodes(self) -> int:
        """How many sounds it holds."""

    @property
    def size_bytes(self) -> int:
        """How large the file is."""

    @property
    def backup(self) -> object:
        """The backup that was written, or None."""

    @property
    def unchanged(self) -> bool:
        """Whether the checkpoint was left as it is."""


class SoundStore(Protocol):
    """Where the writer makes events durable."""

    state: SoundGraph
    deferrals: dict[int, Deferral]
    notes: Notes
    notices: list[str]

    def append(
        self,
        events: Sequence[Event],
        deferrals: Sequence[Deferral] = (),
        undeferred: Sequence[int] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        """Commit all of these to the journal, or none; durable on return."""

    def has_vector(self, sound_id: int) -> bool:
        """Tell whether the library has a vector of the sound."""

    def keep_vectors(self, vectors: Mapping[int, Vector]) -> None:
        """Save vectors; durable on return."""

    def checkpoint_due(self) -> str:
        """Return why a checkpoint is due, or no text."""

    def backup_due(self, *, stopping: bool = False) -> str:
        """Return why a backup is due, now or at the end of a run, or no text."""

    def checkpoint(self, *, backup: bool) -> Checkpointed:
        """Write a checkpoint, and with `backup` a backup of it."""

    def back_up(self) -> Checkpointed:
        """Write a backup only."""
