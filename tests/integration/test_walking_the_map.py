"""What a reader does on the map beyond looking: listen, walk, search, link to it, keep sounds, find paths."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from harvester.exports.credits import encode_credits, list_credits
from harvester.graph import SoundGraph
from harvester.graph.selection import Selection, select
from harvester.graph.surroundings import find_surroundings
from harvester.importing.id_list import read_id_list
from harvester.map.page import encode_map
from harvester.reports.find import find_sounds
from tests.support.browser import BROWSER, Page
from tests.support.map_walks import Visit, click_sound, serve_media, text_of
from tests.support.view_samples import HOSTILE, make_record, make_state

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")

SOUNDS = 60
NAMES = ("train", "rain", "Brain-storm", "rainy.day", "STRASSE", "heavy_RAIN.wav", "strained", "straße bei regen")

_WATCH_AUDIO = """(() => {
  window.audios = [];
  const Genuine = Audio;
  window.Audio = function () { const one = new Genuine(); audios.push(one); return one; };
  window.gains = [];
  window.links = [];
  const { createGain } = BaseAudioContext.prototype, { connect } = AudioNode.prototype;
  BaseAudioContext.prototype.createGain = function () {
    const one = createGain.call(this);
    gains.push(one);
    return one;
  };
  AudioNode.prototype.connect = function (to) {
    links.push([this.constructor.name, to.constructor.name]);
    return connect.call(this, to);
  };
})()"""
"""Keep the media elements and gain nodes that the page makes, and what is connected with what."""

_WAIT = "new Promise(done => {{ const look = () => {} ? done() : requestAnimationFrame(look); look(); }})"
_QUIET = _WAIT.format("document.querySelector('#playing').hidden")
_VOICES = "[...document.querySelectorAll('#voices .name')].map(one => one.textContent)"
_HINTS = """(() => {
  const told = new Set(), hint = document.querySelector('#hint'), surface = document.querySelector('#surface');
  for (let y = 0; y < 800; y += 4) for (let x = 0; x < 1280; x += 4) {
    surface.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: y}));
    if (!hint.hidden && hint.textContent.endsWith('not selected')) told.add(hint.textContent);
  }
  return [...told].sort();
})()"""
"""What the sounds around a selection say of themselves, wherever the pointer may be."""

_SMALL = """[...document.querySelectorAll('button, select, .acts a, #query, .tick')]
  .filter(one => one.checkVisibility() && !one.matches('.tags button'))
  .map(one => [one.id || one.className, one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 43.5 || box.width < 43.5)
  .map(([name, box]) => `${name} ${box.width} ${box.height}`)"""
_NAMELESS = """[...document.querySelectorAll('button, input, select')]
  .filter(one => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
  .map(one => one.id)"""
_DANGLING = """['aria-labelledby', 'aria-describedby', 'aria-controls']
  .flatMap(name => [...document.querySelectorAll(`[${name}]`)].map(one => one.getAttribute(name)))
  .filter(id => !document.getElementById(id))"""
_TRY = """async (fragments) => {
  const told = [];
  for (const fragment of fragments) {
    await new Promise(done => { addEventListener('popstate', done, {once: true}); location.hash = fragment; });
    const scripts = document.querySelectorAll('script').length;
    const title = document.querySelector('#card').hidden ? '' : document.querySelector('#card h2').textContent;
    told.push([document.images.length, scripts, title, placeOf(30).every(Number.isFinite)]);
  }
  return told;
}"""
"""Go to each fragment; return the numbers of images and scripts, what is open, and whether the view is somewhere."""
_TITLE = "document.querySelector('#card').hidden ? '' : document.querySelector('#card h2').textContent"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_media(tmp_path_factory.mktemp("media")) as address:
        yield address


@pytest.fixture(scope="module")
def state(media: str) -> SoundGraph:
    """Return a ring of sounds with two steps; the first is hostile, the preview of the third does not exist."""
    previews, images = {"preview-lq-mp3": f"{media}/preview.wav"}, {"waveform_m": f"{media}/wave.svg"}
    records = [make_record(one, previews=previews, images=images) for one in range(1, SOUNDS + 1)]
    records[0] |= {
        "name": f"={HOSTILE}",
        "username": "<img src=x onerror='window.hacked=1'>",
        "tags": ["<b>", '"><script>'],
    }
    records[1] |= {"name": None, "license": None, "gen_ai_preference": None}
    records[2] |= {"previews": {"preview-lq-mp3": f"{media}/none.wav"}}
    for place in (20, 21):
        records[place] |= {"url": f"https://sandbox.invalid/{place}", "duration": 3.0, "previews": {}, "images": {}}
    for place, name in enumerate(NAMES):
        records[40 + place] |= {"name": name, "num_downloads": 700 + place}
    lists = {i: [(i % SOUNDS + 1, 0.9), ((i + 6) % SOUNDS + 1, 0.5 + i / 1_000)] for i in range(1, SOUNDS + 1)}
    return make_state(records, lists)


def page_of(path: Path, state: SoundGraph, selection: Selection | None = None, **more: Any) -> Path:
    selected = select(state, selection)
    path.write_bytes(b"".join(encode_map(selected, "a library", library="shelf", **more)))
    return path


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, state: SoundGraph) -> Path:
    return page_of(tmp_path_factory.mktemp("map") / "map.html", state)


async def do(page: Page, selector: str, act: str = "click()") -> Any:
    return await page.ask(f"document.querySelector({selector!r}).{act}")


async def go(page: Page, sound_id: int) -> None:
    """Open a sound by the address."""
    await page.ask(f"void (location.hash = 'sound={sound_id}')")
    await page.settled()


async def write_query(page: Page, text: str) -> list[str]:
    """Search for a text, and return the names that are listed."""
    await page.ask(
        f"(q => {{ q.value = {text!r}; q.dispatchEvent(new Event('input')) }})(document.querySelector('#query'))"
    )
    names: list[str] = await page.ask("[...document.querySelectorAll('#results .name')].map(one => one.textContent)")
    return names


def test_sounds_play_together_loop_and_stop_under_one_volume(in_browser: Visit, page_file: Path, media: str) -> None:
    async def walk(page: Page) -> None:
        await page.ask(_WATCH_AUDIO)
        await click_sound(page, 5)
        await page.press("l")
        await page.press(" ")
        await go(page, 6)
        await do(page, ".play")
        assert await page.ask(_VOICES) == ["sound 5", "sound 6"]
        assert await page.ask("audios.map(one => one.loop)") == [True, False]
        assert await page.ask("audios.map(one => one.volume.toFixed(3))") == ["0.566", "0.566"]
        # The one that is not looped ends by itself; the other goes on past its end.
        await page.ask("new Promise(done => { audios[1].addEventListener('ended', () => done()); })")
        assert await page.ask(_VOICES) == ["sound 5"]
        await page.ask(
            "(v => { v.value = '0.2'; v.dispatchEvent(new Event('input')) })(document.querySelector('#volume'))"
        )
        assert await page.ask("[audios[0].volume, audios[0].paused]") == [0.2, False]
        await page.press("x")
        assert await page.ask(_VOICES) == []
        assert await page.ask("audios[0].paused")
        # Pointing plays nothing before the reader wants it.
        heard = len(page.requests)
        x, y = await page.ask("placeOf(9)")
        await page.press("Escape")
        await page.ask("void (window.addressBefore = location.hash)")
        await page.mouse("Moved", x, y)
        await page.mouse("Wheel", x, y, deltaX=0, deltaY=-60)
        # The address follows later than a sound under the pointer would begin.
        await page.ask(_WAIT.format("location.hash !== window.addressBefore"))
        assert await page.ask("!document.querySelector('#hint').hidden")
        assert await page.ask(_VOICES) == []
        assert len(page.requests) == heard
        await do(page, "#hovering")
        await page.mouse("Moved", 5, 5)
        await page.mouse("Moved", x, y)
        await page.ask(_WAIT.format("audios[2]"))
        assert await page.ask(_VOICES) == ["sound 9"]
        await page.mouse("Moved", 5, 5)
        assert await page.ask(_VOICES) == []
        await do(page, "#hovering")
        # Eight at most; the oldest makes room.
        for sound_id in range(10, 20):
            await go(page, sound_id)
            await page.press("l")
            await page.press(" ")
        assert await page.ask(_VOICES) == [f"sound {one}" for one in range(12, 20)]
        await do(page, "#silence")
        await page.ask(_QUIET)
        # Sounds that the page makes go through one gain node, with the volume that previews have.
        for sound_id in (21, 22):
            await go(page, sound_id)
            await page.press(" ")
        assert await page.ask(_VOICES) == ["sound 21", "sound 22"]
        assert await page.ask("[gains.length, gains[0].gain.value.toFixed(3)]") == [1, "0.141"]
        assert await page.ask("links") == [
            ["GainNode", "AudioDestinationNode"],
            *[["AudioBufferSourceNode", "GainNode"]] * 2,
        ]
        assert await page.ask("document.querySelector('#card canvas.wave') !== null")
        await page.press("x")
        # The third has no preview where its record says so.
        await go(page, 3)
        await page.press(" ")
        await page.ask(_QUIET)
        assert await text_of(page, ".play") == "▶ The preview cannot be played"
        assert await text_of(page, "#says") == "The preview of sound 3 cannot be played."

    assert in_browser(page_file, walk).errors == []


def test_keys_walk_to_neighbours_and_leave_fields_and_buttons_alone(
    in_browser: Visit, page_file: Path, state: SoundGraph
) -> None:
    async def walk(page: Page) -> None:
        await click_sound(page, 20)
        seen = ["sound 20"]
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
            x, y = await page.ask(f"placeOf({seen[-1].split()[1]})")
            near = {f"sound {one}" for one in nx.all_neighbors(state.graph, int(seen[-1].split()[1]))}
            await page.press(key)
            await page.settled()
            seen.append(await page.ask(_TITLE))
            # The view moves by whole sounds only when one would leave the window, so places can be compared.
            ahead = {
                name
                for name in near
                for at in [await page.ask(f"placeOf({name.split()[1]})")]
                if name.startswith("sound")
                and at
                and {"R": at[0] > x, "D": at[1] > y, "L": at[0] < x, "U": at[1] < y}[key[5]]
            }
            assert seen[-1] in ahead or not ahead
        assert len(set(seen)) > 2
        await page.press("s")
        assert await text_of(page, "#keptCount") == "Shortlist: 1"
        # In the search a letter is a letter, and a space is a space.
        await page.press("/")
        for key in ("s", "l", "p", "x", " ", "?", "ArrowLeft"):
            await page.press(key)
        assert await do(page, "#query", "value") == "slpx ?"
        assert await text_of(page, "#keptCount") == "Shortlist: 1"
        assert await page.ask(_VOICES) == []
        assert await page.ask(_TITLE) == seen[-1]
        await page.press("Escape")
        assert await do(page, "#query", "value") == ""
        # Space on a button presses the button.
        await do(page, ".keep", "focus()")
        await page.press(" ")
        assert await do(page, "#shortlist", "hidden")
        assert await page.ask(_VOICES) == []
        await do(page, "#surface", "focus()")
        await page.press("?")
        assert await do(page, "#help", "open")
        await page.press("s")
        assert await do(page, "#shortlist", "hidden")
        await page.press("Escape")
        assert not await do(page, "#help", "open")
        assert await page.ask(_TITLE) == seen[-1]
        # With nothing open, arrows move the map.
        await page.press("Escape")
        x, y = await page.ask("placeOf(30)")
        await page.press("ArrowRight")
        assert await page.ask("placeOf(30)") == [x - 80, y]

    assert in_browser(page_file, walk).errors == []


def test_the_search_ranks_as_find_does(in_browser: Visit, page_file: Path, state: SoundGraph) -> None:
    async def walk(page: Page) -> None:
        names = await write_query(page, "rain")
        assert len(names) == 59
        assert await text_of(page, "#found") == "59 sounds found"
        await write_query(page, "rainy")
        assert await text_of(page, "#found") == "1 sound found"
        for text in (
            "rain",
            "RAIN tag1",
            "storm",
            "straße",
            "strasse",
            "tag",
            "tag2 7",
            "user1 4",
            "4",
            "zz",
            "wav",
            "ra",
        ):
            found = [one["name"] or f"sound {one['id']}" for one in find_sounds(state, text, limit=60).best]
            assert await write_query(page, text) == found, text

    assert in_browser(page_file, walk).errors == []


HOSTILE_FRAGMENTS = (
    "sound=<img src=x onerror=hacked=1>", "sound=99999", "sound=-1", "sound=1e1", "sound=NaN&at=NaN,0,1", "at=1,2",
    "at=0,0,0", "at=1e999,0,5", "by=__proto__", "by=constructor", "%", "&&&===", "sound=%00%ff", "at=" + "9," * 5_000,
    "sound=1&" * 2_000 + "sound=x",
)  # fmt: skip


def test_the_address_leads_back_to_sound_view_and_colours(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        await click_sound(page, 9)
        await page.press("Escape")
        await click_sound(page, 12)
        await page.mouse("Wheel", 700, 400, deltaX=0, deltaY=-300)
        await page.ask(
            "(s => { s.value = [...s.options].findIndex(one => one.text === 'User');"
            " s.dispatchEvent(new Event('change')) })(document.querySelector('#colour'))"
        )
        await page.ask(_WAIT.format("location.hash.includes('by=user')"))
        address = await page.ask("location.href")
        place = await page.ask("placeOf(30)")
        assert "sound=12&" in address
        for step, title in (("back", ""), ("back", "sound 9"), ("forward", ""), ("forward", "sound 12")):
            await page.ask(
                f"new Promise(done => {{ addEventListener('popstate', done, {{once: true}}); history.{step}(); }})"
            )
            await page.settled()
            assert await page.ask(_TITLE) == title
        await page.visit("about:blank")
        heard = len(page.requests)
        await page.visit(address)
        await page.settled()
        assert await page.ask(_TITLE) == "sound 12"
        assert await page.ask("document.querySelector('#colour').selectedOptions[0].text") == "User"
        assert await page.ask("placeOf(30)") == pytest.approx(place, abs=2)
        # A link is no consent: the waveform waits for its reader.
        assert len(page.requests) == heard + 1
        await do(page, "button.nothing")
        await page.settled()
        assert page.requests[-1].endswith("/wave.svg")
        for told in await page.ask(f"({_TRY})({json.dumps(HOSTILE_FRAGMENTS)})"):
            assert told == [1, 4, "sound 12", True]
        assert await page.ask("typeof window.hacked") == "undefined"
        await go(page, 15)
        assert await page.ask(_TITLE) == "sound 15"

    assert in_browser(page_file, walk).errors == []


def test_a_shortlist_stays_and_leaves_as_ids_table_and_credits(
    in_browser: Visit, page_file: Path, state: SoundGraph, tmp_path: Path
) -> None:
    ids, made_up = [1, 2, 7, 12, 47], [21, 22]

    def credits_of(ids: list[int]) -> str:
        return "".join(encode_credits(list_credits(select(state, Selection(ids=frozenset(ids)))), "txt"))

    async def walk(page: Page) -> None:
        await page.save_to(tmp_path)
        for sound_id in [*ids, 30]:
            await go(page, sound_id)
            await do(page, ".keep")
        await do(page, ".keep")
        await page.visit(page_file.as_uri())
        await page.settled()
        assert await text_of(page, "#keptCount") == "Shortlist: 5"
        assert await page.ask("document.querySelectorAll('#kept .sound').length") == 5
        for button in ("saveIds", "saveTable", "saveCredits"):
            await do(page, f"#{button}")
            assert await page.saved()
        (tmp_path / "CREDITS.txt").rename(tmp_path / "of_real_sounds.txt")
        await page.ask(f"localStorage.setItem(Object.keys(localStorage)[0], '{made_up}')")
        await page.visit(page_file.as_uri())
        await do(page, "#saveCredits")
        assert await page.saved()
        # What another page left under our key is no reason to fail.
        for text in ("{", '{"a": 1}', '[1, "<img>", null, -3, 1e99, 7, 7, 4711]'):
            await page.ask(f"localStorage.setItem(Object.keys(localStorage)[0], {text!r})")
            await page.visit(page_file.as_uri())
            await page.settled()
        assert await text_of(page, "#keptCount") == "Shortlist: 3"
        assert await text_of(page, "#keptNote") == "1 of them is not in this map."
        await page.ask("void (window.confirm = () => true)")
        await do(page, "#emptyKept")
        assert await do(page, "#shortlist", "hidden")
        # Without storage it lives as long as the page.
        await page.ask("void (Storage.prototype.setItem = () => { throw new DOMException('', 'SecurityError') })")
        await click_sound(page, 8)
        await page.press("s")
        assert await text_of(page, "#keptNote") == "This browser does not store it: save it before you leave."

    assert in_browser(page_file, walk).errors == []
    assert read_id_list(tmp_path / "shortlist.txt").sound_ids == tuple(ids)
    assert read_id_list(tmp_path / "shortlist.csv").sound_ids == tuple(ids)
    table = (tmp_path / "shortlist.csv").read_text(encoding="utf-8")
    assert table.splitlines()[0].startswith("id,name,username,license,")
    assert """"'=</script>""" in table
    assert (tmp_path / "of_real_sounds.txt").read_bytes().decode() == credits_of(ids)
    summary = (tmp_path / "CREDITS.txt").read_text(encoding="utf-8").splitlines()[2]
    assert summary == credits_of(made_up).splitlines()[2]


def test_the_shortest_path_is_shown_and_listed(in_browser: Visit, page_file: Path, state: SoundGraph) -> None:
    async def walk(page: Page) -> None:
        graph, chance = state.graph.to_undirected(), random.Random(5)
        pairs = [(1, 30), *(tuple(chance.sample(range(1, SOUNDS + 1), 2)) for _ in range(4))]
        for start, end in pairs:
            await go(page, start)
            await page.press("p")
            await go(page, end)
            await do(page, ".path")
            names = await page.ask("[...document.querySelectorAll('#chain .name')].map(one => one.textContent)")
            steps = nx.shortest_path_length(graph, start, end)
            assert len(names) == steps + 1
            assert await text_of(page, "#pathTitle") == f"Path: {steps} {'step' if steps == 1 else 'steps'}"
            await page.press("Escape")
            await page.press("Escape")
            assert await do(page, "#path", "hidden")
        # What is hidden is no way.
        await go(page, 1)
        await page.press("p")
        await page.ask(
            "(s => { s.value = '0'; s.dispatchEvent(new Event('input')) })(document.querySelector('#longest'))"
        )
        await go(page, 30)
        await page.press("p")
        assert await text_of(page, "#pathTitle") == "No path"

    assert in_browser(page_file, walk).errors == []


def test_sounds_around_a_selection_are_faint_and_say_what_they_are(
    in_browser: Visit, tmp_path: Path, state: SoundGraph
) -> None:
    chosen = Selection(ids=frozenset(range(10, 40)))
    path = page_of(tmp_path / "map.html", state, chosen, ego=20, around=find_surroundings(select(state, chosen)))

    async def walk(page: Page) -> None:
        assert await text_of(page, "#counts") == "30 sounds, 52 similarity edges; 14 sounds around"
        assert await write_query(page, "sound") == [f"sound {one}" for one in range(39, 9, -1)]
        await write_query(page, "")
        hints = await page.ask(_HINTS)
        assert len(hints) == 14
        assert await page.ask("[typeof window.hacked, document.images.length]") == ["undefined", 0]
        assert page.requests == [path.as_uri()]
        # The sound that the map is about is at hand without a card.
        await page.mouse("Moved", 5, 5)
        await do(page, "#surface", "focus()")
        await page.press(" ")
        assert await page.ask(_VOICES) == ["sound 20"]
        await page.press("x")

    assert in_browser(path, walk).errors == []


def test_a_finger_has_room_and_each_control_has_a_name(in_browser: Visit, page_file: Path) -> None:
    async def walk(page: Page) -> None:
        await go(page, 9)
        for selector in (".keep", ".loop", ".play", ".path"):
            await do(page, selector)
        assert await page.ask(_SMALL) == []
        await do(page, "#fold")
        assert await page.ask(_SMALL) == []
        assert await page.ask("document.documentElement.scrollWidth <= innerWidth")
        assert await page.ask(_NAMELESS) == []
        assert await page.ask(_DANGLING) == []

    assert in_browser(page_file, walk, width=390, height=844, ratio=2, phone=True).errors == []
