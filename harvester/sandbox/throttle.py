"""The two limits of a key, as two rolling windows over the requests it was granted (API.md §4).

Invariant: an entry leaves a window when its age reaches 60 s or 86,400 s; there is no reset at midnight. A
request refused for the minute is recorded nowhere; one refused for the day uses a slot of the minute.
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
    """The histories of all keys; a limit of None grants everything."""

    def __init__(self, burst: int | None, daily: int | None) -> None:
        self.burst = burst
        self.daily = daily
        self._histories: dict[str, _History] = {}

    def refuses(self, key: str, now_us: int) -> tuple[int, str] | None:
        """Record a request at `now_us` and return None, or return the limit it breaks, as (number, window)."""
        history = self._histories.setdefault(key, _History())
        if self.burst is not None:
            _forget(history.minute, now_us - MINUTE_US)
            if len(history.minute) >= self.burst:
                return self.burst, "minute"
            history.minute.append(now_us)
        if self.daily is not None:
            _forget(history.day, now_us - DAY_US)
            if len(history.day) >= self.daily:
                return self.daily, "day"
            history.day.append(now_us)
        return None


def _forget(window: deque[int], until_us: int) -> None:
    while window and window[0] <= until_us:
        window.popleft()
