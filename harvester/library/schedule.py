"""Decide when a checkpoint or a backup is due, and count their time.

Owns the bounds: how much the journal may hold, how old the checkpoint may be, which share of a run goes into writing.
Knows no file.
"""

from __future__ import annotations

from harvester.clock import Clock

JOURNAL_BOUND_BYTES = 2 << 20
"""A checkpoint is due when the rows it lacks exceed both this and the size of the last one: total work stays linear."""

LONGEST_UNSAVED_S = 86_400.0
"""A checkpoint is due after this time without one, so that in a run of weeks the file is at most a day old."""

RETRY_DELAY_S = 60.0
"""Wait this long after a failed checkpoint or backup before retrying; the journal keeps everything meanwhile."""

WRITING_SHARE = 0.05
"""Maximum share of a run's time for checkpoints and backups, because the harvest waits for them. It does not hold when
the run ends, or when the journal exceeds `MOST_PUT_OFF` times its limit."""

MOST_PUT_OFF = 4
"""A checkpoint is postponed until the journal has this many times the size at which it is due, and no longer."""


class WritingSchedule:
    """When one run writes; `nodes` is the number of sounds at that time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._opened_s = clock.monotonic_s()
        self._writing_s = self._last_written_s = 0.0
        self._written_nodes = 0
        self._retry_at_s = self._saved_s = self._opened_s

    def checkpoint_due(self, nodes: int, unsaved: int, unsaved_bytes: int, size_bytes: int) -> str:
        """Return why a checkpoint is due, or no text.

        It is due when the journal is large or the checkpoint old. The checkpoint has `size_bytes` and lacks `unsaved`
        events in rows of `unsaved_bytes`.
        """
        now_s = self._clock.monotonic_s()
        if self.failed_lately():
            return ""
        if unsaved and now_s - self._saved_s > LONGEST_UNSAVED_S:
            return "the last one is a day old"
        bound_bytes = max(JOURNAL_BOUND_BYTES, size_bytes) * (1 if self.can_afford(nodes) else MOST_PUT_OFF)
        if unsaved_bytes <= bound_bytes:
            return ""
        return f"the journal has {unsaved_bytes / 1e6:.1f} MB that it lacks, more than {bound_bytes / 1e6:.1f} MB"

    def failed_lately(self) -> bool:
        """Tell whether writing failed less than `RETRY_DELAY_S` ago."""
        return self._clock.monotonic_s() < self._retry_at_s

    def can_afford(self, nodes: int) -> bool:
        """Tell whether writing now keeps within `WRITING_SHARE`."""
        # Scaled, because a fast run may have ten times as many sounds now as at the last checkpoint.
        next_s = self._last_written_s * nodes / max(1, self._written_nodes)
        return self._writing_s + next_s <= WRITING_SHARE * (self._clock.monotonic_s() - self._opened_s)

    def note_checkpoint(self) -> None:
        """Note that the checkpoint holds everything now."""
        self._saved_s = self._clock.monotonic_s()

    def note_written(self, started_s: float, nodes: int) -> None:
        """Note that writing ended that began at `started_s`."""
        self._last_written_s, self._written_nodes = self._clock.monotonic_s() - started_s, nodes
        self._writing_s += self._last_written_s

    def note_failure(self) -> None:
        """Note that writing failed just now."""
        self._retry_at_s = self._clock.monotonic_s() + RETRY_DELAY_S
