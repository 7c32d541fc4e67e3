"""What a run did: the result of `harvest` and `refresh`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Totals:
    """What the library holds after a run.

    `processed`: sounds with a similar list. `frontier`: sounds that wait for theirs. `sounds`, `edges` and `vectors`:
    all of them. `size_bytes`: of the checkpoint, 0 without one.
    """

    processed: int
    sounds: int
    edges: int
    vectors: int
    frontier: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ListedSounds:
    """What became of the sounds of a list.

    `ids`: all of them. `here`: those with a record in the library. `missing`: each of the others that the run knows
    about, with `deleted`, `withdrawn`, `not found` (the search lacks it; a later run looks again) or `failed` (a later
    run retries). `path`: the file that lists them, None if there is none.
    """

    ids: int
    here: int
    missing: Mapping[int, str] = field(default_factory=dict)
    path: Path | None = None

    @property
    def waiting(self) -> int:
        """How many sounds the run has not asked about yet."""
        return self.ids - self.here - len(self.missing)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run added and what it cost. Everything it counts is on disk."""

    folder: Path
    """The library."""
    server: str
    """The address that requests went to."""
    source: str
    """The catalogue that the library comes from; empty if no server has ever identified itself."""
    reason: str
    """Why the run ended: `target reached`, `exhausted`, `quota used up`, `time limit reached`, `the disk is full`, …"""
    failed: bool
    """Whether an error ended the run; the call raises it after `Ended`."""
    began: bool
    """False if the run ended before the server had identified itself; the library is then unchanged."""
    kept: bool
    """False if the library holds nothing: what the run made in its folder is then removed."""
    message: str
    """What a commit of the library says."""
    unsaved: int
    """Changes that only the journal holds; the next run adds them to the checkpoint."""
    samples: int
    """Sounds that this run processed and that were not processed before."""
    relisted: int
    """Similar lists of processed sounds, fetched again."""
    sounds: int
    """New sounds."""
    edges: int
    """New edges."""
    vectors: int
    """New vectors."""
    renewed: int
    """Known records fetched again."""
    gone: int
    """Sounds found deleted."""
    deferred: int
    """Sounds whose fetch failed; a later run retries them."""
    requests: int
    """Requests that count against the key's quota."""
    seconds: float
    """How long the run took."""
    quota_left: int | None
    """Requests left in the rolling day; None without a limit."""
    next_possible_at: datetime | None
    """When the used up quota allows the next request, in UTC; None if one may be sent now."""
    total: Totals
    """What the library holds now."""
    oddities: Mapping[str, int]
    """How often answers had something unusual that was tolerated, by kind."""
    notices: tuple[str, ...]
    """Lines that need attention, such as repairs of the library's files."""
    listed: ListedSounds | None = None
    """What became of the sounds of `ids`; None without a list."""
