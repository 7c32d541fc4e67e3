"""JSON that strict readers take, of values that JSON does not have."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.json_text import json_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800")
VALUES = st.recursive(SCALARS, lambda one: st.lists(one) | st.dictionaries(st.text(st.characters()), one))


def test_a_value_that_json_lacks_has_one_form() -> None:
    for value, written in (
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        (math.nan, "null"),
        ([math.inf, 2**70], f"[null,{2**70}]"),
        ("a\ud800b", '"a\ufffdb"'),
        (["\udfff", math.nan], '["\ufffd",null]'),
        (10**400, f'"{10**400}"'),
        ({"\ud800": True}, '{"\ufffd":true}'),
    ):
        assert json_text(value) == written


@given(VALUES)
def test_every_value_is_read_by_a_strict_reader(value: Any) -> None:
    for indented in (False, True):
        orjson.loads(json_text(value, indented=indented))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one)))
def test_what_json_has_is_exact(value: Any) -> None:
    assert json.loads(json_text(value)) == json.loads(json_text(value, indented=True)) == value


def test_what_is_no_json_value_is_an_error_of_ours() -> None:
    with pytest.raises(TypeError):
        json_text({"a": object()})
