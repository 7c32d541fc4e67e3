"""Read the neighbours and scores of a similar list."""

from __future__ import annotations

import pytest

from harvester.freesound.fields import record_fields
from harvester.freesound.responses import (
    read_similar,
)
from tests.support.fake_transport import rows_of

FIELDS = record_fields()


def test_a_neighbour_without_a_finite_score_is_dropped_but_its_record_kept() -> None:
    rows = [
        {"id": 2, "score": None},
        {"id": 3, "score": "high"},
        {"id": 4},
        {"id": 5, "score": True},
        {"id": 6, "score": 1},
    ]
    page = read_similar(rows_of(*rows), 1, 25, ("id",), 5)
    assert page.neighbours == ((6, 1.0),)
    assert [record["id"] for record in page.records] == [2, 3, 4, 5, 6]
    assert page.oddities == {"no score": 4}


def test_a_sound_is_never_its_own_neighbour() -> None:
    page = read_similar(rows_of({"id": 1, "score": 1.0}, {"id": 2, "score": 0.8}), 1, 25, ("id",), 5)
    assert page.neighbours == ((2, 0.8),)
    assert page.oddities == {"itself": 1}


def test_neighbours_are_ordered_by_score_then_id_and_cut_at_the_limit() -> None:
    rows = [{"id": 9, "score": 0.8}, {"id": 3, "score": 0.8}, {"id": 5, "score": 0.9}, {"id": 7, "score": 0.7}]
    assert read_similar(rows_of(*rows), 1, 3, ("id",), 5).neighbours == ((5, 0.9), (3, 0.8), (9, 0.8))


def test_no_record_keeps_the_score() -> None:
    page = read_similar(rows_of({"id": 2, "score": 0.8, "name": "x"}), 1, 25, FIELDS, 5)
    assert page.records == ({"id": 2, "name": "x"},)


@pytest.mark.parametrize(("told", "kept"), [(1.0000001, 1.0), (-1e-9, 0.0), (1, 1.0), (0, 0.0)])
def test_a_score_is_kept_between_0_and_1_as_a_float_and_what_was_outside_is_counted(told: float, kept: float) -> None:
    page = read_similar(rows_of({"id": 2, "score": told}, {"id": 3, "score": 0.75}), 1, 25, ("id",), 5)
    assert dict(page.neighbours)[2] == kept
    assert all(type(score) is float for _, score in page.neighbours)
    assert page.oddities.get("score out of range", 0) == (told != kept)


def test_a_score_as_text_is_read_and_one_far_outside_is_none() -> None:
    page = read_similar(rows_of({"id": 2, "score": "0.9"}, {"id": 3, "score": 7}, {"id": 4, "score": "2"}), 1, 9, (), 5)
    assert page.neighbours == ((2, 0.9),)
    assert page.oddities == {"converted score": 1, "no score": 2}
