"""An empty selection says which of its values no sound has, and which there are."""

from __future__ import annotations

import pytest

from harvester.graph import Selection, SoundGraph, explain_missing, find_missing
from harvester.model import Gone, Known
from tests.support.view_samples import make_record, make_state

STATE = make_state(
    [
        *(make_record(sound_id, subcategory="Solo instrument") for sound_id in range(1, 9)),
        make_record(9, username="Anna", tags=["Thunder", "t" * 50], license=None),
        make_record(10, username="Gone", tags=["gone"], license="https://gone.example/"),
    ]
)
STATE.apply(Known(11, 1))
STATE.apply(Gone(10, 2_000_000_000_000_000))


def explain_empty(state: SoundGraph, selection: Selection) -> str:
    return explain_missing(find_missing(state, selection), state, found=False)


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        (Selection(licenses=("GPL",)), "no sound has the license 'GPL'; there are 'CC0', 'BY', 'BY-NC', 'Sampling+'"),
        (
            Selection(licenses=("CC0", "BY 5.0")),
            "no sound has the license 'BY 5.0'; did you mean 'BY 4.0' or 'BY-NC 3.0'?",
        ),
        (Selection(licenses=("cc-by 4.0",), users=("anna",)), "no sound meets all conditions together"),
        (Selection(categories=("Musik",)), "no sound has the category 'Musik'; did you mean 'Music'?"),
        (
            Selection(categories=("x",)),
            "no sound has the category 'x'; there are 'Music', 'Instrument samples', 'Speech', 'Sound effects', "
            "'Soundscapes'",
        ),
        (Selection(categories=("solo INSTRUMENT",), tags=("thunder",)), "no sound meets all conditions together"),
        (
            Selection(tags=("rian", "rain", "gone")),
            "no sound has the tag 'rian'; did you mean 'rain'?; no sound has the tag 'gone'; "
            f"there are 'rain', 'tag1', 'tag2', 'tag0', 'Thunder', '{'t' * 40}…'",
        ),
        (Selection(users=("ana",)), "no sound has the user 'ana'; did you mean 'Anna'?"),
        (
            Selection(users=("me",), tags=("nothing",)),
            "no sound has the tag 'nothing'; there are 'rain', 'tag1', 'tag2', 'tag0', 'Thunder', "
            f"'{'t' * 40}…'; no sound has the user 'me'; there are 'user1', 'user2', 'user0', 'Anna'",
        ),
        (Selection(min_duration_s=99), "no sound lasts 99 s or longer; the longest is 1.28571 s"),
    ],
)
def test_it_names_the_values_that_no_sound_has(selection: Selection, why: str) -> None:
    assert explain_empty(STATE, selection) == f"no sound matches: {why}"


def test_of_many_values_the_most_frequent_are_named() -> None:
    state = make_state([make_record(one, tags=[f"n{number}" for number in range(one)]) for one in range(1, 10)])
    told = explain_empty(state, Selection(tags=("rain",)))
    assert told.endswith("there are 'n0', 'n1', 'n2', 'n3', 'n4', 'n5' and 3 more")


def test_without_records_or_sounds_there_are_no_values() -> None:
    state = SoundGraph()
    assert explain_empty(state, Selection(tags=("x",))) == "no sound matches: the library holds no sounds"
    state.apply(Known(1, 1))
    told = explain_empty(state, Selection(tags=("x",)))
    assert told == "no sound matches: no sound has the tag 'x'; there is none in the library"
