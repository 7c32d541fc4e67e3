"""The index's clause rules, by value: eight sounds, one for each set of the tags a, b, c, and what a filter finds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any
from urllib.parse import quote

import pytest

from harvester.sandbox.recorded import RecordedCatalogue
from harvester.sandbox.solr_filter import read_filter

ALL = ("", "a", "b", "c", "ab", "ac", "bc", "abc")
SOUNDS = [
    {"id": number, "name": f"with {tags or 'none'}", "tags": [*tags], "type": "wav", "duration": float(number)}
    for number, tags in enumerate(ALL, 1)
]


def having(tags: str) -> set[str]:
    return {one for one in ALL if set(tags) <= set(one)}


A, B, C = having("a"), having("b"), having("c")
EVERY = set(ALL)
FOUND: dict[str, set[str]] = {
    "tag:a": A,
    "tag:a tag:b": A & B,
    "tag:a AND tag:b": A & B,
    "tag:a && tag:b": A & B,
    "tag:a OR tag:b": A | B,
    "tag:a || tag:b": A | B,
    # An OR beside a clause that must match has no effect.
    "tag:a OR tag:b tag:c": C,
    "tag:c tag:a OR tag:b": C,
    "tag:a tag:b OR tag:c": A,
    "type:wav tag:a OR tag:b": EVERY,
    "type:wav (tag:a OR tag:b)": A | B,
    "(tag:a OR tag:b) tag:c": (A | B) & C,
    "( tag:a OR tag:b ) tag:c": (A | B) & C,
    "tag:a OR (tag:b tag:c)": A | (B & C),
    # Left to right, without precedence.
    "tag:a AND tag:b OR tag:c": A,
    "tag:a OR tag:b AND tag:c": B & C,
    "tag:a OR tag:b OR tag:c": A | B | C,
    "tag:a OR tag:b AND tag:c OR type:wav": B,
    # What must not match.
    "-tag:a": EVERY - A,
    "-tag:a -tag:b": EVERY - A - B,
    "tag:a -tag:b": A - B,
    "-tag:b tag:a": A - B,
    "-tag:a OR tag:b": B - A,
    "tag:a OR -tag:b": A - B,
    "-tag:a OR -tag:b": EVERY - A - B,
    "-tag:a AND tag:b": B - A,
    "tag:a OR tag:b -tag:c": (A | B) - C,
    # A group of negatives only matches nothing, but can be excluded.
    "(-tag:a)": set(),
    "( -tag:a ) OR tag:b": B,
    "tag:c (-tag:a)": set(),
    "tag:c -(-tag:a)": C,
    "-(-tag:a)": EVERY,
    "-(tag:a tag:b)": EVERY - (A & B),
    "-(tag:a OR tag:b)": EVERY - A - B,
    "tag:(-a)": set(),
    "tag:(c -a)": C - A,
    "( type:* -tag:a ) OR tag:b": (EVERY - A) | B,
    "*:* -tag:a": EVERY - A,
    "*:*": EVERY,
    "*": EVERY,
    # Groups of one field.
    "tag:(a OR b)": A | B,
    "tag:(a AND b)": A & B,
    "tag:(a OR b AND c)": B & C,
    "tag:((a OR b) AND c)": (A | B) & C,
    'tag:("a" "b")': A & B,
    "tag:(a b)": set(),  # one tag, "a b"
    "tag:(a b OR c)": A,
    "tag:(a OR b c)": C,
    "id:(1 2 8)": {"", "a", "abc"},  # bare values of a field that is not a text: any of them
    "id:(1 OR 2)": {"", "a"},
    "id:( 1 OR 2 )": {"", "a"},
    "id:(1 OR 2) tag:a": {"a"},
    "id:(2 OR 3) id:(3 OR 4)": {"b"},
    "id:1 OR tag:b": {""} | B,
    "-id:1": EVERY - {""},
    "id:001": set(),
    "{!terms f=id}1, 2,99": {"", "a"},
    "{!terms f=id}1 tag:a": set(),  # the id "1 +tag:a"
    # Signs and boosts without effect.
    "+tag:a +tag:b": A & B,
    "+tag:a OR +tag:b": A | B,
    "tag:a^2 tag:b": A & B,
    "(tag:a OR tag:b)^0.5": A | B,
    "tag:a /* tag:b */ tag:c": A & C,
    "filter(tag:a) tag:b": A & B,
    # Conditions without a text have none.
    'tag:""': set(),
    'tag:a tag:""': A,
    # Ranges.
    "duration:[2 TO 4]": {"a", "b", "c"},
    "duration:[2 TO 4}": {"a", "b"},
    "duration:{2 TO 4]": {"b", "c"},
    "duration:{2 TO 4}": {"b"},
    "duration:[* TO 2]": {"", "a"},
    "duration:[7 TO *}": {"bc", "abc"},
    "duration:[4 TO 2]": set(),
    'duration:["2" TO "3"]': {"a", "b"},
    "duration:(2 OR 3)": {"a", "b"},
    "tag:[b TO c]": B | C,
    "tag:{a TO c}": B,
}

REFUSED = [
    "NOT tag:a",
    "tag:b NOT tag:a",
    "tag:b AND NOT tag:a",
    "!tag:a",
    "+-tag:a",
    "- tag:a",
    "+ tag:a",
    "tag:a&&tag:b",
    "tag:a||tag:b",
    "tag:a AND",
    "OR tag:a",
    "tag:a OR OR tag:b",
    "tag:a AND OR tag:b",
    "()",
    "tag:()",
    "tag:",
    "(tag:a",
    "tag:a)",
    'tag:"a',
    "tag:[a TO",
    "tag:[a b]",
    "tag:[a TO b",
    "duration:[1\tTO 2]",
    "tag:a]",
    "tag:a}",
    "tag:a:b",
    "tag::a",
    "tag:/a.*/",
    "tag:a~",
    'tag:"a b"~2',
    "tag:a^",
    "rain",
    "tag:a rain",
    "nosuch:1",
    "tag:a OR nosuch:1",
    "category : x",
    "(category:x)",
    "-category:x",
    "-bpm:120",
    "(bpm:[1 TO 2])",
    "mfcc:1",
    "url:x",
    "category_code:x",
    "original_filename:x",
    "duration:long",
    "duration:1*",
    "duration:1_0",
    "channels:1.5",
    "channels:4294967296",
    r"tag:\u00",
    r"tag:\u00zz",
    "{!lucene}tag:a",
    "tag:a {!terms f=id}1",
    "(" * 500,
    "tag:(" + " OR ".join(["x"] * 1_025) + ")",
]


@pytest.fixture
def eight(new_asker: Callable[..., Any]) -> Any:
    return new_asker(RecordedCatalogue(SOUNDS))


def _found(asker: Any, text: str) -> set[str]:
    ids = asker.ids(f"/apiv2/search/?page_size=150&fields=id&filter={quote(text, safe='')}")
    return {ALL[one - 1] for one in ids}


@pytest.mark.parametrize("text", FOUND)
def test_a_filter_finds(eight: Any, text: str) -> None:
    assert _found(eight, text) == FOUND[text]


@pytest.mark.parametrize("text", REFUSED)
def test_a_filter_is_refused(eight: Any, text: str) -> None:
    reply = eight.ask(f"/apiv2/search/?filter={quote(text, safe='')}")
    assert reply.status == 400
    if len(text) < 400:
        assert b"Solr responded with an error (HTTP 400): [Reason: " in reply.body


def test_groups_side_by_side_are_an_intersection(eight: Any) -> None:
    groups = {
        "( tag:a OR tag:b )": A | B,
        "-( tag:c )": EVERY - C,
        "( tag:a OR ( tag:b tag:c ) )": A | (B & C),
        'tag:"b"': B,
        "( type:* -tag:a )": EVERY - A,
        "( tag:b AND tag:c OR tag:a )": B,
    }
    for one, other in combinations(groups, 2):
        assert _found(eight, f"{one} {other}") == groups[one] & groups[other], (one, other)


def test_1024_values_are_taken() -> None:
    # Longer than a request line may be, so not asked for over HTTP.
    found = read_filter(f"+tag:({' OR '.join(['a'] * 1_024)})", 0)
    assert [sound["id"] for sound in SOUNDS if found.matches(sound)] == [2, 5, 6, 8]
