"""Backoff for sounds whose fetch failed (1 h, times 4, at most 7 d).

A young sound with an empty similar list is retried every 7 d. Reads graph and deferrals, changes nothing.
"""

from __future__ import annotations

from harvester.clock import DAY_US, SECOND_US
from harvester.model import Deferral
from harvester.pipeline.ports import SoundStore
from harvester.records import created_us

YOUNG_US = 30 * DAY_US
"""The server may not have computed the vector of a younger sound: its similar list is empty then."""
YOUNG_WAIT_US = 7 * DAY_US
YOUNG_TRIES = 3
FIRST_WAIT_US = 3_600 * SECOND_US
LONGEST_WAIT_US = 7 * DAY_US
NO_VECTOR = "empty similar list of a young sound"


class Backoff:
    """Computes from earlier deferrals when a sound is retried."""

    def __init__(self, store: SoundStore) -> None:
        self._store = store

    def deferral(self, sound_id: int, reason: str, now_us: int) -> Deferral:
        """Return the deferral after a failed fetch: four times the last wait."""
        count = self._tries(sound_id) + 1
        return Deferral(sound_id, reason, count, now_us + min(LONGEST_WAIT_US, FIRST_WAIT_US * 4 ** (count - 1)))

    def until_vector(self, sound_id: int, now_us: int) -> Deferral:
        """Return the deferral of a sound that has no vector yet."""
        return Deferral(sound_id, NO_VECTOR, self._tries(sound_id) + 1, now_us + YOUNG_WAIT_US)

    def lacks_vector(self, sound_id: int, now_us: int) -> bool:
        """Tell whether a sound is young, and its list was empty at most twice."""
        deferral = self._store.deferrals.get(sound_id)
        if deferral is not None and deferral.reason == NO_VECTOR and deferral.count >= YOUNG_TRIES:
            return False
        at_us = created_us(self._store.state.attributes(sound_id))
        return at_us is not None and now_us - at_us < YOUNG_US

    def if_deferred(self, sound_id: int) -> tuple[int, ...]:
        """Return the sound in a tuple if it is deferred, else an empty tuple."""
        return (sound_id,) if sound_id in self._store.deferrals else ()

    def _tries(self, sound_id: int) -> int:
        deferral = self._store.deferrals.get(sound_id)
        return deferral.count if deferral is not None else 0
