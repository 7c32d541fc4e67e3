"""A library in a notebook: hostile texts stay texts, the growth is a line, and dark and light are the notebook's."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harvester import Library
from harvester.clock import DAY_US
from harvester.graph import SoundGraph
from harvester.library import LibraryView
from harvester.model import Known, Seen
from tests.support.browser import BROWSER, open_page
from tests.support.samples import NOW_US
from tests.support.view_samples import HOSTILE, make_record, make_state
from tests.support.view_samples import make_library as make_view_state


def html_of(state: SoundGraph, folder: str = "shelf", notices: list[str] | None = None) -> str:
    return Library(LibraryView(Path(folder), state, notices=notices or []))._repr_html_()


def parsed(html: str) -> ElementTree.Element:
    """Return the fragment's tree; it is also well-formed XML."""
    return ElementTree.fromstring(html)


def test_it_tells_counts_and_licenses() -> None:
    rows = {row[0].text: "".join(row[1].itertext()) for row in parsed(html_of(make_view_state())).iter("tr")}
    assert rows == {
        "sounds": "12",
        "processed": "8",
        "edges": "15",
        "gone": "1",
        "licenses": "BY 4.0: 3, BY-NC 3.0: 3, CC0: 2, Sampling+: 2",
    }


def test_a_selection_tells_its_own_counts_licenses_and_notices() -> None:
    library = Library(LibraryView(Path("shelf"), make_view_state(), notices=["of the library"]))
    page = parsed(library.select(license=["CC0", "BY"], user=["user1", HOSTILE])._repr_html_())
    rows = {row[0].text: "".join(row[1].itertext()) for row in page.iter("tr")}
    assert rows == {"sounds": "2", "processed": "2", "edges": "0", "licenses": "BY 4.0: 1, CC0: 1"}
    told = ["".join(one.itertext()) for one in page.iter("p")]
    assert told[0] == "Selection shelf"
    assert told[1] == "2 sounds, all of 2026-09-21"
    assert "no sound has the user '</script><script>" in told[2]
    assert len(told) == 3


@pytest.mark.parametrize("where", ["license", "folder", "notice"])
def test_hostile_texts_stay_texts(where: str) -> None:
    state = make_state([make_record(1, license=HOSTILE if where == "license" else None)])
    html = html_of(state, HOSTILE.replace("/", "") if where == "folder" else "shelf", [HOSTILE] * (where == "notice"))
    elements = list(parsed(html).iter())
    assert {one.tag for one in elements} <= {
        "div", "p", "b", "bdi", "table", "tr", "th", "td", "svg", "title", "polyline",
    }  # fmt: skip
    assert not {name for one in elements for name in one.attrib if name.startswith("on") or name in ("href", "src")}
    assert "window.hacked=1" in "".join(parsed(html).itertext())
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_growth_is_a_line_from_zero_to_all_sounds() -> None:
    state = SoundGraph()
    for day, count in ((0, 1), (1, 2), (9, 1)):
        for number in range(count):
            state.apply(Known(10 * day + number + 1, NOW_US + day * DAY_US))
    svg = next(one for one in parsed(html_of(state)).iter("svg"))
    places = [tuple(map(float, point.split(","))) for point in svg[1].attrib["points"].split()]
    (first, *_, last), (xs, ys) = places, zip(*places, strict=True)
    assert len(places) == 4
    assert sorted(xs) == list(xs)
    assert sorted(ys, reverse=True) == list(ys)
    assert (first, last) == ((3.0, 45.0), (317.0, 3.0))
    assert ys[2] == pytest.approx(45 - 42 * 3 / 4)
    assert svg[1].attrib["stroke"] == "currentColor"
    assert svg.attrib["aria-label"] == svg[0].text == "4 sounds, first 2026-09-21, latest 2026-09-30"


def test_a_library_of_one_day_has_no_line() -> None:
    html = html_of(make_state([make_record(1), make_record(2)]))
    assert parsed(html)[-1].text == "2 sounds, all of 2026-09-21"
    assert "svg" not in html


def test_an_empty_library_has_no_line() -> None:
    html = html_of(SoundGraph())
    assert "svg" not in html
    assert '<td style="text-align:left">0</td>' in html


def test_it_stays_small() -> None:
    state = make_state([make_record(one, license=f"license {one} " + "x" * 2_000) for one in range(1, 50)])
    for one in range(100, 900):
        state.apply(Seen(one, make_record(one), NOW_US + one * DAY_US))
    html = html_of(state, "f" * 5_000, ["n" * 5_000])
    assert len(html) < 30_000
    assert max(len(one.text or "") for one in parsed(html).iter("bdi")) == 121


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize(("dark", "ink"), [(False, "rgb(0, 0, 0)"), (True, "rgb(255, 255, 255)")])
def test_a_browser_shows_it_in_the_colours_of_the_page(dark: bool, ink: str, tmp_path: Path) -> None:
    state = make_view_state()
    state.apply(Seen(500, make_record(500, license=HOSTILE), NOW_US + 3 * DAY_US))
    path = tmp_path / "notebook.html"
    head = '<!doctype html><meta charset="utf-8"><style>:root { color-scheme: light dark }</style>'
    path.write_text(f"{head}{html_of(state, notices=[HOSTILE])}", encoding="utf-8")

    async def look() -> object:
        async with open_page() as page:
            await page.window(420, 380, dark=dark)
            await page.visit(path.as_uri())
            await page.settled()
            seen = await page.ask(
                "[getComputedStyle(document.querySelector('polyline')).stroke,"
                "document.querySelector('polyline').getBoundingClientRect().width > 300, window.hacked ?? null,"
                "document.documentElement.scrollWidth <= innerWidth]"
            )
            assert page.errors == []
            assert [address for address in page.requests if not address.startswith("file:")] == []
            return seen

    assert asyncio.run(look()) == [ink, True, None, True]
