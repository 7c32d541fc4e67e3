"""The static map: the same bytes each time, of the size that was asked, with edges where they are."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harvester.graph import SoundGraph, select
from harvester.map import COLOR_KEYS, PictureSize, encode_picture
from harvester.map.data import MapData
from harvester.map.density import edge_picture
from harvester.map.picture import color_of
from harvester.map.picture_form import PICTURE_FORMS
from harvester.map.picture_text import cut_to, text_mm
from tests.support.view_samples import HOSTILE, make_library, make_record, make_state

SMALL = PictureSize(60, 50, 100)
STARTS = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}


def drawn(state: SoundGraph, form: str = "png", size: PictureSize = SMALL, title: str = "a map", **more: Any) -> bytes:
    return encode_picture(select(state), title, size, form, **more)


@pytest.mark.parametrize("form", PICTURE_FORMS)
def test_the_same_library_gives_the_same_bytes_without_a_date(form: str) -> None:
    first = drawn(make_library(), form, ego=7)
    assert first == drawn(make_library(), form, ego=7)
    assert first.startswith(STARTS[form])
    assert not re.search(rb"CreationDate|<dc:date>|tIME", first)


@pytest.mark.parametrize(("width_mm", "height_mm", "dpi"), [(60, 50, 100), (180, 90, 72), (40, 80, 200)])
def test_the_picture_has_the_size_that_was_asked(width_mm: int, height_mm: int, dpi: int) -> None:
    size = PictureSize(width_mm, height_mm, dpi)
    with Image.open(io.BytesIO(drawn(make_library(), size=size))) as picture:
        assert picture.size == (int(width_mm / 25.4 * dpi), int(height_mm / 25.4 * dpi))
    root = ET.fromstring(drawn(make_library(), "svg", size))
    points = [float(root.attrib[side].removesuffix("pt")) for side in ("width", "height")]
    assert points == pytest.approx([width_mm / 25.4 * 72, height_mm / 25.4 * 72], rel=1e-4)


def test_each_colour_and_group_of_the_page_is_in_the_picture() -> None:
    state = make_library()
    data = MapData(select(state), "a map")
    assert tuple(mode["key"] for mode in data.head["modes"])[: len(COLOR_KEYS)] == COLOR_KEYS
    for mode in data.head["modes"][:2]:
        text = drawn(state, "svg", color_by=mode["key"]).decode()
        assert all(color_of(mode, group) in text for group, _, _ in mode["labels"]), mode
    opened = data.head["modes"][data.head["mode"]]["key"]
    assert drawn(state, "svg", color_by=None) == drawn(state, "svg", color_by=opened)


def test_no_library_is_too_small_and_no_text_is_a_formula() -> None:
    record = make_record(1, name=HOSTILE, tags=["$x^$", HOSTILE, "東京"], username=HOSTILE, category="$\\frac$")
    hostile = make_state([record])
    for state, color_by in ((SoundGraph(), "community"), (make_state([make_record(1)]), "category"), (hostile, "user")):
        assert drawn(state, "svg", title=f"{HOSTILE} $\\frac$ 東京", color_by=color_by).startswith(b"<?xml")
    assert drawn(hostile, color_by="category").startswith(STARTS["png"])


def test_edges_darken_the_pixels_that_they_cover() -> None:
    starts, ends = np.array([[2.0, 3.0], [10.0, 2.0]]), np.array([[18.0, 3.0], [10.0, 18.0]])
    alpha = edge_picture(starts, ends, np.ones(2), 20, 20)[..., 3].astype(int)
    assert (alpha[3, 2:19] > 60).all()
    assert (alpha[2:19, 10] > 60).all()
    assert alpha[3, 10] > alpha[3, 5] > 0
    assert alpha.sum() == alpha[3].sum() + alpha[:, 10].sum() - alpha[3, 10]


def test_lines_are_cut_at_the_rim_and_weak_and_long_ones_are_fainter() -> None:
    def darkest(start: tuple[float, float], end: tuple[float, float], strength: float = 1.0) -> int:
        # A dark line beside it sets the tone.
        starts, ends = np.array([start, (1.0, 90.0)]), np.array([end, (40.0, 90.0)])
        picture = edge_picture(starts, ends, np.array([strength, 1.0]), 100, 100)
        return int(picture[:80, :, 3].max())

    assert darkest((-50, 10), (150, 10)) > 0
    assert darkest((-50, -10), (150, -10)) == 0
    assert darkest((10, 10), (50, 10)) > darkest((10, 10), (50, 10), 0.3) > 0
    assert darkest((10, 10), (50, 10)) > darkest((-400, 10), (500, 10))
    assert edge_picture(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), 4, 4)[..., 3].sum() == 0
    assert darkest((10, 10), (10, 10)) >= 0


def test_blocks_of_points_give_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.Generator(np.random.PCG64(3))
    starts, ends = chance.random((200, 2)) * 60, chance.random((200, 2)) * 60
    whole = edge_picture(starts, ends, np.ones(200), 60, 60)
    monkeypatch.setattr("harvester.map.density._POINTS_AT_ONCE", 50)
    assert np.abs(edge_picture(starts, ends, np.ones(200), 60, 60).astype(int) - whole).max() <= 1


def test_a_text_is_cut_to_the_width_it_may_have() -> None:
    text = "a rather long name of a library"
    for width_mm in (10.0, 20.0, 30.0):
        cut = cut_to(text, width_mm, 7)
        assert cut.endswith("…")
        assert width_mm * 0.7 < text_mm(cut, 7) <= width_mm
    assert cut_to(text, 100, 7) == text
