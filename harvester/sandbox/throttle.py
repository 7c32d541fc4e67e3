"""Limit each key in rolling windows of 60 s and 24 h (API.md §4).

Invariant: an entry leaves a window when its age reaches 60 s or 86,400 s; there is no reset at midnight. A request
that the minute's limit refuses is not recorded; one that the day's limit refuses takes a slot of the minute.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from harvester.clock import DAY_US, SECOND_US

MINUTE_US = 60 * SECOND_US


@dataclass(slots=True)
class _History:
    minute: deque[int] = field(default_factory=deque)
    day: deque[int] = field(default_factory=deque)


class Throttle:
    """The granted requests of all keys; a limit of None grants all."""

    def __init__(self, burst: int | None, daily: int | None) -> None:
        self.burst = burst
        self.daily = daily
        self._histories: dict[str, _History] = {}

    def refuses(self, key: str, now_us: int) -> tuple[int, str] | None:
        """Record a request, or return the limit that refuses it and its window."""
        history = self._histories.setdefault(key, _History())
        if self.burst is not None:
            _drop_old(history.minute, now_us - MINUTE_US)
            if len(history.minute) >= self.burst:
                return self.burst, "minute"
            history.minute.append(now_us)
        if self.daily is not None:
            _drop_old(history.day, now_us - DAY_US)
            if len(history.day) >= self.daily:
                return self.daily, "day"
            history.day.append(now_us)
        return None


def _drop_old(window: deque[int], until_us: int) -> None:
    while window and window[0] <= until_us:
        window.popleft()
