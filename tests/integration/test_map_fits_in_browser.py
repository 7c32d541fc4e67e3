"""The map fits its window: beside the panel, upright on a phone, with the sounds without an edge outside."""

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
        assert (least_y + most_y) / 2 == pytest.approx((top + height) / 2, abs=10)
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
