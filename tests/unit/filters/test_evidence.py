"""A record contradicts the filter that found it only where that is certain."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.filters import contradicts

BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"
SOUND: dict[str, Any] = {
    "id": 7,
    "license": BY_NC,
    "type": "wav",
    "duration": 10.5,
    "channels": 2,
    "bitdepth": 0,
    "samplerate": 44100.0,
    "created": "2016-02-10T12:30:00Z",
    "is_explicit": False,
    "tags": ["rain"],
    "name": "rain",
    "category": "Music",
    "username": "me",
    "num_downloads": 3,
    "avg_rating": 5.0,
    "num_ratings": 1,
}


@pytest.mark.parametrize(
    "text",
    [
        'license:"Creative Commons 0"',
        'license:("Creative Commons 0" OR Attribution)',
        '-license:"Attribution NonCommercial"',
        "type:mp3",
        "type:(mp3 OR flac)",
        "-type:wav",
        "id:8",
        "duration:[0 TO 10]",
        "duration:{10.5 TO *]",
        "duration:10",
        "channels:1",
        "-channels:[2 TO 8]",
        "samplerate:[48000 TO *]",
        "created:2015",
        "created:2016-03",
        "created:[2016-02-10T12:30:01Z TO *]",
        "created:[* TO 2016-02-09]",
        "is_explicit:true",
        "tag:rain type:mp3",
        "-(tag:rain OR type:wav)",
        "( -type:wav type:* ) OR type:mp3",
    ],
)
def test_a_record_that_cannot_match_contradicts(text: str) -> None:
    assert contradicts(text, SOUND)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'license:"Attribution NonCommercial"',
        "-license:Attribution",
        "type:wav",
        "id:(1 OR 7)",
        "duration:[0 TO 10.5]",
        "duration:{10 TO 11}",
        "duration:[10.5 TO 10.5]",
        "samplerate:44100",
        "created:2016",
        "created:2016-02-10T12:30:00Z",
        "created:[2016-02 TO 2016-02]",
        "created:[2016-02-10T12:30:00Z TO 2016-02-10T12:30:00Z]",
        "is_explicit:0",
        "tag:rain OR type:wav",
    ],
)
def test_a_record_that_matches_does_not_contradict(text: str) -> None:
    assert not contradicts(text, SOUND)
    if text:
        assert contradicts(f"-( {text} )", SOUND)


UNKNOWN = [
    "tag:wind",
    "name:x",
    "username:you",
    "category:Speech",
    "num_downloads:[1000 TO *]",
    "avg_rating:[9 TO *]",
    "num_ratings:0",
    "license:attribution",
    "license:Attr*",
    "type:WAV",
    "type:m*",
    "bitdepth:16",
    "bpm:120",
    "md5:x",
    "is_remix:true",
    "duration:10.500001",
    "created:NOW",
    "created:[NOW-1DAY TO *]",
    "created:{2016 TO *]",
    "created:[* TO 2016-02-10}",
    "created:{* TO 2016-02-10T12:30:00Z}",
    "pack_grouping:*",
    "tag:wind type:wav",
    "-tag:wind type:wav",
    "tag:wind OR type:mp3",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_where_the_index_may_know_better_a_record_does_not_tell(text: str) -> None:
    assert not contradicts(text, SOUND)
    assert not contradicts(f"-( {text} )", SOUND)


@pytest.mark.parametrize(
    "changes",
    [
        {"license": None},
        {"license": "http://example.org/mine"},
        {"license": 5},
        {"type": ["mp3"]},
        {"duration": "99"},
        {"duration": float("nan")},
        {"duration": 10**400},
        {"duration": True},
        {"created": "2020"},
        {"created": "2016-02-10T25:30:00Z"},
        {"created": "yesterday"},
        {"created": 5},
        {"is_explicit": "yes"},
        {"channels": 0},
    ],
)
def test_an_odd_value_tells_nothing(changes: dict[str, Any]) -> None:
    text = 'license:"Creative Commons 0" OR type:mp3 OR duration:[0 TO 1] OR created:2015 OR is_explicit:true'
    text += " OR channels:1"
    assert contradicts(text, SOUND)
    assert not contradicts(text, SOUND | changes)


@pytest.mark.parametrize(
    "created",
    ["2016-02-10T12:30:00", "2016-02-10 12:30:00Z", "2016-02-10T14:30:00+02:00", "2016-02-09T23:30:00-13:00"],
)
def test_the_same_moment_is_judged_alike_however_it_is_written(created: str) -> None:
    sound = SOUND | {"created": created}
    assert contradicts("created:[2016-02-10T12:30:01Z TO *]", sound)
    assert contradicts("created:[* TO 2016-02-10T12:29:59Z]", sound)
    assert contradicts("-created:2016-02-10T12:30:00Z", sound)
    assert not contradicts("created:2016-02-10T12:30:00Z", sound)


def test_a_fraction_of_a_second_may_be_in_the_index_or_not() -> None:
    sound = SOUND | {"created": "2016-02-10T12:30:00.999999Z"}
    assert contradicts("created:[2016-02-10T12:30:01Z TO *]", sound)
    assert contradicts("created:[* TO 2016-02-10T12:29:59Z]", sound)
    for text in ("created:2016-02-10T12:30:00Z", "-created:2016-02-10T12:30:00Z"):
        assert not contradicts(text, sound)


def test_a_partial_record_tells_what_it_can() -> None:
    assert contradicts("type:mp3 duration:[0 TO 1]", {"id": 1, "type": "wav"})
    assert not contradicts("duration:[0 TO 1]", {"id": 1, "type": "wav"})
