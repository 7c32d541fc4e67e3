"""Claims, outcomes, entries and frontier changes, as frozen data.

A fetcher turns a claim into one outcome, or releases it with nothing recorded. `outcomes` turns the outcome into an
entry. `changes` applies the entry's frontier changes after the journal has committed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from harvester.errors import Doubt
from harvester.model import API_PAGE, Deferral, Event, Note, Record, RecordsPage, SimilarPage, Vector


@dataclass(frozen=True, slots=True)
class SimilarClaim:
    """Fetch the similar list of one sound: this makes it a sample."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class DetailsClaim:
    """Fetch the records of up to 150 sounds."""

    sound_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConfirmClaim:
    """Fetch one sound's own resource: it was absent from a batch."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class JudgeClaim:
    """Ask the server which of up to 150 sounds match the filter."""

    sound_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SeedClaim:
    """Fetch one page of the seed search."""

    page: int


@dataclass(frozen=True, slots=True)
class SweepClaim:
    """Fetch one page of a sweep; `window` is its extra filter or empty."""

    window: str
    page: int
    size: int = API_PAGE


@dataclass(frozen=True, slots=True)
class DecideClaim:
    """Settle the failures in doubt: no other claim is left."""


Claim: TypeAlias = SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim | SeedClaim | SweepClaim | DecideClaim


@dataclass(frozen=True, slots=True)
class SimilarFetched:
    """The similar list of a sound; `limit` is the requested length."""

    claim: SimilarClaim
    page: SimilarPage
    limit: int


@dataclass(frozen=True, slots=True)
class DetailsFetched:
    """The records of a batch."""

    claim: DetailsClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class Judged:
    """Records of those sounds that match; others do not or are deleted."""

    claim: JudgeClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class SeedsFetched:
    """One page of the seed search."""

    claim: SeedClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class Swept:
    """One page of a sweep."""

    claim: SweepClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One sound's own record; None when the sound is deleted."""

    claim: ConfirmClaim
    record: Record | None
    fetched_at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed fetch; while its `doubt` is open, no sound is deferred."""

    claim: SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim
    reason: str
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """The end of waiting for answers: sounds in doubt are deferred."""

    claim: DecideClaim


Outcome: TypeAlias = SimilarFetched | DetailsFetched | Judged | SeedsFetched | Swept | Confirmed | Failed | Decided


@dataclass(frozen=True, slots=True)
class Discover:
    """Queue the sounds that the scope wants, for what they lack.

    A waiting sound may get a better rank, unless it is `unchanged`.
    """

    sound_ids: tuple[int, ...]
    unchanged: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Queue one sound that the scope has chosen."""

    sound_id: int
    has_record: bool


@dataclass(frozen=True, slots=True)
class Reread:
    """Queue one sound to fetch its record again before its list."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class AwaitJudgement:
    """Queue one sound until the server says whether it matches the filter."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start from these sounds; with `first` they rank before all others."""

    sound_ids: tuple[int, ...]
    first: bool


@dataclass(frozen=True, slots=True)
class Defer:
    """Defer one wanted sound; it awaits judgement then unless `judged`."""

    sound_id: int
    next_try_at: int  # microseconds UTC
    judged: bool = True


@dataclass(frozen=True, slots=True)
class EndDeferral:
    """Stop deferring these sounds: they are there, or deleted."""

    sound_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AwaitConfirmation:
    """Confirm absent sounds by their own resources, if quota is left over."""

    sound_ids: tuple[int, ...]
    next_try_at: int  # microseconds UTC: the first of them is looked for again then


@dataclass(frozen=True, slots=True)
class MarkAsked:
    """Note that this run fetched the sound's list, even without success."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class AdvanceSweep:
    """Add a page to the sweep."""

    claim: SweepClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class CheckSweep:
    """End the run if the sweep cannot continue or is not permitted."""


@dataclass(frozen=True, slots=True)
class CountHits:
    """Count the rows that match the filter; end the run if none ever does."""

    kind: str
    matching: int
    contradicting: int


@dataclass(frozen=True, slots=True)
class Settle:
    """End a claim that made no list."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class SettleList:
    """End the claim of a list; `relisted`: its sound had one before."""

    claim: SimilarClaim
    relisted: bool


@dataclass(frozen=True, slots=True)
class SettleSeeds:
    """End the claim of a seed page."""

    claim: SeedClaim
    has_next: bool


@dataclass(frozen=True, slots=True)
class Park:
    """Park a claim whose failure is in doubt."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Release:
    """Undo a claim: its sounds wait again, and nothing is recorded."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Close:
    """Close the run's stop."""

    reason: str


FrontierChange: TypeAlias = (
    Discover | Enqueue | Reread | AwaitJudgement | Start | Defer | EndDeferral | AwaitConfirmation | MarkAsked
    | AdvanceSweep | CheckSweep | CountHits | Settle | SettleList | SettleSeeds | Park | Release | Close
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """What to journal for one outcome, and what to change afterwards.

    `undeferred`: sounds whose deferral ends. `lines`: messages for the user. After the commit, `changes` are applied,
    `oddities` counted and `lines` told.
    """

    events: tuple[Event, ...] = ()
    deferrals: tuple[Deferral, ...] = ()
    undeferred: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    vectors: Mapping[int, Vector] = field(default_factory=dict)
    oddities: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    changes: tuple[FrontierChange, ...] = ()
