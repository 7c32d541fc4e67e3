"""The quota's figures as literal tables: shares, rests, edges of windows, and how a 429 corrects limits."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harvester.clock import DAY_US, SECOND_US
from harvester.errors import SettingsError
from harvester.freesound.pacing import SteadyTime
from harvester.freesound.quota import (
    CLOCKS_APART_US,
    LEVELS,
    MINUTE_US,
    Lease,
    Limits,
    MemoryLedger,
    Quota,
    Refusal,
    read_limits,
)

HOUR_US = 3_600 * SECOND_US
NOW_US = 100 * DAY_US
DAY_AND_MARGIN_US = DAY_US + SECOND_US


class Hand:
    """A time that a test sets by hand."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


def quota_of(burst: int | None, daily: int | None, *stamps: int) -> tuple[Quota, Hand, MemoryLedger]:
    """A quota whose ledger holds answered requests with these stamps."""
    ledger, hand = MemoryLedger(), Hand()
    for stamp in stamps:
        ledger.lease(0, 1, stamp, [])
    return Quota(ledger, Limits(burst, daily), hand, 60 * SECOND_US), hand, ledger


def leased(quota: Quota) -> Lease:
    lease = quota.lease()
    assert lease is not None
    return lease


def refusal(kind: str, limit: int | None = None) -> Refusal:
    return Refusal(kind, limit, None, "")  # type: ignore[arg-type]


def test_the_constants_are_what_the_guide_says() -> None:
    assert (MINUTE_US, CLOCKS_APART_US) == (60_000_000, 1_000_000)
    assert {level: (limits.burst, limits.daily) for level, limits in LEVELS.items()} == {
        1: (60, 2_000),
        2: (300, 5_000),
        3: (300, 15_000),
        99: (None, None),
    }


@pytest.mark.parametrize(
    ("burst", "own", "share"),
    [
        (60, 0, 15), (60, 30, 30), (60, 59, 59), (60, 60, 60), (60, 61, 60),
        (62, 0, 15), (300, 0, 75), (3, 0, 1), (1, 0, 1),
    ],
)  # fmt: skip
def test_after_a_burst_refusal_a_minute_has_room_for_our_own_requests_and_at_least_a_quarter(
    burst: int, own: int, share: int
) -> None:
    quota, _, _ = quota_of(burst, None, *[NOW_US] * own)
    quota.refused(refusal("burst"))
    assert quota.burst_limit() == share


def test_the_share_of_a_minute_ends_after_an_hour() -> None:
    quota, hand, _ = quota_of(60, None)
    quota.refused(refusal("burst"))
    hand.now_us += HOUR_US - 1
    assert quota.burst_limit() == 15
    hand.now_us += 1
    assert quota.burst_limit() == 60


def test_a_full_minute_sets_no_share_that_outlives_a_corrected_limit() -> None:
    quota, _, ledger = quota_of(1, None, NOW_US)
    quota.refused(refusal("burst"))
    ledger.lease(NOW_US, 2, NOW_US, [])
    quota.refused(refusal("burst", 2))
    assert quota.burst_limit() == 2


def test_a_refusal_of_the_other_kind_or_without_a_limit_sets_no_share_of_the_minute() -> None:
    quota, _, _ = quota_of(60, 2_000)
    quota.refused(refusal("day"))
    assert quota.burst_limit() == 60
    unlimited, _, _ = quota_of(None, 2_000)
    unlimited.refused(refusal("burst"))
    assert unlimited.burst_limit() is None


@pytest.mark.parametrize(
    ("refusals", "own", "rests"),
    [
        # (times in hours before now, our own requests in the last day, whether six hours of rest follow)
        ([0, 0, 0, 0], 1, False), ([0, 0, 0, 0, 0], 1, True),
        ([24, 0, 0, 0, 0], 1, False), ([23, 0, 0, 0, 0], 1, True),
    ],
)  # fmt: skip
def test_the_fifth_day_refusal_within_a_day_is_followed_by_six_hours_of_rest(
    refusals: list[int], own: int, rests: bool
) -> None:
    almost_free_us = NOW_US - DAY_US + 600 * SECOND_US
    quota, hand, _ = quota_of(None, 2_000, *[almost_free_us] * own)
    for hours in refusals:
        hand.now_us = NOW_US - hours * HOUR_US
        quota.refused(refusal("day"))
    slot_us = almost_free_us + DAY_AND_MARGIN_US
    assert quota.free_at() == (NOW_US + 6 * HOUR_US if rests else slot_us, "day")
    hand.now_us = slot_us
    assert (quota.lease() is None) == rests
    if rests:
        hand.now_us = NOW_US + 6 * HOUR_US - 1
        assert quota.lease() is None
        hand.now_us += 1
        assert quota.lease() is not None


def test_where_nothing_of_ours_was_sent_a_day_refusal_is_tried_again_after_six_hours() -> None:
    for daily in (None, 2_000):
        quota, hand, _ = quota_of(None, daily)
        quota.refused(refusal("day"))
        assert (quota.share, quota.left()) == (0, 0)
        assert quota.free_at() == (NOW_US + 6 * HOUR_US, "day")
        hand.now_us += 6 * HOUR_US - 1
        assert quota.lease() is None
        hand.now_us += 1
        assert leased(quota).probing is True
        assert quota.free_at() == (NOW_US + 12 * HOUR_US, "day")


def test_a_probe_is_one_request_beyond_our_share_and_never_beyond_the_limit() -> None:
    quota, hand, ledger = quota_of(None, 2, NOW_US)
    quota.refused(refusal("day"))
    assert quota.share == 1
    hand.now_us += 6 * HOUR_US
    assert leased(quota).probing is True
    assert len(ledger.spent(0)) == 2
    hand.now_us += 6 * HOUR_US
    assert quota.lease() is None, "the day's limit is full"
    assert len(ledger.spent(0)) == 2


def test_a_probe_takes_one_slot_where_many_are_free() -> None:
    quota, hand, ledger = quota_of(None, 2_000, NOW_US)
    quota.refused(refusal("day"))
    hand.now_us += 6 * HOUR_US
    assert leased(quota).probing is True
    assert len(ledger.spent(0)) == 2
    assert quota.free_at() == (NOW_US + 12 * HOUR_US, "day")


def test_only_a_probes_answer_lifts_the_share() -> None:
    quota, hand, _ = quota_of(None, 2_000, NOW_US - DAY_US + HOUR_US, NOW_US)
    quota.refused(refusal("day"))
    hand.now_us += HOUR_US + SECOND_US
    lease = leased(quota)
    assert lease.probing is False
    quota.answered(lease)
    assert quota.share == 2


def test_while_a_share_holds_a_full_day_is_waited_for_until_its_first_request_no_longer_counts() -> None:
    hour_by_hour = (NOW_US - 2 * HOUR_US, NOW_US - HOUR_US, NOW_US)
    quota, hand, _ = quota_of(None, 5, *hour_by_hour)
    quota.refused(refusal("day"))
    for hours in (6, 12):
        hand.now_us = NOW_US + hours * HOUR_US
        assert leased(quota).probing
    assert quota.free_at() == (hour_by_hour[0] + DAY_AND_MARGIN_US, "day")


def test_without_limits_the_next_request_is_free_now() -> None:
    quota, _, _ = quota_of(None, None)
    assert quota.free_at() == (NOW_US, "minute")
    assert quota.left() is None
    assert quota.slot_frees_at is None
    assert quota.spending() == (0, None)
    assert quota.slot_frees_at is None


@pytest.mark.parametrize(
    ("age_us", "spent", "left"),
    [
        (0, 1, 9), (DAY_US - 1, 1, 9), (DAY_US, 0, 9), (DAY_US + 1, 0, 9),
        (DAY_AND_MARGIN_US - 1, 0, 9), (DAY_AND_MARGIN_US, 0, 10),
    ],
)  # fmt: skip
def test_a_request_counts_for_a_day_and_holds_its_slot_a_second_longer(age_us: int, spent: int, left: int) -> None:
    quota, _, _ = quota_of(None, 10, NOW_US - age_us)
    assert quota.spending() == (spent, left)
    assert quota.spent_in(DAY_US) == spent
    assert quota.left() == left
    assert quota.slot_frees_at == (NOW_US - age_us + DAY_AND_MARGIN_US if left == 9 else None)


def test_the_spending_shown_is_at_most_a_second_old() -> None:
    quota, hand, ledger = quota_of(None, 10)
    assert quota.spending() == (0, 10)
    ledger.lease(NOW_US, 1, NOW_US, [])
    hand.now_us += SECOND_US - 1
    assert quota.spending() == (0, 10)
    hand.now_us += 1
    assert quota.spending() == (1, 9)


@pytest.mark.parametrize(
    ("limits", "kind", "limit", "corrected"),
    [
        (Limits(None, None), "day", 5_000, Limits(None, 5_000)),
        (Limits(30, 15_000), "day", 2_000, Limits(30, 2_000)),
        (Limits(300, 15_000), "day", 2_000, Limits(60, 2_000)),
        (Limits(300, 15_000), "burst", 60, Limits(60, 2_000)),
        (Limits(300, 900), "burst", 60, Limits(60, 900)),
        (Limits(300, 900), "burst", 1, Limits(1, 900)),
        (Limits(300, 900), "burst", 1_000_000_000, Limits(1_000_000_000, 900)),
        (Limits(300, 900), "burst", 1_000_000_001, Limits(300, 900)),
        (Limits(300, 900), "burst", 0, Limits(300, 900)),
        (Limits(300, 900), "ip", 60, Limits(300, 900)),
    ],
)
def test_a_429_corrects_the_limits(limits: Limits, kind: str, limit: int, corrected: Limits) -> None:
    assert limits.corrected(refusal(kind, limit)) == corrected


def test_limits_end_at_a_thousand_million() -> None:
    assert Limits(1_000_000_000, 1) == read_limits("1000000000/1")
    for text in ("1000000001/1", "1/1000000001", "0/1"):
        with pytest.raises(SettingsError) as caught:
            read_limits(text)
        assert str(caught.value) == "a limit is from 1 to 1000000000 requests, or - for none"


def test_limits_that_cannot_be_read_are_shown_to_their_fortieth_character() -> None:
    with pytest.raises(SettingsError) as caught:
        read_limits("x" * 50)
    assert str(caught.value) == f"limits are given as BURST/DAY, for example 60/2000, not {'x' * 40!r}"


@dataclass
class Watch:
    """A wall clock and a monotonic one, each set by hand."""

    wall_us: int
    running_s: float

    def time_us(self) -> int:
        return self.wall_us

    def monotonic_s(self) -> float:
        return self.running_s

    async def sleep(self, delay_s: float) -> None:
        raise AssertionError(f"nothing waits here, and not for {delay_s} s")


def test_steady_time_starts_at_the_wall_clock_and_runs_with_the_monotonic_one() -> None:
    watch = Watch(NOW_US, 5.25)
    steady = SteadyTime(watch)
    assert steady.now_us() == NOW_US
    watch.wall_us, watch.running_s = 0, 8.5
    assert steady.now_us() == NOW_US + 3_250_000
