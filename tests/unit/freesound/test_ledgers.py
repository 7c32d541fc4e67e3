"""What both ledgers promise, in memory and in a file: which requests count, until when, and what a set clock does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.clock import DAY_US
from harvester.freesound.ledger import FileLedger
from harvester.freesound.quota import Ledger, MemoryLedger

NOW_US = 1_790_000_000_000_000
MakeLedger = Callable[[], Ledger]


@pytest.fixture(params=["memory", "file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Each of the two ledgers, empty."""
    return MemoryLedger() if request.param == "memory" else FileLedger("server", "key", tmp_path)


def test_rows_are_numbered_from_one_and_no_number_is_given_twice(ledger: Ledger) -> None:
    assert ledger.lease(NOW_US, 2, NOW_US + 1, []) == [1, 2]
    assert ledger.lease(NOW_US, 3, NOW_US + 1, []) == [3, 4, 5]
    ledger.give_back([4, 5])
    assert ledger.lease(NOW_US, 1, NOW_US + 1, []) == [6]


@pytest.mark.parametrize(("room", "given"), [(-1, 0), (0, 0), (1, 1), (2, 2), (3, 2)])
def test_a_lease_is_bounded_by_the_fullest_window(ledger: Ledger, room: int, given: int) -> None:
    ledger.lease(NOW_US, 2, NOW_US, [])
    assert len(ledger.lease(NOW_US, 2, NOW_US, [(99, DAY_US), (2 + room, DAY_US)])) == given
    assert len(ledger.lease(NOW_US, 0, NOW_US, [(99, DAY_US)])) == 0


def test_a_request_counts_while_its_stamp_is_later_than_the_windows_beginning(ledger: Ledger) -> None:
    ledger.lease(NOW_US, 1, NOW_US + 5, [])
    assert ledger.spent(NOW_US + 4) == [NOW_US + 5]
    assert ledger.spent(NOW_US + 5) == []
    assert ledger.lease(NOW_US + 14, 1, NOW_US + 20, [(1, 10)]) == []
    assert ledger.lease(NOW_US + 15, 1, NOW_US + 20, [(1, 10)]) == [2]


def test_an_answer_moves_a_requests_stamp_and_no_others(ledger: Ledger) -> None:
    ledger.lease(NOW_US, 2, NOW_US + 50, [])
    ledger.answered(1, NOW_US + 7)
    ledger.answered(99, NOW_US + 8)
    assert ledger.spent(0) == [NOW_US + 7, NOW_US + 50]


def test_what_is_given_back_does_not_count_and_a_row_that_is_not_there_is_no_error(ledger: Ledger) -> None:
    ledger.lease(NOW_US, 3, NOW_US + 1, [])
    ledger.give_back([])
    ledger.give_back([2, 99])
    ledger.give_back([2])
    ledger.answered(2, NOW_US)
    assert ledger.spent(0) == [NOW_US + 1] * 2


def test_after_a_clock_was_set_back_later_stamps_count_from_now_on(ledger: Ledger) -> None:
    for expires_us in (20, 30, 40):
        ledger.lease(NOW_US, 1, NOW_US + expires_us, [])
    # Leased before the others' times: what lies later than 20 cannot be true.
    ledger.lease(NOW_US - 60, 1, NOW_US + 20, [])
    assert ledger.spent(0) == [NOW_US - 60, NOW_US - 60, NOW_US + 20, NOW_US + 20]


def test_a_ledger_in_memory_forgets_after_two_days_and_only_when_it_is_large() -> None:
    ledger, later_us = MemoryLedger(), NOW_US + 2 * DAY_US
    ledger.lease(NOW_US, 20_000, NOW_US, [])
    ledger.lease(NOW_US + 1, 30_000, NOW_US + 1, [])
    ledger.lease(later_us, 1, later_us, [])
    assert len(ledger.spent(0)) == 50_001, "50,000 are not too many"
    ledger.lease(later_us, 1, later_us, [])
    assert ledger.spent(0) == [NOW_US + 1] * 30_000 + [later_us] * 2, "what is two days old is forgotten"
    ledger.lease(later_us, 30_000, later_us, [])
    last_us = later_us + 3 * DAY_US
    ledger.lease(last_us, 1, last_us, [])
    assert len(ledger.spent(0)) == 60_003, "it looks again at twice the 30,001 that it kept"
    ledger.lease(last_us, 1, last_us, [])
    assert ledger.spent(0) == [last_us] * 2
    ledger.lease(last_us, 49_998, last_us, [])
    for kept in (50_001, 2):
        ledger.lease(last_us + 2 * DAY_US, 1, last_us + 2 * DAY_US, [])
        assert len(ledger.spent(0)) == kept, "and not below 50,000"
