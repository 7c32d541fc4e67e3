"""Browse a library: its map as a page that follows it, on this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from secrets import token_urlsafe
from typing import SupportsIndex, Unpack

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.live_library import LiveLibrary
from harvester.actions.options import check_sounds, check_whole
from harvester.actions.selecting import SelectKeywords, read_selection
from harvester.page_server import serving
from harvester.settings import DEPTH, PORT

_TOKEN_BYTES = 24


@naming_keywords
def browse(
    *,
    library: StrPath | None = None,
    port: int = 0,
    ego: SupportsIndex | None = None,
    depth: int = 2,
    context: bool = False,
    title: str | None = None,
    on_notice: Callable[[str], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> AbstractAsyncContextManager[str]:
    """Serve the map of a library while `async with` lasts.

    The call reads the library and computes the first map, which takes about 5 s for 5,000 sounds; the block gets the
    page's address `http://127.0.0.1:PORT/TOKEN/`. Who knows the address may read the library; the token is random. The
    page follows the library while a harvest writes it. `port` 0 takes a free one. `on_notice` gets lines that need
    attention, also while the block lasts. `ego`, `depth`, `context`, `title` and the other keywords are those of
    `draw_map`. Nothing is opened for writing, and no lock is taken.

    The call raises `SettingsError` that names a wrong keyword, a sound that is not selected, or numpy and scipy when
    they are missing; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat` or `LibraryUnwritable`. `async with` raises
    `SettingsError` for a port in use.
    """
    number, steps = check_whole("--port", port, PORT), check_whole("--depth", depth, DEPTH)
    middle = next(iter(check_sounds("--ego", ego)), None)
    told = _Told(on_notice)
    live = LiveLibrary(
        find_library(library),
        read_selection(**selection),
        middle=middle,
        steps=steps,
        context=context,
        title=title,
        tell=told,
    )
    return _served(live, told, number)


@asynccontextmanager
async def _served(live: LiveLibrary, told: _Told, port: int) -> AsyncIterator[str]:
    ended = threading.Event()
    failures: list[BaseException] = []

    def follow() -> None:
        try:
            live.follow(ended)
        except BaseException as error:
            # It is raised at the end of the block: an exception ends no other thread.
            failures.append(error)

    told.loop = asyncio.get_running_loop()
    async with serving(live, token_urlsafe(_TOKEN_BYTES), port=port) as address:
        # A daemon: the end of the process does not wait for a layout.
        threading.Thread(target=follow, name="browse", daemon=True).start()
        try:
            yield address
        finally:
            ended.set()
    if failures:
        raise failures[0]


class _Told:
    """Pass lines on to `on_notice`, from any thread in that of the loop."""

    def __init__(self, on_notice: Callable[[str], None] | None) -> None:
        self._on_notice = on_notice
        self.loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, line: str) -> None:
        if self._on_notice is None:
            return
        if self.loop is None:
            self._on_notice(line)
        elif not self.loop.is_closed():
            with suppress(RuntimeError):  # the loop is closed at this moment
                self.loop.call_soon_threadsafe(self._on_notice, line)
