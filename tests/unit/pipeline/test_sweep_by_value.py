"""A sweep by value: its pages, windows and places, step by step, and every reason why it starts again or is stuck."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvester.errors import AnswerChanged, SettingsError
from harvester.model import API_PAGE, RecordsPage
from harvester.pipeline.messages import SweepClaim
from harvester.pipeline.sweep import (
    DEEPEST,
    MOST_IN_A_SECOND,
    MOST_WITHOUT_PERMISSION,
    SMALLER,
    Sweep,
    check_sweep,
    refuse_large,
    sweep_topic,
)
from tests.support.world import make_record

T0, T1, T2 = "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z", "2020-01-01T00:00:02Z"
FROM_T1 = f"created:[{T1} TO *]"
WHOLE: dict[str, Any] = {
    "done": False,
    "total": None,
    "found": 0,
    "before": [],
    "window": {"start": "", "second": False, "again": False, "count": None, "left": [[1, 150]], "ids": [], "end": ""},
}


def page(*ids: int, count: int, created: str | None = T0) -> RecordsPage:
    records = tuple(make_record(sound_id, created=created) for sound_id in ids)
    return RecordsPage(records, count, False, 0)


def pages_of(sweep: Sweep) -> list[tuple[int, int]]:
    """Claim all pages that can be claimed now."""
    claims = list(iter(sweep.next, None))
    return [(claim.page, claim.size) for claim in claims]


def read(sweep: Sweep, *ids: int, count: int, created: str | None = T0, number: int | None = None) -> SweepClaim:
    """Claim the next page and read it with these sounds."""
    claim = sweep.next()
    assert claim is not None
    assert number in (None, claim.page)
    sweep.read(claim, page(*ids, count=count, created=created))
    return claim


def place_of(sweep: Sweep) -> dict[str, Any]:
    return json.loads(sweep.place())  # type: ignore[no-any-return]


def changed(**changes: Any) -> dict[str, Any]:
    """The first place of all, with changes of it or of its window."""
    own = {name: value for name, value in changes.items() if name in WHOLE}
    window = {name: value for name, value in changes.items() if name not in WHOLE}
    return WHOLE | own | {"window": WHOLE["window"] | window}


def resumed(**changes: Any) -> Sweep:
    return Sweep(json.dumps(changed(**changes)))


def test_the_constants_are_what_the_server_bears() -> None:
    assert (API_PAGE, DEEPEST, MOST_IN_A_SECOND, MOST_WITHOUT_PERMISSION) == (150, 10, 1_000_000, 50_000)
    assert SMALLER == {150: 75, 75: 25, 25: 5}


@pytest.mark.parametrize(
    ("given", "topic"),
    [
        (("rain", "type:wav"), 'sweep ["rain", "type:wav"]'), (("", ""), 'sweep ["", ""]'),
        (("a", "b", "laion_clap"), 'sweep ["a", "b", "laion_clap"]'), (("a", "b", ""), 'sweep ["a", "b"]'),
    ],
)  # fmt: skip
def test_a_search_has_a_topic_and_one_for_vectors_another(given: tuple[str, ...], topic: str) -> None:
    assert sweep_topic(*given) == topic


def test_more_than_fifty_thousand_hits_need_permission() -> None:
    refuse_large(50_000)
    with pytest.raises(SettingsError) as caught:
        refuse_large(50_001)
    assert str(caught.value) == (
        "this sweep finds 50,001 sounds, and the API's terms forbid copies of the whole database: narrow the search to "
        "50,000, or ask Freesound and add --i-have-permission; what was read is kept"
    )
    large = resumed(total=50_001)
    check_sweep(large, permitted=True)
    with pytest.raises(SettingsError):
        check_sweep(large, permitted=False)
    large.stuck = "it cannot"
    with pytest.raises(AnswerChanged, match="it cannot; what was read is kept"):
        check_sweep(large, permitted=True)


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (150, 1), (151, 2), (300, 2), (301, 3), (1_500, 10), (1_501, 10), (99_999, 10)]
)
def test_the_first_page_says_how_many_there_are_and_none_is_deeper_than_ten(count: int, pages: int) -> None:
    sweep = Sweep()
    assert sweep.next() == SweepClaim("", 1, 150)
    assert sweep.next() is None, "the next ones are not known yet"
    sweep.read(SweepClaim("", 1), page(1, count=count))
    assert sweep.total == count
    if pages > 1:
        assert pages_of(sweep) == [(number, 150) for number in range(2, pages + 1)]


def test_a_page_is_claimed_once_and_again_after_its_release() -> None:
    sweep = Sweep()
    first = read(sweep, 1, count=301)
    two, three = sweep.next(), sweep.next()
    assert (two, three, sweep.next()) == (SweepClaim("", 2), SweepClaim("", 3), None)
    assert three is not None
    sweep.release(three)
    assert sweep.next() == three
    sweep.release(first)
    assert sweep.next() is None, "a page that was read is not left"


def test_reading_ahead_changes_nothing_here() -> None:
    sweep = Sweep()
    claim = sweep.next()
    assert claim is not None
    ahead = sweep.after(claim, page(1, 2, count=400))
    assert (ahead.total, ahead.requests) == (400, 1)
    assert (sweep.total, sweep.requests) == (None, 0)
    assert ahead.next() == SweepClaim("", 2)
    assert sweep.next() is None, "its page is still in flight"
    assert place_of(ahead) == changed(total=400, count=400, left=[[2, 150], [3, 150]], ids=[1, 2], end=T0)
    assert place_of(sweep) == WHOLE


def test_the_count_of_the_first_page_stands_and_none_is_beyond_a_thousand_million() -> None:
    sweep = Sweep()
    read(sweep, 1, count=400)
    read(sweep, 2, count=9_999)
    assert sweep.total == 400
    assert place_of(sweep)["window"]["count"] == 400
    huge = Sweep()
    read(huge, 1, count=10**12)
    assert huge.total == 10**9


def test_a_sweep_of_one_window_is_done_with_its_last_page() -> None:
    sweep = Sweep()
    read(sweep, 1, 2, count=3, created=T1)
    assert not sweep.done
    assert place_of(sweep) == changed(total=3, again=True, count=3, ids=[1, 2], end=T1), "too few: a second read"
    read(sweep, 2, 3, count=3)
    assert (sweep.done, sweep.found, sweep.missing, sweep.requests) == (True, 3, 0, 2)
    assert sweep.next() is None
    assert sweep.describe() == "sweep done: 3 sounds"
    assert place_of(sweep)["before"] == [1, 2, 3]


def test_a_window_is_read_twice_at_most_and_what_is_missing_is_told() -> None:
    sweep = Sweep()
    for _ in range(2):
        read(sweep, 1, count=4)
    assert sweep.done
    assert (sweep.found, sweep.missing, sweep.hits) == (1, 3, 4)
    assert sweep.describe() == (
        "sweep done: 1 sound of the 4 that the search counts; 3 were on no page, even when read twice"
    )


def test_more_sounds_than_counted_are_hits_too() -> None:
    sweep = Sweep()
    read(sweep, *range(1, 6), count=2)
    assert (sweep.done, sweep.found, sweep.missing, sweep.hits) == (True, 5, 0, 5)


@pytest.mark.parametrize(
    ("changes", "hits"),
    [
        ({}, 0), ({"total": 7}, 7), ({"found": 9, "total": 7}, 9),
        ({"found": 2, "ids": [1, 2, 3], "left": [[1, 150]]}, 5),
        ({"found": 2, "before": [2, 3], "ids": [1, 2, 3]}, 3), ({"count": 8, "left": [[1, 150]]}, 8),
        ({"count": 5_000, "left": [[1, 150]]}, 1_500),
        ({"count": 5_000, "second": True, "start": T0, "left": [[1, 150]]}, 5_000),
        ({"count": 2_000_000, "second": True, "start": T0, "left": [[1, 150]]}, 1_000_000),
    ],
)  # fmt: skip
def test_there_are_as_many_hits_as_counted_or_read(changes: dict[str, Any], hits: int) -> None:
    sweep = resumed(**changes)
    assert not sweep.restarted
    assert sweep.hits == hits


# --- windows ---------------------------------------------------------------------------------------------------------


def full_window(sweep: Sweep, *, count: int, end: str, start_id: int = 1, window: str = "") -> int:
    """Read the ten pages of a window; its last sound was created at `end`. Return the next free id."""
    for number in range(1, 11):
        ids = range(start_id, start_id + 150)
        claim = read(sweep, *ids, count=count, created=end, number=number)
        assert claim.window == window
        start_id += 150
    return start_id


def test_a_deeper_search_goes_on_at_the_second_where_the_window_ended() -> None:
    sweep = Sweep()
    free = full_window(sweep, count=1_600, end=T1)
    assert (sweep.done, sweep.found) == (False, 1_500)
    assert place_of(sweep)["window"] == WHOLE["window"] | {"start": T1}
    claim = read(sweep, 1_500, *range(free, free + 100), count=101, created=T2)
    assert claim == SweepClaim(FROM_T1, 1, 150)
    assert (sweep.done, sweep.found) == (True, 1_600), "sound 1,500 came twice"


def test_a_window_that_ends_where_it_starts_is_read_as_one_second_then_passed() -> None:
    sweep = resumed(start=T1, total=9_000)
    free = full_window(sweep, count=2_000, end=T1, window=FROM_T1)
    second = f"created:[{T1} TO {T1}]"
    for _ in range(2):  # a second is always read twice
        assert read(sweep, *range(free, free + 150), count=151, created=T1) == SweepClaim(second, 1, 150)
        assert read(sweep, free + 150, count=151, created=T1) == SweepClaim(second, 2, 150)
    assert place_of(sweep)["window"] == WHOLE["window"] | {"start": T2}
    assert sweep.found == 1_500 + 151


def test_after_the_last_second_of_all_the_sweep_is_done() -> None:
    last = "2100-12-31T23:59:59Z"
    sweep = resumed(start=last, second=True)
    for _ in range(2):
        read(sweep, 1, count=1, created=last)
    assert sweep.done


@pytest.mark.parametrize(
    ("start", "created", "reason"),
    [
        ("", None, "none has a valid `created`"), (T1, None, "none has a valid `created`"),
        (T1, T0, "all were created earlier than requested"),
    ],
)  # fmt: skip
def test_a_window_without_a_later_one_is_stuck_and_is_read_again_by_the_next_run(
    start: str, created: str | None, reason: str
) -> None:
    sweep = resumed(start=start, total=9_000)
    for number in range(10):
        read(sweep, *range(number * 150 + 1, number * 150 + 151), count=2_000, created=created)
    since = f" created since {start}" if start else ""
    assert sweep.stuck == f"the sweep cannot continue after 1,500 of 2,000 sounds{since}: {reason}"
    assert place_of(sweep) == changed(start=start, total=9_000)
    assert (sweep.done, sweep.found) == (False, 0)
    with pytest.raises(AnswerChanged):
        check_sweep(sweep, permitted=True)


def test_the_latest_sound_of_all_pages_ends_the_window() -> None:
    sweep = Sweep()
    claim = sweep.next()
    assert claim is not None
    records = (
        make_record(1, created=T0),
        make_record(2, created="2020-01-01T00:00:01.999"),
        make_record(3, created=None),
    )
    sweep.read(claim, RecordsPage(records, 400, True, 0))
    assert place_of(sweep)["window"]["end"] == T1
    read(sweep, 4, count=400, created=T0)
    assert place_of(sweep)["window"]["end"] == T1


# --- pages that time out ---------------------------------------------------------------------------------------------


def test_a_page_that_times_out_is_divided_down_to_five() -> None:
    sweep = Sweep()
    claim = sweep.next()
    sizes = []
    while claim is not None and sweep.split(claim):
        claim = sweep.next()
        assert claim is not None
        sizes.append((claim.page, claim.size))
    assert sizes == [(1, 75), (1, 25), (1, 5)]
    assert claim is not None
    sweep.read(claim, page(1, 2, 3, 4, 5, count=12))
    assert pages_of(sweep) == [(2, 5), (3, 5)]


def test_only_pages_that_are_not_in_flight_are_divided_and_nothing_beyond_the_last_hit() -> None:
    sweep = Sweep()
    read(sweep, *range(1, 151), count=560)
    two, three = sweep.next(), sweep.next()
    assert two is not None
    assert three is not None
    assert sweep.split(two)
    # Page 3 is in flight and stays whole; page 4 has 110 hits, so its second half is half full.
    assert place_of(sweep)["window"]["left"] == [[3, 75], [4, 75], [3, 150], [7, 75], [8, 75]]
    assert sweep.next() == SweepClaim("", 3, 75)
    assert sweep.split(three)
    assert place_of(sweep)["window"]["left"] == [[3, 75], [4, 75], [5, 75], [6, 75], [7, 75], [8, 75]]
    four = sweep.next()
    assert four == SweepClaim("", 4, 75)
    assert sweep.split(four)
    # Page 3 of 75 is in flight: it stays whole. The last sound of 560 is in page 23 of 25.
    assert place_of(sweep)["window"]["left"] == [[3, 75], *([number, 25] for number in range(10, 24))]


@pytest.mark.parametrize(("size", "next_size"), [(5, 25), (25, 75), (75, 150), (150, 150)])
def test_a_window_that_was_read_in_time_lets_the_next_one_try_larger_pages(size: int, next_size: int) -> None:
    sweep = resumed(start=T0, count=2_000, left=[[1, size]], ids=list(range(1, 1_501)), end=T1)
    read(sweep, 1, count=2_000, created=T1)
    assert sweep.next() == SweepClaim(FROM_T1, 1, next_size)


def test_a_window_with_a_page_that_timed_out_keeps_its_size_for_the_next_one() -> None:
    sweep = resumed(start=T0, count=1_501, left=[[1, 150]], ids=list(range(1, 1_501)), end=T1)
    claim = sweep.next()
    assert claim is not None
    assert sweep.split(claim)
    for sound_id in (1, 2):
        read(sweep, sound_id, count=1_501, created=T1)
    assert sweep.next() == SweepClaim(FROM_T1, 1, 75)


def test_a_window_read_in_time_after_one_that_was_not_lets_the_next_one_try_larger_pages() -> None:
    sweep = resumed(start=T0, count=1_501, left=[[1, 150]], ids=list(range(1, 1_501)), end=T1)
    claim = sweep.next()
    assert claim is not None
    assert sweep.split(claim)
    for sound_id in (1, 2):
        read(sweep, sound_id, count=1_501, created=T1)
    for number in range(1, 21):
        ids = range(2_000 + number * 75, 2_075 + number * 75)
        assert read(sweep, *ids, count=1_501, created=T2) == SweepClaim(FROM_T1, number, 75)
    assert sweep.next() == SweepClaim(f"created:[{T2} TO *]", 1, 150)


def test_a_part_that_begins_right_after_the_last_hit_is_not_read() -> None:
    sweep = resumed(count=225, left=[[2, 150]])
    claim = sweep.next()
    assert claim == SweepClaim("", 2, 150)
    assert claim is not None
    assert sweep.split(claim)
    assert place_of(sweep)["window"]["left"] == [[3, 75]]


def test_a_window_that_is_stuck_at_its_second_read_is_read_twice_again() -> None:
    sweep = resumed(start=T1, count=2_000, again=True)
    read(sweep, 1, count=2_000, created=T0)
    assert sweep.stuck
    assert place_of(sweep) == changed(start=T1)


def test_a_second_read_uses_the_size_that_was_in_time() -> None:
    sweep = resumed(count=200, left=[[1, 75]], ids=[], total=200)
    read(sweep, 1, count=200)
    assert pages_of(sweep) == [(1, 75), (2, 75), (3, 75)]


# --- places ----------------------------------------------------------------------------------------------------------


def test_a_place_says_where_a_sweep_stands_and_pages_in_flight_are_not_read() -> None:
    sweep = Sweep()
    assert not sweep.restarted
    assert sweep.place() == json.dumps(WHOLE, separators=(",", ":"))
    read(sweep, 5, 3, count=301)
    sweep.next()
    assert place_of(sweep) == changed(total=301, count=301, left=[[2, 150], [3, 150]], ids=[5, 3], end=T0)
    again = Sweep(sweep.place())
    assert not again.restarted
    assert again.place() == sweep.place()
    assert again.next() == SweepClaim("", 2, 150)
    assert (again.total, again.found, again.done, again.requests, again.stuck) == (301, 0, False, 0, "")


def test_a_place_that_is_done_stays_done() -> None:
    sweep = resumed(done=True, found=7, total=9, left=[], before=[1, 2])
    assert (sweep.restarted, sweep.done, sweep.found, sweep.missing) == (False, True, 7, 2)
    assert sweep.next() is None


@pytest.mark.parametrize(
    ("changes", "readable"),
    [
        ({}, True), ({"left": [1]}, True), ({"left": [[1, 75]]}, True), ({"left": [[1, 5]]}, True),
        ({"left": [[1, 30]]}, False), ({"left": [[0, 150]]}, False), ({"left": [[2, 150]]}, False),
        ({"left": [[2, 150]], "count": 151}, True), ({"left": [[2, 150]], "count": 150}, False),
        ({"left": [[10, 150]], "count": 9_999}, True), ({"left": [[11, 150]], "count": 9_999}, False),
        ({"left": [[11, 150]], "count": 9_999, "second": True, "start": T0}, True),
        ({"left": []}, False), ({"left": [], "done": True}, True), ({"second": True}, False),
        ({"second": True, "start": T0}, True), ({"start": "yesterday"}, False), ({"end": "soon"}, False),
        ({"start": T0, "end": T1}, True), ({"ids": [0]}, False), ({"ids": [1]}, True), ({"count": -1}, False),
        ({"count": 10**9}, True), ({"count": 10**9 + 1}, False), ({"found": -1}, False), ({"before": ["x"]}, False),
        ({"left": "x"}, False), ({"total": "1"}, False),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_true_is_not_believed(changes: dict[str, Any], readable: bool) -> None:
    sweep = resumed(**changes)
    assert sweep.restarted is not readable
    if not readable:
        assert place_of(sweep) == WHOLE


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"window": 1}', "[" * 100_000])
def test_a_place_that_is_no_place_starts_the_sweep_again(text: str) -> None:
    sweep = Sweep(text)
    assert sweep.restarted
    assert sweep.next() == SweepClaim("", 1, 150)


def test_older_places_are_read_in_whole_seconds_utc_and_with_pages_of_150() -> None:
    sweep = resumed(start="2020-01-01T02:00:01.5+02:00", end="2020-01-01T00:00:02", left=[1, 2], count=300)
    assert not sweep.restarted
    window = place_of(sweep)["window"]
    assert (window["start"], window["end"], window["left"]) == (T1, T2, [[1, 150], [2, 150]])


def test_a_resumed_sweep_goes_on_with_its_smallest_pages() -> None:
    sweep = resumed(count=100, left=[[1, 75], [4, 25]], total=100)
    for sound_id in (1, 2):
        read(sweep, sound_id, count=100)
    assert pages_of(sweep) == [(1, 25), (2, 25), (3, 25), (4, 25)]
