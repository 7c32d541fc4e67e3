"""What the index finds by a written filter, after the server's rewriting, is what the filter says."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvester.filters import build_filter, canonical, filter_ids, filter_similar, join_filters, read_filter
from harvester.filters.tree import And, Leaf, Not, Or, Pattern, Range, Term, Tree, all_of, any_of, negate
from harvester.filters.write import escape_word, write
from tests.support.search_index import Ids, Index, Refused, on_the_wire, rewrite

NASTY = [
    "c++", "a:b", "%20", "%", "%2520", "x-+y", "-+", "bpm:120", "created:1", r"\u0041", "A", 'say "hi"', "AND", "OR",
    "&&", "||", "🌧", "\\", "a\\", '\\"', "x bpm:120", "x category:Music", "+", "a+", "-x", "*", "a*", "?", "TO",
    "(", ")", "[1 TO 2]", "a/b", "^", "~", "{!terms}", "it's", "rain", "tent", "wind", "день", "x\ty", "a\u00a0",
    "\u3000b", "b ",
]  # fmt: skip
TYPES = ["wav", "mp3"]
CATEGORIES = ["Music", "Sound effects"]


def _sound(sound_id: int, rng: Random) -> dict[str, Any]:
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


SOUNDS = [_sound(sound_id, Random(sound_id)) for sound_id in range(1, 400)]
INDEX = Index(SOUNDS)


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


@cache
def _leaf(leaf: Leaf) -> Ids:
    def matches(sound: dict[str, Any]) -> bool:
        values = [tag.lower() for tag in sound["tags"]] if leaf.name == "tag" else [sound[leaf.name]]
        match leaf.value:
            case Term(text):
                return (text.lower() if leaf.name == "tag" else text) in values
            case Pattern(text):
                parts = re.findall(r"\\.|.", text.lower(), re.DOTALL)
                wanted = re.compile("".join(".*" if p == "*" else re.escape(p[-1]) for p in parts), re.DOTALL)
                return any(wanted.fullmatch(value) for value in values)
            case Range(low, high):
                return float(low or 0) <= values[0] <= float(high or 99)

    return frozenset(sound["id"] for sound in SOUNDS if matches(sound))


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
@settings(max_examples=400, deadline=None)
@example(Leaf("tag", Pattern(r"*\+")))
@example(Not(Leaf("category", Term("Music"))))
@example(Or((Not(Leaf("tag", Term("c++"))), Leaf("tag", Term("a:b")))))
def test_a_tree_finds_the_same_after_writing_sending_rewriting_and_searching(tree: Tree) -> None:
    text = write(tree)
    assert INDEX.search(on_the_wire(text)) == says(tree)
    assert canonical(text) == text
    assert says(read_filter(text).tree) == says(tree)


@given(TREES, TREES)
@settings(max_examples=200, deadline=None)
def test_two_filters_joined_find_what_both_find(one: Tree, other: Tree) -> None:
    both = join_filters(write(one), write(other))
    assert INDEX.search(on_the_wire(both)) == says(one) & says(other)
    assert INDEX.search(on_the_wire(filter_ids(range(1, 151), both))) == says(one) & says(other) & {*range(1, 151)}


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_a_search_by_similarity_finds_the_same_and_no_vectors_document(tree: Tree) -> None:
    assert INDEX.search_similar(on_the_wire(filter_similar(write(tree)))) == says(tree)


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
@settings(max_examples=400, deadline=None)
def test_what_a_person_writes_is_read_as_the_index_reads_it(text: str) -> None:
    assert INDEX.search(on_the_wire(canonical(text))) == INDEX.read(text)


@pytest.mark.parametrize("tag", NASTY)
def test_a_preset_for_any_tag_finds_the_sounds_with_that_tag(tag: str) -> None:
    wanted = {sound["id"] for sound in SOUNDS if tag.lower() in [one.lower() for one in sound["tags"]]}
    assert wanted
    if tag.strip():
        assert INDEX.search(on_the_wire(build_filter("", tags=(tag,)).text)) == wanted


def test_pasting_would_find_other_sounds() -> None:
    assert INDEX.search('tag:"c++"') == frozenset()
    assert INDEX.search("type:wav tag:rain OR tag:tent") != INDEX.search("type:wav ( tag:rain OR tag:tent )")


def _recorded(shared: Path) -> tuple[Index, list[dict[str, Any]]]:
    folder = shared / "recorded"
    lines = (folder / "filters.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    listed = next(row["ids_in_catalogue"] for row in rows if row["filter"].startswith("id:("))
    for row in rows:
        # The 150 ids are named only by those of them that are in the catalogue.
        ids = " OR ".join(map(str, listed))
        row["filter"] = row["filter"].replace("<the 150 smallest ids, joined with OR>", ids)
        row["solr_fq"] = [query.replace("<ids>", ids) for query in row["solr_fq"]]
    catalogue = (folder / "filter_catalogue.jsonl").read_text(encoding="utf-8").splitlines()
    return Index(map(json.loads, catalogue)), rows


def _accepted(shared: Path) -> tuple[Index, dict[str, Ids]]:
    """Return the index and what each filter says that we accept: where its text is quoted, the very text."""
    index, rows = _recorded(shared)
    found = {row["filter"]: frozenset(row.get("ids_in_catalogue", ())) for row in rows if row["status"] == 200}
    found['tag:"c++"'] = found["tag:c++"] = found[r'tag:"c\+\+"']
    found['tag:"a:b"'] = found[r'tag:"a\:b"']
    music, speech = (index.search(f'category:"{name}"') for name in ("Music", "Speech"))
    found['(category:"Music" OR category:"Speech")'] = music | speech
    found['-category:"Music"'] = index.ids - music
    return index, found


def test_our_second_opinion_gives_what_was_recorded(shared: Path) -> None:
    index, rows = _recorded(shared)
    for row in rows:
        if row["status"] == 200:
            assert [rewrite(row["filter"])] == row["solr_fq"]
            assert sorted(index.search(row["filter"])) == row["ids_in_catalogue"], row["filter"]
        else:
            with pytest.raises(Refused):
                index.search(row["filter"])


def test_every_recorded_filter_finds_what_it_says(shared: Path) -> None:
    index, found = _accepted(shared)
    assert len(found) >= 48
    for text, ids in found.items():
        assert index.search(on_the_wire(canonical(text))) == ids, text
        assert index.search_similar(on_the_wire(filter_similar(text))) == ids, text


def test_any_two_recorded_filters_with_presets_and_a_window_find_the_intersection(shared: Path) -> None:
    index, found = _accepted(shared)
    window = "created:[2012-01-01T00:00:00Z TO *]"
    cc0, recent = index.search('license:"Creative Commons 0"'), index.search(window)
    assert cc0
    assert recent
    differing = 0
    for one, first in found.items():
        for other, second in found.items():
            text = join_filters(window, one, build_filter(other, cc0=True).text)
            wanted = first & second & cc0 & recent
            assert index.search(on_the_wire(text)) == wanted, text
            pasted = f'{window} {one} {other} license:"Creative Commons 0"'
            differing += _pasted(index, pasted) != wanted
    assert differing > 300


def _pasted(index: Index, text: str) -> Ids | None:
    try:
        return index.search(text)
    except Refused:
        return None
