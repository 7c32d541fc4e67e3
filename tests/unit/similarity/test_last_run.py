"""What a link notes for the next one is read as it was written, or taken for no note at all."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import pytest

from harvester.similarity.last_run import TOPIC, Trail, read_trail

TRAIL = Trail(25, 0.5, 1_780_000_000_000_000, 400, (3, 7), "5f", None, 2)
ODD: list[Any] = [None, True, "", "x", "5", 0.5, -1, 10**400, [], [1], ["1"], [[1]], [None], {}, {"a": 1}]


def read(text: str) -> Trail | None:
    return read_trail({TOPIC: {0: text}})


@pytest.mark.parametrize("trail", [TRAIL, Trail(1, 0, 0, 0, (), "", 5)])
def test_a_note_gives_back_what_was_noted(trail: Trail) -> None:
    assert read(trail.note().text) == trail
    assert read_trail({}) is None


@pytest.mark.parametrize("name", [field.name for field in fields(Trail)])
def test_every_value_of_a_note_has_its_type_or_the_note_is_void(name: str) -> None:
    for odd in ODD:
        trail = read(json.dumps({**asdict(TRAIL), name: odd}))
        if trail is not None:
            assert type(getattr(trail, name)) in {type(getattr(TRAIL, name)), int if name != "lists" else str}
            assert all(type(sound_id) is int for sound_id in trail.left_out)
    assert read(json.dumps({**asdict(TRAIL), name: {"a": 1}})) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"x":' * 100_000, "7" * 5_000, "NaN"])
def test_a_note_that_is_hardly_json_is_void(text: str) -> None:
    assert read(text) is None
