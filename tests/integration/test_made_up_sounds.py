"""Made-up sounds in a real browser: what the map plays, and what the sandbox's files decode to."""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harvester import Library
from harvester.sandbox.ogg_flac import encode_ogg_flac
from harvester.sandbox.sound_recipe import LONGEST_S, TIMBRES, SoundRecipe, recipe_of
from harvester.sandbox.synthesis import RATE, synthesise
from tests.support.browser import BROWSER, Page, open_page
from tests.support.map_walks import Visit
from tests.support.processes import run

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")

_LISTEN = """
void (() => {
  window.heard = [];
  window.contexts = 0;
  const own = AudioContext;
  window.AudioContext = class extends own { constructor() { super(); window.contexts++; } };
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function () {
    window.heard.push([this.buffer.sampleRate, Array.from(this.buffer.getChannelData(0))]);
    start.call(this);
  };
})()
"""
_DRAWN = """
(canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length / (canvas.width * canvas.height);
})(document.querySelector('#card canvas.wave'))
"""
_DECODE = """
(async () => {{
  const bytes = Uint8Array.from(atob({text}), one => one.charCodeAt(0));
  const decoded = await new OfflineAudioContext(1, 1, {rate}).decodeAudioData(bytes.buffer);
  return [decoded.sampleRate, decoded.numberOfChannels, Array.from(decoded.getChannelData(0))];
}})()
"""


def rms(samples: Any) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def crossings(samples: Any) -> int:
    return int(np.count_nonzero(np.diff(np.asarray(samples) >= 0)))


def centroid_hz(samples: Any, rate: int = RATE) -> float:
    """Return the mean frequency of a sound, weighted by its spectrum."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float((np.fft.rfftfreq(len(samples), 1 / rate) * spectrum).sum() / spectrum.sum())


def as_floats(samples: array[int]) -> Any:
    return np.array(samples) / 32_768


async def play(page: Page, sound_id: int) -> Any:
    """Open the card of a sound, click on Play and then on Stop; return the samples that the page plays."""
    await page.ask(
        f"(q => {{ q.value = '{sound_id}'; q.dispatchEvent(new Event('input')) }})(document.querySelector('#query'))"
    )
    await page.ask("document.querySelector('#results button').click()")
    # In one turn of the page, because a sound of 30 ms may end before the next question arrives.
    assert (
        await page.ask(
            "(play => { play.click(); const said = play.textContent; play.click(); return said })"
            "(document.querySelector('.play'))"
        )
        == "■ Stop"
    )
    rate, samples = await page.ask("window.heard.pop()")
    assert rate == RATE
    # In steps of 16 bits, as the sandbox stores them: what rounds to silence crosses nothing.
    return np.round(np.array(samples) * 32_767) / 32_767


def test_the_map_of_a_first_harvest_can_be_heard_and_sends_no_request(in_browser: Visit, tmp_path: Path) -> None:
    assert run("harvest", "--samples", 2, "--library", "library", cwd=tmp_path, key=None).code == 0
    assert run("map", "--library", "library", "-o", "map.html", cwd=tmp_path).code == 0
    address = (tmp_path / "map.html").as_uri()
    # One sound of each timbre that is here, none longer than needed.
    sounds: dict[int, tuple[int, SoundRecipe]] = {}
    library = Library.open(tmp_path / "library")
    long = next(sound_id for sound_id, sound in library.items() if (sound.duration or 0) > 2 * LONGEST_S)
    for sound_id, sound in library.items():
        recipe = recipe_of(dict(sound.raw))
        if recipe.length_s < 2:
            sounds.setdefault(recipe.timbre, (sound_id, recipe))
    assert len(sounds) >= 2

    async def walk(page: Page) -> None:
        await page.ask(_LISTEN)
        for sound_id, recipe in sounds.values():
            played = await play(page, sound_id)
            made = as_floats(synthesise(recipe))
            assert abs(len(played) - len(made)) <= 1
            assert rms(played) > 0.01
            assert rms(played) == pytest.approx(rms(made), rel=0.02)
            assert np.abs(played[: len(made)] - made[: len(played)]).max() < 4 / 32_768
            assert crossings(played) == pytest.approx(crossings(made), rel=0.02, abs=2)
            assert 0.005 < await page.ask(_DRAWN) < 0.6
        assert len(await play(page, long)) == LONGEST_S * RATE
        assert "its first 5 seconds" in await page.ask("document.querySelector('#facts').textContent")
        assert await page.ask("window.contexts") == 1
        # A sound is silent, and no context exists, until Play is clicked.
        await page.visit(f"{address}?again")
        await page.ask(_LISTEN)
        await page.ask("document.querySelector('#surface').focus()")
        await page.press("ArrowRight", shift=True)
        await page.press("Enter")
        assert await page.ask(_DRAWN) > 0.005
        assert await page.ask("window.contexts") == 0

    page = in_browser(tmp_path / "map.html", walk)
    assert page.errors == []
    assert page.requests == [address, f"{address}?again"]


def test_the_page_and_the_sandbox_make_the_same_sounds_and_their_files_decode() -> None:
    made = {name: synthesise(SoundRecipe(place, 220.0, 0.8, 12_345)) for place, name in enumerate(TIMBRES)}

    async def walk() -> None:
        async with open_page() as page:
            for samples in made.values():
                for rate, bits, stored in ((RATE, 16, samples), (RATE // 2, 8, samples[::2])):
                    content = base64.b64encode(encode_ogg_flac(stored, rate, bits)).decode()
                    heard_rate, channels, decoded = await page.ask(_DECODE.format(text=json.dumps(content), rate=rate))
                    assert (heard_rate, channels, len(decoded)) == (rate, 1, len(stored))
                    assert rms(decoded) > 0.01
                    assert np.abs(np.array(decoded) - as_floats(stored)).max() <= 1.01 / (1 << bits - 1)

    asyncio.run(walk())
    centroids = sorted(centroid_hz(as_floats(samples)) for samples in made.values())
    assert centroids[-1] > 10 * centroids[0]
    apart = [other / one for one, other in pairwise(centroids)]
    assert sum(one > 1.2 for one in apart) >= 4, centroids
