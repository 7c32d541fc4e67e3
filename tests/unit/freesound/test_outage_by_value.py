"""The breaker's figures as literal tables: when it opens, how far apart it probes, when patience is at its end."""

from __future__ import annotations

import pytest

from harvester.clock import SECOND_US
from harvester.errors import ApiUnreachable
from harvester.freesound.outage import Outage, Refusals
from harvester.freesound.wire import Transient, TransportFailure

NOW_US = 1_790_000_000_000_000
ANSWERED = Transient("HTTP 503")
UNREACHED = TransportFailure("no route", sent=False)
FOREIGN = Transient("a login page", foreign=True)
ADVICE = "check --api-url, whether the network requires a login, and whether this address is blocked"


def ended(outage: Outage, at_s: float, failure: Transient, *, probe: bool = True) -> str:
    """Note a failure; return how the run ends by it, or nothing."""
    try:
        outage.failed(NOW_US + round(at_s * SECOND_US), failure, probe=probe)
    except ApiUnreachable as error:
        return str(error)
    return ""


def test_a_new_breaker_is_closed_and_says_nothing() -> None:
    outage = Outage("here", forever=True)
    assert (outage.is_open, outage.reason, outage.probe_at_us) == (False, "", 0)


@pytest.mark.parametrize(("failure", "first_s"), [(ANSWERED, 5), (UNREACHED, 1)])
@pytest.mark.parametrize("forever", [True, False])
def test_the_breaker_opens_at_the_fourth_failure_in_a_row(failure: Transient, first_s: int, forever: bool) -> None:
    outage = Outage("here", forever=forever)
    for number in range(1, 5):
        assert not outage.is_open
        outage.failed(NOW_US + number, failure, probe=False)
        assert outage.probe_at_us == NOW_US + number + (first_s * SECOND_US if number == 4 else 0)
    assert outage.is_open
    assert outage.reason == failure.reason


def test_an_answer_closes_the_breaker_and_three_failures_after_it_do_not_open_it() -> None:
    outage = Outage("here", forever=True)
    for _ in range(4):
        outage.failed(NOW_US, UNREACHED, probe=False)
    outage.succeeded()
    for _ in range(3):
        outage.failed(NOW_US, UNREACHED, probe=False)
        assert not outage.is_open
    outage.failed(NOW_US, UNREACHED, probe=False)
    assert outage.probe_at_us == NOW_US + 5 * SECOND_US, "the API was reached once: no first contact any more"


@pytest.mark.parametrize(("failure", "first_s"), [(ANSWERED, 5), (UNREACHED, 1)])
def test_only_a_probe_lengthens_the_distance_and_half_an_hour_is_the_longest(failure: Transient, first_s: int) -> None:
    outage = Outage("here", forever=True)
    for _ in range(4):
        outage.failed(NOW_US, failure, probe=False)
    outage.failed(NOW_US + 9, failure, probe=False)
    assert outage.probe_at_us == NOW_US + first_s * SECOND_US
    distance_s = first_s
    for _ in range(15):
        outage.failed(NOW_US, failure, probe=True)
        distance_s = min(2 * distance_s, 1_800)
        assert outage.probe_at_us == NOW_US + distance_s * SECOND_US
    assert distance_s == 1_800


def test_a_distance_that_the_caller_names_opens_the_breaker_at_once() -> None:
    outage = Outage("here", forever=True)
    outage.failed(NOW_US, ANSWERED, probe=False, probe_in_s=60)
    assert (outage.is_open, outage.probe_at_us) == (True, NOW_US + 60 * SECOND_US)
    outage.failed(NOW_US + 1, ANSWERED, probe=False, probe_in_s=99)
    assert outage.probe_at_us == NOW_US + 60 * SECOND_US, "a late failure of the same outage"
    outage.failed(NOW_US + 1, ANSWERED, probe=True, probe_in_s=99)
    assert outage.probe_at_us == NOW_US + 1 + 99 * SECOND_US


@pytest.mark.parametrize(
    ("failures", "last_s", "says"),
    [
        # failures at second 0 and later; the second of the last; how the run ends
        ([ANSWERED], 599.999999, ""),
        ([ANSWERED], 600, "no useful answer from here (HTTP 503) for 10 minutes; everything fetched is kept; "
                          "--forever waits longer"),
        ([UNREACHED], 5.999999, ""),
        ([UNREACHED], 6, "no answer from here (no route): check the address and the network"),
        ([ANSWERED, FOREIGN], 599.999999, ""),
        ([ANSWERED, FOREIGN], 600, "no useful answer from here (a login page) for 10 minutes; everything fetched is "
                                   f"kept; --forever waits longer; {ADVICE}"),
        ([FOREIGN], 0, f"here is not a Freesound API: a login page; {ADVICE}"),
        # one answer ever is enough for patience
        ([ANSWERED, UNREACHED], 599.999999, ""),
    ],
)  # fmt: skip
def test_patience_ends_after_ten_minutes_six_seconds_or_at_once(
    failures: list[Transient], last_s: float, says: str
) -> None:
    outage = Outage("here", forever=False)
    for failure in failures[:-1] or failures:
        if last_s:
            assert ended(outage, 0, failure) == ""
    assert ended(outage, last_s, failures[-1]) == says
    waiting = Outage("here", forever=True)
    for failure in (*failures, *failures):
        assert ended(waiting, 10_000, failure) == ""


def test_patience_counts_from_the_first_failure_in_a_row() -> None:
    outage = Outage("here", forever=False)
    assert ended(outage, 0, ANSWERED) == ""
    outage.succeeded()
    assert ended(outage, 1_000, ANSWERED) == ""
    assert ended(outage, 1_599, ANSWERED) == ""
    assert ended(outage, 1_600, ANSWERED) != ""


def test_a_run_that_is_not_for_ever_probes_once_more_as_its_patience_ends() -> None:
    outage = Outage("here", forever=False)
    outage.failed(NOW_US, ANSWERED, probe=False, probe_in_s=400)
    outage.failed(NOW_US + 400 * SECOND_US, ANSWERED, probe=True)
    assert outage.probe_at_us == NOW_US + 600 * SECOND_US
    waiting = Outage("here", forever=True)
    waiting.failed(NOW_US, ANSWERED, probe=False, probe_in_s=400)
    waiting.failed(NOW_US + 400 * SECOND_US, ANSWERED, probe=True)
    assert waiting.probe_at_us == NOW_US + 1_200 * SECOND_US


def test_ten_different_refusals_in_a_row_concern_all_requests() -> None:
    refusals = Refusals()
    doubt = refusals.doubt
    assert [refusals.refused(str(number)) for number in (*range(9), *range(9))] == [False] * 18
    assert doubt.is_open
    assert refusals.refused("9")
    assert (doubt.is_open, doubt.concerns_all) == (False, True)


def test_a_useful_answer_ends_the_row_and_its_refusals_concern_single_sounds() -> None:
    refusals = Refusals()
    first = refusals.doubt
    refusals.answered()
    assert refusals.doubt is first, "without a refusal there is nothing to decide"
    for number in range(9):
        refusals.refused(str(number))
    refusals.answered()
    assert (first.is_open, first.concerns_all) == (False, False)
    assert refusals.doubt is not first
    assert refusals.doubt.is_open
    assert not refusals.refused("9")
