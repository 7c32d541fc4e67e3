"""The history of a library: one line a run, whatever Git, archives and crashes do to the file."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.clock import LATEST_US, exact_iso, iso, stamp_of
from harvester.library import PastRun, add_run, load_history
from harvester.library.history import LARGEST_BYTES, LONGEST_LINE_BYTES, MOST_RUNS, History, join_histories
from harvester.storage import HISTORY
from tests.support.past_runs import past_run
from tests.support.samples import NOW_US


def ids(folder: Path) -> list[str]:
    return [run.run for run in load_history(folder).runs]


def write(folder: Path, *runs: PastRun) -> Path:
    folder.mkdir(exist_ok=True)
    for run in runs:
        add_run(folder, run)
    return folder


def line_of(past: PastRun, **changed: object) -> bytes:
    return json.dumps(past.as_dict() | changed).encode()


def test_runs_come_back_as_they_were_added_oldest_first(tmp_path: Path) -> None:
    runs = [past_run(number) for number in (3, 1, 2)]
    write(tmp_path, *runs)
    history = load_history(tmp_path)
    assert history.runs == (runs[1], runs[2], runs[0])
    assert history.notices == ()
    assert load_history(tmp_path / "none").runs == ()


NO_RUN: dict[str, bytes] = {
    "torn": line_of(past_run(9))[:-30],
    "not JSON": b"<<<<<<< HEAD",
    "not UTF-8": line_of(past_run(9), end="?").replace(b"?", b"\xff"),
    "no object": b"[1]",
    "deep": b"[" * 1_500,
    "long": line_of(past_run(9), more="x" * 3_000),
    "no id": line_of(past_run(9), run="../../etc/passwd"),
    "a number as its id": line_of(past_run(9), run=9),
    "NaN": line_of(past_run(9), seconds=float("nan")),
}

UNKNOWN: dict[str, bytes] = {
    "lacks a key": json.dumps({"run": "9" * 32}).encode(),
    "a negative count": line_of(past_run(9), requests=-1),
    "a huge count": line_of(past_run(9), requests=10**40),
    "a flag as a count": line_of(past_run(9), requests=True),
    "no moment": line_of(past_run(9), ended="2026-13-41T25:00:00Z"),
    "a moment in no time": line_of(past_run(9), ended="9999-12-31T23:59:60Z"),
    "a number as a moment": line_of(past_run(9), started=5),
    "a text as its duration": line_of(past_run(9), seconds="long"),
    "no exit code": line_of(past_run(9), exit_code="0"),
    "a long end": line_of(past_run(9), end="x" * 501),
    "the command of a newer version": line_of(past_run(9), command="harvest by id"),
}


@pytest.mark.parametrize("kind", NO_RUN)
def test_a_line_that_describes_no_run_is_left_out_with_one_notice(kind: str, tmp_path: Path) -> None:
    write(tmp_path, past_run(1), past_run(2))
    path = tmp_path / HISTORY
    first, second = path.read_bytes().splitlines()
    path.write_bytes(b"\r\n".join([first, NO_RUN[kind], NO_RUN[kind], b"", second]))  # nor does it end with a newline
    history = load_history(tmp_path)
    assert history.runs == (past_run(1), past_run(2))
    assert history.notices == (f"{path}: left out 2 lines that describe no run",)
    assert add_run(tmp_path, past_run(3)) == [*history.notices]
    assert path.read_bytes() == b"".join(one + b"\n" for one in (first, second, line_of_file(tmp_path, 2)))


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_line_that_only_a_newer_version_reads_is_kept_and_told(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "one", past_run(1)) / HISTORY
    path.write_bytes(UNKNOWN[kind] + b"\n" + path.read_bytes())
    told = f"{path}: 1 line needs a newer harvester to be read; the file keeps every run"
    assert load_history(tmp_path / "one") == History((past_run(1),), (told,))
    assert add_run(tmp_path / "one", past_run(2)) == [told]
    assert UNKNOWN[kind] in path.read_bytes().splitlines()
    assert ids(tmp_path / "one") == [past_run(1).run, past_run(2).run]
    (tmp_path / "two").mkdir()
    assert join_histories(tmp_path / "two", [tmp_path / "one"]) == [told]
    assert (tmp_path / "two" / HISTORY).read_bytes() == path.read_bytes()


def test_a_full_history_of_the_longest_lines_can_be_read(tmp_path: Path) -> None:
    runs = map(past_run, range(1, MOST_RUNS + 1))
    lines = [line_of(run, more="x" * (LONGEST_LINE_BYTES - len(line_of(run, more="")))) for run in runs]
    (tmp_path / HISTORY).write_bytes(b"\r\n".join(lines) + b"\r\n")
    add_run(tmp_path, past_run(MOST_RUNS + 1))
    assert len(ids(tmp_path)) == MOST_RUNS


def line_of_file(folder: Path, place: int) -> bytes:
    return (folder / HISTORY).read_bytes().splitlines()[place]


def test_what_a_newer_version_adds_to_a_line_is_kept(tmp_path: Path) -> None:
    newer = line_of(past_run(1), mood="good")
    (tmp_path / HISTORY).write_bytes(newer)
    add_run(tmp_path, past_run(2))
    assert line_of_file(tmp_path, 0) == newer
    assert ids(tmp_path) == [past_run(1).run, past_run(2).run]


def test_of_two_lines_of_a_run_the_one_that_ended_later_counts(tmp_path: Path) -> None:
    killed = past_run(1, end="killed (no end was recorded)", exit_code=None)
    whole = past_run(1, ended_at=killed.ended_at + 2_000_000, started=killed.started)
    for place, order in enumerate(itertools.permutations([killed, whole])):
        folder = write(tmp_path / str(place), *order)
        assert load_history(folder).runs == (whole,)


@given(st.integers(0, LATEST_US))
def test_a_moment_comes_back_to_the_microsecond(stamp_us: int) -> None:
    assert stamp_of(exact_iso(stamp_us)) == stamp_us
    assert stamp_of(iso(stamp_us)) == stamp_us // 1_000_000 * 1_000_000


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="names no zone"):
        stamp_of("2026-11-28T17:56:47")


def test_runs_that_start_in_one_second_are_in_the_order_of_their_starts(tmp_path: Path) -> None:
    first, *rest = [past_run(9 - place, ended_at=NOW_US + place) for place in range(3)]
    plain = replace(first, started=iso(first.started_at))  # as versions before wrote it
    write(tmp_path, *reversed(rest), plain)
    assert load_history(tmp_path).runs == (plain, *rest)


def test_histories_are_joined_in_any_order_and_twice_is_as_once(tmp_path: Path) -> None:
    sources = [
        write(tmp_path / "one", past_run(1), past_run(2)), write(tmp_path / "two", past_run(2), past_run(3)),
        write(tmp_path / "three", past_run(4)), tmp_path / "none",
    ]  # fmt: skip
    results = set()
    for place, order in enumerate(itertools.permutations(sources)):
        target = tmp_path / f"out{place}"
        target.mkdir()
        assert join_histories(target, order) == []
        before = (target / HISTORY).stat()
        assert join_histories(target, order) == []
        assert (target / HISTORY).stat().st_mtime_ns == before.st_mtime_ns
        results.add((target / HISTORY).read_bytes())
    assert len(results) == 1
    assert ids(tmp_path / "out0") == [past_run(number).run for number in (1, 2, 3, 4)]


def test_inputs_without_a_history_make_none(tmp_path: Path) -> None:
    assert join_histories(tmp_path, [tmp_path / "a", tmp_path / "b"]) == []
    assert list(tmp_path.iterdir()) == []


def test_the_file_keeps_the_newest_runs(tmp_path: Path) -> None:
    (tmp_path / HISTORY).write_bytes(b"\n".join(line_of(past_run(number)) for number in range(1, MOST_RUNS + 1)))
    add_run(tmp_path, past_run(MOST_RUNS + 1))
    kept = ids(tmp_path)
    assert (len(kept), kept[0], kept[-1]) == (MOST_RUNS, past_run(2).run, past_run(MOST_RUNS + 1).run)
    assert (tmp_path / HISTORY).stat().st_size < LARGEST_BYTES / 2


def _too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)


@pytest.mark.parametrize("make", [_too_large, Path.mkdir, os.mkfifo], ids=["too large", "a folder", "a FIFO"])
def test_a_file_that_cannot_be_read_is_told_and_left_as_it_is(make: object, tmp_path: Path) -> None:
    path = tmp_path / HISTORY
    make(path)  # type: ignore[operator]
    before = path.lstat()
    [notice] = load_history(tmp_path).notices
    assert notice.startswith(f"{path}: ")
    assert notice.endswith("; it is left as it is")
    with pytest.raises(OSError, match=r"."):
        add_run(tmp_path, past_run(1))
    [told] = join_histories(tmp_path, [])
    assert told.endswith("no run was added to it")
    assert path.lstat() == before


def test_a_link_is_read_and_never_written(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", past_run(1)) / HISTORY
    (tmp_path / HISTORY).symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert ids(tmp_path) == [past_run(1).run]
    with pytest.raises(OSError, match="symbolic link"):
        add_run(tmp_path, past_run(2))
    assert elsewhere.read_bytes() == before
