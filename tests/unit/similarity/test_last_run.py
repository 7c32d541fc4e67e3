"""What a link notes for the next one is read as it was written, or taken for no note at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvester.similarity.last_run import TOPIC, LastRun, read_last_run

LAST_RUN = LastRun(25, 0.5, 1_780_000_000_000_000, 400, (3, 7), "5f", None, 2)
STORED: dict[str, Any] = json.loads(LAST_RUN.note().text)
ODD: list[Any] = [None, True, "", "x", "5", 0.5, -1, 10**400, [], [1], ["1"], [[1]], [None], {}, {"a": 1}]


def read(text: str) -> LastRun | None:
    return read_last_run({TOPIC: {0: text}})


@pytest.mark.parametrize("last_run", [LAST_RUN, LastRun(1, 0, 0, 0, (), "", 5, 0)])
def test_a_note_gives_back_what_was_noted(last_run: LastRun) -> None:
    assert read(last_run.note().text) == last_run
    assert read_last_run({}) is None


def test_a_note_keeps_the_names_that_earlier_versions_wrote() -> None:
    text = (
        '{"neighbours":25,"min_score":0.5,"made_at":1780000000000000,"rows":400,"left_out":[3,7],"lists":"5f",'
        '"done_to":null,"rotten":2}'
    )
    assert LAST_RUN.note().text == text
    assert read(text) == LAST_RUN


@pytest.mark.parametrize("name", STORED)
def test_every_value_of_a_note_has_its_type_or_the_note_is_void(name: str) -> None:
    for odd in ODD:
        last_run = read(json.dumps({**STORED, name: odd}))
        if last_run is not None:
            found = json.loads(last_run.note().text)[name]
            assert type(found) in {type(STORED[name]), int if name != "lists" else str}
            assert all(type(sound_id) is int for sound_id in last_run.left_out)
    assert read(json.dumps({**STORED, name: {"a": 1}})) is None


@pytest.mark.parametrize("name", STORED)
def test_a_note_of_another_version_is_void(name: str) -> None:
    values = {one: value for one, value in STORED.items() if one != name}
    assert read(json.dumps(values)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"x":' * 100_000, "7" * 5_000, "NaN"])
def test_a_note_that_is_hardly_json_is_void(text: str) -> None:
    assert read(text) is None
