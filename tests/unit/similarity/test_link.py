"""The laws of linking: exact, incremental, the server's lists untouched, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.checkpoint.files import load_checkpoint
from harvester.errors import DiskFull, SettingsError
from harvester.exports.text import encode_csv_sounds, encode_jsonl
from harvester.graph import SoundGraph, is_gone
from harvester.graph.selection import select
from harvester.jobs import Threads
from harvester.library.merge import merge_libraries
from harvester.library.reader import load_view
from harvester.model import COMPUTED, SERVER, Event, Gone, Known, Linked, Seen, SimilarList, SimilarPage, Withdrawn
from harvester.reports.sound import describe_sound
from harvester.reports.status import count_library
from harvester.similarity import knn
from harvester.similarity import plan as tasks
from harvester.similarity.link import LinkReport, link_library
from harvester.similarity.verify import choose_sounds, compare
from harvester.storage.paths import CHECKPOINT
from harvester.vectors.format import HEADER_BYTES, ROW_HEAD_BYTES
from harvester.vectors.store import Vectors
from tests.support.faulty_files import FaultyFiles, Killed
from tests.support.samples import NOW_US, SOURCE, FixedClock, make_record
from tests.support.vector_library import DIMENSION, SPACE, Lists, add, lists_of


def link(folder: Path, **options: Any) -> LinkReport:
    chosen: dict[str, Any] = {"clock": FixedClock(), "neighbours": 3, "min_score": 0.6} | options
    return link_library(folder, **chosen)


def expected(folder: Path, count: int = 3, least: float = 0.6) -> Lists:
    """Return what every sound's list should be, by the definition."""
    state = load_view(folder).state
    with_vector = {
        sound_id: np.array(vector, dtype=np.float64)
        for sound_id, vector in Vectors(folder, FixedClock()).items()
        if sound_id in state and not is_gone(state.attributes(sound_id))
    }
    lists: Lists = {}
    for sound_id, one in with_vector.items():
        similar = state.similar(sound_id)
        if similar is not None and similar.origin == SERVER:
            continue
        scored = []
        for other_id, other in with_vector.items():
            score = round(float(1 + one @ other / (np.linalg.norm(one) * np.linalg.norm(other))) / 2, 6)
            if other_id != sound_id and score >= least:
                scored.append((other_id, min(1.0, score)))
        lists[sound_id] = tuple(sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:count])
    return lists


def server_list(sound_id: int, *others: int) -> Linked:
    neighbours = tuple((other, 0.99 - place / 100) for place, other in enumerate(others))
    return Linked(sound_id, SimilarList(neighbours, NOW_US - 4000, 25, SPACE))


def test_every_sound_with_a_vector_gets_its_nearest_and_becomes_a_sample(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 30)})
    report = link(tmp_path)
    assert (report.new, report.changed, report.vectors, report.commits) == (29, 0, 29, 1)
    assert lists_of(tmp_path) == expected(tmp_path)
    state = load_checkpoint(tmp_path / CHECKPOINT).state
    assert state.processed == set(range(1, 30))
    assert len(list(tmp_path.glob("*backup_29nodes*"))) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.dictionaries(st.integers(1, 25), st.integers(0, 30), min_size=1, max_size=6)),
        st.tuples(st.just("gone"), st.integers(1, 25)),
        st.tuples(st.just("back"), st.integers(1, 25)),
        st.tuples(st.just("withdrawn"), st.integers(1, 25)),
        st.tuples(st.just("server"), st.integers(1, 25)),
        st.tuples(st.just("link"), st.none()),
    ),
    min_size=2,
    max_size=7,
)


@settings(max_examples=15, deadline=None)
@given(steps=STEPS)
def test_linking_bit_by_bit_gives_what_linking_at_once_gives(
    steps: list[tuple[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, at = tmp_path_factory.mktemp("library"), NOW_US - 5000
    add(folder, {1: 1, 2: 2, 3: 6, 4: 11})
    for kind, what in [*steps, ("link", None)]:
        at += 10
        known = kind in ("add", "link") or what in load_view(folder).state
        if kind == "add":
            add(folder, what)
        elif kind == "link":
            link(folder)
        elif known:
            kinds: dict[str, Event] = {
                "gone": Gone(what, at),
                "back": Seen(what, make_record(what), at),
                "withdrawn": Withdrawn(what, at),
                "server": server_list(what, 1, 2) if what > 2 else Known(what, at),
            }
            add(folder, {}, [kinds[kind]])
    wanted = expected(folder)
    found = lists_of(folder)
    # A sound that went away keeps the list it had; nobody else may name it in a list made here.
    assert {one: found[one] for one in wanted} == wanted


def test_linking_again_changes_no_byte_and_no_date(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 20)})
    link(tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    report = link(tmp_path, clock=FixedClock(NOW_US + 999_999_999))
    assert (report.new, report.changed, report.commits, report.compared_with_all) == (0, 0, 0, 0)
    assert report.unchanged == 19
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_the_same_vectors_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        add(tmp_path / name, {number: number for number in range(1, 20)})
        link(tmp_path / name)
    one, two = ((tmp_path / name / CHECKPOINT).read_bytes() for name in ("one", "two"))
    assert one == two


def test_only_what_is_new_is_compared_with_all(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 40)})
    link(tmp_path)
    add(tmp_path, {100: 3, 101: 77})
    report = link(tmp_path, clock=FixedClock(NOW_US + 50))
    assert (report.compared_with_all, report.new) == (2, 2)
    assert 0 < report.changed < 39
    assert lists_of(tmp_path) == expected(tmp_path)
    state = load_view(tmp_path).state
    dates = {sound_id: state.attributes(sound_id)["linked_at"] for sound_id in state.graph}
    named = {one for one, pairs in lists_of(tmp_path).items() if {100, 101} & {other for other, _ in pairs}}
    assert {one for one, at in dates.items() if at > NOW_US} == named | {100, 101}


def test_a_list_from_the_server_is_never_touched(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 12)}, [server_list(5, 9, 8, 7)])
    before = load_view(tmp_path).state.similar(5)
    report = link(tmp_path)
    assert report.kept == 1
    assert load_view(tmp_path).state.similar(5) == before
    assert 5 in {other for pairs in lists_of(tmp_path).values() for other, _ in pairs}


def test_what_is_gone_or_withdrawn_is_in_no_list(tmp_path: Path) -> None:
    sounds = dict.fromkeys(range(1, 8), 1)
    add(tmp_path, sounds, [Gone(3, NOW_US - 100), Withdrawn(4, NOW_US - 100)])
    report = link(tmp_path)
    assert report.left_out == 2
    named = {other for pairs in lists_of(tmp_path).values() for other, _ in pairs}
    assert named <= {1, 2, 5, 6, 7}
    assert set(lists_of(tmp_path)) == {1, 2, 5, 6, 7}


def test_who_stood_behind_a_sound_that_went_away_comes_up_and_goes_back_when_it_returns(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 20)})
    link(tmp_path)
    first = lists_of(tmp_path)
    for event in (Gone(5, NOW_US - 100), Seen(5, make_record(5), NOW_US - 50)):
        add(tmp_path, {}, [event])
        link(tmp_path)
        found, wanted = lists_of(tmp_path), expected(tmp_path)
        assert {one: found[one] for one in wanted} == wanted
    assert lists_of(tmp_path) == first


def test_a_sound_that_was_analysed_anew_stands_where_its_new_vector_is(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 20)})
    link(tmp_path)
    add(tmp_path, {5: 77, 6: 81})
    report = link(tmp_path)
    assert lists_of(tmp_path) == expected(tmp_path)
    assert report.compared_with_all < 19


def test_after_a_merge_everything_is_linked_again(tmp_path: Path) -> None:
    for name, first in (("one", 1), ("two", 8)):
        add(tmp_path / name, {number: number for number in range(first, first + 10)})
        link(tmp_path / name)
    report = merge_libraries([tmp_path / "two"], tmp_path / "one", clock=FixedClock(NOW_US + 10))
    assert report.computed == 17
    linked = link(tmp_path / "one", clock=FixedClock(NOW_US + 20))
    assert linked.compared_with_all == 17
    assert lists_of(tmp_path / "one") == expected(tmp_path / "one")


def test_another_floor_or_length_is_another_link_and_a_longer_list_stays_long(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 20)})
    link(tmp_path)
    link(tmp_path, min_score=0.8)
    assert lists_of(tmp_path) == expected(tmp_path, least=0.8)
    link(tmp_path, neighbours=7)
    assert lists_of(tmp_path) == expected(tmp_path, count=7)
    assert link(tmp_path, neighbours=3).neighbours == 7
    assert lists_of(tmp_path) == expected(tmp_path, count=7)


def test_a_link_that_is_cut_off_anywhere_has_not_happened_or_is_whole(tmp_path: Path) -> None:
    add(tmp_path / "whole", {number: number for number in range(1, 9)})
    link(tmp_path / "whole")
    wanted = lists_of(tmp_path / "whole")
    add(tmp_path / "bare", {number: number for number in range(1, 9)})
    for fail_at in range(1, 60):
        folder = shutil.copytree(tmp_path / "bare", tmp_path / str(fail_at))
        files = FaultyFiles(fail_at, None, torn=True)
        try:
            link(folder, files=files)
        except Killed:
            assert lists_of(folder) in ({}, wanted)
            link(folder)
            assert lists_of(folder) == wanted
        else:
            assert fail_at > 10
            return
    pytest.fail("no link went through")


def test_a_full_disk_leaves_the_old_lists_and_no_note_of_the_link(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 9)})
    with pytest.raises(DiskFull):
        link(tmp_path, files=FaultyFiles(3))
    assert lists_of(tmp_path) == {}
    assert link(tmp_path).new == 8


def test_a_long_link_is_committed_in_parts_and_goes_on_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SEARCHES_AT_ONCE", 5)
    add(tmp_path, {number: number for number in range(1, 23)})
    told: list[tuple[int, int]] = []
    report = link(tmp_path, part_s=0.0, on_progress=lambda *now: told.append(now), asked_to_stop=lambda: len(told) > 2)
    assert (report.done, report.commits, report.new) == (False, 2, 10)
    assert told == [(0, 22), (5, 22), (10, 22)]
    partly = lists_of(tmp_path)
    assert partly == {one: pairs for one, pairs in expected(tmp_path).items() if one <= 10}
    rest = link(tmp_path, clock=FixedClock(NOW_US + 5))
    assert (rest.done, rest.compared_with_all, rest.new) == (True, 12, 12)
    assert lists_of(tmp_path) == expected(tmp_path)
    # Lists of another making that the stopped link did not come to are no ground to build on.
    told.clear()
    again = {"min_score": 0.9, "part_s": 0.0, "clock": FixedClock(NOW_US + 9)}
    link(tmp_path, on_progress=lambda *now: told.append(now), asked_to_stop=lambda: len(told) > 2, **again)
    assert link(tmp_path, **again).compared_with_all == 12
    assert lists_of(tmp_path) == expected(tmp_path, least=0.9)


def test_a_stop_keeps_what_is_linked_by_then_whenever_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SEARCHES_AT_ONCE", 5)
    add(tmp_path / "bare", {number: number for number in range(1, 23)})
    for looks in range(6):
        folder, looked = shutil.copytree(tmp_path / "bare", tmp_path / str(looks)), iter(range(99))
        report = link(folder, asked_to_stop=lambda looked=looked, looks=looks: next(looked) >= looks)
        assert len(lists_of(folder)) == report.new == min(22, 5 * looks)
        assert report.done == (looks > 4)


def rot(folder: Path, row: int) -> None:
    """Flip a bit in a row of the vector file, counted from the end if need be."""
    path = Vectors(folder, FixedClock()).path
    damaged = bytearray(path.read_bytes())
    rows = damaged[HEADER_BYTES:]
    rows[(row * (ROW_HEAD_BYTES + 2 * DIMENSION) + 50) % len(rows)] ^= 1
    path.write_bytes(damaged[:HEADER_BYTES] + rows)


@pytest.mark.parametrize("row", [19, -1])
def test_rot_never_makes_an_incremental_link_differ(tmp_path: Path, row: int) -> None:
    add(tmp_path, {number: number for number in range(1, 20)})
    add(tmp_path, {5: 77})  # row 19: behind it, the vector that this one replaced
    add(tmp_path, {100: 30})
    link(tmp_path)
    rot(tmp_path, row)
    add(tmp_path, {101: 3, 102: 4})
    link(tmp_path, clock=FixedClock(NOW_US + 5))
    wanted, found = expected(tmp_path), lists_of(tmp_path)
    assert {one: found[one] for one in wanted} == wanted


def test_a_rotten_vector_leaves_the_lists_as_if_it_had_never_been(tmp_path: Path) -> None:
    add(tmp_path, dict.fromkeys(range(1, 8), 1))
    link(tmp_path)
    path = Vectors(tmp_path, FixedClock()).path
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    damaged[600] ^= 1
    path.write_bytes(damaged)
    link(tmp_path, clock=FixedClock(NOW_US + 5))
    wanted = expected(tmp_path)
    assert {one: pairs for one, pairs in lists_of(tmp_path).items() if one in wanted} == wanted


def test_a_library_without_vectors_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--vectors"):
        link(tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()
    add(tmp_path, {})
    with pytest.raises(SettingsError, match="--vectors"):
        link(tmp_path)


def test_views_tell_where_a_list_is_from(tmp_path: Path) -> None:
    add(tmp_path, {number: number for number in range(1, 9)}, [server_list(5, 6)])
    link(tmp_path)
    state = load_view(tmp_path).state
    counts = count_library(state, {}, NOW_US)
    assert (counts["lists"], counts["computed_lists"]) == (8, 7)
    assert [(describe_sound(state, one) or {})["list"]["origin"] for one in (4, 5)] == ["computed", "server"]
    selected = select(state)
    assert sum('"link_origin":"computed"' in line for line in encode_jsonl(selected)) == 7
    assert "link_origin" in next(encode_csv_sounds(selected))


def test_agreement_counts_what_the_server_names_among_the_sounds_that_are_here() -> None:
    state = SoundGraph(SOURCE)
    state.apply(Linked(1, SimilarList(((2, 0.9), (3, 0.8), (4, 0.75)), NOW_US, 3, origin=COMPUTED)))
    state.apply(server_list(7, 1))
    page = SimilarPage(1, ((99, 0.95), (2, 0.901), (4, 0.8), (5, 0.79), (3, 0.7)), (), 5, NOW_US)
    agreement = compare(state, [page], {1, 2, 3, 4, 5})
    assert (agreement.expected, agreement.found) == (3, 2)
    assert agreement.largest_difference == pytest.approx(0.05)
    assert choose_sounds(state, 5, 0) == [1]


def test_any_number_of_jobs_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "QUERIES", 6)  # several blocks, also where jobs share them
    found = set()
    for jobs in (1, 2, 3):
        folder = tmp_path / str(jobs)
        add(folder, {number: number % 13 for number in range(1, 40)})
        link(folder, team=Threads(jobs))
        add(folder, {number: number for number in range(40, 60)})
        report = link(folder, team=Threads(jobs))
        assert lists_of(folder) == expected(folder)
        found.add(((folder / CHECKPOINT).read_bytes(), report.as_dict()["new"], report.changed, report.unchanged))
    assert len(found) == 1
