"""What a community is called: words that it has for itself, none that says how a file was made."""

from __future__ import annotations

import pytest

from harvester.graph.community_names import TellingWords, name_communities
from harvester.graph.selection import select
from tests.support.view_samples import make_record, make_state


def names_of(*communities: list[tuple[list[str], str]]) -> list[str]:
    """Return the names of communities of (tags, name) of each sound."""
    sounds = [sound for members in communities for sound in members]
    records = [
        make_record(at + 1, tags=tags, name=name, username=f"user{at}") for at, (tags, name) in enumerate(sounds)
    ]
    members, first = [], 0
    for one in communities:
        members.append(list(range(first, first + len(one))))
        first += len(one)
    return name_communities(members, TellingWords(select(make_state(records)).sounds()))


REST = [(["bell"], "bell")] * 8


@pytest.mark.parametrize(
    ("tags", "name", "expected"),
    [
        pytest.param(["mono", "stereo", "field-recording", "loop", "water"], "sample.wav", "water", id="generic words"),
        pytest.param(["Field Recording", "FX", "multi_sample", "rain"], "", "rain", id="generic in any spelling"),
        pytest.param(["120bpm", "44100", "96khz", "c4", "snare"], "01", "snare", id="numbers"),
        pytest.param([], "DogBarking_03.wav", "barking, dog", id="a name in camel case"),
        pytest.param(["Hi-Hat", "hi_hat", "hihat"], "", "hi-hat", id="one word in three spellings"),
        pytest.param(["door", "doors"], "", "door", id="plural and singular"),
        pytest.param(["doors"], "", "doors", id="a plural alone"),
        pytest.param(["rain", "rainfall"], "", "rain", id="no word inside another"),
        pytest.param(["noise", "wind"], "", "wind, noise", id="weak words last"),
        pytest.param(["東京"], "", "東京", id="two letters in Chinese"),
        pytest.param(["a", "b", "x1"], "", "group 1", id="no word"),
    ],
)
def test_a_name_has_the_telling_words_in_one_case(tags: list[str], name: str, expected: str) -> None:
    assert names_of([(tags, name)] * 10, REST) == [expected, "bell"]


def test_a_word_of_few_outside_beats_a_word_of_many() -> None:
    first = [(["city", "tram"], "")] * 6 + [(["city"], "")] * 4
    second = [(["city", "bell"], "")] * 8
    # Two thirds have "tram", and none outside; all have "city", and so has everyone else.
    assert names_of(first, second) == ["tram", "bell"]


def test_no_word_names_two_communities_where_another_one_tells() -> None:
    first = [(["guitar", "chord"], "")] * 12
    second = [(["guitar", "riff"], "")] * 10
    assert names_of(first, second, REST * 4) == ["chord, guitar", "riff, guitar", "bell"]


def test_words_of_fewer_than_three_users_count_less() -> None:
    records = [make_record(at, tags=["suicidity"], name="", username="one") for at in range(1, 11)]
    for at in range(10):
        if at < 7:
            records[at] |= {"tags": ["suicidity", "cowbell"], "username": f"user{at}"}
    records += [make_record(at, tags=["bell"], name="", username=f"user{at}") for at in range(11, 30)]
    words = TellingWords(select(make_state(records)).sounds())
    assert words.of(range(10)) == ["suicidity", "cowbell"]
    for at in range(10):
        records[at] |= {"username": "one", "tags": ["suicidity", "cowbell"] if at < 7 else ["suicidity"]}
    for at in range(3):
        records[at + 10] |= {"tags": ["cowbell", "bell"]}
    words = TellingWords(select(make_state(records)).sounds())
    assert words.of(range(10)) == ["cowbell", "suicidity"]
