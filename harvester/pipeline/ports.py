"""What the pipeline needs of the network and of the disk, which it does not know: two protocols.

`freesound.FreesoundClient` fulfils the first, `library.Store` the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from harvester.graph import SoundGraph
from harvester.model import Deferral, Event, Note, Notes, Record, RecordsPage, SimilarPage, Vector


class SoundApi(Protocol):
    """Where fetchers ask. Raises `FetchFailed` for one sound's trouble, `Stopped` when the run closes while the
    request has not been sent, and a `HarvesterError` when the whole run must end. Asked for `vectors`, a page that does
    not come in time raises `PageTooLarge`.
    """

    async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage: ...
    async def fetch_records(
        self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
    ) -> RecordsPage: ...
    async def fetch_sound(self, sound_id: int) -> Record | None: ...
    async def search(
        self, *, query: str, filter: str, sort: str, page: int, page_size: int, vectors: bool = False
    ) -> RecordsPage: ...


class Checkpointed(Protocol):
    """What a store tells of a checkpoint it wrote."""

    @property
    def nodes(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def backup(self) -> object: ...
    @property
    def unchanged(self) -> bool: ...


class SoundStore(Protocol):
    """Where the writer makes things durable (`library.store.Store`)."""

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
    ) -> None: ...
    def has_vector(self, sound_id: int) -> bool: ...
    def keep_vectors(self, vectors: Mapping[int, Vector]) -> None: ...
    def checkpoint_due(self) -> bool: ...
    def backup_due(self, *, stopping: bool = False) -> bool: ...
    def checkpoint(self, *, backup: bool) -> Checkpointed: ...
    def back_up(self) -> Checkpointed: ...
