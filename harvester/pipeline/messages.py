"""What passes between frontier, fetchers and writer: claims one way, outcomes the other; where they ask and keep it.

Every claim ends in exactly one outcome, or it is released: handed back with nothing recorded. A failure whose doubt is
open is parked meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from harvester.errors import Doubt
from harvester.graph import SoundGraph
from harvester.model import Deferral, Event, Note, Notes, Record, RecordsPage, SimilarPage, Vector


@dataclass(frozen=True, slots=True)
class SimilarClaim:
    """Fetch the similar list of one sound whose record is here: this makes it a sample."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class DetailsClaim:
    """Fetch the records of up to 150 sounds that are known by id only."""

    sound_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConfirmClaim:
    """Ask for one sound's own resource, because it was missing from a batch: is it gone?"""

    sound_id: int


@dataclass(frozen=True, slots=True)
class JudgeClaim:
    """Ask which of up to 150 known sounds match the walk's filter."""

    sound_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SeedClaim:
    """Fetch one page of the seed search."""

    page: int


@dataclass(frozen=True, slots=True)
class SweepClaim:
    """Fetch one page of a window of a sweep; `window` is the filter that bounds it, empty for the whole search."""

    window: str
    page: int
    size: int = 150


@dataclass(frozen=True, slots=True)
class DecideClaim:
    """Decide what to do with the doubtful failures: nothing else is left to ask that could tell."""


Claim: TypeAlias = SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim | SeedClaim | SweepClaim | DecideClaim


@dataclass(frozen=True, slots=True)
class SimilarFetched:
    """The similar list came; `limit` is the length that was asked for."""

    claim: SimilarClaim
    page: SimilarPage
    limit: int


@dataclass(frozen=True, slots=True)
class DetailsFetched:
    claim: DetailsClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class Judged:
    """Those of the claim's sounds that match, with their records; the others do not match (or are gone)."""

    claim: JudgeClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class SeedsFetched:
    claim: SeedClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class Swept:
    claim: SweepClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The sound's own resource answered: its record, or None when the sound is gone."""

    claim: ConfirmClaim
    record: Record | None
    fetched_at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The fetch did not give what it was sent for: its sounds are deferred, with the reason.

    While the `doubt` is open they may be innocent, and the outcome waits.
    """

    claim: SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim
    reason: str
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """No answer will close the open doubts: their sounds are deferred."""

    claim: DecideClaim


Outcome: TypeAlias = SimilarFetched | DetailsFetched | Judged | SeedsFetched | Swept | Confirmed | Failed | Decided


@dataclass(slots=True)
class Entry:
    """One outcome on its way: what goes into the journal, and what is done once it is there."""

    events: list[Event] = field(default_factory=list)
    deferrals: list[Deferral] = field(default_factory=list)
    undeferred: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    vectors: Mapping[int, Vector] = field(default_factory=dict)
    then: Callable[[], None] = lambda: None


class Catalogue(Protocol):
    """Where fetchers ask. Raises `FetchFailed` for one sound's trouble, `Stopped` when the run closes while the
    request has not been sent, and a `HarvesterError` when the whole run must end. Asked for `vectors`, a page that does
    not come in time raises `PageTooLarge`."""

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
    def joined(self) -> int: ...
    @property
    def unchanged(self) -> bool: ...


class Store(Protocol):
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
