"""The map fits its window: beside the panel, upright on a phone, the sounds without an edge in whole rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harvester.graph.selection import select
from harvester.map.page import encode_map
from tests.support.browser import BROWSER, Page
from tests.support.map_walks import Visit
from tests.support.view_samples import make_record, make_state

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")

LINKED, ALONE = range(1, 121), range(121, 141)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a map of a long chain of sounds, which is wider than high, and of some without an edge."""
    lists = {one: [(other, 0.9) for other in range(one + 1, one + 4) if other in LINKED] for one in LINKED}
    records = [make_record(one) for one in (*LINKED, *ALONE)]
    path = tmp_path_factory.mktemp("map") / "map.html"
    path.write_bytes(b"".join(encode_map(select(make_state(records, lists)), "a chain")))
    return path


async def _places(page: Page, ids: range) -> Any:
    return np.array(await page.ask(f"{list(ids)}.map(placeOf)"))


@pytest.mark.parametrize(("width", "height", "is_phone"), [(390, 844, True), (1280, 800, False)])
def test_linked_sounds_use_the_room_and_the_others_lie_below(
    in_browser: Visit, page_file: Path, width: int, height: int, is_phone: bool
) -> None:
    async def walk(page: Page) -> None:
        await page.window(width, height, phone=is_phone)
        await page.visit(page_file.as_uri())
        linked, alone = await _places(page, LINKED), await _places(page, ALONE)
        panel = await page.ask("(b => [b.right, b.bottom])(document.getElementById('panel').getBoundingClientRect())")
        left, top = (0, panel[1]) if is_phone else (panel[0], 0)
        (least_x, least_y), (most_x, most_y) = linked.min(axis=0), linked.max(axis=0)
        assert left < least_x < most_x < width
        assert top < least_y < most_y < height
        # One side of the room is filled, and on a phone the long side is the height.
        across, down = (most_x - least_x) / (width - left), (most_y - least_y) / (height - top)
        assert down > 0.8 if is_phone else across > 0.8
        # In the middle, but for the way that keeps the window's edge from cutting a row of the others.
        assert (least_y + most_y) / 2 == pytest.approx((top + height) / 2, abs=50)
        assert alone[:, 1].min() > most_y
        # The address keeps the view in places of the map as it was made, whatever stands upright.
        before = await page.ask("placeOf(7)")
        await page.ask("document.getElementById('nearer').click()")
        await page.settled()
        address = await page.ask(
            "new Promise(done => { const look = () => location.hash.includes('at=') ? done(location.href)"
            " : requestAnimationFrame(look); look(); })"
        )
        near = await page.ask("placeOf(7)")
        assert near != before
        await page.visit("about:blank")
        await page.visit(address)
        assert np.abs(np.array(await page.ask("placeOf(7)")) - near).max() < 3
        # A window that changes its longer side keeps the middle of the view, and what it shows across.
        less_x, less_y = (0, 100) if is_phone else (100, 0)
        await page.window(width - less_x, height - less_y, phone=is_phone)
        await page.settled()
        moved = np.array(await page.ask("placeOf(7)")) - near
        assert np.abs(moved + np.array([less_x, less_y]) / 2).max() < 3

    assert in_browser(page_file, walk).errors == []


SIZES = ((1000, 600), (1000, 640), (1000, 800), (1200, 800), (1440, 900))
HUBS, LEAVES, LONE = range(1, 26), 12, range(1_001, 1_131)
WRITTEN = """(() => {
  const names = [], write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const half = this.measureText(text).width / 2;
    names.push([text, x - half, x + half, y]);
    return write.call(this, text, x, y);
  };
  return new Promise(done => {
    document.getElementById('fit').click();
    requestAnimationFrame(() => requestAnimationFrame(() => {
      CanvasRenderingContext2D.prototype.fillText = write;
      done(names);
    }));
  });
})()"""
"""Fits the map, and gives each name that is written with its left and right end and its line."""


@pytest.fixture(scope="module")
def clumps_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a map as after a short harvest: clumps with long names everywhere, and rows of sounds without an edge."""
    lists, records = {}, [make_record(one) for one in LONE]
    for hub in HUBS:
        near = [100 * hub + leaf for leaf in range(1, LEAVES + 1) if 100 * hub + leaf not in LONE]
        lists[hub] = [(one, 0.9) for one in near]
        tags = [f"{word}-of-{hub}" for word in ("soundscape", "atmosphere", "percussion")]
        records += [make_record(one, name="", tags=tags) for one in (hub, *near)]
    path = tmp_path_factory.mktemp("clumps") / "map.html"
    path.write_bytes(b"".join(encode_map(select(make_state(records, lists)), "clumps")))
    return path


def test_no_edge_of_the_window_cuts_a_row_or_a_name(in_browser: Visit, clumps_file: Path) -> None:
    async def walk(page: Page) -> None:
        for width, height in SIZES:
            await page.window(width, height)
            await page.settled()
            lone = (await _places(page, LONE))[:, 1]
            assert abs(lone - height).min() > 2, (width, height, lone)
            assert (lone > height).all() or (lone < height).all(), (width, height)
            panel = await page.ask("document.getElementById('panel').getBoundingClientRect().toJSON()")
            names = await page.ask(WRITTEN)
            assert len(names) > 5
            for name, left, right, line in names:
                is_beside = line > panel["bottom"] + 15 or left >= panel["right"]
                assert right <= width, (name, width)
                assert is_beside, (name, left, panel, width)

    assert in_browser(clumps_file, walk).errors == []


HIDDEN = """['silence', 'volume', 'nearer', 'farther', 'fit', 'theme', 'helps'].map(id => document.getElementById(id))
.filter(one => one.checkVisibility()).filter(one => {
  const { left, right, top, bottom } = one.getBoundingClientRect();
  return [left + 3, right - 3].some(x => document.elementFromPoint(x, (top + bottom) / 2) !== one);
}).map(one => one.id)"""
"""The visible controls of which a part lies under something else."""


@pytest.mark.parametrize("width", [740, 800, 1000])
def test_no_control_is_covered_in_a_small_window(in_browser: Visit, page_file: Path, width: int) -> None:
    async def walk(page: Page) -> None:
        await page.ask("document.getElementById('playing').hidden = false")
        assert await page.ask(HIDDEN) == []
        await page.click(*await page.ask("placeOf(60)"))
        assert not await page.ask("document.getElementById('card').hidden")
        assert await page.ask(HIDDEN) == []

    in_browser(page_file, walk, width=width, height=600)
