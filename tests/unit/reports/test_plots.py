"""Pictures of growth and coverage, read back as pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from harvester.graph import SoundGraph
from harvester.reports.plots import save_plots
from tests.support.past_runs import past_run
from tests.support.view_samples import make_library, make_record, make_state

NAMES = {"growth", "licenses", "durations", "degrees", "tags"}


def texts(path: Path) -> str:
    return " ".join(etree.parse(path).xpath("//text()"))


# Drawing ten pictures takes a second, all of it in matplotlib: so each state is drawn once.
STATES = {
    "nothing": SoundGraph(),
    "hostile": make_state(
        [make_record(1, duration=0, tags=["$x^{$", "音楽", "🎧", "\u202e", "a" * 400, "<svg>", "ሰላም"])]
    ),
    "some": make_library(),
}


RUNS = [past_run(number) for number in (1, 2, 3)]


@pytest.fixture(scope="module", params=STATES)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a state's name and the folder of its pictures."""
    folder = tmp_path_factory.mktemp("plots") / "new" / "folder"
    written = save_plots(STATES[request.param], folder, RUNS if request.param == "some" else ())
    assert set(written) == set(folder.iterdir())
    return request.param, folder


def test_every_picture_is_there_as_png_and_svg_whatever_the_library_holds(drawn: tuple[str, Path]) -> None:
    _, folder = drawn
    assert {path.name for path in folder.iterdir()} == {f"{name}.{form}" for name in NAMES for form in ("png", "svg")}
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")


def test_the_pictures_show_what_the_library_holds(drawn: tuple[str, Path]) -> None:
    name, folder = drawn
    if name != "some":
        assert ("nothing yet" in texts(folder / "growth.svg")) == (name == "nothing")
        return
    assert "rain" in texts(folder / "tags.svg")
    licenses = texts(folder / "licenses.svg")
    assert all(word in licenses for word in ("BY-NC 3.0", "Sampling+", "CC0", "Music", "Speech"))
    growth = texts(folder / "growth.svg")
    assert all(word in growth for word in ("sounds processed", "requests", "Growth in 3 runs", "2026-Sep-21"))
    assert "limit of 2,000 requests a day" not in texts(folder / "degrees.svg")


def test_equal_libraries_give_equal_files(drawn: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = drawn
    if name == "hostile":
        first = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert first == {path.name: path.read_bytes() for path in save_plots(STATES[name], tmp_path)}
