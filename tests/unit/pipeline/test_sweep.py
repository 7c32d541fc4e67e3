"""A sweep finds every hit, page by page, however deep the search is and wherever it is interrupted."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from harvester.clock import SECOND_US, iso
from harvester.errors import AnswerChanged, SettingsError
from harvester.model import API_PAGE, RecordsPage
from harvester.pipeline.messages import SweepClaim
from harvester.pipeline.sweep import DEEPEST, Sweep, check_sweep
from tests.support.world import make_record

START_S = 1_500_000_000


@cache
def _spelled(second: int) -> str:
    return iso(second * SECOND_US)


class Hits:
    """A search's hits by the second they were made in; ties come in another order each time. `lost` ids come never."""

    def __init__(self, created: dict[int, int], lost: set[int] | None = None) -> None:
        self.created = {sound_id: _spelled(second) for sound_id, second in created.items()}
        self.lost = lost or set()
        self.asked: list[SweepClaim] = []
        self.spelled: Callable[[str], str | None] = lambda created: created
        self._chance = random.Random(1)

    def answer(self, claim: SweepClaim) -> RecordsPage:
        self.asked.append(claim)
        bounds = re.fullmatch(r"created:\[(\S+) TO (\S+)\]|", claim.window)
        assert bounds
        low, high = bounds[1] or "", bounds[2] or "*"
        found = [i for i, at in self.created.items() if low <= at and (high == "*" or at <= high)]
        found.sort(key=lambda i: (self.created[i], self._chance.random() if self.lost else i))
        page = [i for i in found[(claim.page - 1) * API_PAGE : claim.page * API_PAGE] if i not in self.lost]
        records = tuple(make_record(i, created=self.spelled(self.created[i])) for i in page)
        return RecordsPage(records, len(found), claim.page * API_PAGE < len(found), 0)


def run(sweep: Sweep, hits: Hits, found: set[int], *, pages: int = 10_000, out: int = 1) -> Sweep:
    """Read up to `pages` pages, `out` at a time; what is out at the end is lost in a crash."""
    while not sweep.done and pages > 0:
        claims = [claim for claim in (sweep.next() for _ in range(out)) if claim]
        assert claims
        for claim in random.Random(pages).sample(claims, len(claims)):
            page = hits.answer(claim)
            sweep.read(claim, page)
            found.update(record["id"] for record in page.records)
            pages -= 1
            if pages == 0:
                break
    return sweep


def spread(count: int, apart_s: int = 7) -> dict[int, int]:
    return {sound_id: START_S + sound_id * apart_s for sound_id in range(1, count + 1)}


@pytest.mark.parametrize("count", [0, 1, 150, 151, 1_500, 1_501, 7_000])
def test_every_hit_is_found_for_one_request_per_150(count: int) -> None:
    hits, found = Hits(spread(count)), set[int]()
    sweep = run(Sweep(), hits, found, out=4)
    assert found == set(hits.created)
    assert (sweep.found, sweep.missing) == (count, 0)
    windows = count / (DEEPEST * API_PAGE)
    assert sweep.requests <= max(1, (count + 2 * windows) / API_PAGE + 1)
    assert max(claim.page for claim in hits.asked) <= DEEPEST


def test_a_search_of_one_window_needs_no_filter_of_its_own() -> None:
    hits = Hits(spread(700))
    run(Sweep(), hits, set())
    assert {claim.window for claim in hits.asked} == {""}


def test_a_second_with_too_many_hits_is_read_twice_and_united() -> None:
    created = {**spread(900), **dict.fromkeys(range(10_000, 13_000), START_S + 3_000), **{20_000: START_S + 3_001}}
    hits, found = Hits(created), set[int]()
    sweep = run(Sweep(), hits, found, out=3)
    assert found == set(created)
    assert sweep.missing == 0
    second = [claim.page for claim in hits.asked if len(set(re.findall(r"\dT\S+Z", claim.window))) == 1
              and "*" not in claim.window]  # fmt: skip
    pages = -(-sum(at == START_S + 3_000 for at in created.values()) // API_PAGE)
    assert sorted(second) == sorted([*range(1, pages + 1)] * 2)


def test_pages_that_lose_hits_to_shuffled_ties_are_read_once_more_and_the_rest_is_reported() -> None:
    created = dict.fromkeys(range(1, 700), START_S)
    hits, found = Hits(created, lost={5, 6}), set[int]()
    sweep = run(Sweep(), hits, found)
    assert len(hits.asked) == 5 + 5
    assert sweep.missing == 699 - len(found) > 0
    assert sweep.done


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_anywhere_resumes_at_the_page(seed: int) -> None:
    chance = random.Random(seed)
    created = {i: START_S + chance.choice((chance.randrange(10**6), chance.randrange(40))) for i in range(1, 2_600)}
    hits, found = Hits(created), set[int]()
    sweep, crashes = Sweep(), 0
    while not sweep.done:
        sweep = run(Sweep(sweep.place()), hits, found, pages=chance.randrange(1, 6), out=3)
        crashes += 1
    undisturbed = Hits(created)
    run(Sweep(), undisturbed, set())
    assert found == set(created)
    assert sweep.found == len(created)
    assert len(hits.asked) == len(undisturbed.asked)
    assert crashes > 3


@pytest.mark.parametrize("place", ["", "{", "[]", "7", json.dumps({"window": {"left": "x"}})])
def test_a_place_that_cannot_be_read_is_started_again(place: str) -> None:
    assert Sweep(place).next() == SweepClaim("", 1)


SPELLINGS: dict[str, Callable[[str], str | None]] = {
    "an offset": lambda created: (datetime.fromisoformat(created) + timedelta(hours=2)).strftime(
        "%Y-%m-%dT%H:%M:%S+02:00"
    ),
    "offsets both ways": lambda created: (
        (datetime.fromisoformat(created) + timedelta(hours=hours)).strftime(f"%Y-%m-%dT%H:%M:%S{hours:+03}:00")
        if (hours := int(created[-2]) - 5)
        else created
    ),
    "a blank": lambda created: created.replace("T", " ").removesuffix("Z"),
    "no zone": lambda created: created.removesuffix("Z"),
    "a fraction": lambda created: created.replace("Z", ".999999Z"),
    "none at times": lambda created: None if created[-2] == "7" else created,
    "nonsense at times": lambda created: "yesterday" if created[-2] == "7" else created,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_windows_are_asked_in_seconds_utc_however_a_record_says_when_it_was_created(spelling: str) -> None:
    hits, found = Hits(spread(4_000)), set[int]()
    hits.spelled = SPELLINGS[spelling]
    sweep = Sweep()
    while not sweep.done:
        sweep = run(Sweep(sweep.place()), hits, found, pages=1)
        assert not sweep.restarted
    assert found == set(hits.created)
    windows = [claim.window for claim in hits.asked if claim.window]
    assert all(re.fullmatch(r"created:\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ TO \*\]", window) for window in windows)
    assert len(hits.asked) < 4_000 / API_PAGE + 5


def deaf(page: int, created: str | None, count: int = 2_000) -> RecordsPage:
    """Return a page of new sounds, all created at the same time, whatever was asked for."""
    records = tuple(make_record(page * API_PAGE + i, created=created) for i in range(1, API_PAGE + 1))
    return RecordsPage(records, count, True, 0)


@pytest.mark.parametrize(
    ("spellings", "why"),
    [
        (["2016-01-01T00:00:09Z", "2016-01-01T00:00:08Z"], "earlier than requested"),
        ([None], "none has a valid `created`"),
        (["2016-01-01T00:00:09Z", None], "none has a valid `created`"),
    ],
)
def test_a_window_that_cannot_be_followed_by_a_later_one_ends_the_sweep(spellings: list[str | None], why: str) -> None:
    sweep, pages, windows = Sweep(), 0, list[str]()
    while not sweep.stuck:
        claim = sweep.next()
        assert claim
        if claim.window not in windows:
            windows.append(claim.window)
        pages += 1
        assert pages <= 2 * DEEPEST
        sweep.read(claim, deaf(pages, spellings[min(len(windows), len(spellings)) - 1]))
    assert why in sweep.stuck
    with pytest.raises(AnswerChanged, match=why):
        check_sweep(sweep, permitted=True)
    # The next run reads the window again, with nothing of what could not be used.
    assert Sweep(sweep.place()).next() == SweepClaim(windows[-1], 1)
    assert Sweep(sweep.place()).found == (len(windows) - 1) * DEEPEST * API_PAGE


def test_more_sounds_than_allowed_end_a_sweep_whatever_the_search_counts() -> None:
    sweep = Sweep()
    for number in range(334):
        check_sweep(sweep, permitted=False)
        claim = sweep.next()
        assert claim
        sweep.read(claim, deaf(number, iso((START_S + number) * SECOND_US)))
    check_sweep(sweep, permitted=True)
    with pytest.raises(SettingsError, match="finds 50100 sounds"):
        check_sweep(sweep, permitted=False)


def test_after_the_last_second_that_a_record_can_name_a_sweep_is_done() -> None:
    sweep = Sweep()
    for number in range(100):
        claim = sweep.next()
        if claim is None:
            break
        sweep.read(claim, deaf(number, "2100-12-31T23:59:59Z"))
        assert not Sweep(sweep.place()).restarted
    assert sweep.done


def test_a_second_that_counts_more_sounds_than_there_are_fills_no_memory() -> None:
    sweep = Sweep()
    for number in range(2 * DEEPEST + 1):
        claim = sweep.next()
        assert claim
        sweep.read(claim, deaf(number + 1, iso(START_S * SECOND_US), 2**40))
        window = claim.window
    assert window == f"created:[{iso(START_S * SECOND_US)} TO {iso(START_S * SECOND_US)}]"
    assert len(sweep.place()) < 1_000_000
    assert not Sweep(sweep.place()).restarted


def test_the_late_page_of_a_second_without_hits_is_read_in_parts() -> None:
    window = {"start": iso(START_S * SECOND_US), "second": True, "again": False, "count": 0, "left": [[1, 150]]}
    place = {"done": False, "total": 2_000, "found": 0, "before": [], "window": {**window, "ids": [], "end": ""}}
    sweep = Sweep(json.dumps(place))
    claim = sweep.next()
    assert claim
    assert sweep.split(claim)
    assert sweep.next() == replace(claim, size=75)


ODD: list[Any] = [
    None, True, False, 0, 1, -1, -7, 5, 2**53, 10**9, 10**10, 10**400, 0.5, 1e308, "", "x", "5", "\ud800",
    "9999-12-31T23:59:59Z", "2016-01-01T00:00:10+02:00", [], [0], [-5], [[1, 0]], [[1, -7]], [[0, 150]], [[1, 150]],
    [[10**9, 150]], [[1, 150, 2]], [[1]], [["1", "150"]], [[1, "150"]], [True], [None], ["2"], [2**53], {}, {"a": 1},
]  # fmt: skip
PLACES = {
    "new": json.loads(Sweep().place()),
    "deep": json.loads(run(Sweep(), Hits(spread(2_000)), set(), pages=12).place()),
    "of a second": json.loads(run(Sweep(), Hits(dict.fromkeys(range(1, 2_001), START_S)), set(), pages=23).place()),
    "done": json.loads(run(Sweep(), Hits(spread(20)), set()).place()),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_sweep_goes_on_or_begins_again_whatever_its_place_holds(name: str) -> None:
    whole = PLACES[name]
    changed = [{**whole, key: odd} for key in whole for odd in ODD]
    changed += [{**whole, "window": {**whole["window"], key: odd}} for key in whole["window"] for odd in ODD]
    changed += [{key: whole[key] for key in whole if key != left_out} for left_out in whole]
    for place in changed:
        text = json.dumps(place)
        sweep, hits = Sweep(text), Hits(spread(400))
        assert not Sweep(sweep.place()).restarted, text
        if sweep.restarted:
            assert (sweep.done, sweep.total, sweep.found, sweep.next()) == (False, None, 0, SweepClaim("", 1)), text
            continue
        assert sweep.describe().isascii()
        # What a place claims of the pages before cannot be checked, but each has a next page until it is done.
        for _ in range(30):
            if sweep.done or sweep.stuck:
                break
            claim = sweep.next()
            assert claim, text
            sweep.read(claim, hits.answer(claim))


@pytest.mark.parametrize("place", ["[" * 100_000, "7" * 5_000, '{"window":' * 2_000, "\x00", "NaN", "null", '"x"'])
def test_a_place_that_is_hardly_json_is_begun_again(place: str) -> None:
    sweep = Sweep(place)
    assert sweep.restarted
    assert sweep.next() == SweepClaim("", 1)


def test_a_place_that_an_older_version_wrote_with_an_offset_is_understood() -> None:
    window = {"start": "2016-01-01 00:00:10.5+02:00", "second": True, "again": False, "count": None}
    place = {"done": False, "total": 9, "found": 0, "before": [], "window": {**window, "left": [[1, 150]], "ids": [],
             "end": "2016-01-01T00:00:10"}}  # fmt: skip
    sweep = Sweep(json.dumps(place))
    assert sweep.next() == SweepClaim("created:[2015-12-31T22:00:10Z TO 2015-12-31T22:00:10Z]", 1)
    assert json.loads(sweep.place())["window"]["end"] == "2016-01-01T00:00:10Z"
