"""What passes between frontier, fetchers and writer, as frozen data: claims, outcomes, entries, frontier changes.

A fetcher turns a claim into one outcome, or releases it: hands it back with nothing recorded. `outcomes` turns an
outcome into an entry, which names the changes that `changes` applies once the journal has committed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from harvester.errors import Doubt
from harvester.model import Deferral, Event, Note, Record, RecordsPage, SimilarPage, Vector


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
    """Ask which of up to 150 known sounds match the filter."""

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


@dataclass(frozen=True, slots=True)
class Discover:
    """Queue those of these sounds that the scope wants, for what they lack.

    A sound that waits already may get a better place, unless it is `unchanged`: then nothing new is known of it.
    """

    sound_ids: tuple[int, ...]
    unchanged: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Queue one sound that the scope has chosen already: for its list, or for its record first."""

    sound_id: int
    has_record: bool


@dataclass(frozen=True, slots=True)
class Reread:
    """Queue one sound to be read again by its id before its list is fetched."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class AwaitJudgement:
    """Queue one sound until the server says whether it matches the filter."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start from these sounds: distance 0 for each; with `first`, before every other sound and in this order."""

    sound_ids: tuple[int, ...]
    first: bool


@dataclass(frozen=True, slots=True)
class Defer:
    """Leave one sound alone until `next_try_at` (microseconds UTC), if the scope wants it at all.

    One that is not `judged` awaits judgement then.
    """

    sound_id: int
    next_try_at: int
    judged: bool = True


@dataclass(frozen=True, slots=True)
class MarkAsked:
    """Note that the list of this sound was fetched in this run, even if it was of no use."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class AdvanceSweep:
    """Take a page into the sweep."""

    claim: SweepClaim
    page: RecordsPage


@dataclass(frozen=True, slots=True)
class CheckSweep:
    """End the run if the sweep cannot go on, or finds more sounds than the API's terms allow without permission."""


@dataclass(frozen=True, slots=True)
class CountHits:
    """Count how many rows of an answer match the filter; end the run if no answer of this kind heeds the filter."""

    kind: str
    matching: int
    contradicting: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Take a claim back. `missing` sounds were absent from its batch: each is confirmed by its own resource."""

    claim: Claim
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SettleList:
    """Take the claim of a list back and count a sample, if the graph took the list in.

    `relisted`: the sound was a sample before.
    """

    claim: SimilarClaim
    relisted: bool


@dataclass(frozen=True, slots=True)
class SettleSeeds:
    """Take the claim of a seed page back."""

    claim: SeedClaim
    has_next: bool


@dataclass(frozen=True, slots=True)
class Park:
    """Set a claim aside while it is in doubt whether its sounds are to blame."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Release:
    """Take a claim back with nothing recorded: its sounds wait again."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Close:
    """End the run in order."""

    reason: str


FrontierChange: TypeAlias = (
    Discover
    | Enqueue
    | Reread
    | AwaitJudgement
    | Start
    | Defer
    | MarkAsked
    | AdvanceSweep
    | CheckSweep
    | CountHits
    | Settle
    | SettleList
    | SettleSeeds
    | Park
    | Release
    | Close
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one outcome becomes: what the journal gets, and what changes once the journal has it.

    `undeferred` are sounds whose deferral ends. `oddities` are counted and `lines` are told after the commit, too.
    """

    events: tuple[Event, ...] = ()
    deferrals: tuple[Deferral, ...] = ()
    undeferred: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    vectors: Mapping[int, Vector] = field(default_factory=dict)
    oddities: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    changes: tuple[FrontierChange, ...] = ()
