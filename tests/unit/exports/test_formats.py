"""What a format is made of, and what it may see of a library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harvester.exports.formats import FilesFormat, TextFormat
from harvester.graph import Edge, ExportView, SelectedView, Sound
from harvester.graph.selection import Selected, select
from tests.support.view_samples import make_library


@pytest.fixture
def selected() -> Selected:
    return select(make_library())


@pytest.mark.parametrize("kind", [TextFormat, FilesFormat])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"help": ""}, "help must be a text of one line"),
        ({"help": "two\nlines"}, "help must be a text of one line"),
        ({"help": None}, "help must be a text of one line"),
        ({"encode": "text"}, "encode must be a function of an ExportView"),
    ],
)
def test_a_format_of_impossible_parts_is_refused(kind: Any, given: dict[str, Any], problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        kind(**{"help": "Something", "encode": list, **given})


def test_the_syntax_of_a_text_is_one_of_three() -> None:
    impossible: Any = "html"
    with pytest.raises(ValueError, match="syntax must be one of json, xml, text, got 'html'"):
        TextFormat(help="Something", encode=lambda view: [], syntax=impossible)


def test_a_view_shows_what_is_selected(selected: Selected) -> None:
    view: ExportView = SelectedView(selected)
    sounds: list[Sound] = list(view.sounds())
    assert [sound.id for sound in sounds] == selected.sound_ids
    assert len(view) == len(sounds) > 8
    assert all(sound.id in view for sound in sounds)
    assert 12 not in view
    assert {sound.id for sound in sounds if sound.processed} == selected.state.processed
    edges = list(view.edges())
    assert Edge(1, 2, 0.9, None) in edges
    assert len(edges) == selected.edge_count
    assert (view.source, view.similarity_space) == ("https://freesound.org/apiv2/", "laion_clap")


def test_a_sound_has_checked_values_and_a_raw_record(selected: Selected) -> None:
    sounds = {sound.id: sound for sound in SelectedView(selected).sounds()}
    selected.state.attributes(1)["num_downloads"] = "many"
    assert sounds[1].raw["num_downloads"] == "many"
    assert sounds[1].value("num_downloads") is None
    assert sounds[2].value("num_downloads") == 20
    assert sounds[2].tags == sounds[2].value("tags") == ("rain", "tag2")


def test_a_sound_cannot_be_changed(selected: Selected) -> None:
    raw: Any = next(iter(SelectedView(selected).sounds())).raw
    changes: list[Callable[[], object]] = [
        lambda: raw.update(name="changed"),
        lambda: raw.__setitem__("name", "changed"),
        lambda: raw["tags"].append("changed"),
        lambda: raw["previews"].clear(),
    ]
    for change in changes:
        with pytest.raises((AttributeError, TypeError)):
            change()
