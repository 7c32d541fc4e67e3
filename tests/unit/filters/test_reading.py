"""A filter is read as the index reads it, and written in one form."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.errors import SettingsError
from harvester.filters import build_filter, canonical, filter_ids, filter_similar, join_filters, read_filter

TRUTH_TABLE = [
    ("tag:a tag:b", "tag:a tag:b"),
    ("tag:a AND tag:b", "tag:a tag:b"),
    ("tag:a && tag:b", "tag:a tag:b"),
    ("+tag:a +tag:b", "tag:a tag:b"),
    ("tag:a OR tag:b", "tag:(a OR b)"),
    ("tag:a || type:b", "( tag:a OR type:b )"),
    ("tag:a OR tag:b tag:c", "tag:c"),
    ("tag:c tag:a OR tag:b", "tag:c"),
    ("tag:a AND tag:b OR tag:c", "tag:a"),
    ("tag:a OR tag:b AND tag:c", "tag:b tag:c"),
    ("-tag:a OR tag:b", "-tag:a tag:b"),
    ("tag:a OR -tag:b", "tag:a -tag:b"),
    ("tag:a OR -tag:b OR tag:c", "tag:(a OR c) -tag:b"),
    ("tag:a AND -tag:b", "tag:a -tag:b"),
    ("-tag:a AND tag:b", "-tag:a tag:b"),
    ("NOT tag:a", "-tag:a"),
    ("!tag:a", "-tag:a"),
    ("tag:a AND NOT tag:b", "tag:a -tag:b"),
    ("(-tag:a) OR tag:b", "( ( -tag:a type:* ) OR tag:b )"),
    ("tag:a -(tag:b OR type:c)", "tag:a -( tag:b OR type:c )"),
    ("-(-tag:a)", "tag:a"),
    ("tag:a (tag:b (tag:c))", "tag:a tag:b tag:c"),
    ("tag:a tag:a", "tag:a"),
    ("tag:(a AND b)", "tag:a tag:b"),
    ("tag:(a -b)", "tag:a -tag:b"),
    ("tag:(a OR type:b)", "( tag:a OR type:b )"),
    ("*:* -tag:a", "type:* -tag:a"),
]

SPELLINGS = [
    ("", ""),
    (" \t\n", ""),
    ("tag : rain", "tag:rain"),
    ("tag:\nrain\ttag:b", "tag:rain tag:b"),
    ("tag:c++", r'tag:"c\+\+"'),
    ('tag:"c++"', r'tag:"c\+\+"'),
    (r"tag:c\+\+", r'tag:"c\+\+"'),
    ('tag:"a:b"', r'tag:"a\:b"'),
    (r"tag:a\:b", r"tag:a\:b"),
    (r"tag:a\ b", r"tag:a\ b"),
    (r"tag:\-5", r"tag:\-5"),
    (r"tag:\AND", 'tag:"AND"'),
    (r"tag:\u0041", "tag:A"),
    (r"tag:\ud83c\udf27", "tag:🌧"),
    (r'tag:"\\u0041"', r'tag:"\\u0041"'),
    ('tag:"%2520 %"', 'tag:"%2520 %"'),
    ('tag:"foo/bar"', 'tag:"foo/bar"'),
    ("tag:ra*n? type:*", "tag:ra*n? type:*"),
    (r"tag:a\*b*", r"tag:a\*b*"),
    (r"tag:*\+", r"( tag:*\+ )"),
    ('-category:"Music"', '-( category:"Music" )'),
    ('-category:("Music" OR "Speech")', '-( category:("Music" OR "Speech") )'),
    ("(bpm:[100 TO *] OR tag:a)", "( bpm:[100 TO *] OR tag:a )"),
    ("duration:[ 0   TO 10 }", "duration:[0 TO 10}"),
    ("loudness:[-30.5 TO +1e2]", "loudness:[-30.5 TO +1e2]"),
    ('tag:["a:b" TO *]', r'tag:["a\:b" TO *]'),
    ("created:2016", "created:2016"),
    ("created:2016-02-29T12:00:00Z", r'created:"2016-02-29T12\:00\:00Z"'),
    ("created:[NOW-1MONTH/DAY TO *]", "created:[NOW-1MONTH/DAY TO *]"),
    ("is_explicit:false", "is_explicit:false"),
    ('geotag:"Intersects(-74.1 41.0 -69.3 44.6)"', 'geotag:"Intersects(-74.1 41.0 -69.3 44.6)"'),
]


@pytest.mark.parametrize(("text", "meaning"), TRUTH_TABLE)
def test_clauses_mean_what_the_index_reads_from_left_to_right(text: str, meaning: str) -> None:
    assert canonical(text) == meaning


@pytest.mark.parametrize(("text", "written"), SPELLINGS)
def test_every_spelling_has_one_canonical_text(text: str, written: str) -> None:
    assert canonical(text) == written


@pytest.mark.parametrize("text", [text for _, text in TRUTH_TABLE + SPELLINGS])
def test_a_canonical_text_is_its_own(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        (
            "tag:rain OR tag:tent type:wav",
            "in the filter, `tag:rain OR tag:tent` has no effect beside `type:wav`; "
            "write `tag:(rain OR tent) type:wav`",
        ),
        (
            "tag:a OR type:b AND tag:c",
            "in the filter, `tag:a` has no effect beside `type:b tag:c`; write `( tag:a OR ( type:b tag:c ) )`",
        ),
        (
            "-tag:a OR tag:b",
            "in the filter, OR has no effect beside `-tag:a`, which always excludes; "
            "for either write `( tag:b OR ( -tag:a type:* ) )`",
        ),
        (
            "type:wav (tag:a OR tag:b tag:c)",
            "in the filter, `tag:a OR tag:b` has no effect beside `tag:c`; write `tag:(a OR b) tag:c`",
        ),
    ],
)
def test_what_has_no_effect_is_told_with_a_filter_that_has(text: str, notice: str) -> None:
    assert read_filter(text).notices == (notice,)
    advised = notice.rsplit("write ", 1)[1].strip("`")
    assert read_filter(advised).notices == ()
    assert canonical(advised) == advised


@pytest.mark.parametrize("text", ["tag:a OR tag:b", "(tag:a OR tag:b) type:wav", "tag:a -tag:b", "-tag:a -tag:b"])
def test_a_filter_in_which_everything_has_an_effect_is_not_commented_on(text: str) -> None:
    assert read_filter(text).notices == ()


def test_presets_are_written_as_they_are_in_libraries_of_earlier_versions() -> None:
    assert build_filter("", cc0=True).text == 'license:"Creative Commons 0"'
    assert build_filter("", cc0=True, by=True).text == 'license:("Creative Commons 0" OR "Attribution")'
    full = build_filter("category:Music", by=True, max_duration_s=10, tags=("rain",), types=("wav", "flac"))
    assert full.text == 'category:Music license:"Attribution" duration:[0 TO 10] tag:"rain" type:("wav" OR "flac")'
    assert build_filter("  ").text == ""
    assert build_filter("", tags=('say "hi"',)).text == 'tag:"say \\"hi\\""'
    assert build_filter("", max_duration_s=1e7).text == "duration:[0 TO 1e+07]"
    assert build_filter("", max_duration_s=123456.7).text == "duration:[0 TO 123456.7]"


def test_presets_hold_beside_any_filter() -> None:
    built = build_filter("tag:rain OR tag:tent", cc0=True)
    assert (built.text, built.notices) == ('tag:(rain OR tent) license:"Creative Commons 0"', ())


def test_windows_ids_and_similar_sounds_are_joined_to_the_whole_filter() -> None:
    text = "tag:a OR type:b"
    assert join_filters("", "  ") == ""
    assert join_filters("created:[2015 TO *]", text) == "created:[2015 TO *] ( tag:a OR type:b )"
    assert filter_ids((3, 1, 2)) == "id:(3 OR 1 OR 2)"
    assert filter_ids((7,), text) == "id:7 ( tag:a OR type:b )"
    assert filter_similar(text) == "( tag:a OR type:b ) type:*"
    assert filter_similar("-tag:a") == "-tag:a type:*"
    for joined in (filter_ids(range(1, 151), text), filter_ids((7,)), filter_similar(text)):
        assert canonical(joined) == joined


REFUSED = [
    ('tag:"rain', 'a quote is not closed; write \\" for a quote within a value'),
    ("tag:rain)", "a bracket ')' closes nothing"),
    ("(tag:rain", "a bracket '(' is not closed"),
    ("tag:(", "a bracket '(' is not closed"),
    ("tag:a ()", "a pair of brackets is empty"),
    ("tag:a OR", "nothing to match stands after OR"),
    ("OR tag:a", "nothing stands before OR"),
    ("tag:a AND OR tag:b", "nothing to match stands after AND"),
    ("NOT", "nothing to match stands after NOT"),
    ("tag:a -", "nothing to match stands after -"),
    ("- tag:a", "a blank follows '-'; write it right before the name, such as -tag:rain"),
    ("+ tag:a", "a blank follows '+'; write it right before the name, such as +tag:rain"),
    ("! tag:a", "a blank follows '!'; write it right before the name, such as !tag:rain"),
    ("--tag:a", "'-' and '-' stand before one clause; write one of them"),
    ("NOT -tag:a", "'NOT' and '-' stand before one clause; write one of them"),
    (
        "rain",
        'the value "rain" has no name; write tag:"rain", or use --query for words anywhere in a sound\'s texts',
    ),
    (
        "tag:rain tent",
        'the value "tent" has no name; write tag:"tent", or use --query for words anywhere in a sound\'s texts',
    ),
    ("[1 TO 5]", "the range [1 TO 5] has no name; write it after one, such as duration:[1 TO 5]"),
    ("tag:a or tag:b", "'or' is read as a value; write OR in capitals"),
    (
        "tag:(rain tent)",
        'the words \'rain tent\' would be read as one text; write tag:("rain" AND "tent") for both words, '
        'tag:"rain tent" for the one text',
    ),
    ("tags:rain", "there is no name 'tags' to filter by; did you mean 'tag'?"),
    ("licence:x", "there is no name 'licence' to filter by; did you mean 'license'?"),
    ("durations:1", "there is no name 'durations' to filter by; did you mean 'duration'?"),
    ("xyzzy:1", "there is no name 'xyzzy' to filter by; the documentation of Freesound's API lists the names"),
    ("_query_:x", "there is no name '_query_' to filter by; the documentation of Freesound's API lists the names"),
    ("category_s:x", "there is no name 'category_s' to filter by; did you mean 'category'?"),
    ("tag:a&&tag:b", "the value of 'tag' has a colon; put it in quotes"),
    ("tag:a:b", "the value of 'tag' has a colon; put it in quotes"),
    (":a", "a colon has no name before it; put a value with a colon in quotes"),
    ("tag:", "'tag' has no value; write tag:* for any value, and put words such as AND in quotes"),
    ("tag:AND", "'tag' has no value; write tag:* for any value, and put words such as AND in quotes"),
    ('tag:""', "the value of 'tag' is empty; write tag:* for any value"),
    ("loudness:-20", "the value of 'loudness' begins with '-'; put it in quotes"),
    ("tag:/ra.n/", "a slash begins a regular expression, which is not supported; put a value with a slash in quotes"),
    ("tag:a/b", "a slash begins a regular expression, which is not supported; put a value with a slash in quotes"),
    ("tag:rain^2", "^ has no meaning in a filter; put a value with ^ in quotes"),
    ("tag:rain~", "fuzzy words are not supported; put a value with ~ in quotes"),
    ("tag:rain\\", "a backslash ends it; write \\\\ for a backslash"),
    (r"tag:\u12", "\\u needs four hexadecimal digits; write \\\\u for a backslash before a u"),
    (r"tag:\ud83c", "\\u names half a character; write the character itself"),
    (r"tag:a\u0000", "\\u0000 is a character that no request can carry"),
    ("tag:a\0b", "it holds NUL or bytes that are not UTF-8, which no request can carry"),
    ("tag:\udce9", "it holds NUL or bytes that are not UTF-8, which no request can carry"),
    ("tag:" + "a" * 10_000, "it has 10004 characters; no request holds more than 10000"),
    (
        "{!terms f=id}1,2",
        '{!…} is not supported; write id:(1 OR 2) for ids, geotag:"Intersects(…)" for a place',
    ),
    ("duration:[1 5]", "a range is not complete; write [1 TO 5], or [* TO 5] with an open end"),
    ("duration:{1 TO", "a range is not complete; write {1 TO 5}, or {* TO 5} with an open end"),
    ("tag:a]", "a bracket ']' closes no range"),
    ("duration:long", "'duration' takes a number or a range such as [0 TO 10]"),
    ("duration:1*", "'duration' takes a number or a range such as [0 TO 10]"),
    ("bpm:[a TO b]", "'bpm' takes a number or a range such as [0 TO 10]"),
    ("duration:[nan TO *]", "'duration' takes a number or a range such as [0 TO 10]"),
    ("created:last-week", "'created' takes a date such as 2016-02 or 2016-02-29T12:00:00Z, or a range of dates"),
    ("created:2015-02-29", "'created' takes a date such as 2016-02 or 2016-02-29T12:00:00Z, or a range of dates"),
    ("is_explicit:yes", "'is_explicit' takes true or false"),
    ("id:[1 TO 5]", "a range of ids would be compared as texts, not as numbers; name the ids: id:(1 OR 2)"),
    ("(" * 41 + "tag:a" + ")" * 41, "its brackets are nested more than 40 deep"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text[:24] for text, _ in REFUSED])
def test_what_cannot_be_sent_safely_is_refused_with_a_reason_and_a_hint(text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_filter(text)
    assert str(refused.value) == f"the filter cannot be used: {reason}"


def test_no_two_reasons_to_refuse_a_character_are_the_same() -> None:
    reasons = {reason for _, reason in REFUSED}
    assert len(reasons) > 35


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tags": ("",)}, "--tag needs a text"),
        ({"types": (" ",)}, "--type needs a text"),
        ({"max_duration_s": float("inf")}, "--max-duration is longer than any number of seconds"),
        ({"tags": ("\udc80",)}, "the filter cannot be used: it holds NUL or bytes that are not UTF-8, which no "),
        (
            {"tags": ("é" * 300,)},
            "the filter cannot be used: it takes 1812 bytes of a request; at most 1800 are possible",
        ),
    ],
)
def test_a_preset_that_cannot_be_sent_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        build_filter("", **options)
    assert str(refused.value).startswith(reason)
