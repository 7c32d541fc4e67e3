"""The map as its reader meets it: in a real browser, from a file, with a network that is watched."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.graph.selection import select
from harvester.map.local_previews import LocalPreviews
from harvester.map.page import encode_map
from harvester.sandbox.ogg_flac import encode_ogg_flac
from tests.support.browser import BROWSER, Page
from tests.support.map_walks import Visit, click_sound, serve_media, text_of
from tests.support.view_samples import HOSTILE, make_record, make_state

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")

SOUNDS = 60


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_media(tmp_path_factory.mktemp("media")) as address:
        yield address


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, media: str) -> Path:
    """Return a map of a few sounds, the first of them hostile, the second of a sandbox's host."""
    records = [
        make_record(
            sound_id,
            duration=float(sound_id),
            previews={"preview-lq-mp3": f"{media}/preview.wav"},
            images={"waveform_m": f"{media}/wave.svg"},
        )
        for sound_id in range(1, SOUNDS + 1)
    ]
    records[0] |= {"name": HOSTILE, "username": "<img src=x onerror='window.hacked=1'>", "tags": ["<b>", '"><script>']}
    records[1] |= {"previews": {"preview-lq-mp3": "https://sandbox.invalid/1.mp3"}, "images": {}, "name": "voiceless"}
    lists = {i: [(i % SOUNDS + 1, 0.9), ((i + 6) % SOUNDS + 1, 0.5)] for i in range(1, SOUNDS + 1)}
    path = tmp_path_factory.mktemp("map") / "map.html"
    path.write_bytes(b"".join(encode_map(select(make_state(records, lists)), "a library")))
    return path


def test_nothing_is_asked_of_the_network_before_a_click_and_a_click_opens_the_card(
    in_browser: Visit, page_file: Path, media: str
) -> None:
    async def walk(page: Page) -> None:
        x, y = await page.ask("placeOf(9)")
        await page.mouse("Moved", x, y)
        await page.settled()
        assert await text_of(page, "#hint bdi") == "sound 9"
        assert not await page.ask("document.querySelector('#hint').hidden")
        await page.mouse("Wheel", x, y, deltaX=0, deltaY=-240)
        await page.settled()
        assert page.requests == [page_file.as_uri()]
        await click_sound(page, 9)
        assert await text_of(page, "#card h2") == "sound 9"
        assert "user0" in await text_of(page, "#facts")
        assert await page.ask("[...document.querySelectorAll('#facts li small')].map(one => one.textContent)") == [
            "0.900",
            "0.500",
        ]
        assert (
            await page.ask("document.querySelector('.acts a').href") == "https://freesound.org/people/user0/sounds/9/"
        )
        assert f"{media}/wave.svg" in page.requests
        assert f"{media}/preview.wav" not in page.requests
        await page.ask("document.querySelector('#facts li button').click()")
        assert await text_of(page, "#card h2") == "sound 10"
        await page.press("Escape")
        assert await page.ask("document.querySelector('#card').hidden")

    assert in_browser(page_file, walk).errors == []


def test_the_preview_plays_and_stops(in_browser: Visit, page_file: Path, media: str) -> None:
    async def walk(page: Page) -> None:
        await click_sound(page, 5)
        await page.ask("document.querySelector('.play').click()")
        assert await text_of(page, ".play") == "■ Stop"
        await page.ask(
            "new Promise(done => { const look = () => document.querySelector('.play').textContent === '▶ Play'"
            " ? done() : requestAnimationFrame(look); look(); })"
        )
        assert f"{media}/preview.wav" in page.requests

    assert in_browser(page_file, walk).errors == []


def test_a_hostile_name_is_text_and_does_not_run(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        await click_sound(page, 1)
        assert await text_of(page, "#card h2") == HOSTILE
        await page.ask(
            "(q => { q.value = 'script'; q.dispatchEvent(new Event('input')) })(document.querySelector('#query'))"
        )
        assert await page.ask("document.querySelectorAll('#results button').length") == 1
        await page.settled()
        assert await page.ask(
            "[typeof window.hacked, document.querySelectorAll('script').length, document.images.length]"
        ) == [
            "undefined",
            4,
            1,
        ]

    assert in_browser(page_file, walk, dark=True).errors == []


def test_a_sound_without_media_says_so(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        await click_sound(page, 2)
        assert await text_of(page, ".nothing") == "There is neither a waveform nor a preview of this sound."
        assert await page.ask("document.querySelector('.play')") is None
        assert page.requests == [page_file.as_uri()]

    assert in_browser(page_file, walk).errors == []


def test_search_filters_and_colours_by_hand_and_by_key(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        await page.ask("document.querySelector('#surface').focus()")
        await page.press("/")
        await page.write("tag1 7")
        await page.settled()
        assert await text_of(page, "#found") == "2 sounds found, 1 with whole words"
        await page.press("ArrowDown")
        await page.press("Enter")
        assert await text_of(page, "#card h2") == "sound 7"
        await page.press("Escape")
        await page.ask(
            "(s => { s.value = '3'; s.dispatchEvent(new Event('input')) })(document.querySelector('#longest'))"
        )
        assert await text_of(page, "#counts") == f"3 of {SOUNDS} sounds shown"
        await page.ask(
            "(s => { s.value = ''; s.dispatchEvent(new Event('input')) })(document.querySelector('#longest'))"
        )
        await page.ask(
            "(s => { s.value = [...s.options].find(one => one.text.startsWith('CC0')).value;"
            " s.dispatchEvent(new Event('input')) })(document.querySelector('#license'))"
        )
        assert await text_of(page, "#counts") == f"15 of {SOUNDS} sounds shown"
        shown = {"Category": "Speech", "Community": "no clear groups", "License": "BY 4.0", "User": "user2"}
        for place, (name, label) in enumerate(shown.items()):
            await page.ask(
                f"(s => {{ s.value = {place}; s.dispatchEvent(new Event('change')) }})"
                "(document.querySelector('#colour'))"
            )
            assert await page.ask("document.querySelector('#colour').selectedOptions[0].text") == name
            assert label in await text_of(page, "#legend")

    assert in_browser(page_file, walk).errors == []


def test_the_keyboard_alone_walks_from_sound_to_sound(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        await page.ask("document.querySelector('#surface').focus()")
        await page.press("ArrowRight", shift=True)
        said = await text_of(page, "#says")
        assert said.startswith("sound ")
        await page.press("ArrowDown", shift=True)
        assert await text_of(page, "#says") != said
        await page.press("Enter")
        assert not await page.ask("document.querySelector('#card').hidden")
        assert await page.ask("document.activeElement.id") == "name"

    assert in_browser(page_file, walk).errors == []


def test_two_fingers_zoom_on_a_phone(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        assert await page.ask("document.documentElement.scrollWidth <= innerWidth")
        apart = "Math.hypot(placeOf(1)[0] - placeOf(30)[0], placeOf(1)[1] - placeOf(30)[1])"
        before = await page.ask(apart)
        for kind, reach in (("touchStart", 40), ("touchMove", 60), ("touchMove", 120)):
            points = [{"x": 195 + side * reach, "y": 420, "id": number} for number, side in enumerate((-1, 1))]
            await page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        await page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        assert await page.ask(apart) == pytest.approx(before * 3, rel=0.05)

    assert in_browser(page_file, walk, width=390, height=844, ratio=2, phone=True).errors == []


_FRONTS = "['edges', 'nodes'].map(name => document.querySelector('canvas.' + name))"
_PIXELS = f"{_FRONTS}.map(one => one.toDataURL())"
_REPAINTED = (
    f"new Promise(done => {{ const look = () => {_FRONTS}[0] !== drawnBefore &&"
    f" {_FRONTS}.every(one => one.style.transform.endsWith('scale(1)'))"
    " ? done() : requestAnimationFrame(look); look(); })"
)
"""Resolved once another canvas than `drawnBefore` shows the edges, and none is a scaled picture of an earlier view."""


def test_what_is_painted_between_frames_is_what_would_be_painted_at_once(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        before = await page.ask(_PIXELS)
        await page.ask(f"void (window.drawnBefore = {_FRONTS}[0])")
        await page.mouse("Wheel", 640, 400, deltaX=0, deltaY=-300)
        await page.ask(_REPAINTED)
        moved = await page.ask(_PIXELS)
        assert moved[0] != before[0]
        for _ in range(2):
            await page.ask("document.querySelector('#theme').click()")
        assert await page.ask(_PIXELS) == moved

    assert in_browser(page_file, walk).errors == []


def test_a_preview_beside_the_page_plays_offline_and_the_others_are_as_before(
    in_browser: Visit, tmp_path: Path
) -> None:
    folder = tmp_path / "my library" / "previews"
    folder.mkdir(parents=True)
    (folder / "1.ogg").write_bytes(encode_ogg_flac(array("h", [0] * 3_000), 11_025, 8))
    web = {"previews": {"preview-lq-mp3": "https://cdn.example/previews/0/2_7-lq.mp3"}}
    path = tmp_path / "maps" / "map.html"
    path.parent.mkdir()
    local = LocalPreviews.beside(path, folder, {1: "ogg"})
    state = make_state([make_record(one, images={}, **web) for one in (1, 2)], {1: [(2, 0.9)], 2: [(1, 0.9)]})
    path.write_bytes(b"".join(encode_map(select(state), "a library", local=local)))

    async def walk(page: Page) -> None:
        await click_sound(page, 1)
        assert page.requests == [path.as_uri()]
        await page.ask("document.querySelector('.play').click()")
        assert await text_of(page, ".play") == "■ Stop"
        await page.ask(
            "new Promise(done => { const look = () => document.querySelector('.play').textContent === '▶ Play'"
            " ? done() : requestAnimationFrame(look); look(); })"
        )
        assert page.requests == [path.as_uri(), (folder / "1.ogg").as_uri()]

    assert in_browser(path, walk).errors == []
    assert "media-src 'self' file: http: https:;" in path.read_text()
    assert local.column([1, 2]) == [2, 0]


def test_a_card_lists_the_nearest_by_sound_that_the_similar_list_lacks(in_browser: Visit, tmp_path: Path) -> None:
    state = make_state(
        [make_record(one, images={}, previews={}) for one in (1, 2, 3, 4)], {1: [(2, 0.9)], 2: [(1, 0.9)]}
    )
    path, near = tmp_path / "map.html", {1: [(4, 0.987654), (9, 0.9), (3, 0.75)], 3: [(1, 1.0)]}
    path.write_bytes(b"".join(encode_map(select(state), "a library", nearest=near)))

    async def walk(page: Page) -> None:
        async def section() -> list[str]:
            found: list[str] = await page.ask(
                "[...document.querySelectorAll('#facts h3')].filter(one => one.textContent === 'Nearest by sound')"
                ".flatMap(one => [...one.nextSibling.querySelectorAll('span, small')].map(one => one.textContent))"
            )
            return found

        await click_sound(page, 2)
        assert await section() == []
        await click_sound(page, 1)
        assert await section() == ["sound 4", "0.988", "sound 3", "0.750"]
        await page.ask("[...document.querySelectorAll('#facts button.sound')].at(-1).click()")
        assert await text_of(page, "#card h2") == "sound 3"
        assert await section() == ["sound 1", "1.000"]

    assert in_browser(path, walk).errors == []
