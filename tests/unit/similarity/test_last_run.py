"""What a link notes for the next one is read as it was written, or taken for no note at all."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import pytest

from harvester.similarity.last_run import TOPIC, LastRun, read_last_run

LAST_RUN = LastRun(25, 0.5, 1_780_000_000_000_000, 400, (3, 7), "5f", None, 2)
ODD: list[Any] = [None, True, "", "x", "5", 0.5, -1, 10**400, [], [1], ["1"], [[1]], [None], {}, {"a": 1}]


def read(text: str) -> LastRun | None:
    return read_last_run({TOPIC: {0: text}})


@pytest.mark.parametrize("last_run", [LAST_RUN, LastRun(1, 0, 0, 0, (), "", 5, 0)])
def test_a_note_gives_back_what_was_noted(last_run: LastRun) -> None:
    assert read(last_run.note().text) == last_run
    assert read_last_run({}) is None


@pytest.mark.parametrize("name", [field.name for field in fields(LastRun)])
def test_every_value_of_a_note_has_its_type_or_the_note_is_void(name: str) -> None:
    for odd in ODD:
        last_run = read(json.dumps({**asdict(LAST_RUN), name: odd}))
        if last_run is not None:
            assert type(getattr(last_run, name)) in {type(getattr(LAST_RUN, name)), int if name != "lists" else str}
            assert all(type(sound_id) is int for sound_id in last_run.left_out)
    assert read(json.dumps({**asdict(LAST_RUN), name: {"a": 1}})) is None


@pytest.mark.parametrize("name", asdict(LAST_RUN))
def test_a_note_of_another_version_is_void(name: str) -> None:
    values = asdict(LAST_RUN)
    del values[name]
    assert read(json.dumps(values)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"x":' * 100_000, "7" * 5_000, "NaN"])
def test_a_note_that_is_hardly_json_is_void(text: str) -> None:
    assert read(text) is None
