"""What the sandbox finds by a written filter, after the server's rewriting, is what the filter says.

The judges are sets of sounds, worked out without any grammar, and the recorded answers of the genuine server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import cycle, product
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvester.errors import SettingsError
from harvester.filters import build_filter, canonical, filter_ids, filter_similar, join_filters, read_filter
from harvester.filters.tree import And, Leaf, Not, Or, Pattern, Range, Term, Tree, all_of, any_of, negate
from harvester.filters.write import escape_word, write
from harvester.freesound.address import encode_query
from harvester.sandbox.recorded import RecordedCatalogue
from harvester.sandbox.search import Refused, Search, read_form
from harvester.sandbox.solr_filter import read_filter as read_query
from tests.support.recorded import FILTER_CATALOGUE, read_rows, recorded_filters

Ids = frozenset[int]
Sound = dict[str, Any]

NASTY = [
    "c++", "a:b", "%20", "%", "%2520", "x-+y", "-+", "bpm:120", "created:1", r"\u0041", "A", 'say "hi"', "AND", "OR",
    "&&", "||", "🌧", "\\", "a\\", '\\"', "x bpm:120", "x category:Music", "+", "a+", "-x", "*", "a*", "?", "TO",
    "(", ")", "[1 TO 2]", "a/b", "^", "~", "{!terms}", "it's", "rain", "tent", "wind", "день", "x\ty", "a\u00a0",
    "\u3000b", "b ",
]  # fmt: skip
TYPES = ["wav", "mp3"]
CATEGORIES = ["Music", "Sound effects"]


def _sound(sound_id: int, rng: Random) -> Sound:
    return {
        "id": sound_id,
        "tags": rng.sample(NASTY, 4),
        "type": rng.choice(TYPES),
        "category": rng.choice([*CATEGORIES, None]),
        "license": "http://creativecommons.org/publicdomain/zero/1.0/",
        "duration": float(sound_id % 10),
        "created": f"201{sound_id % 10}-01-01T00:00:00Z",
        "is_explicit": False,
    }


class Index:
    """The search of a sandbox over some sounds, given each filter as the client puts it on the wire."""

    def __init__(self, sounds: Iterable[Sound]) -> None:
        self.sounds = list(sounds)
        self.ids = frozenset(sound["id"] for sound in self.sounds)
        self._search = Search(RecordedCatalogue(self.sounds))
        self._similar_to = str(min(self.ids))
        self.neighbours = self._find({"similar_to": self._similar_to})

    def search(self, text: str) -> Ids:
        """Return the ids that a search with the filter finds; raises `Refused` as the server does."""
        return self._find({"filter": text})

    def search_similar(self, text: str) -> Ids:
        """Return the ids that pass the filter of a search by similarity, of the `neighbours` of one sound."""
        return self._find({"filter": text, "similar_to": self._similar_to})

    def read(self, query: str) -> Ids:
        """Return the ids that a query finds which the server has not rewritten."""
        matches = read_query(query, 0).matches
        return frozenset(sound["id"] for sound in self.sounds if matches(sound))

    def _find(self, params: dict[str, str]) -> Ids:
        received = dict(parse_qsl(encode_query(params), strict_parsing=True))
        hits = self._search.hits(read_form(received), now_s=0)
        return frozenset(hit if isinstance(hit, int) else hit[0] for hit in hits)


INDEX = Index(_sound(sound_id, Random(sound_id)) for sound_id in range(1, 200))


def says(tree: Tree) -> Ids:
    """Return what a tree of and, or and not stands for: sets of sounds, without any grammar."""
    match tree:
        case And(parts):
            return INDEX.ids.intersection(*map(says, parts))
        case Or(parts):
            return frozenset[int]().union(*map(says, parts))
        case Not(part):
            return INDEX.ids - says(part)
        case Leaf():
            return _leaf(tree)


def _folded(tag: str) -> str:
    """Return a tag as the index has it: a no-break space at an end stays."""
    return tag.lower().strip(" \u3000")


@cache
def _leaf(leaf: Leaf) -> Ids:
    def matches(sound: Sound) -> bool:
        values = list(map(_folded, sound["tags"])) if leaf.name == "tag" else [sound[leaf.name]]
        match leaf.value:
            case Term(text):
                return (_folded(text) if leaf.name == "tag" else text) in values
            case Pattern(text):
                parts = re.findall(r"\\.|.", text.lower(), re.DOTALL)
                wanted = re.compile("".join(".*" if p == "*" else re.escape(p[-1]) for p in parts), re.DOTALL)
                return any(wanted.fullmatch(value) for value in values)
            case Range(low, high):
                return float(low or 0) <= float(values[0]) <= float(high or 99)

    return frozenset(sound["id"] for sound in INDEX.sounds if matches(sound))


LEAVES = st.one_of(
    st.builds(Leaf, st.just("tag"), st.builds(Term, st.sampled_from(NASTY), st.booleans())),
    st.sampled_from(["c+", "a:", "x ", "-", "+", "ra"]).map(lambda text: Leaf("tag", Pattern(escape_word(text) + "*"))),
    st.builds(Leaf, st.just("category"), st.builds(Term, st.sampled_from(CATEGORIES), st.booleans())),
    st.builds(Leaf, st.just("type"), st.builds(Term, st.sampled_from(TYPES))),
    st.builds(Leaf, st.just("duration"), st.builds(Range, st.sampled_from(["1", "4.0"]), st.sampled_from(["7", None]))),
)
TREES = st.recursive(
    LEAVES,
    lambda trees: st.one_of(
        trees.map(negate),
        st.lists(trees, min_size=1, max_size=4).map(all_of),
        st.lists(trees, min_size=1, max_size=4).map(any_of),
    ),
    max_leaves=8,
)


@given(TREES)
@settings(max_examples=3 * settings().max_examples)
@example(Leaf("tag", Pattern(r"*\+")))
@example(Not(Leaf("category", Term("Music"))))
@example(Or((Not(Leaf("tag", Term("c++"))), Leaf("tag", Term("a:b")))))
def test_a_tree_finds_the_same_after_writing_sending_rewriting_and_searching(tree: Tree) -> None:
    text = write(tree)
    assert INDEX.search(text) == says(tree)
    assert canonical(text) == text
    assert says(read_filter(text).tree) == says(tree)


@given(TREES, TREES)
@settings(max_examples=2 * settings().max_examples)
def test_two_filters_joined_find_what_both_find(one: Tree, other: Tree) -> None:
    both = join_filters(write(one), write(other))
    assert INDEX.search(both) == says(one) & says(other)
    assert INDEX.search(filter_ids(range(1, 151), both)) == says(one) & says(other) & {*range(1, 151)}


@given(TREES)
@settings(max_examples=2 * settings().max_examples)
def test_a_search_by_similarity_finds_the_same_among_the_neighbours(tree: Tree) -> None:
    assert INDEX.search_similar(filter_similar(write(tree))) == says(tree) & INDEX.neighbours


def test_without_the_type_a_search_by_similarity_would_meet_the_documents_of_vectors() -> None:
    with pytest.raises(Refused):
        INDEX.search_similar("duration:[1 TO 7]")


CLAUSE = st.sampled_from(["tag:rain", "-tag:tent", "tag:(rain OR tent)", "type:wav", "+tag:wind", 'tag:"it\'s"'])
WRITTEN = st.recursive(
    CLAUSE,
    lambda inner: st.lists(st.tuples(st.sampled_from([" ", " AND ", " OR ", " && ", " || "]), inner), min_size=2,
                           max_size=5).map(lambda many: f"( tag:rain{''.join(''.join(one) for one in many)} )"),
    max_leaves=8,
)  # fmt: skip


@given(WRITTEN)
@settings(max_examples=3 * settings().max_examples)
def test_what_a_person_writes_is_read_as_the_index_reads_it(text: str) -> None:
    assert INDEX.search(canonical(text)) == INDEX.read(text)


@pytest.mark.parametrize("tag", NASTY)
def test_a_preset_for_any_tag_finds_the_sounds_with_that_tag(tag: str) -> None:
    wanted = {sound["id"] for sound in INDEX.sounds if _folded(tag) in map(_folded, sound["tags"])}
    assert wanted
    if tag.strip():
        assert INDEX.search(build_filter("", tags=(tag,)).text) == wanted


def test_pasting_would_find_other_sounds() -> None:
    assert INDEX.search('tag:"c++"') == frozenset()
    assert INDEX.search("type:wav tag:rain OR tag:tent") != INDEX.search("type:wav ( tag:rain OR tag:tent )")


REFUSED = {
    "nosuch:1": "there is no name 'nosuch' to filter by; the documentation of Freesound's API lists the names",
    "(tag:rain": "a bracket '(' is not closed",
    "tag:rain)": "a bracket ')' closes nothing",
}
"""The recorded filters that the client does not send, and why."""

MENDED: dict[str, Callable[[Sound], bool]] = {
    'tag:"c++"': lambda sound: "c++" in sound["tags"],
    "tag:c++": lambda sound: "c++" in sound["tags"],
    'tag:"a:b"': lambda sound: "a:b" in sound["tags"],
    '(category:"Music" OR category:"Speech")': lambda sound: sound["category"] in ("Music", "Speech"),
    '-category:"Music"': lambda sound: sound["category"] != "Music",
}
"""The recorded filters that the server breaks as they are, but not as the client writes them."""

PRESETS: list[tuple[dict[str, Any], Callable[[Sound], bool]]] = [
    ({"cc0": True}, lambda sound: "/zero/" in sound["license"]),
    ({"by": True}, lambda sound: "/by/" in sound["license"]),
    ({"cc0": True, "by": True}, lambda sound: "/zero/" in sound["license"] or "/by/" in sound["license"]),
    ({"max_duration_s": 20}, lambda sound: sound["duration"] <= 20),
    ({"tags": ("rain", "common")}, lambda sound: {"rain", "common"} <= set(sound["tags"])),
    ({"tags": ("c++",)}, lambda sound: "c++" in sound["tags"]),
    ({"types": ("wav", "flac")}, lambda sound: sound["type"] in ("wav", "flac")),
]


class Recorded:
    """The recorded catalogue, and for each recorded filter that the client accepts the ids that it stands for."""

    def __init__(self) -> None:
        self.index = Index(read_rows(FILTER_CATALOGUE))
        self.rows = recorded_filters()
        listed = next(row["ids_in_catalogue"] for row in self.rows if row["filter"].startswith("id:("))
        # Of the 150 ids only those in the catalogue are recorded; 1 to 138 stand for the others.
        assert not self.index.ids & {*range(1, 139)}
        ids = " OR ".join(map(str, [*range(1, 151 - len(listed)), *listed]))
        for row in self.rows:
            row["filter"] = row["filter"].replace("<the 150 smallest ids, joined with OR>", ids)
        self.found = {row["filter"]: frozenset(row.get("ids_in_catalogue", ())) for row in self.rows}
        self.found |= {text: self.matching(holds) for text, holds in MENDED.items()}
        for text in REFUSED:
            del self.found[text]

    def matching(self, holds: Callable[[Sound], bool]) -> Ids:
        return frozenset(sound["id"] for sound in self.index.sounds if holds(sound))


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded()


def test_the_client_accepts_49_of_the_52_recorded_filters_and_five_of_them_only_it_can_send(recorded: Recorded) -> None:
    assert len(recorded.rows) == 52
    assert len(recorded.found) == 49
    as_they_are = {row["filter"]: frozenset(row.get("ids_in_catalogue", ())) for row in recorded.rows}
    assert {text for text, ids in recorded.found.items() if ids != as_they_are[text]} == set(MENDED)


def test_filters_with_one_canonical_text_stand_for_the_same_sounds(recorded: Recorded) -> None:
    meanings = {(canonical(text), ids) for text, ids in recorded.found.items()}
    assert len(meanings) == len({text for text, _ in meanings}) == 38


def test_a_recorded_filter_with_a_preset_finds_the_intersection_in_every_kind_of_request(recorded: Recorded) -> None:
    index, ids = recorded.index, sorted(recorded.index.ids)[:150]
    for (text, found), (preset, holds) in zip(recorded.found.items(), cycle(PRESETS), strict=False):
        both, wanted = build_filter(text, **preset).text, found & recorded.matching(holds)
        assert index.search(both) == wanted, both
        assert index.search(filter_ids(ids, both)) == wanted & {*ids}, both
        assert index.search_similar(filter_similar(both)) == wanted & index.neighbours, both


def test_any_two_recorded_filters_with_a_preset_find_the_intersection(recorded: Recorded) -> None:
    numbers = {text: number for number, text in enumerate(dict.fromkeys(map(canonical, recorded.found)))}
    presets = [(preset, recorded.matching(holds)) for preset, holds in PRESETS]
    asked: dict[str, Ids] = {}
    for (one, first), (other, second) in product(recorded.found.items(), repeat=2):
        # Each order of two filters has a preset of its own.
        at = (numbers[canonical(one)] + 2 * numbers[canonical(other)]) % len(presets)
        preset, chosen = presets[at]
        text = join_filters(one, build_filter(other, **preset).text)
        if text not in asked:
            asked[text] = recorded.index.search(text)
        assert asked[text] == first & second & chosen, text
    assert len(asked) > 1_400
    assert sum(map(bool, asked.values())) > 700


def test_two_recorded_filters_of_which_one_is_refused_are_refused_for_its_reason(recorded: Recorded) -> None:
    texts = [row["filter"] for row in recorded.rows]
    refused = 0
    for one, other in product(texts, repeat=2):
        # The pasted text of two brackets that are not closed would be a filter.
        reasons = {f"the filter cannot be used: {REFUSED[text]}" for text in (one, other) if text in REFUSED}
        if reasons:
            with pytest.raises(SettingsError) as raised:
                join_filters(one, build_filter(other, cc0=True).text)
            assert str(raised.value) in reasons
            refused += 1
    assert refused == 52 * 52 - 49 * 49


def test_recorded_filters_that_are_pasted_together_find_other_sounds(recorded: Recorded) -> None:
    either = recorded.found["tag:(rain OR tent)"]
    differing = 0
    for text, found in recorded.found.items():
        assert recorded.index.search(join_filters(text, "tag:rain OR tag:tent")) == found & either
        try:
            differing += recorded.index.search(f"{text} tag:rain OR tag:tent") != found & either
        except Refused:
            differing += 1
    assert differing > 30
