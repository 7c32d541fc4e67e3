"""Walk through a map in a browser: a server of its previews and waveforms, and what a reader does there."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support.browser import Page, open_page

Visit = Callable[..., Page]
"""Called with the file of a map, a walk through it and what `Page.window` takes."""


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def serve_media(folder: Path) -> Iterator[str]:
    """Give the address of a server that has one waveform and one preview of half a second."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"\0\0" * 4_000)
    (folder / "preview.wav").write_bytes(sound.getvalue())
    (folder / "wave.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="120" height="71"/>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def one_browser() -> Iterator[Visit]:
    """Give a function that opens a map, walks through it, and returns the page for what it heard meanwhile.

    All walks are in one browser; what a page stores is removed after each.
    """
    with asyncio.Runner() as runner:
        opening = open_page()
        page = runner.run(opening.__aenter__())

        async def visit(path: Path, walk: Callable[[Page], Awaitable[None]], **window: Any) -> Page:
            await page.window(**{"width": 1280, "height": 800, **window})
            await page.visit("about:blank")
            page.errors.clear()
            page.requests.clear()
            await page.visit(path.as_uri())
            await page.settled()
            try:
                await walk(page)
            finally:
                await page.ask("localStorage.clear()")
            return page

        yield lambda path, walk, **window: runner.run(visit(path, walk, **window))
        runner.run(opening.__aexit__(None, None, None))


async def text_of(page: Page, selector: str) -> str:
    return str(await page.ask(f"document.querySelector('{selector}').textContent"))


async def click_sound(page: Page, sound_id: int) -> None:
    x, y = await page.ask(f"placeOf({sound_id})")
    await page.click(x, y)
    await page.settled()
