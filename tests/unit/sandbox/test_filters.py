"""What values mean in the index, form by form: filters as they are sent, rewritten and then parsed."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.sandbox.rewriting import rewrite
from harvester.sandbox.solr_filter import FilterError, SolrFilter, read_filter

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
    "samplerate": 44100.0,
    "geotag": "41.5 2.25",
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
    "(tag:piano OR tag:rain) duration:[0 TO 4]",
    "tag:rain -(tag:piano OR duration:[10 TO *])",
    "tag:rain*",
    "tag:*-record*",
    r"tag:field\-recording",
    r'tag:"\u0072ain"',
    'tag:" rain "',  # trimmed
    'tag:"\u3000rain\u2003"',
    "tag:[field TO rain]",
    "tag:*",
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
    "channels:2.0",
    "channels:[1 TO 2]",
    "duration:35e-1",
    "bitdepth:0",  # not known
    "samplerate:[44100 TO 44100]",
    "num_downloads:[1 TO *]",
    "avg_rating:[8 TO 10]",  # the index counts to 10
    'license:"Attribution NonCommercial"',
    'license:("Creative Commons 0" OR "Attribution NonCommercial")',
    "username:foo",
    "username:FOO",
    "username:foo99",  # compared by letters
    "username:(bar foo)",
    'username:"foo bar"',
    'username:"Foo Bar"',
    "name:roof",
    'name:"on the roof"',
    "description:storm",
    "description:(close storm)",
    "description:stor?",
    "pack:rain",
    r'pack_grouping:"12_Rain \"one\""',
    "type:(wav OR flac)",
    "category:Soundscapes subcategory:Nature",
    '-( category:"Music" )',
    '( category:"Music" OR category:"Soundscapes" )',
    '( tag:"piano" OR tag:"rain" ) license:"Attribution NonCommercial" created:[2015-01-01T00:00:00Z TO *] type:*',
    "is_geotagged:true is_explicit:false",
    "is_explicit:no",
    'geotag:"Intersects(2 41 3 42)"',
    "nosuch_s:* OR tag:rain",
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
    'created:"2026-09-20T16:00:00Z"',
    r"created:2026\-09\-20T16\:00\:00Z",
    'created:"[2026-09 TO 2026-10]"',
    "created:{2026-09 TO *]",  # only the month's first instant is excluded
]
FALSE = [
    "tag:piano",
    "tag:field",  # tags are matched whole
    "tag:(rain roof)",  # one tag
    "tag:re*cording",
    'tag:"rai*"',
    'tag:"rain\u00a0"',  # a no-break space is not trimmed
    'tag:"\u2007rain"',
    "nosuch_s:1",
    "id:01548",
    'geotag:"Intersects(3 41 4 42)"',
    'license:"attribution noncommercial"',
    "type:WAV -type:wav",
    "category:soundscapes",
    "description:(storm rain)",
    "tag:rain tag:piano",
    "-tag:rain",
    "id:1549",
    "id:[1549 TO 2]",
    "id:[2000 TO 9000]",
    "duration:[4 TO 10]",
    "duration:{3.5 TO 4]",
    "bitdepth:[1 TO *]",
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
    "created:[* TO 2026-09}",
    "created:[NOW-1HOUR TO NOW]",
]


def _read(text: str, *, of_parents: bool = False) -> SolrFilter:
    return read_filter(rewrite(text), NOW_S, of_parents=of_parents)


@pytest.mark.parametrize("text", TRUE)
def test_a_filter_admits(text: str) -> None:
    assert _read(text).matches(SOUND)


@pytest.mark.parametrize("text", FALSE)
def test_a_filter_excludes(text: str) -> None:
    assert not _read(text).matches(SOUND)


def test_a_sound_without_the_field_is_excluded_quietly() -> None:
    always = ("-", "id:", "{!", "is_", "bitdepth", "samplerate")
    for text in TRUE:
        if not text.startswith(always):
            assert not _read(text).matches({"id": 7}), text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tag:(rain", "Cannot parse '+tag:(rain': Encountered \"<EOF>\" at line 1, column 10."),
        ("tag:rain)", 'Cannot parse \'+tag:rain)\': Encountered " ")" ") "" at line 1, column 9.'),
        ("NOT tag:a", 'Cannot parse \'NOT +tag:a\': Encountered " "+" "+ "" at line 1, column 4.'),
        (
            'tag:"rain',
            'Cannot parse \'+tag:"rain\': Lexical error at line 1, column 10.  Encountered: <EOF> after : ""rain"',
        ),
        (
            "tag:rain]",
            'Cannot parse \'+tag:rain]\': Lexical error at line 1, column 9.  Encountered: "]" (93), after : ""',
        ),
        (r"tag:\u00zz", "Non-hex character in Unicode escape sequence: z"),
    ],
)
def test_broken_syntax_is_refused_in_the_words_of_the_index(text: str, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        _read(text)
    assert str(caught.value) == f"org.apache.solr.search.SyntaxError: {reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("foo:bar", "undefined field foo"),
        ("-category:x", "undefined field category"),
        ("foo:bar (", "undefined field foo"),  # the first error counts
        ("rain", "no field name specified in query and no default specified via 'df' param"),
        ("duration:long", "Invalid Number: long"),
        ("created:[yesterday TO NOW]", "Invalid Date String:'yesterday'"),
        ("created:2026-13", "Invalid Date String:'2026-13'"),
        ("created:2026-02Z", "Invalid Date String:'2026-02Z'"),
        ("created:[NOW-1FORTNIGHT TO NOW]", "Invalid Date in Date Math String:'NOW-1FORTNIGHT'"),
        ("created:[NOW-9999999YEARS TO NOW]", "Invalid Date: out of range"),
        ("created:[2017 TO 2016]", "Wrong order: 2017 TO 2016"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused(text: str, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        _read(text)
    assert (str(caught.value), caught.value.code) == (reason, 400)


# With `similar_to` a filter is a nested query that must match sounds, and no document of a vector.
@pytest.mark.parametrize(
    "text",
    [
        "*:*",
        "duration:[0 TO 10]",
        "created:[2015-01-01T00:00:00Z TO *]",
        "num_downloads:[10 TO *] avg_rating:[6 TO *]",
        "tag:rain OR duration:[0 TO 10]",
        "duration:[0 TO 10] -tag:piano",
        "id:[1 TO 2]",
        "id:*",
        "pack_grouping:*",
    ],
)
def test_a_filter_of_similar_sounds_that_finds_vectors_is_refused(text: str) -> None:
    with pytest.raises(FilterError, match="Parent query must not match any docs besides parent filter") as caught:
        _read(text, of_parents=True)
    assert caught.value.code == 500
    assert _read(f"type:* ( {text} )", of_parents=True).matches(SOUND) is _read(text).matches(SOUND)


def test_negatives_alone_find_no_similar_sounds() -> None:
    for text in ("-tag:piano", "-tag:piano -tag:wind", "-( tag:piano )"):
        assert _read(text).matches(SOUND)
        assert not _read(text, of_parents=True).matches(SOUND)
        assert _read(f"{text} type:*", of_parents=True).matches(SOUND)


def test_a_list_of_ids_names_its_candidates() -> None:
    ids = range(100_000, 100_150)
    parsed = _read(f"id:({' OR '.join(map(str, ids))})")
    assert parsed.sound_ids == frozenset(ids)
    assert parsed.matches({"id": 100_149})
    assert not parsed.matches({"id": 100_150})
    assert _read("id:(1 OR 2) tag:x").sound_ids == frozenset({1, 2})
    assert _read("id:(1 OR 2) id:(2 OR 3)").sound_ids == frozenset({2})
    assert _read("id:1 OR tag:x").sound_ids is None
    assert _read("-id:1").sound_ids is None
