"""Conditions of a selection combine as sets do, whatever the sounds are, and mean what other commands mean."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harvester
from harvester.actions import SelectKeywords
from harvester.actions.selecting import read_selection
from harvester.cli.select_options import SelectOptions
from harvester.errors import SettingsError
from harvester.graph import SoundGraph, find_missing, select
from harvester.library import LibraryView
from harvester.model import Gone, Known
from harvester.records import GEN_AI_WISHES
from tests.support.histories import quick
from tests.support.view_samples import BY, CC0, NOW_US, make_record, make_state

YEARS = (2005, 2012, 2020)
TAGS, USERS = ("rain", "wind", "Wet"), ("anna", "Berta", "me.")

sounds = st.fixed_dictionaries(
    {
        "tags": st.lists(st.sampled_from(TAGS), unique=True),
        "username": st.sampled_from((*USERS, None)),
        "name": st.sampled_from(("Rain on a tent", "wind_01.wav", "")),
        "license": st.sampled_from((CC0, BY, None)),
        "category": st.sampled_from(("Music", None)),
        "created": st.sampled_from((*(f"{year}-06-01T12:00:00Z" for year in YEARS), None, "soon")),
        "duration": st.sampled_from((0.0, 1.5, 60.0, None)),
        "num_downloads": st.sampled_from((0, 5, 5_000, None)),
        "gen_ai_preference": st.sampled_from((GEN_AI_WISHES[0], GEN_AI_WISHES[3], None, "new value")),
    }
)
libraries = st.tuples(st.lists(sounds, min_size=1, max_size=12), st.sets(st.integers(1, 12)), st.booleans())

CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "license": st.lists(st.sampled_from(["CC0", "by"]), min_size=1, max_size=2),
    "category": st.just("music"),
    "tag": st.lists(st.sampled_from([one.upper() for one in TAGS]), max_size=2),
    "user": st.lists(st.sampled_from([one.upper() for one in USERS]), max_size=2),
    "exclude_tag": st.lists(st.sampled_from([*TAGS, "none"]), max_size=2),
    "exclude_user": st.lists(st.sampled_from([*USERS, "none"]), max_size=2),
    "query": st.sampled_from(["rain", "WIND wav", "an", "1", "rain tent berta", "nothing"]),
    "ids": st.sets(st.integers(1, 15), min_size=1),
    "created": st.sampled_from([*map(str, YEARS), "2012..", "..2012", "2006..2030"]),
    "min_duration": st.sampled_from([0, 1.5, "2s"]),
    "max_duration": st.sampled_from([3, 1.5, "2m"]),
    "min_downloads": st.sampled_from([0, 5, 6]),
    "gen_ai": st.lists(st.sampled_from([*GEN_AI_WISHES, "unknown"]), max_size=2),
    "processed_only": st.booleans(),
}
conditions = st.fixed_dictionaries({}, optional=CONDITIONS).filter(
    lambda one: not (one.get("min_duration") == "2s" and one.get("max_duration") == 1.5)
)


def library_of(drawn: tuple[list[dict[str, Any]], set[int], bool]) -> harvester.Library:
    """Return a library of these sounds, some gone, some with a list, and one without a record."""
    records, gone, bare = drawn
    state = make_state([make_record(place, **one) for place, one in enumerate(records, 1)], {1: [(2, 0.9)]})
    for sound_id in gone & set(range(1, len(records) + 1)):
        state.apply(Gone(sound_id, NOW_US + 5))
    if bare:
        state.apply(Known(13, NOW_US))
    return harvester.Library(LibraryView(Path("shelf"), state=state))


@quick
@given(libraries, conditions)
def test_several_conditions_select_what_each_of_them_alone_selects(drawn: Any, keywords: dict[str, Any]) -> None:
    library = library_of(drawn)
    alone = [set(library.select(**{name: value})) for name, value in keywords.items()]
    assert set(library.select(**keywords)) == reduce(set.intersection, alone, set(library.select()))


@quick
@given(libraries, CONDITIONS["exclude_tag"], CONDITIONS["exclude_user"])
def test_what_is_excluded_is_what_the_same_values_select(drawn: Any, tags: list[str], users: list[str]) -> None:
    library = library_of(drawn)
    excluded = [set(library.select(tag=one)) for one in tags] + [set(library.select(user=one)) for one in users]
    left = set(library.select(exclude_tag=tags, exclude_user=users))
    assert left == set(library.select()).difference(*excluded)


@quick
@given(libraries, st.text(alphabet="rain wet1._", min_size=1).filter(str.strip) | CONDITIONS["query"])
def test_a_query_selects_what_find_finds(drawn: Any, query: str) -> None:
    library = library_of(drawn)
    assert set(library.select(query=query)) == {sound.id for sound in library.find(query, limit=0)}
    assert set(library.select(query=query.split())) == set(library.select(query=query))


@quick
@given(libraries)
def test_each_sound_has_one_wish_and_an_unknown_one_is_no_yes(drawn: Any) -> None:
    library = library_of(drawn)
    by_wish = {wish: set(library.select(gen_ai=wish.upper())) for wish in (*GEN_AI_WISHES, "unknown")}
    assert sum(map(len, by_wish.values())) == len(library.select())
    for wish, ids in by_wish.items():
        assert {library[sound_id].gen_ai_wish for sound_id in ids} <= {wish}


looked_for = conditions | st.fixed_dictionaries({"license": st.lists(st.sampled_from(["none", "CC0", "BY-NC 3.0"]))})


@quick
@given(libraries, looked_for)
def test_what_is_missing_does_not_depend_on_knowing_what_is_selected(drawn: Any, keywords: dict[str, Any]) -> None:
    state, selection = library_of(drawn)._selected.state, read_selection(**keywords)
    selected = select(state, selection)
    assert find_missing(state, selection, selected.sound_ids) == find_missing(state, selection)


def test_a_selection_that_matches_takes_no_pass_over_all_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    state = make_state([make_record(one, tags=["rain"], license=CC0) for one in range(1, 400)])
    selection = read_selection(tag="rain", license="CC0", user="user1", query="rain", created="2000..", min_duration=0)
    read, known = list[int](), state.attributes

    def counted(sound_id: int) -> dict[str, Any]:
        read.append(sound_id)
        return known(sound_id)

    selected = select(state, selection).sound_ids
    assert len(selected) > 100
    monkeypatch.setattr(state, "attributes", counted)
    assert find_missing(state, selection, selected) == ()
    assert len(read) == 100
    assert find_missing(state, selection) == ()
    assert len(read) > 1_000


# --- one definition --------------------------------------------------------------------------------------------------

EMPTY = harvester.Library(LibraryView(Path("shelf"), state=SoundGraph()))


def test_the_options_and_every_function_that_selects_have_the_same_keywords() -> None:
    keywords = set(SelectKeywords.__annotations__)
    assert {field.name for field in fields(SelectOptions)} == keywords
    assert set(CONDITIONS) | {"column", "community", "edges", "min_score", "largest_component"} == keywords
    for function in (harvester.export, harvester.draw_map, harvester.Library.select):
        shown = inspect.signature(function).parameters
        assert keywords <= shown.keys()
        assert {shown[name].default for name in keywords} == {None, False}
        assert not any(one.kind is one.VAR_KEYWORD for one in shown.values())
    for name in keywords:
        assert f"`{name}`" in (SelectKeywords.__doc__ or "")


def test_a_misspelt_keyword_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    wrong: Any = {"exclude_tags": "x"}
    told = r"\(\) got an unexpected keyword argument 'exclude_tags'; did you mean 'exclude_tag'\?$"
    with pytest.raises(TypeError, match=f"^select{told}"):
        EMPTY.select(**wrong)
    with pytest.raises(TypeError, match=f"^export{told}"):
        harvester.export("csv", library=EMPTY, **wrong)
    with pytest.raises(TypeError, match=f"^draw_map{told}"):
        harvester.draw_map(tmp_path / "map.html", library=EMPTY, **wrong)
    with pytest.raises(TypeError, match=r"keyword argument 'zzz'$"):
        EMPTY.select(zzz=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"query": " "}, "query has no words; name words that a sound must have, or leave it out"),
        ({"query": []}, "query has no words"),
        ({"ids": []}, "ids names no sound; give a file or at least one id"),
        ({"ids": [1, "2"]}, "ids: '2' is not a sound's id"),
        ({"ids": "/nowhere/ids.txt"}, "/nowhere/ids.txt: it cannot be read"),
        ({"ids": [1], "column": "id"}, "column is a column of the file that ids names"),
        ({"created": 2019}, "created must be a text, not 2019"),
        ({"created": "2019..x"}, "created: 'x' is not a date"),
        ({"min_downloads": -1}, "min_downloads must be a whole number from 0"),
        ({"gen_ai": "yes"}, "gen_ai: 'yes' is not a wish about generative AI; choose from no-additional-preferences,"),
        ({"gen_ai": ["unknown", "no-genai"]}, "gen_ai: 'no-genai' is not a wish about generative AI; did you mean 'no"),
        ({"community": "1"}, "community must be a whole number from 1"),
        ({"community": [1, 0]}, "community must be a whole number from 1"),
        ({"community": 1}, "community needs an analysis of the library: run `harvester analyse` first"),
        ({"exclude_tag": [5]}, "exclude_tag must be a text, not 5"),
    ],
)
def test_a_wrong_value_is_refused_with_its_keyword(keywords: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        EMPTY.select(**keywords)
    assert str(caught.value).startswith(told)


def test_a_list_in_a_file_selects_its_sounds_and_tells_what_is_missing(tmp_path: Path) -> None:
    library = library_of(([{"tags": ["rain"]}] * 6, {5}, False))
    listed = tmp_path / "ids.csv"
    listed.write_text("mine,yours\n1,2\n5,3\n99,4\nn/a,4\n")
    chosen = library.select(ids=listed, column="mine")
    assert chosen.ids == (1,)
    of_rows, of_ids = chosen.notices
    assert of_rows.startswith("1 of 4 rows")
    assert of_ids.endswith(": of 3 ids the library lacks 1 (99), and 1 was deleted or withdrawn (5)")
    assert library.select(ids=str(listed), column="yours").ids == (2, 3, 4)
    assert library.select(ids=(one for one in (6, 2, 6))).ids == (2, 6)
    assert library.select(ids=3).select(ids=[3, 4]).ids == (3,)
