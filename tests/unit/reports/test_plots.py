"""Pictures of growth and coverage, read back as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from matplotlib.figure import Figure

from harvester.clock import DAY_US, LATEST_US, SECOND_US, exact_iso
from harvester.graph import SoundGraph, select
from harvester.library import PastRun
from harvester.reports.growth import draw_growth, growth_curve, requests_by_day
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
    assert all(
        word in growth
        for word in ("sounds processed", "Growth since", "3 runs", "Requests a day", "a free key may send 2,000 a day")
    )
    assert "300" in growth  # what the last run held
    assert "a free key" not in texts(folder / "degrees.svg")


def test_equal_libraries_give_equal_files(drawn: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = drawn
    if name == "hostile":
        first = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert first == {path.name: path.read_bytes() for path in save_plots(STATES[name], tmp_path)}


def hours(number: float) -> int:
    return DAY + round(number * 3_600) * SECOND_US


DAY = 20_000 * DAY_US


def run_of(number: int, start: float, end: float, **changed: Any) -> PastRun:
    return past_run(number, ended_at=hours(end), started=exact_iso(hours(start)), **changed)


def test_the_requests_of_a_run_are_spread_over_its_days() -> None:
    runs = [
        run_of(1, 1, 2, requests=100),
        run_of(2, 5, 5, requests=7),
        run_of(3, 18, 18 + 36, requests=360),
        run_of(4, 24 * 5, 24 * 5 + 1, requests=2_000),
    ]
    expected = {20_000: 100 + 7 + 60, 20_001: 240, 20_002: 60, 20_005: 2_000}
    assert requests_by_day(runs) == pytest.approx(expected)
    assert requests_by_day(list(reversed(runs))) == pytest.approx(expected)
    # A run of a clock that was wrong leaves the newest thousand days.
    wrong = past_run(5, ended_at=hours(0), started="1970-01-01T00:00:00Z", requests=20_000)
    found = requests_by_day([wrong])
    assert (min(found), max(found)) == (19_001, 20_000)
    assert found[19_500] == pytest.approx(1)


def test_growth_changes_while_a_run_lasts_and_not_between_runs() -> None:
    state = make_state([make_record(one) for one in (1, 2, 3)])
    for one, at in ((1, hours(-48)), (2, hours(-24)), (3, hours(1))):
        state.graph.nodes[one]["added_at"] = at
    runs = [run_of(1, 0, 2, total_sounds=10), run_of(2, 1, 3, total_sounds=8), run_of(3, 9, 10, total_sounds=30)]
    assert growth_curve(select(state), runs, "added_at", "total_sounds") == (
        [hours(one) for one in (-48, -24, 0, 2, 2, 3, 9, 10)], [1, 2, 2, 10, 10, 10, 10, 30],
    )  # fmt: skip
    # One run says less than the stamps of its sounds.
    alone = ([hours(-48), hours(-48), hours(-24), hours(1)], [0, 1, 2, 3])
    assert growth_curve(select(state), runs[:1], "added_at", "total_sounds") == alone
    assert growth_curve(select(SoundGraph()), runs[:1], "added_at", "total_sounds") == ([], [])


def test_a_history_of_ten_thousand_runs_and_one_of_a_moment_are_drawn() -> None:
    many = [run_of(one, 24 * one, 24 * one + 2, total_sounds=one, total_processed=one // 2) for one in range(10_000)]
    for runs in (many, many[:1], [many[0], many[0]]):
        figure = Figure()
        assert draw_growth(figure, select(make_library()), runs)
        above, below = figure.axes
        first, last = above.get_xlim()
        assert 0 < last - first < 20_000
        assert below.get_ylim()[1] == 2_500
    assert not draw_growth(Figure(), select(SoundGraph()), many[:1])


def test_clocks_of_any_year_are_drawn(tmp_path: Path) -> None:
    ages = [past_run(1, ended_at=0, started="1970-01-01T00:00:00Z", requests=10**15), past_run(2, ended_at=LATEST_US)]
    figure = Figure()
    draw_growth(figure, select(make_library()), ages)
    figure.savefig(tmp_path / "growth.svg")
    assert [axes.get_xlim()[1] for axes in figure.axes] == [LATEST_US / DAY_US] * 2
