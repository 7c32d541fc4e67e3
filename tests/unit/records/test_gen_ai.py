"""A wish about generative AI that is not one of the API's values is unknown, in every view."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.graph import SoundGraph, select
from harvester.library import load_view
from harvester.map.data import MapData
from harvester.model import Seen
from harvester.records import GEN_AI_WISHES, UNKNOWN_WISH, gen_ai_wish
from tests.support.command import call
from tests.support.samples import NOW_US, SOURCE, grow, make_record, open_store

ABSENT = object()
STATED: list[Any] = [
    *GEN_AI_WISHES, ABSENT, None, "", " ", "unknown", "none", "No-Gen-AI", "no-gen-ai ", "allow-all", "null", 7,
    ["no-gen-ai"],
]  # fmt: skip


def wish_of(value: Any) -> str:
    return value if isinstance(value, str) and value in GEN_AI_WISHES else UNKNOWN_WISH


@given(st.one_of(st.none(), st.text(), st.sampled_from(GEN_AI_WISHES)))
def test_what_is_none_of_the_apis_words_is_unknown(value: str | None) -> None:
    assert gen_ai_wish(value) == wish_of(value)


def _record(sound_id: int, value: Any) -> dict[str, Any]:
    record = make_record(sound_id, name=f"rain {sound_id}")
    return record if value is ABSENT else record | {"gen_ai_preference": value}


@pytest.mark.parametrize("value", STATED)
def test_an_attribute_tells_it(value: Any) -> None:
    state = SoundGraph(SOURCE)
    state.apply(Seen(1, _record(1, value), NOW_US))
    assert state.sound(1).gen_ai_wish == wish_of(value)


def test_every_view_tells_the_same(tmp_path: Path) -> None:
    wishes = {sound_id: wish_of(value) for sound_id, value in enumerate(STATED, 1)}
    counts = Counter(wishes.values())
    with open_store(tmp_path / "lib") as store:
        store.set_source(SOURCE)
        grow(store, [Seen(sound_id, _record(sound_id, value), NOW_US) for sound_id, value in enumerate(STATED, 1)])
        store.checkpoint()

    def told(*arguments: str) -> str:
        ended = call(*arguments, "--library", "lib", cwd=tmp_path)
        assert ended.code == 0, ended.err
        return ended.out

    found = json.loads(told("find", "rain", "--limit", "0", "--json"))["sounds"]
    assert {one["id"]: one["gen_ai_wish"] for one in found} == wishes
    assert json.loads(told("status", "--json"))["gen_ai_wishes"] == counts
    for sound_id in (1, 5, 9):
        assert re.search(rf"^ +gen-AI wish +{wishes[sound_id]}$", told("show", str(sound_id)), re.MULTILINE)
        assert json.loads(told("show", str(sound_id), "--json"))["gen_ai_wish"] == wishes[sound_id]
    rows = csv.DictReader(told("export", "credits", "--format", "csv").splitlines())
    assert {int(row["id"]): row["gen_ai_preference"] for row in rows} == wishes
    for kind, line in (("md", "- {}: {}"), ("txt", "    {}: {}"), ("html", "<li>{}: {}</li>")):
        text = told("export", "credits", "--format", kind)
        assert [line.format(wish, counts[wish]) for wish in sorted(counts)] == [
            one for one in text.splitlines() if one in {line.format(*pair) for pair in counts.items()}
        ]
    mapped = MapData(select(load_view(tmp_path / "lib").state), "a library").sounds
    assert {one: mapped["wishes"][place] for one, place in zip(mapped["ids"], mapped["wish"], strict=True)} == wishes
    # Exports of records keep what is there: nothing stays nothing.
    exported = [json.loads(line) for line in told("export", "jsonl").splitlines()]
    assert {one["id"]: one.get("gen_ai_preference", ABSENT) for one in exported} == dict(enumerate(STATED, 1))
