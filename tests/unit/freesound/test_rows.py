"""Odd rows of an answer are counted, and cost no other row."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from harvester.freesound.responses import (
    read_records,
    read_similar,
)
from harvester.freesound.wire import RawResponse
from harvester.records import judge_of
from tests.support.fake_transport import reply, rows_of


def test_odd_rows_are_counted_and_the_valid_ones_kept() -> None:
    page = read_records(
        rows_of(None, {"id": 1}, {"id": 1}, {"id": "x2"}, {"id": True}, {"id": 0}, {}, 7, "x", {"id": 3}), ("id",), 5
    )
    assert page.records == ({"id": 1}, {"id": 3})
    assert page.oddities == {"null result": 1, "duplicate": 1, "no id": 4, "not an object": 2}


def test_missing_unknown_and_mistyped_fields_are_counted_and_what_cannot_be_converted_is_null() -> None:
    row = {"id": 1, "name": 5, "tags": "a", "shiny": 1, "score": 0.9, "duration": True, "num_downloads": "12"}
    page = read_records(rows_of(row), ("id", "name", "tags", "duration", "username", "num_downloads"), 5)
    assert page.records == ({"id": 1, "name": "5", "tags": ["a"], "duration": None, "num_downloads": 12},)
    assert page.oddities == {"converted field": 3, "mistyped field": 1, "unknown field": 1, "missing field": 1}


def test_rows_that_are_alike_are_judged_each_for_itself() -> None:
    good = {"id": 1, "name": "a", "tags": ["a"], "score": 0.9}
    rows = rows_of(good, {**good, "id": 2, "tags": 7}, {**good, "id": 3, "shiny": 1}, None, {**good, "id": 4})
    page = read_records(rows, ("id", "name", "tags"), 5)
    assert page.records == tuple({"id": i, "name": "a", "tags": None if i == 2 else ["a"]} for i in (1, 2, 3, 4))
    assert page.oddities == {"mistyped field": 1, "unknown field": 1, "null result": 1}


def test_names_that_a_server_invents_are_not_kept_in_memory() -> None:
    kept = judge_of.cache_info().currsize
    for place in range(50):
        read_records(rows_of({"id": 1, f"shiny {place}": 1}), ("id", "a field of this test"), 5)
    assert judge_of.cache_info().currsize <= kept + 1


def test_a_field_nested_too_deep_is_null_and_counted() -> None:
    endless: list[Any] = []
    for _ in range(150):
        endless = [{"a": endless}]
    rows = rows_of({"id": 1, "shiny": endless}, {"id": 2, "shiny": {"a": [[[{"b": [1]}]]]}})
    page = read_records(rows, ("id", "shiny"), 5)
    assert page.records == ({"id": 1, "shiny": None}, {"id": 2, "shiny": {"a": [[[{"b": [1]}]]]}})
    assert page.oddities == {"field nested too deep": 1}


def test_more_rows_than_requested_are_dropped_and_counted() -> None:
    rows = rows_of(*({"id": n, "score": 0.9} for n in range(2, 502)))
    similar = read_similar(rows, 1, 25, ("id",), 5)
    records = read_records(rows, ("id",), 5, limit=40)
    assert (len(similar.records), len(similar.neighbours), len(records.records)) == (25, 25, 40)
    assert similar.oddities == {"more rows than requested": 475}
    assert records.oddities == {"more rows than requested": 460}


def test_a_text_or_a_float_that_is_an_id_becomes_one() -> None:
    page = read_similar(rows_of({"id": "2", "score": 0.5}, {"id": 3.0, "score": 0.4}), 1, 25, ("id",), 5)
    assert page.records == ({"id": 2}, {"id": 3})
    assert page.neighbours == ((2, 0.5), (3, 0.4))
    assert page.oddities == {"converted id": 2}


ODD_TEXTS = [
    b'"num_downloads": NaN',
    b'"num_downloads": Infinity',
    b'"num_downloads": 1e999',
    b'"num_downloads": ' + b"9" * 400,
    b'"num_downloads": ' + b"9" * 5000,
    b'"name": "a\\ud800"',
    b'"name": "caf\xe9"',
    b'"name": "a\x01b"',
]


@pytest.mark.parametrize("odd", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_an_odd_value_that_a_strict_parser_refuses_costs_at_most_its_own_field(odd: bytes) -> None:
    body = b'{"count": 2, "next": null, "results": [{"id": 2, "score": 0.5, %s}, {"id": 3, "score": 0.4}]}' % odd
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    page = read_similar(RawResponse(200, {}, body), 1, 25, ("id", "name", "num_downloads"), 5)
    assert page.neighbours == ((2, 0.5), (3, 0.4))
    assert page.oddities["repaired JSON"] == 1
    assert page.records[0].get("num_downloads") is None
    page.records[0].get("name", "").encode()


def test_a_byte_order_mark_and_repeated_keys_are_read_over() -> None:
    page = read_records(RawResponse(200, {}, b'\xef\xbb\xbf{"count": 1, "results": [{"id": 2, "id": 3}]}'), ("id",), 5)
    assert page.records == ({"id": 3},)
    assert page.oddities == {"repaired JSON": 1, "repeated key": 1}


def test_a_wrong_count_is_replaced_and_counted() -> None:
    page = read_records(reply(200, '{"count":"many","results":[{"id":1}]}'), ("id",), 5)
    assert (page.count, page.oddities) == (1, {"no count": 1})
