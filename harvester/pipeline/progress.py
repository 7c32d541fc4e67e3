"""Count what a run does, for the panel, the log and `status.json`.

Fetchers and writer fill it; it prints nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from harvester.clock import Clock, iso
from harvester.counts import counted
from harvester.pipeline.deferral import DELETED_AFTER
from harvester.told import Fact, Level, OnTold, Told

RATE_WINDOW_S = 60.0
NAMED = 5
"""The most deleted sounds that a line names."""


@dataclass(slots=True)
class Progress:
    """Counters of this run; `on_event` gets each line for the user.

    `activity` says what each fetcher does, and `tasks` has the task that it is.
    `samples`: sounds that this run processed and that were not processed before. `relisted`: lists of processed sounds
    that were fetched again. `deleted`: the sounds found deleted. `absent`: known ids that the search lacks; they are
    looked for again from `absent_until`, in microseconds UTC.
    """

    clock: Clock
    target: int | None = None
    on_event: OnTold | None = None
    samples: int = 0
    relisted: int = 0
    renewed: int = 0
    new_nodes: int = 0
    new_edges: int = 0
    vectors: int = 0
    deleted: list[int] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    absent_until: int | None = None
    deferred: int = 0
    checkpoints: int = 0
    oddities: Counter[str] = field(default_factory=Counter)
    activity: dict[int, str] = field(default_factory=dict)
    tasks: dict[int, asyncio.Task[Any] | None] = field(default_factory=dict)
    started_s: float = 0.0
    _recent: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.started_s = self.clock.monotonic_s()

    def tell(self, line: str, level: Level = Level.INFO, kind: str = "message", **fields: Fact) -> None:
        """Pass one line to `on_event`."""
        if self.on_event is not None:
            self.on_event(Told(line, level, kind, fields))

    @property
    def gone(self) -> int:
        """How many sounds were found deleted."""
        return len(self.deleted)

    def count_samples(self, samples: int) -> None:
        """Count newly processed sounds."""
        self.samples += samples
        self._recent.extend([self.clock.monotonic_s()] * samples)

    def count_relisted(self) -> None:
        """Count a list of a processed sound, fetched again."""
        self.relisted += 1

    def count_absent(self, sound_ids: Collection[int], next_try_at: int) -> None:
        """Count ids that the search lacks."""
        self.absent.update(sound_ids)
        self.absent_until = min(next_try_at, self.absent_until or next_try_at)

    def tell_absent(self) -> None:
        """Tell in one line which known ids were deleted or absent, if any."""
        parts = []
        if self.deleted:
            first = ", ".join(map(str, self.deleted[:NAMED])) + (", …" if len(self.deleted) > NAMED else "")
            parts.append(
                f"{counted(len(self.deleted), 'sound')} deleted on Freesound ({first}), kept in the library and "
                "never requested again"
            )
        if self.absent and self.absent_until is not None:
            parts.append(
                f"{counted(len(self.absent), 'known id')} absent from the search: looked for again in batches, from "
                f"{iso(self.absent_until)}, deleted after {DELETED_AFTER} absences"
            )
        if parts:
            self.tell("; ".join(parts))

    @property
    def elapsed_s(self) -> float:
        """The seconds since the run started."""
        return self.clock.monotonic_s() - self.started_s

    def samples_per_minute(self) -> float:
        """Return the rate over the last minute, or over a shorter run."""
        now_s = self.clock.monotonic_s()
        while self._recent and now_s - self._recent[0] > RATE_WINDOW_S:
            self._recent.popleft()
        window_s = min(RATE_WINDOW_S, max(self.elapsed_s, 0.001))
        return len(self._recent) * 60.0 / window_s

    def eta_s(self) -> float | None:
        """Return the seconds to the target at this rate; None if unknown."""
        rate = self.samples_per_minute()
        if self.target is None or rate == 0:
            return None
        return max(0, self.target - self.samples) * 60.0 / rate
