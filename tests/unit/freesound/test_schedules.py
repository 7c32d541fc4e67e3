"""Limits, window edges, waits and patience, by value in seconds: what the server's settings and our manners say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from harvester.clock import Stop
from harvester.errors import ApiUnreachable
from harvester.freesound.http_session import CONNECT_S, READ_S, TOTAL_S
from harvester.freesound.ledger import FileLedger
from harvester.freesound.outage import Outage
from harvester.freesound.quota import LEVELS, Ledger, Limits, MemoryLedger, Quota, Refusal
from harvester.freesound.retry import Retry
from harvester.freesound.shape import PROBES_S
from harvester.freesound.wire import Transient
from tests.support.virtual_time import VirtualClock, run_virtual

SECOND = 1_000_000
NOW_US = 1_790_000_000 * SECOND
DAY_S = 86_400


def test_the_levels_are_the_servers() -> None:
    assert dict(LEVELS) == {1: Limits(60, 2_000), 2: Limits(300, 5_000), 3: Limits(300, 15_000), 99: Limits(None, None)}


Make = Callable[[Path], Ledger]
LEDGERS: dict[str, Make] = {
    "memory": lambda _folder: MemoryLedger(),
    "file": lambda folder: FileLedger("server", "fingerprint", folder),
}


@pytest.fixture(params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return LEDGERS[request.param](tmp_path)


@pytest.mark.parametrize(
    ("limits", "after_s", "free"),
    [
        (Limits(1, None), 0, False),
        (Limits(1, None), 59.9, False),
        (Limits(1, None), 59.999999, False),
        (Limits(1, None), 60, True),
        (Limits(None, 1), 12 * 3_600, False),
        (Limits(None, 1), 23.99 * 3_600, False),
        (Limits(None, 1), DAY_S, False),
        (Limits(None, 1), DAY_S + 0.999999, False),
        (Limits(None, 1), DAY_S + 1, True),  # our clock and the server's may be a second apart by then
        (Limits(1, 1), 60, False),
        (Limits(1, 1), DAY_S + 1, True),
    ],
)
def test_a_slot_is_free_again_at_the_edge_of_its_window(
    ledger: Ledger, limits: Limits, after_s: float, free: bool
) -> None:
    now_us = [NOW_US]
    quota = Quota(ledger, limits, lambda: now_us[0], 60 * SECOND)
    lease = quota.lease()
    assert lease is not None
    quota.answered(lease)
    now_us[0] += round(after_s * SECOND)
    assert (quota.lease() is not None) is free


@pytest.mark.parametrize(
    ("after_s", "spent", "left"),
    [(0, 3, 7), (DAY_S - 1, 3, 7), (DAY_S, 0, 7), (DAY_S + 0.5, 0, 7), (DAY_S + 1, 0, 10), (2 * DAY_S, 0, 10)],
)
def test_what_is_spent_and_left_of_a_day(ledger: Ledger, after_s: float, spent: int, left: int) -> None:
    now_us = [NOW_US]
    quota = Quota(ledger, Limits(None, 10), lambda: now_us[0], 60 * SECOND)
    for _ in range(3):
        lease = quota.lease()
        assert lease is not None
        quota.answered(lease)
    now_us[0] += round(after_s * SECOND)
    assert (quota.spending(fresh=True)[0], quota.left()) == (spent, left)


@pytest.mark.parametrize(("after_s", "kept"), [(12 * 3_600, 5), (DAY_S + 1, 5), (47 * 3_600, 5), (2 * DAY_S, 0)])
def test_the_ledger_remembers_two_days(tmp_path: Path, after_s: int, kept: int) -> None:
    ledger = FileLedger("server", "fingerprint", tmp_path)
    for row in ledger.lease(NOW_US, 5, NOW_US + 60 * SECOND, []):
        ledger.answered(row, NOW_US)
    later_us = NOW_US + after_s * SECOND
    ledger.lease(later_us, 1, later_us + 60 * SECOND, [])
    assert len(ledger.spent(0)) == kept + 1


@pytest.mark.parametrize(
    ("own", "burst", "after_s", "expected"),
    [
        (30, 60, 0, 30),
        (30, 60, 3_599, 30),
        (30, 60, 3_600, 60),
        (3, 60, 0, 15),
        (0, 2, 0, 1),
        (70, 300, 0, 75),
    ],
)
def test_our_share_of_a_minute_after_a_refusal_lasts_an_hour(own: int, burst: int, after_s: int, expected: int) -> None:
    now_us = [NOW_US]
    quota = Quota(MemoryLedger(), Limits(burst, None), lambda: now_us[0], 60 * SECOND)
    for _ in range(own):
        lease = quota.lease()
        assert lease is not None
        quota.answered(lease)
    quota.refused(Refusal("burst", None, None, ""))
    now_us[0] += after_s * SECOND
    assert quota.burst_limit() == expected


def test_after_a_refusal_for_the_day_more_is_tried_every_six_hours() -> None:
    now_us = [NOW_US]
    quota = Quota(MemoryLedger(), Limits(None, 2_000), lambda: now_us[0], 60 * SECOND)
    quota.refused(Refusal("day", 2_000, None, ""))
    for after_s, free in ((0, False), (6 * 3_600 - 1, False), (6 * 3_600, True)):
        now_us[0] = NOW_US + after_s * SECOND
        assert (quota.lease() is not None) is free, after_s


class _Longest(Random):
    """Dice that always draw the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        return b


@pytest.mark.parametrize(
    ("failure", "waits_s"),
    [
        (Transient("server error 500"), [1, 2, 4]),  # four attempts
        (Transient("reset", attempts=2), [1]),
        (Transient("reset", attempts=11), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]),
    ],
)
def test_the_longest_waits_between_the_attempts_of_a_request(failure: Transient, waits_s: list[int]) -> None:
    async def main() -> list[float]:
        clock, times_s = VirtualClock(), []

        async def attempt() -> None:
            times_s.append(clock.monotonic_s())
            raise failure

        with pytest.raises(Transient):
            await Retry(clock, Stop(), _Longest(), lambda *_: None).call(attempt)
        return [later - earlier for earlier, later in pairwise(times_s)]

    assert run_virtual(main()) == pytest.approx(waits_s)


def test_probes_of_an_outage_are_so_far_apart() -> None:
    outage, now_us, distances = Outage("here", forever=True), NOW_US, []
    for number in range(16):
        outage.failed(now_us, Transient("reset"), probe=number >= 4)
        distances.append((outage.probe_at_us - now_us) // SECOND if outage.is_open else 0)
        now_us = max(now_us, outage.probe_at_us)
    assert distances == [0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800, 1800]


@pytest.mark.parametrize(
    ("failure", "reached", "patience_s"),
    [
        (Transient("server error 500"), False, 600),  # the API itself answered
        (Transient("no answer", foreign=True), True, 600),
        (Transient("a web page", foreign=True), False, 0),
    ],
)
def test_an_outage_ends_a_run_after(failure: Transient, reached: bool, patience_s: int) -> None:
    outage = Outage("here", forever=False)
    if reached:
        outage.succeeded()
    if patience_s:
        outage.failed(NOW_US, failure, probe=False)
        outage.failed(NOW_US + patience_s * SECOND - 1, failure, probe=True)
    with pytest.raises(ApiUnreachable):
        outage.failed(NOW_US + patience_s * SECOND, failure, probe=True)


def test_answers_that_have_changed_are_looked_at_again_after() -> None:
    assert PROBES_S == (60, 300, 1_800, 7_200, 21_600)


def test_a_request_may_take_so_long() -> None:
    assert (CONNECT_S, READ_S, TOTAL_S) == (10, 30, 60)
