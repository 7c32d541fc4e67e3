"""When a deferred sound is retried, or an absent one counts as deleted.

A failed fetch: 1 h, times 4, at most 7 d. A young sound with an empty similar list: every 7 d. A known id that the
search lacks: after ABSENCE_WAITS_US. Reads graph and deferrals, changes nothing.

A deferral is in the journal and local to this library: a merge neither adds nor resets absences. What a merge brings
ends them: a tombstone, or a record fetched after the absence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harvester.clock import DAY_US, SECOND_US, iso
from harvester.model import Deferral
from harvester.pipeline.messages import Claim, Defer, Entry, FrontierChange, Settle
from harvester.pipeline.ports import SoundStore
from harvester.records import created_us

YOUNG_US = 30 * DAY_US
"""The server may not have computed the vector of a younger sound: its similar list is empty then."""
YOUNG_WAIT_US = 7 * DAY_US
YOUNG_TRIES = 3
FIRST_WAIT_US = 3_600 * SECOND_US
LONGEST_WAIT_US = 7 * DAY_US
NO_VECTOR = "empty similar list of a young sound"

ABSENT = "absent from the search"
ABSENCE_WAITS_US = tuple(days * DAY_US - 3_600 * SECOND_US for days in (1, 3, 7, 14, 28))
"""How long after each absence the id is looked for again: an hour less than days, for a nightly run.

The search lacks deleted sounds, but also new ones that wait for moderation or for the index, and those of an index that
is being rebuilt.
"""
DELETED_AFTER = len(ABSENCE_WAITS_US) + 1
"""Absences after which a sound counts as deleted: about 53 days after the first."""


def wait_after_failure(count: int) -> int:
    """Return the wait in microseconds after the `count`th failure in a row."""
    times: int = 4 ** min(count - 1, 10)
    return min(LONGEST_WAIT_US, FIRST_WAIT_US * times)


def wait_after_absence(count: int) -> int:
    """Return the wait in microseconds after the `count`th absence in a row."""
    return ABSENCE_WAITS_US[min(count, len(ABSENCE_WAITS_US)) - 1]


class Backoff:
    """Computes from earlier deferrals when a sound is retried."""

    def __init__(self, store: SoundStore) -> None:
        self._store = store

    def deferral(self, sound_id: int, reason: str, now_us: int) -> Deferral:
        """Return the deferral after a failed fetch: four times the last wait."""
        count = self._tries(sound_id) + 1
        return Deferral(sound_id, reason, count, now_us + wait_after_failure(count))

    def record_failed(self, sound_id: int, reason: str, now_us: int) -> Deferral:
        """Return the deferral after a record could not be fetched.

        An absent sound keeps its absences, and is looked for again a day later.
        """
        known = self._store.deferrals.get(sound_id)
        if known is not None and known.reason == ABSENT:
            return replace(known, next_try_at=now_us + ABSENCE_WAITS_US[0])
        return self.deferral(sound_id, reason, now_us)

    def until_vector(self, sound_id: int, now_us: int) -> Deferral:
        """Return the deferral of a sound that has no vector yet."""
        return Deferral(sound_id, NO_VECTOR, self._tries(sound_id) + 1, now_us + YOUNG_WAIT_US)

    def absence(self, sound_id: int, now_us: int) -> Deferral | None:
        """Return the deferral of an absent sound; None: it counts as deleted.

        An absence before its time, as of a seed that a user names again, does not count.
        """
        known = self._store.deferrals.get(sound_id)
        if known is None or known.reason != ABSENT:
            return Deferral(sound_id, ABSENT, 1, now_us + ABSENCE_WAITS_US[0])
        if now_us < known.next_try_at:
            return known
        if known.count + 1 >= DELETED_AFTER:
            return None
        return Deferral(sound_id, ABSENT, known.count + 1, now_us + wait_after_absence(known.count + 1))

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

    def if_absent(self, sound_id: int) -> tuple[int, ...]:
        """Return the sound in a tuple if it was absent, else an empty tuple."""
        deferral = self._store.deferrals.get(sound_id)
        return (sound_id,) if deferral is not None and deferral.reason == ABSENT else ()

    def _tries(self, sound_id: int) -> int:
        deferral = self._store.deferrals.get(sound_id)
        return deferral.count if deferral is not None and deferral.reason != ABSENT else 0


def holds_back(deferral: Deferral | None, attributes: Mapping[str, Any], now_us: int) -> bool:
    """Tell whether a deferral keeps a sound with these attributes waiting."""
    if deferral is None or deferral.next_try_at <= now_us:
        return False
    if deferral.reason != ABSENT:
        return True
    wait_us = wait_after_absence(deferral.count)
    return int(attributes.get("fetched_at", 0)) <= deferral.next_try_at - wait_us


def deferral_lines(deferrals: Sequence[Deferral]) -> tuple[str, ...]:
    """Return one line for the sounds that are deferred for the same reason."""
    by_reason: dict[str, list[Deferral]] = {}
    for one in deferrals:
        by_reason.setdefault(one.reason, []).append(one)
    return tuple(
        f"{_sounds(those)} deferred until {iso(min(one.next_try_at for one in those))}: {reason}"
        for reason, those in by_reason.items()
    )


def _sounds(those: Sequence[Deferral]) -> str:
    return f"sound {those[0].sound_id}" if len(those) == 1 else f"{len(those):,} sounds"


def deferral_entry(
    claim: Claim,
    *deferrals: Deferral,
    oddities: Mapping[str, int] | None = None,
    more_changes: Sequence[FrontierChange] = (),
) -> Entry:
    """Return the entry that defers sounds and settles their claim."""
    return Entry(
        deferrals=deferrals,
        oddities=oddities or {},
        lines=deferral_lines(deferrals),
        changes=(*(Defer(one.sound_id, one.next_try_at) for one in deferrals), Settle(claim), *more_changes),
    )
