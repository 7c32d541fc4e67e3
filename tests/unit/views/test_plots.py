"""Pictures of growth and coverage, read back as pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from harvester.graph import SoundGraph
from harvester.views.plots import save_plots
from tests.unit.views.samples import make_library, make_record, make_state

NAMES = {"growth", "licences", "durations", "degrees", "tags"}


def texts(path: Path) -> str:
    return " ".join(etree.parse(path).xpath("//text()"))


# Drawing ten pictures takes a second or two, all of it in matplotlib.
@pytest.mark.parametrize("state", [SoundGraph(), make_state([make_record(1, duration=0)])])
def test_every_picture_is_there_as_png_and_svg_whatever_the_library_holds(state: SoundGraph, tmp_path: Path) -> None:
    written = save_plots(state, tmp_path / "new" / "folder")
    assert {path.name for path in written} == {f"{name}.{form}" for name in NAMES for form in ("png", "svg")}
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")


def test_the_pictures_show_what_the_library_holds(tmp_path: Path) -> None:
    save_plots(make_library(), tmp_path)
    assert "rain" in texts(tmp_path / "tags.svg")
    licences = texts(tmp_path / "licences.svg")
    assert all(word in licences for word in ("BY-NC 3.0", "Sampling+", "CC0", "Music", "Speech"))
    growth = texts(tmp_path / "growth.svg")
    assert "samples" in growth
    assert "what 2,000 requests a day allow" not in texts(tmp_path / "degrees.svg")


def test_any_tag_can_be_drawn_and_equal_libraries_give_equal_files(tmp_path: Path) -> None:
    state = make_state([make_record(1, tags=["$x^2$", "音楽", "🎧", "\u202e", "a" * 400, "<svg>", "ሰላም"])])
    first = {path.name: path.read_bytes() for path in save_plots(state, tmp_path)}
    assert first == {path.name: path.read_bytes() for path in save_plots(state, tmp_path)}
