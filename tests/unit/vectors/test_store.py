"""Vectors beside the checkpoint: durable, checked row by row, and no loss that costs more than fetching again."""

from __future__ import annotations

import errno
import math
import random
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.errors import DiskFull, LibraryUnwritable, NewerFormat, SettingsError
from harvester.gitsync.setup import _IGNORED_LINES
from harvester.library.check import check_library
from harvester.library.merge import merge_libraries
from harvester.library.repair import repair_library
from harvester.library.withdraw import forget_sounds
from harvester.model import Seen, Vector
from harvester.storage.paths import CHECKPOINT, QUARANTINE, VECTORS
from harvester.vectors.format import HEADER_BYTES, ROW_HEAD_BYTES, decode_vector, encode_row
from harvester.vectors.store import Vectors, count_vectors, load_vectors
from tests.support.faulty_files import FaultyFiles, Killed
from tests.support.samples import SOURCE, FixedClock, grow, make_events, open_store

SPACE, DIMENSION = "freesound_classic", 100
ROW = ROW_HEAD_BYTES + 2 * DIMENSION


def vector(number: int, dimension: int = DIMENSION) -> Vector:
    dice = random.Random(number)
    numbers = [dice.gauss(0, 1) for _ in range(dimension)]
    length = math.hypot(*numbers)
    return array("f", (one / length for one in numbers))


def vectors(folder: Path, files: FaultyFiles | None = None) -> Vectors:
    return Vectors(folder, FixedClock(), files) if files else Vectors(folder, FixedClock())


def keep(folder: Path, *numbers: int, files: FaultyFiles | None = None) -> int:
    return vectors(folder, files).keep({one: vector(one) for one in numbers}, space=SPACE, source=SOURCE)


def close(one: Vector, other: Vector) -> bool:
    return all(abs(a - b) < 1e-3 for a, b in zip(one, other, strict=True))


def test_what_was_kept_is_there_for_the_next_who_opens_it(tmp_path: Path) -> None:
    assert keep(tmp_path, 3, 1) == 2
    assert keep(tmp_path, 2) == 1
    found = dict(vectors(tmp_path).items())
    assert list(found) == [3, 1, 2]
    assert all(close(found[one], vector(one)) for one in found)
    assert count_vectors(tmp_path) == 3
    assert (tmp_path / VECTORS).stat().st_size == HEADER_BYTES + 3 * ROW


def test_the_same_vector_is_written_once_and_a_new_one_replaces_it(tmp_path: Path) -> None:
    keep(tmp_path, 1, 2)
    before = (tmp_path / VECTORS).read_bytes()
    assert keep(tmp_path, 1, 2) == 0
    assert (tmp_path / VECTORS).read_bytes() == before
    vectors(tmp_path).keep({1: vector(9)}, space=SPACE, source=SOURCE)
    assert close(dict(vectors(tmp_path).items())[1], vector(9))


def test_no_vector_is_written_through_a_link(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / VECTORS).rename(elsewhere)
    (tmp_path / VECTORS).symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    with pytest.raises(LibraryUnwritable, match="a symbolic link"):
        keep(tmp_path, 2)
    assert elsewhere.read_bytes() == before


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8), st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_rounding_to_half_precision_moves_no_score_by_a_thousandth(one: list[float], other: list[float]) -> None:
    if math.hypot(*one) < 1e-3 or math.hypot(*other) < 1e-3:
        return
    units = [array("f", (number / math.hypot(*numbers) for number in numbers)) for numbers in (one, other)]
    kept = [decode_vector(encode_row(1, unit)[0], 8) for unit in units]
    exact = sum(a * b for a, b in zip(*units, strict=True))
    rounded = sum(a * b for a, b in zip(*kept, strict=True)) / (math.hypot(*kept[0]) * math.hypot(*kept[1]))
    assert abs(exact - rounded) / 2 < 1e-3


def test_a_tail_torn_at_any_byte_costs_the_torn_row_alone_and_is_overwritten(tmp_path: Path) -> None:
    keep(tmp_path, 1, 2, 3)
    path = tmp_path / VECTORS
    whole = path.read_bytes()
    for cut in (*range(HEADER_BYTES + 2 * ROW, len(whole), 17), len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert set(load_vectors(tmp_path).places) == {1, 2}
        assert keep(tmp_path, 3) == 1
        assert path.read_bytes() == whole
    # A file system may give a torn tail as zeros.
    path.write_bytes(whole[: HEADER_BYTES + 2 * ROW] + bytes(3 * ROW + 5))
    assert keep(tmp_path, 4) == 1
    assert set(load_vectors(tmp_path).places) == {1, 2, 4}


def test_a_row_that_stands_where_another_has_rotted_does_not_pass_for_it(tmp_path: Path) -> None:
    keep(tmp_path, 1, 2, 3)
    path = tmp_path / VECTORS
    before = load_vectors(tmp_path).header
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    keep(tmp_path, 4)
    contents = load_vectors(tmp_path)
    assert set(contents.places) == {1, 2, 4}
    assert before is not None
    assert contents.header is not None
    assert contents.header.made_at > before.made_at


def test_a_flipped_bit_costs_one_sound_and_check_says_so_and_repair_keeps_the_rest(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.set_source(SOURCE)
        grow(store, make_events(3))
        store.keep_vectors({one: vector(one, 512) for one in (1, 2, 3)})
        store.checkpoint(backup=True)
    assert check_library(tmp_path, clock=FixedClock()).clean
    path = tmp_path / VECTORS
    damaged = bytearray(path.read_bytes())
    damaged[HEADER_BYTES + ROW_HEAD_BYTES + 2 * 512 + 50] ^= 1
    path.write_bytes(damaged)
    assert set(load_vectors(tmp_path).places) == {1, 3}
    report = check_library(tmp_path, clock=FixedClock())
    assert [(one.severity, one.path) for one in report.findings] == [("warning", path)]
    repair_library(tmp_path, clock=FixedClock())
    assert set(load_vectors(tmp_path).places) == {1, 3}
    assert next((tmp_path / QUARANTINE).glob(f"*{VECTORS}")).read_bytes() == damaged
    assert all(one.severity == "note" for one in check_library(tmp_path, clock=FixedClock()).findings)
    with open_store(tmp_path) as store:
        store.keep_vectors({2: vector(2, 512)})
    assert set(load_vectors(tmp_path).places) == {1, 2, 3}


def test_a_header_that_cannot_be_read_is_an_error_and_the_file_is_set_aside(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        grow(store, make_events(2))
        store.checkpoint(backup=True)
    (tmp_path / VECTORS).write_bytes(b"rubbish" * 200)
    assert [one.severity for one in check_library(tmp_path, clock=FixedClock()).findings] == ["error"]
    assert vectors(tmp_path).keep({1: vector(1)}, space=SPACE, source=SOURCE) == 1
    assert next((tmp_path / QUARANTINE).glob(f"*{VECTORS}")).read_bytes() == b"rubbish" * 200
    assert set(load_vectors(tmp_path).places) == {1}


def test_a_file_of_a_newer_format_is_never_overwritten(tmp_path: Path) -> None:
    from harvester.vectors import format as vector_format

    keep(tmp_path, 1)
    before = vector_format.VERSION
    vector_format.VERSION = 2
    try:
        (tmp_path / "new").mkdir()
        keep(tmp_path / "new", 1)
    finally:
        vector_format.VERSION = before
    with pytest.raises(NewerFormat):
        keep(tmp_path / "new", 2)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, None])
def test_whatever_fails_the_vectors_that_were_there_stand_and_the_next_try_succeeds(
    tmp_path: Path, error: int | None
) -> None:
    for fail_at in range(1, 12):
        folder = tmp_path / f"{error}-{fail_at}"
        folder.mkdir()
        keep(folder, 1, 2)
        files = FaultyFiles(fail_at, error, torn=True)
        try:
            kept = keep(folder, *range(3, 50), files=files)
        except (DiskFull, LibraryUnwritable, Killed):
            assert {1, 2} <= set(load_vectors(folder).places)
            keep(folder, *range(3, 50))
        else:
            assert kept == 47
            break
        assert set(load_vectors(folder).places) == set(range(1, 50))
    else:
        pytest.fail("no try went through")


def test_vectors_of_another_space_or_catalogue_are_refused(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    for space, source in (("laion_clap", SOURCE), (SPACE, "sandbox:0")):
        with pytest.raises(SettingsError, match="another --library"):
            vectors(tmp_path).keep({2: vector(2)}, space=space, source=source)


def test_check_notes_vectors_that_are_not_of_this_library(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.set_source(SOURCE)
        grow(store, make_events(2))
        store.checkpoint(backup=True)
    keep(tmp_path, 1)  # of another space than the lists
    notes = [one for one in check_library(tmp_path, clock=FixedClock()).findings if one.path == tmp_path / VECTORS]
    assert [(one.severity, "cannot use them here" in one.problem) for one in notes] == [("note", True)]


def test_rows_that_were_replaced_do_not_stay_for_ever(tmp_path: Path) -> None:
    opened = vectors(tmp_path)
    for turn in range(12):
        opened.keep({one: vector(one + 1000 * turn) for one in range(1, 151)}, space=SPACE, source=SOURCE)
    assert len(opened) == 150
    assert (tmp_path / VECTORS).stat().st_size < HEADER_BYTES + 12 * 150 * ROW
    assert close(dict(vectors(tmp_path).items())[7], vector(7 + 11_000))


def test_a_merge_brings_the_vectors_along(tmp_path: Path) -> None:
    for name, first in (("one", 1), ("two", 3)):
        with open_store(tmp_path / name) as store:
            store.set_source(SOURCE)
            grow(store, make_events(3, first=first))
            store.keep_vectors({one: vector(one, 512) for one in range(first, first + 3)})
            store.checkpoint(backup=True)
    report = merge_libraries([tmp_path / "one", tmp_path / "two"], tmp_path / "out", clock=FixedClock())
    assert report.vectors == 5
    assert set(load_vectors(tmp_path / "out").places) == {1, 2, 3, 4, 5}


def test_a_merge_of_what_was_swept_and_not_linked_keeps_the_space_of_its_vectors(tmp_path: Path) -> None:
    with open_store(tmp_path / "one") as store:
        store.set_source(SOURCE)
        grow(store, [event for event in make_events(3) if isinstance(event, Seen)])
        store.state.space = SPACE
        store.keep_vectors({one: vector(one) for one in (1, 2, 3)})
        store.checkpoint(backup=True)
    assert merge_libraries([tmp_path / "one"], tmp_path / "out", clock=FixedClock()).vectors == 3
    assert set(load_vectors(tmp_path / "out").places) == {1, 2, 3}


def test_a_takedown_that_a_merge_brings_reaches_the_vectors(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with open_store(tmp_path / name) as store:
            store.set_source(SOURCE)
            grow(store, make_events(3))
            store.keep_vectors({one: vector(one, 512) for one in (1, 2, 3)})
            store.checkpoint(backup=True)
    forget_sounds(tmp_path / "two", [2], clock=FixedClock())
    merge_libraries([tmp_path / "two"], tmp_path / "one", clock=FixedClock())
    assert set(load_vectors(tmp_path / "one").places) == {1, 3}


def test_nothing_is_left_of_the_vector_of_a_sound_that_was_forgotten(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        grow(store, make_events(3))
        store.keep_vectors({one: vector(one, 512) for one in (1, 2, 3)})
        store.checkpoint(backup=True)
    row, _ = encode_row(2, vector(2, 512))
    assert row in (tmp_path / VECTORS).read_bytes()
    forget_sounds(tmp_path, [2], clock=FixedClock())
    assert row[ROW_HEAD_BYTES:] not in (tmp_path / VECTORS).read_bytes()
    assert set(load_vectors(tmp_path).places) == {1, 3}


def test_git_never_sees_the_vectors_and_the_checkpoint_never_holds_them(tmp_path: Path) -> None:
    assert f"/{VECTORS}" in _IGNORED_LINES
    with open_store(tmp_path) as store:
        grow(store, make_events(2))
        store.checkpoint(backup=True)
        bare = (tmp_path / CHECKPOINT).stat().st_size
        store.keep_vectors({1: vector(1, 512)})
        store.rewrite()
    assert (tmp_path / CHECKPOINT).stat().st_size == bare
