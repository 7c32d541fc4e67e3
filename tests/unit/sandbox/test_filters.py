"""The filter language, form by form."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.sandbox.filters import FilterError, read_filter

NOW_S = 1_790_000_000  # 2026-09-21T14:13:20Z
SOUND: dict[str, Any] = {
    "id": 1548,
    "name": "Heavy rain on the roof.wav",
    "tags": ["Rain", "field-recording", "roof"],
    "description": "A storm, recorded <b>close</b>.",
    "category": "Soundscapes",
    "subcategory": "Nature",
    "created": "2026-09-20T16:00:00Z",
    "license": "http://creativecommons.org/licenses/by-nc/4.0/",
    "type": "wav",
    "duration": 3.5,
    "channels": 2,
    "username": "Foo Bar",
    "pack": "https://sandbox.invalid/apiv2/packs/12/",
    "pack_name": 'Rain "one"',
    "num_downloads": 40,
    "avg_rating": 4.5,
    "num_ratings": 3,
    "is_explicit": False,
    "is_geotagged": True,
    "bitdepth": None,
    "md5": "abc",
    "bpm": 120.0,
    "gen_ai_preference": "no-gen-ai",
}

TRUE = [
    "tag:rain",
    "tag:RAIN",
    "tag:field-recording",
    'tag:"field-recording"',
    "tag:ra*",
    "tag:r?in",
    "tag:rain tag:roof",
    "tag:rain AND tag:roof",
    "tag:rain && tag:roof",
    "tag:piano OR tag:roof",
    "tag:piano || tag:roof",
    "tag:(piano OR roof)",
    "tag:(rain roof)",
    "(tag:piano OR tag:rain) duration:[0 TO 4]",
    "-tag:piano",
    "NOT tag:piano",
    "!tag:piano",
    "+tag:rain -tag:piano",
    "tag:rain -(tag:piano OR duration:[10 TO *])",
    "id:1548",
    'id:"1548"',
    "id:(1 OR 1548 OR 2)",
    "{!terms f=id}1,1548",
    "id:[1257 TO 1764]",
    "id:[15 TO 2]",  # a string: "15" < "1548" < "2"
    "id:[15400 TO 16]",
    "duration:3.5",
    "duration:[3.5 TO 3.5]",
    "duration:{3.4 TO 3.6}",
    "duration:[3.5 TO 4}",
    "duration:[* TO 4]",
    "duration:[* TO *]",
    "channels:2",
    "num_downloads:[1 TO *]",
    "avg_rating:[8 TO 10]",  # the index counts to 10
    'license:"Attribution NonCommercial"',
    'license:("Creative Commons 0" OR "Attribution NonCommercial")',
    "username:foo",
    'username:"foo bar"',
    'username:"Foo Bar"',
    "name:roof",
    'name:"on the roof"',
    "description:storm",
    "pack:rain",
    r'pack_grouping:"12_Rain \"one\""',
    "type:(wav OR flac)",
    "category:Soundscapes subcategory:Nature",
    "is_geotagged:true is_explicit:false",
    "gen_ai_preference:no-gen-ai",
    "md5:abc",
    "bpm:[119 TO 121]",
    "created:[2026-09-20T16:00:00Z TO *]",
    "created:[2026-01-01T00:00:00Z TO 2026-09-20T16:00:00Z]",
    "created:2026",
    "created:2026-09",
    "created:2026-09-20",
    "created:2026-09-20T16",
    "created:[2026-09 TO 2026-09]",
    "created:{2026-08 TO 2026-10}",
    "created:[NOW-1DAY TO NOW]",
    "created:[NOW/DAY-1DAY TO NOW/DAY]",
    "created:[NOW-1MONTH/MONTH TO NOW+1YEAR]",
    'created:["2026-09-20T16:00:00Z" TO NOW]',
]
FALSE = [
    "tag:piano",
    "tag:field",  # tags are matched whole
    "tag:rain tag:piano",
    "-tag:rain",
    "id:1549",
    "id:[1549 TO 2]",
    "id:[2000 TO 9000]",
    "duration:[4 TO 10]",
    "duration:{3.5 TO 4]",
    "bitdepth:[0 TO *]",
    "avg_rating:[0 TO 5]",
    "license:Attribution",
    'license:"Creative Commons 0"',
    'username:"bar foo"',
    "username:ba",
    "type:mp3",
    "is_explicit:true",
    "created:2025",
    "created:{2026-09-20T16:00:00Z TO *]",
    "created:[* TO 2026-09-20T16:00:00Z}",
    "created:{2026-09 TO *]",
    "created:[NOW-1HOUR TO NOW]",
]


@pytest.mark.parametrize("text", TRUE)
def test_a_filter_admits(text: str) -> None:
    assert read_filter(text, NOW_S).matches(SOUND)


@pytest.mark.parametrize("text", FALSE)
def test_a_filter_excludes(text: str) -> None:
    assert not read_filter(text, NOW_S).matches(SOUND)


def test_a_sound_without_the_field_is_excluded_quietly() -> None:
    for text in TRUE:
        if not text.startswith(("-", "NOT", "!", "id:", "{!", "is_geo")):
            assert not read_filter(text, NOW_S).matches({"id": 7}), text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "tag:(rain",
            "org.apache.solr.search.SyntaxError: Cannot parse '+tag:(rain': "
            'Encountered "<EOF>" at line 1, column 10.',
        ),
        ("foo:bar", "undefined field foo"),
        ("url:x", "undefined field url"),
        ("mfcc:1", "undefined field mfcc"),
        ("rain", "no field name specified in query and no default specified via 'df' param"),
        ("duration:long", "Invalid Number: long"),
        ("created:[yesterday TO NOW]", "Invalid Date String:'yesterday'"),
        ("created:2026-13", "Invalid Date String:'2026-13'"),
        ("created:[NOW-1FORTNIGHT TO NOW]", "Invalid Date in Date Math String:'NOW-1FORTNIGHT'"),
        ("created:[NOW-9999999YEARS TO NOW]", "Invalid Date: out of range"),
    ],
)
def test_what_solr_refuses_is_refused_in_its_words(text: str, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        read_filter(text, NOW_S)
    assert str(caught.value) == reason


@pytest.mark.parametrize("text", ["tag:rain)", "tag:[1", "tag:", "OR tag:rain", "tag:rain OR", "(" * 500, '"', "a]b:c"])
def test_broken_syntax_never_gets_past(text: str) -> None:
    with pytest.raises(FilterError):
        read_filter(text, NOW_S)


def test_a_list_of_ids_names_its_candidates() -> None:
    ids = range(100_000, 100_150)
    parsed = read_filter(f"id:({' OR '.join(map(str, ids))})", NOW_S)
    assert parsed.sound_ids == frozenset(ids)
    assert parsed.matches({"id": 100_149})
    assert not parsed.matches({"id": 100_150})
    assert read_filter("id:(1 OR 2) tag:x", NOW_S).sound_ids == {1, 2}
    assert read_filter("id:(1 OR 2) id:(2 OR 3)", NOW_S).sound_ids == {2}
    assert read_filter("id:1 OR tag:x", NOW_S).sound_ids is None
    assert read_filter("-id:1", NOW_S).sound_ids is None
