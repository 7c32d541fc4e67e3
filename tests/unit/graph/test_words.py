"""A search by words by value: what is split, which sounds have a word, and which of them has it better."""

from __future__ import annotations

import pytest

from harvester.graph.sound import Sound
from harvester.graph.words import has_words, rank_words, split_words, tokens_of

STORM = Sound(17, {"name": "Storm_over-the.Sea Straße", "username": "Anna B", "tags": ["Field Recording", "RAIN"]})
BARE = Sound(17, {})


def test_a_search_is_split_at_blanks_in_folded_case() -> None:
    assert split_words("  Rain\tSTRASSE straße  a-b ") == ("rain", "strasse", "strasse", "a-b")
    assert split_words("") == ()


@pytest.mark.parametrize(
    ("words", "has"),
    [
        ((), True), (("storm",), True), (("orm_ov", "recording", "anna", "17"), True), (("field rec",), True),
        (("rain", "snow"), False), (("snow", "rain"), False), (("straßeanna",), False), (("anna b17",), False),
        (("7field",), False), (("none",), False), (("xx",), False), (("XX",), False),
    ],
)  # fmt: skip
def test_a_sound_has_words_within_its_name_tags_user_or_id_but_not_across_them(
    words: tuple[str, ...], has: bool
) -> None:
    assert has_words(STORM, words) is has


def test_without_a_record_a_sound_has_its_id_only() -> None:
    assert has_words(BARE, ["17"])
    assert not has_words(BARE, ["none"])
    assert not has_words(BARE, ["x"])
    assert tokens_of(BARE) == {"", "17"}


def test_the_words_that_rank_highest_are_whole_tags_words_of_the_name_user_and_id() -> None:
    assert tokens_of(STORM) == {"field recording", "rain", "storm", "over", "the", "sea", "strasse", "anna b", "17"}


@pytest.mark.parametrize(
    ("words", "rank"),
    [
        ((), 0), (("rain",), 3), (("sea",), 3), (("17",), 3), (("anna b",), 3), (("anna",), 2), (("field",), 2),
        (("sto",), 2), (("1",), 2), (("recording",), 1), (("ver",), 1), (("orm_over",), 1), (("rain", "sto", "ver"), 6),
    ],
)  # fmt: skip
def test_whole_words_rank_before_beginnings_and_those_before_any_other_place(words: tuple[str, ...], rank: int) -> None:
    assert rank_words(STORM, words) == rank
