"""The map in headless Chromium: layout, size, first draw, panning, hovering, opening a card.

The targets are for 5,000 sounds and 40,000 edges: layout 10 s, file 1.5 MB, first draw 1.0 s, 30 frames a second, no
gap over 150 ms, hover 80 ms, card 200 ms. Times are this machine's, whatever else it does meanwhile.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from harvester.exports.export import save_export
from harvester.graph import SoundGraph
from harvester.graph.selection import Selected, select
from harvester.map.layout import lay_out
from harvester.map.page import encode_map
from harvester.model import Linked, Seen, SimilarList
from harvester.sandbox.generated import GeneratedCatalogue
from tests.bench.table import Table
from tests.support.browser import BROWSER, Page, open_page

NOW_US = 1_790_000_000_000_000
SIZES = ((5_000, 40_000),)
NEIGHBOURS = 20

_PAN = """(async () => {
  const surface = document.getElementById('surface'), times = [];
  surface.setPointerCapture = () => {};
  const send = (kind, x, y) => surface.dispatchEvent(new PointerEvent(kind, {pointerId: 1, clientX: x, clientY: y}));
  send('pointerdown', 700, 400);
  const began = performance.now();
  for (let now = began; now - began < 3000; ) {
    now = await new Promise(requestAnimationFrame);
    times.push(now);
    const turn = (now - began) / 400;
    send('pointermove', 700 + 260 * Math.sin(turn), 400 + 180 * Math.cos(turn));
    if (times.length % 3 === 0) {
      surface.dispatchEvent(new WheelEvent('wheel', {deltaY: 60 * Math.sin(turn), clientX: 700, clientY: 400}));
    }
  }
  send('pointercancel', 700, 400);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  return [1000 * gaps.length / (times.at(-1) - times[0]), Math.max(...gaps)];
})()"""

_HOVER = """(async () => {
  const surface = document.getElementById('surface'), took = [];
  for (const id of %s) {
    const [x, y] = placeOf(id), began = performance.now();
    surface.dispatchEvent(new PointerEvent('pointermove', {pointerId: 1, clientX: x, clientY: y}));
    await new Promise(requestAnimationFrame);
    await new Promise(done => setTimeout(done));
    took.push(performance.now() - began);
  }
  return took;
})()"""


def grown(sounds: int, edges: int) -> SoundGraph:
    """Return a state with the records of a whole sandbox and as many similar lists as the edges ask for."""
    catalogue = GeneratedCatalogue(sounds)
    state = SoundGraph(f"sandbox:{catalogue.digest}")
    ids = list(catalogue.ordered("downloads_desc"))
    for sound_id in ids:
        record = catalogue.record(sound_id)
        assert record is not None
        state.apply(Seen(sound_id, record, NOW_US))
    for sound_id in ids:
        if state.edge_count >= edges:
            break
        near = catalogue.neighbours(sound_id, "laion_clap")[:NEIGHBOURS]
        state.apply(
            Linked(sound_id, SimilarList(tuple((other, min(score, 1.0)) for other, score in near), NOW_US, NEIGHBOURS))
        )
    return state


def run() -> Table:
    """Measure a library of the targets' size and one ten times as large; without a browser, only what needs none."""
    columns = (
        "sounds",
        "edges",
        "layout s",
        "map s",
        "file MB",
        "first draw ms",
        "fps",
        "gap ms",
        "hover ms",
        "card ms",
    )
    table = Table("The map: computing it, and drawing it in headless Chromium", columns)
    with tempfile.TemporaryDirectory() as folder:
        for sounds, edges in SIZES:
            selected = select(grown(sounds, edges))
            layout_s = _layout_s(selected)
            path = Path(folder) / f"{sounds}.html"
            began_s = time.perf_counter()
            path.write_bytes(b"".join(encode_map(selected, "bench")))
            map_s = time.perf_counter() - began_s
            drawn: list[object] = ["-"] * 5
            if BROWSER is not None:
                drawn = list(asyncio.run(_drawn(path, selected.sound_ids)))
            table.rows.append([sounds, selected.edge_count, layout_s, map_s, path.stat().st_size / 1e6, *drawn])
            for format in ("graphml", "csv", "parquet"):
                began_s = time.perf_counter()
                written = save_export(selected, format, Path(folder) / f"{sounds}.{format}")
                size_mb = sum(one.stat().st_size for one in written) / 1e6
                table.notes.append(
                    f"{sounds:,} sounds as {format}: {time.perf_counter() - began_s:.1f} s, {size_mb:.1f} MB"
                )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    table.notes.append(f"peak memory of this process: {peak_mb:,.0f} MB")
    return table


def _layout_s(selected: Selected) -> float:
    place = {sound_id: index for index, sound_id in enumerate(selected.sound_ids)}
    ends = np.array([(place[edge.source], place[edge.target]) for edge in selected.edges()])
    began_s = time.perf_counter()
    lay_out(len(place), ends[:, 0], ends[:, 1])
    return time.perf_counter() - began_s


async def _drawn(path: Path, ids: list[int]) -> tuple[float, float, float, float, float]:
    """Return first draw (ms), frames a second and longest gap (ms) while moving, hover and card (ms, medians)."""
    async with open_page() as page:
        await page.window(1280, 800)
        await page.visit(path.as_uri())
        await page.settled()
        first_ms = await page.ask("performance.getEntriesByName('drawn')[0].startTime")
        frames, gap_ms = await page.ask(_PAN)
        await page.ask("document.getElementById('fit').click()")
        await page.settled()
        some = ids[:: len(ids) // 20]
        hover_ms = statistics.median(await page.ask(_HOVER % some))
        card_ms = statistics.median([await _card_ms(page, sound_id) for sound_id in some[:9]])
        assert not page.errors, page.errors
        return float(first_ms), float(frames), float(gap_ms), hover_ms, card_ms


async def _card_ms(page: Page, sound_id: int) -> float:
    opened: Any = page.ask(
        "new Promise(done => { let began; addEventListener('pointerdown', () => { began = performance.now() },"
        " {once: true, capture: true}); document.addEventListener('opened', () => requestAnimationFrame(() =>"
        " setTimeout(() => done(performance.now() - began))), {once: true}); })"
    )
    await page.ask("document.getElementById('fit').click()")
    await page.settled()
    waiting = asyncio.create_task(opened)
    x, y = await page.ask(f"placeOf({sound_id})")
    await page.click(x, y)
    took_ms = float(await waiting)
    await page.press("Escape")
    return took_ms
