"""Count what a run does, for the panel, the log and `status.json`.

Fetchers and writer fill it; it prints nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from harvester.clock import Clock
from harvester.told import Fact, Level, OnTold, Told

RATE_WINDOW_S = 60.0


@dataclass(slots=True)
class Progress:
    """Counters of this run; `on_event` gets each line for the user.

    `activity` says what each fetcher does, and `tasks` has the task that it is.
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
    gone: int = 0
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

    def count_sample(self, *, relisted: bool) -> None:
        """Count a similar list; `relisted`: its sound had one before."""
        self.samples += 1
        self.relisted += relisted
        self._recent.append(self.clock.monotonic_s())

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
