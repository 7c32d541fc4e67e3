"""The rules of quota and breaker alone, at times given by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from harvester.clock import DAY_US, SECOND_US, Stop
from harvester.errors import ApiUnreachable, DiskFull, SettingsError, Stopped
from harvester.freesound.outage import LONGEST_INTERVAL_S, Outage
from harvester.freesound.quota import (
    CLOCKS_APART_US,
    LEVELS,
    MINUTE_US,
    PROBE_EVERY_US,
    Lease,
    Limits,
    MemoryLedger,
    Quota,
    Refusal,
    read_limits,
)
from harvester.freesound.wire import Transient
from tests.support.client import make_client
from tests.support.fake_transport import BURST_429, EMPTY_LIST, Scripted
from tests.support.virtual_time import VirtualClock, run_virtual

NOW_US = 100 * DAY_US
TIMEOUT_US = 60 * SECOND_US
DAY_REFUSAL = Refusal("day", 2000, None, "(2000/day)")


class Hand:
    """A time that a test sets by hand."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


def quota_of(limits: Limits, ledger: MemoryLedger | None = None) -> tuple[Quota, Hand]:
    hand = Hand()
    return Quota(ledger or MemoryLedger(), limits, hand, TIMEOUT_US), hand


def leased(quota: Quota) -> Lease:
    lease = quota.lease()
    assert lease is not None
    return lease


def test_a_slot_frees_one_window_after_its_answer_not_after_its_sending() -> None:
    quota, hand = quota_of(Limits(1, None))
    lease = leased(quota)
    hand.now_us += 5 * SECOND_US
    quota.answered(lease)
    hand.now_us = NOW_US + MINUTE_US + 1
    assert quota.lease() is None
    assert quota.free_at() == (NOW_US + 5 * SECOND_US + MINUTE_US, "minute")
    hand.now_us = NOW_US + 5 * SECOND_US + MINUTE_US
    assert quota.lease() is not None


def test_an_unanswered_send_frees_one_window_after_its_time_ran_out() -> None:
    quota, hand = quota_of(Limits(None, 1))
    leased(quota)
    hand.now_us += 2 * TIMEOUT_US
    free_us = NOW_US + TIMEOUT_US + DAY_US + CLOCKS_APART_US
    assert quota.free_at() == (free_us, "day")
    hand.now_us = free_us - 1
    assert quota.lease() is None
    hand.now_us = free_us
    assert quota.lease() is not None


@pytest.mark.parametrize(
    ("count", "after_s", "days"),
    [(0, 2, 0), (1, 2, 0), (3, 2, 0), (4, 1, 1), (5, 2, 1), (6, 2, 1), (8, 2, 1), (9, 1, 2), (16, 2, 3)],
)
def test_a_number_of_requests_is_possible_when_so_many_slots_have_freed(count: int, after_s: int, days: int) -> None:
    quota, hand = quota_of(Limits(None, 5))
    for _ in range(2):  # answered after one second and after two, which is now
        lease = leased(quota)
        hand.now_us += SECOND_US
        quota.answered(lease)
    assert quota.possible_at(count) == NOW_US + after_s * SECOND_US + days * (DAY_US + CLOCKS_APART_US)


def test_without_a_days_limit_any_number_of_requests_is_possible_now() -> None:
    quota, hand = quota_of(Limits(60, None))
    assert quota.possible_at(10**6) == hand.now_us


def test_fetchers_that_wait_for_quota_are_held_back_and_those_on_the_wire_are_not() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: EMPTY_LIST, clock, latency_s=30)
        client = make_client(transport, clock, limits=Limits(None, 1), forever=True)
        tasks = [asyncio.create_task(client.fetch_similar(sound_id, 25)) for sound_id in (1, 2, 3)]
        await asyncio.sleep(10)
        assert client.held_back == set(tasks[1:])
        assert client.waiting_for is not None
        await asyncio.wait({tasks[0]})
        await asyncio.sleep(2 * 86_400)
        assert len(client.held_back) == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert client.held_back == set()

    run_virtual(main())


def test_what_is_given_back_is_free_at_once() -> None:
    quota, _ = quota_of(Limits(1, 1))
    quota.give_back(leased(quota))
    assert quota.left() == 1
    assert quota.lease() is not None
    assert quota.left() == 0


def test_no_lease_is_given_beyond_either_window() -> None:
    quota, _ = quota_of(Limits(3, 5))
    assert [quota.lease() is not None for _ in range(5)] == [True, True, True, False, False]
    daily, _ = quota_of(Limits(None, 2))
    assert [daily.lease() is not None for _ in range(3)] == [True, True, False]


def test_a_refusal_against_the_ledger_makes_our_own_requests_our_share_until_a_probe_finds_more() -> None:
    quota, hand = quota_of(Limits(None, 2000))
    for _ in range(10):
        quota.answered(leased(quota))
    quota.refused(DAY_REFUSAL)
    assert quota.share == 10
    assert quota.left() == 0
    assert quota.lease() is None
    assert quota.free_at() == (NOW_US + PROBE_EVERY_US, "day")
    hand.now_us = NOW_US + PROBE_EVERY_US
    probe = leased(quota)
    assert probe.probing
    assert quota.lease() is None
    quota.answered(probe)
    assert quota.share is None
    assert quota.lease() is not None


def test_a_refusal_that_the_ledger_expects_sets_no_share() -> None:
    quota, _ = quota_of(Limits(None, 10))
    for _ in range(10):
        quota.answered(leased(quota))
    quota.refused(Refusal("day", 10, None, "(10/day)"))
    assert quota.share is None


def test_day_refusals_that_pile_up_are_met_with_six_hours_of_rest() -> None:
    quota, hand = quota_of(Limits(None, 2000))
    for _ in range(100):
        hand.now_us += SECOND_US
        quota.answered(leased(quota))
    # From now on a slot of ours frees every second, and another program takes each one before us.
    hand.now_us = own_slot_frees_now = NOW_US + SECOND_US + DAY_US + CLOCKS_APART_US
    refused_at = []
    while hand.now_us < own_slot_frees_now + DAY_US:
        refused_at.append(hand.now_us)
        quota.refused(DAY_REFUSAL)
        hand.now_us = max(quota.free_at()[0], hand.now_us + SECOND_US)
    assert len(refused_at) < 10


def test_a_429_corrects_the_level_that_was_believed() -> None:
    burst = Refusal("burst", 60, None, "(60/minute)")
    assert LEVELS[3].corrected(burst) == LEVELS[1]
    assert LEVELS[3].corrected(Refusal("burst", 300, None, "")) == LEVELS[3]
    assert LEVELS[1].corrected(Refusal("day", 5000, None, "")) == Limits(60, 5000)
    assert LEVELS[99].corrected(DAY_REFUSAL) == LEVELS[1]
    assert Limits(60, 500).corrected(burst) == Limits(60, 500)
    assert LEVELS[2].corrected(Refusal("unknown", None, None, "")) == LEVELS[2]


def test_a_burst_refusal_against_the_ledger_slows_us_down_for_an_hour() -> None:
    quota, hand = quota_of(LEVELS[1])
    for _ in range(30):
        quota.answered(leased(quota))
    quota.refused(Refusal("burst", 60, None, ""))
    assert quota.burst_limit() == 30
    hand.now_us += 3600 * SECOND_US
    assert quota.burst_limit() == 60


def test_limits_are_read_as_burst_and_day() -> None:
    assert read_limits("60/2000") == LEVELS[1]
    assert read_limits("300/-") == Limits(300, None)
    assert read_limits("-/-") == LEVELS[99]
    for text in ("60", "a/b", "1/2/3", "-5/3", "", "0/0", "60/0", "99999999999999999999/2000", "nan/1"):
        with pytest.raises(SettingsError):
            read_limits(text)


def test_late_failures_of_the_same_outage_do_not_lengthen_the_distance() -> None:
    outage = Outage("here", forever=True)
    for _ in range(8):
        outage.failed(NOW_US, Transient("reset"), probe=False)
    assert outage.probe_at_us == NOW_US + 5 * SECOND_US


def test_probes_move_apart_up_to_half_an_hour_and_an_answer_ends_it() -> None:
    outage, now_us, distances = Outage("here", forever=True), NOW_US, []
    for number in range(20):
        outage.failed(now_us, Transient("reset"), probe=number >= 4)
        if outage.is_open:
            distances.append((outage.probe_at_us - now_us) // SECOND_US)
            now_us = outage.probe_at_us
    assert distances[:9] == [5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert set(distances[9:]) == {LONGEST_INTERVAL_S}
    outage.succeeded()
    assert not outage.is_open


def test_without_forever_the_last_probe_is_at_the_end_of_patience() -> None:
    outage, now_us = Outage("here", forever=False), NOW_US
    for number in range(10):
        outage.failed(now_us, Transient("reset"), probe=number >= 4)
        now_us = max(now_us, outage.probe_at_us)
    with pytest.raises(ApiUnreachable):
        outage.failed(now_us, Transient("reset"), probe=True)
    assert now_us == NOW_US + 600 * SECOND_US


def test_refusals_of_requests_sent_together_count_as_one() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda number, _: BURST_429 if number <= 8 else EMPTY_LIST, clock)
        client = make_client(transport, clock, limits=Limits(None, None))
        await asyncio.gather(*(client.fetch_similar(number, 25) for number in range(1, 9)))
        assert 60 <= clock.monotonic_s() < 120  # not 60 s doubled with each of the eight
        assert client.activity.refused == 8

    run_virtual(main())


def test_nothing_is_sent_after_the_run_was_closed() -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        transport = Scripted(lambda *_: EMPTY_LIST, clock)
        client = make_client(transport, clock, stop=stop, limits=LEVELS[99])
        stop.close("a signal")
        for asking in (client.identify(), client.fetch_similar(1, 25), client.fetch_sound(1)):
            with pytest.raises(Stopped):
                await asking
        assert transport.sent == []

    run_virtual(main())


class CountedLedger(MemoryLedger):
    """A ledger that knows how frequency it was asked."""

    looks = 0

    def spent(self, since_us: int) -> list[int]:
        self.looks += 1
        return super().spent(since_us)


def test_what_is_shown_four_times_a_second_looks_into_the_ledger_once_a_second() -> None:
    ledger = CountedLedger()
    quota, hand = quota_of(Limits(60, 2000), ledger)
    assert quota.spending() == (0, 2000)
    looks = ledger.looks
    quota.answered(leased(quota))
    for _ in range(3):
        hand.now_us += SECOND_US // 4
        assert quota.spending() == (0, 2000)
    assert ledger.looks == looks
    assert quota.spending(fresh=True) == (1, 1999)
    hand.now_us += SECOND_US // 4
    assert quota.spending() == (1, 1999)
    assert quota.slot_frees_at == NOW_US + DAY_US + CLOCKS_APART_US


class FullDisk(MemoryLedger):
    """A ledger whose disk is full for its first three leases."""

    tries = 0

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[tuple[int, int]]) -> list[int]:
        self.tries += 1
        if self.tries <= 3:
            raise DiskFull("no space left for the ledger of requests; nothing was sent")
        return super().lease(now_us, count, expires_us, windows)


@pytest.mark.parametrize("forever", [True, False])
def test_where_the_ledgers_disk_is_full_nothing_is_sent_and_only_a_run_for_ever_waits(forever: bool) -> None:
    async def main() -> None:
        clock, ledger = VirtualClock(), FullDisk()
        transport = Scripted(lambda *_: EMPTY_LIST, clock)
        client = make_client(transport, clock, ledger=ledger, forever=forever)
        if forever:
            await client.fetch_similar(1, 25)
            assert 180 <= clock.monotonic_s() < 200
            assert len(transport.sent) == 1
        else:
            with pytest.raises(DiskFull):
                await client.fetch_similar(1, 25)
            assert transport.sent == []

    run_virtual(main())
