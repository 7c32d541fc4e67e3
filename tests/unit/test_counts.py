"""Numbers as people read them, by value."""

from __future__ import annotations

import pytest

from harvester.counts import counted, graph_size, plain_number


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 sounds"), (1, "1 sound"), (2, "2 sounds"), (1_234, "1,234 sounds")]
)
def test_a_count_has_its_noun_in_the_right_number(number: int, text: str) -> None:
    assert counted(number, "sound") == text


def test_a_count_has_its_verb_in_the_right_number() -> None:
    assert [counted(number, "list is", "lists are") for number in (0, 1, 2)] == [
        "0 lists are",
        "1 list is",
        "2 lists are",
    ]


def test_a_graph_has_its_size_in_sounds_and_edges() -> None:
    assert graph_size(1, 2) == "1 sound, 2 edges"
    assert graph_size(2, 1, 1) == "2 sounds (1 processed), 1 edge"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.5, "0.5"), (1, "1"), (1e6, "1,000,000"), (1_234_567.5, "1,234,567.5"), (245.8721093, "245.872"),
        (0.0001, "0.0001"), (1e-5, "1e-05"), (1e12, "1e+12"), (999_999_999_999, "999,999,999,999"),
        (-1e6, "-1,000,000"),
    ],
)  # fmt: skip
def test_a_number_has_commas_and_seldom_an_exponent(value: float, text: str) -> None:
    assert plain_number(value) == text
