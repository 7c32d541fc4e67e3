"""An empty selection says which of its values no sound has, and which there are."""

from __future__ import annotations

import pytest

from harvester.graph import Selection, SoundGraph, explain_missing, find_missing
from harvester.graph.edges import read_edge_kinds
from harvester.graph.missing_values import MissingValue, suggest
from harvester.model import Gone, Known, Linked, Related, Seen, SimilarList
from harvester.records import read_created_range
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
        (Selection(words=("rain", "sond")), "no sound has the word 'sond'; did you mean 'sound'?"),
        (Selection(words=("gone",)), "no sound has the word 'gone'"),
        (
            Selection(gen_ai_wishes=("open-source-models",)),
            "no sound has the gen-AI wish 'open-source-models'; there "
            "are 'no-additional-preferences', 'no-gen-ai', 'unknown'",
        ),
        (Selection(gen_ai_wishes=("unknown",), tags=("rain",)), "no sound meets all conditions together"),
        (
            Selection(created=read_created_range("2013..")),
            "no sound was uploaded in 2013..; the uploads are from 2012-10-21 to 2012-10-21",
        ),
        (Selection(min_downloads=1_000), "no sound has 1,000 downloads or more; the most downloads are 90"),
        (Selection(min_downloads=90, max_duration_s=1 / 7), "no sound meets all conditions together"),
        (Selection(max_duration_s=0.1), "no sound lasts 0.1 s or less; the shortest has 0.142857 s"),
        (
            Selection(ids=frozenset({10, 12, 13})),
            "of 3 ids the library lacks 2 (12, 13), and 1 was deleted or withdrawn (10)",
        ),
        (
            Selection(ids=frozenset(range(12, 20)), users=("ana",)),
            "no sound has the user 'ana'; did you mean 'Anna'?; "
            "of 8 ids the library lacks 8 (12, 13, 14, 15, 16, 17 …)",
        ),
        (
            Selection(ids=frozenset({1, 12}), min_duration_s=1, excluded_tags=("rian",), excluded_users=("Anna",)),
            "no sound meets all conditions together; of 2 ids the library lacks 1 (12); no sound to exclude has the "
            "tag 'rian'; did you mean 'rain'?",
        ),
        (
            Selection(excluded_users=("gone",), tags=("x",)),
            "no sound has the tag 'x'; there are 'rain', 'tag1', "
            f"'tag2', 'tag0', 'Thunder', '{'t' * 40}…'; no sound to exclude has the user 'gone'; there are 'user1', "
            "'user2', 'user0', 'Anna'",
        ),
        (Selection(min_duration_s=99), "no sound lasts 99 s or longer; the longest has 1.28571 s"),
    ],
)
def test_it_names_the_values_that_no_sound_has(selection: Selection, why: str) -> None:
    assert explain_empty(STATE, selection) == f"no sound matches: {why}"


@pytest.mark.parametrize(
    ("selection", "missing"),
    [
        (
            Selection(licenses=("GPL", "by", "CC-BY-NC")),
            [MissingValue("license", "GPL", "there are 'CC0', 'BY', 'BY-NC', 'Sampling+'", possible=False)],
        ),
        (Selection(categories=("MUSIC", "solo instrument")), []),
        (
            Selection(categories=("Musik",)),
            [MissingValue("category", "Musik", "did you mean 'Music'?", possible=False)],
        ),
        (
            Selection(tags=("rian",), excluded_tags=("rian",), excluded_users=("ana",)),
            [
                MissingValue("tag", "rian", "did you mean 'rain'?"),
                MissingValue("tag", "rian", "did you mean 'rain'?", decides=False),
                MissingValue("user", "ana", "did you mean 'Anna'?", decides=False),
            ],
        ),
        (
            Selection(edges=read_edge_kinds(["relation:PAK", "relation:tags", "similar"])),
            [MissingValue("relation", "PAK", "did you mean 'pack'?", decides=False)],
        ),
        (Selection(edges=read_edge_kinds(["relation"])), []),
        (
            Selection(edges=read_edge_kinds(["relation:x", "relation:w"])),
            [
                MissingValue("relation", "w", "there are 'pack', 'tags'", decides=False),
                MissingValue("relation", "x", "there are 'pack', 'tags'", decides=False),
            ],
        ),
        (Selection(ids=frozenset({1, 11})), []),
        (Selection(ids=frozenset()), []),
        (Selection(ids=frozenset({10})), [MissingValue("id", "of 1 id 1 was deleted or withdrawn (10)", "")]),
        (
            Selection(ids=frozenset({1, 10, 12})),
            [
                MissingValue(
                    "id",
                    "of 3 ids the library lacks 1 (12), and 1 was deleted or withdrawn (10)",
                    "",
                    decides=False,
                )
            ],
        ),
        (
            Selection(ids=frozenset(range(12, 18))),
            [MissingValue("id", "of 6 ids the library lacks 6 (12, 13, 14, 15, 16, 17)", "")],
        ),
    ],
)
def test_it_finds_what_is_impossible_and_what_decides(selection: Selection, missing: list[MissingValue]) -> None:
    state = make_state([*(make_record(one, subcategory="Solo instrument") for one in range(1, 10))])
    state.apply(Seen(9, make_record(9, username="Anna"), 2_000_000_000_000_000))
    state.apply(Known(11, 1))
    state.apply(Gone(10, 1))
    state.apply(Linked(1, SimilarList(((2, 0.5),), 1, 25)))
    for kind in ("pack", "tags"):
        state.apply(Related(2, 3, kind, 1))
    state.apply(Related(3, 2, "pack", 1))
    assert list(find_missing(state, selection)) == missing


def test_the_library_may_have_categories_that_the_server_does_not() -> None:
    state = make_state([make_record(1, category="Old one"), make_record(2, category=None)])
    assert find_missing(state, Selection(categories=("OLD ONE",))) == ()
    told = "there are 'Music', 'Instrument samples', 'Speech', 'Sound effects', 'Soundscapes'"
    for name in ("", "xxxx"):
        found = find_missing(state, Selection(categories=(name,)))
        assert found == (MissingValue("category", name, told, possible=False),)


def test_what_two_or_more_ids_were_and_a_name_of_forty_characters() -> None:
    state = make_state([make_record(1, tags=["t" * 40])])
    for sound_id in (2, 3):
        state.apply(Gone(sound_id, 1))
    (found,) = find_missing(state, Selection(ids=frozenset({1, 2, 3})))
    assert found.value == "of 3 ids 2 were deleted or withdrawn (2, 3)"
    (found,) = find_missing(state, Selection(tags=("x",)))
    assert found.others == f"there are '{'t' * 40}'"


def test_a_part_of_a_selection_may_match_nothing() -> None:
    missing = find_missing(STATE, Selection(users=("ana",), tags=("rian",)))
    assert explain_missing(missing, STATE, found=True) == (
        "a part of the selection matches nothing: no sound has the tag 'rian'; did you mean 'rain'?; "
        "no sound has the user 'ana'; did you mean 'Anna'?"
    )


def test_like_values_of_the_library_are_suggested() -> None:
    assert suggest(STATE, "tag", "RIAN") == "did you mean 'rain'?"
    assert suggest(STATE, "user", "ana") == "did you mean 'Anna'?"
    assert suggest(STATE, "user", "zzz") == ""


def test_of_words_that_are_spelt_alike_two_are_named() -> None:
    state = make_state([make_record(1, tags=["raina", "rainb", "rainc"])])
    (found,) = find_missing(state, Selection(words=("rainx",)))
    assert found.others.count("'rain") == 2


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


def test_without_a_record_no_bound_is_met_and_there_is_no_value() -> None:
    state = SoundGraph()
    state.apply(Known(1, 1))
    for selection, what in (
        (Selection(min_downloads=0), "has 0 downloads or more"),
        (Selection(max_duration_s=9), "lasts 9 s or less"),
        (Selection(created=read_created_range("2020")), "was uploaded in 2020"),
    ):
        assert explain_empty(state, selection) == f"no sound matches: no sound {what}; there is none in the library"
