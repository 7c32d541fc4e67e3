"""Colours of groups: told apart by every reader, and most of all where islands lie close."""

from __future__ import annotations

import numpy as np
import pytest

from harvester.map.colors import APART, COUNT, DARK, LIGHT, OTHER, color_islands
from tests.support.color_vision import VISIONS, closest, contrast, distances

PAPERS = {"light": (LIGHT, "#f6f5f1", 2.2), "dark": (DARK, "#101318", 4.0)}


@pytest.mark.parametrize("theme", PAPERS)
def test_every_reader_tells_the_colours_apart_on_their_paper(theme: str) -> None:
    colors, paper, least = PAPERS[theme]
    assert len(set(colors)) == COUNT == 12
    found = {vision: closest(colors, vision) for vision in VISIONS}
    assert found["normal"] >= 20
    assert min(found.values()) >= 12
    assert min(contrast(color, paper) for color in colors) >= least
    # Grey means "in no group".
    assert min(distances((*colors, OTHER[theme]), vision)[-1, :-1].min() for vision in VISIONS) >= 7


def test_the_distances_are_those_of_published_pairs() -> None:
    # matplotlib's tab20, by another implementation of CAM02-UCS.
    tab20 = [
        "#1f77b4", "#aec7e8", "#ff7f0e", "#ffbb78", "#2ca02c", "#98df8a", "#d62728", "#ff9896", "#9467bd", "#c5b0d5",
        "#8c564b", "#c49c94", "#e377c2", "#f7b6d2", "#7f7f7f", "#c7c7c7", "#bcbd22", "#dbdb8d", "#17becf", "#9edae5",
    ]  # fmt: skip
    assert [round(closest(tab20, vision), 1) for vision in VISIONS] == [11.3, 2.9, 1.1, 4.3]


def test_the_table_of_distances_is_that_of_the_colours() -> None:
    least = np.minimum.reduce([distances(colors, vision) for colors in (LIGHT, DARK) for vision in VISIONS])
    assert np.floor(least).astype(int).tolist() == [list(row) for row in APART]


def test_islands_that_touch_get_colours_far_apart_and_all_colours_are_used() -> None:
    side, chance = 7, np.random.Generator(np.random.PCG64(5))
    middles = [(9_000 * (at % side) + 5_000, 9_000 * (at // side) + 5_000) for at in range(side * side)]
    places = np.concatenate([middle + chance.normal(0, 1_200, (40, 2)) for middle in middles]).clip(0).astype(np.uint16)
    members = [np.arange(40 * at, 40 * at + 40) for at in range(side * side)]
    colors = color_islands(places, members)
    assert colors == color_islands(places, members)
    touching = [
        APART[colors[one]][colors[other]]
        for one in range(side * side)
        for other in (one + 1, one + side)
        if other < side * side and (other == one + side or other % side)
    ]
    assert min(touching) >= 14
    assert len(set(colors)) >= 11


def test_a_single_island_and_none_have_colours() -> None:
    places = np.array([[1, 1], [2, 2]], dtype=np.uint16)
    assert color_islands(places, []) == []
    assert color_islands(places, [np.array([0, 1])]) == [0]


def test_up_to_twelve_islands_have_a_colour_of_their_own() -> None:
    places = np.random.Generator(np.random.PCG64(6)).integers(0, 65_536, (120, 2)).astype(np.uint16)
    for number in (2, 8, 12):
        colors = color_islands(places, [np.arange(10 * at, 10 * at + 10) for at in range(number)])
        assert len(set(colors)) == number
