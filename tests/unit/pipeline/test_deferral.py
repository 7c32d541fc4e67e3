"""When a deferred or absent sound is looked for again, as values."""

from __future__ import annotations

import pytest

from harvester.clock import DAY_US, SECOND_US
from harvester.model import Deferral, Seen
from harvester.pipeline.deferral import (
    ABSENCE_WAITS_US,
    ABSENT,
    DELETED_AFTER,
    NO_VECTOR,
    Backoff,
    deferral_lines,
    holds_back,
)
from tests.support.world import MemoryStore, make_record

NOW_US = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
HOUR_US = 3_600 * SECOND_US
WAITS_US = tuple(days * DAY_US - HOUR_US for days in (1, 3, 7, 14, 28))  # an hour less for a nightly run


@pytest.mark.parametrize(
    ("tries", "delay_s"),
    [
        (0, 3_600),
        (1, 14_400),
        (2, 57_600),
        (3, 230_400),
        (4, 604_800),
        (5, 604_800),
        (40, 604_800),
    ],
)
def test_a_failed_sound_is_tried_again_after(tries: int, delay_s: int) -> None:
    store = MemoryStore()
    if tries:
        store.deferrals[7] = Deferral(7, "server error 500", tries, NOW_US)
    deferral = Backoff(store).deferral(7, "cut short", NOW_US)
    assert deferral == Deferral(7, "cut short", tries + 1, NOW_US + delay_s * SECOND_US)


@pytest.mark.parametrize("tries", [0, 1, 2])
def test_a_young_sound_without_a_list_is_tried_again_after_a_week(tries: int) -> None:
    store = MemoryStore()
    if tries:
        store.deferrals[7] = Deferral(7, NO_VECTOR, tries, NOW_US)
    deferral = Backoff(store).until_vector(7, NOW_US)
    assert deferral == Deferral(7, "empty similar list of a young sound", tries + 1, NOW_US + 604_800 * SECOND_US)


@pytest.mark.parametrize(
    ("created", "tries", "lacks"),
    [
        ("2026-09-21T14:13:20Z", 0, True),  # now
        ("2026-08-22T14:13:21Z", 0, True),  # a second less than 30 days ago
        ("2026-08-22T14:13:20Z", 0, False),
        ("2020-01-01T00:00:00Z", 0, False),
        ("2026-09-21T14:13:20Z", 2, True),
        ("2026-09-21T14:13:20Z", 3, False),
        ("2026-09-21T14:13:20Z", 4, False),
        (None, 0, False),
    ],
)
def test_an_empty_list_of_a_sound_means_that_its_vector_is_missing(
    created: str | None, tries: int, lacks: bool
) -> None:
    assert NOW_US % DAY_US == (14 * 3_600 + 13 * 60 + 20) * SECOND_US
    store = MemoryStore()
    store.state.apply(Seen(7, make_record(7, created=created), NOW_US))
    if tries:
        store.deferrals[7] = Deferral(7, NO_VECTOR, tries, NOW_US)
    assert Backoff(store).lacks_vector(7, NOW_US) is lacks


def test_another_reason_does_not_count_as_a_missing_vector() -> None:
    store = MemoryStore()
    store.state.apply(Seen(7, make_record(7, created="2026-09-21T14:13:20Z"), NOW_US))
    store.deferrals[7] = Deferral(7, "server error 500", 9, NOW_US)
    assert Backoff(store).lacks_vector(7, NOW_US)


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
        (Deferral(5, ABSENT, 3, NOW_US), Deferral(5, ABSENT, 4, NOW_US + WAITS_US[3])),
        (Deferral(5, ABSENT, 4, NOW_US), Deferral(5, ABSENT, 5, NOW_US + WAITS_US[4])),
        (Deferral(5, ABSENT, 5, NOW_US), None),
        (Deferral(5, ABSENT, 1, NOW_US + 1), Deferral(5, ABSENT, 1, NOW_US + 1)),
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


def test_failures_and_absences_are_counted_apart() -> None:
    store = MemoryStore()
    store.deferrals = {7: Deferral(7, ABSENT, 4, NOW_US), 8: Deferral(8, "cut short", 4, NOW_US)}
    backoff = Backoff(store)
    assert backoff.record_failed(7, "HTTP 500", NOW_US) == Deferral(7, ABSENT, 4, NOW_US + 23 * HOUR_US)
    assert backoff.record_failed(8, "HTTP 500", NOW_US).count == 5
    assert backoff.deferral(7, "HTTP 500", NOW_US) == Deferral(7, "HTTP 500", 1, NOW_US + HOUR_US)
    assert backoff.until_vector(7, NOW_US).count == 1
    assert backoff.absence(8, NOW_US) == Deferral(8, ABSENT, 1, NOW_US + 23 * HOUR_US)
