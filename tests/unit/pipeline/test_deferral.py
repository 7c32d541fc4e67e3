"""The delays between two tries of a sound, in seconds."""

from __future__ import annotations

import pytest

from harvester.clock import DAY_US, SECOND_US
from harvester.model import Deferral, Seen
from harvester.pipeline.deferral import ABSENT, DELETED_AFTER, NO_VECTOR, Backoff
from tests.support.world import MemoryStore, make_record

NOW_US = 1_790_000_000_000_000


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


HOUR_US = 3_600 * SECOND_US


@pytest.mark.parametrize(
    ("absences", "hours"),
    [(0, 23), (1, 71), (2, 167), (3, 335), (4, 671)],  # 1, 3, 7, 14 and 28 days, an hour less for a nightly run
)
def test_an_absent_id_is_looked_for_again_after(absences: int, hours: int) -> None:
    store = MemoryStore()
    if absences:
        store.deferrals[7] = Deferral(7, ABSENT, absences, NOW_US)
    assert Backoff(store).absence(7, NOW_US) == Deferral(7, ABSENT, absences + 1, NOW_US + hours * HOUR_US)


def test_an_id_counts_as_deleted_at_its_sixth_absence() -> None:
    store = MemoryStore()
    store.deferrals[7] = Deferral(7, ABSENT, 5, NOW_US)
    assert DELETED_AFTER == 6
    assert Backoff(store).absence(7, NOW_US) is None


@pytest.mark.parametrize("absences", [1, 5])
def test_an_absence_before_its_time_does_not_count(absences: int) -> None:
    store = MemoryStore()
    store.deferrals[7] = known = Deferral(7, ABSENT, absences, NOW_US + 1)
    assert Backoff(store).absence(7, NOW_US) == known


def test_failures_and_absences_are_counted_apart() -> None:
    store = MemoryStore()
    store.deferrals = {7: Deferral(7, ABSENT, 4, NOW_US), 8: Deferral(8, "cut short", 4, NOW_US)}
    backoff = Backoff(store)
    assert backoff.record_failed(7, "HTTP 500", NOW_US) == Deferral(7, ABSENT, 4, NOW_US + 23 * HOUR_US)
    assert backoff.record_failed(8, "HTTP 500", NOW_US).count == 5
    assert backoff.deferral(7, "HTTP 500", NOW_US) == Deferral(7, "HTTP 500", 1, NOW_US + HOUR_US)
    assert backoff.until_vector(7, NOW_US).count == 1
    assert backoff.absence(8, NOW_US) == Deferral(8, ABSENT, 1, NOW_US + 23 * HOUR_US)
