"""When a deferred or absent sound is looked for again, as values."""

from __future__ import annotations

import pytest

from harvester.clock import DAY_US
from harvester.model import Deferral
from harvester.pipeline.deferral import ABSENCE_WAITS_US, ABSENT, DELETED_AFTER, Backoff, deferral_lines, holds_back
from tests.support.world import MemoryStore

NOW_US = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
HOUR_US = 3_600_000_000
WAITS_US = tuple(days * DAY_US - HOUR_US for days in (1, 3, 7, 14, 28))


def backoff(*known: Deferral) -> Backoff:
    store = MemoryStore()
    store.deferrals = {one.sound_id: one for one in known}
    return Backoff(store)


def test_the_waits_after_absences_are_these() -> None:
    assert (ABSENCE_WAITS_US, DELETED_AFTER) == (WAITS_US, 6)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, Deferral(5, ABSENT, 1, NOW_US + WAITS_US[0])),
        (Deferral(5, "timeout", 4, NOW_US), Deferral(5, ABSENT, 1, NOW_US + WAITS_US[0])),
        (Deferral(5, ABSENT, 1, NOW_US), Deferral(5, ABSENT, 2, NOW_US + WAITS_US[1])),
        (Deferral(5, ABSENT, 2, NOW_US - 1), Deferral(5, ABSENT, 3, NOW_US + WAITS_US[2])),
        (Deferral(5, ABSENT, 4, NOW_US), Deferral(5, ABSENT, 5, NOW_US + WAITS_US[4])),
        (Deferral(5, ABSENT, 5, NOW_US), None),
        (Deferral(5, ABSENT, 5, NOW_US + 1), Deferral(5, ABSENT, 5, NOW_US + 1)),
    ],
)
def test_an_absence_counts_once_its_time_has_come(known: Deferral | None, expected: Deferral | None) -> None:
    assert backoff(*([known] if known else []), Deferral(6, ABSENT, 3, 0)).absence(5, NOW_US) == expected


def test_a_record_that_could_not_be_fetched_keeps_the_absences_of_its_sound() -> None:
    known = Deferral(5, ABSENT, 3, NOW_US - 9)
    assert backoff(known).record_failed(5, "timeout", NOW_US) == Deferral(5, ABSENT, 3, NOW_US + WAITS_US[0])
    tried = Deferral(5, "HTTP 503", 1, NOW_US - 9)
    assert backoff(tried).record_failed(5, "timeout", NOW_US) == Deferral(5, "timeout", 2, NOW_US + 4 * HOUR_US)
    assert backoff().record_failed(5, "timeout", NOW_US) == Deferral(5, "timeout", 1, NOW_US + HOUR_US)


@pytest.mark.parametrize(
    ("deferral", "fetched_at", "expected"),
    [
        (None, None, False),
        (Deferral(5, "timeout", 1, NOW_US), None, False),
        (Deferral(5, "timeout", 1, NOW_US + 1), None, True),
        (Deferral(5, "timeout", 1, NOW_US + 1), NOW_US, True),
        (Deferral(5, ABSENT, 1, NOW_US + 1), None, True),
        # The absence was a wait before the next try; a record that was fetched after it ends it.
        (Deferral(5, ABSENT, 1, NOW_US + 1), NOW_US + 1 - WAITS_US[0], True),
        (Deferral(5, ABSENT, 1, NOW_US + 1), NOW_US + 2 - WAITS_US[0], False),
        (Deferral(5, ABSENT, 3, NOW_US + 1), NOW_US + 1 - WAITS_US[2], True),
        (Deferral(5, ABSENT, 3, NOW_US + 1), NOW_US + 2 - WAITS_US[2], False),
        (Deferral(5, ABSENT, 9, NOW_US + 1), NOW_US + 1 - WAITS_US[4], True),
        (Deferral(5, ABSENT, 9, NOW_US + 1), NOW_US + 2 - WAITS_US[4], False),
    ],
)
def test_a_deferral_holds_a_sound_back_until_its_time_or_a_later_record(
    deferral: Deferral | None, fetched_at: int | None, expected: bool
) -> None:
    attributes = {} if fetched_at is None else {"fetched_at": fetched_at}
    assert holds_back(deferral, attributes, NOW_US) is expected


def test_an_absent_sound_without_a_record_is_held_back_at_the_beginning_of_time() -> None:
    assert holds_back(Deferral(5, ABSENT, 1, WAITS_US[0]), {}, 1)


def test_a_line_names_one_sound_or_counts_several() -> None:
    waits = [Deferral(sound_id, "timeout", 1, NOW_US + sound_id * 1_000_000) for sound_id in (7, 5)]
    assert deferral_lines(waits[:1]) == ("sound 7 deferred until 2026-09-21T14:13:27Z: timeout",)
    assert deferral_lines([*waits, Deferral(9, "HTTP 500", 1, NOW_US)]) == (
        "2 sounds deferred until 2026-09-21T14:13:25Z: timeout",
        "sound 9 deferred until 2026-09-21T14:13:20Z: HTTP 500",
    )
