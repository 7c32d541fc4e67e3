"""A headless Chromium driven over its DevTools protocol: one page, what it said, threw and asked the network for."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
"""The browser of this machine, or None: tests that need one are skipped then."""

_OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--hide-scrollbars",
)


class Page:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._saved = asyncio.Queue[str]()
        self._saving: dict[str, str] = {}
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            answer = json.loads(message.data)
            if "id" in answer:
                self._answers.pop(answer["id"]).set_result(answer)
            else:
                self._note(answer["method"], answer["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Browser.downloadWillBegin":
            self._saving[params["guid"]] = params["suggestedFilename"]
        elif method == "Browser.downloadProgress" and params["state"] == "completed":
            self._saved.put_nowait(self._saving[params["guid"]])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        self._number += 1
        answered = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        answer = await asyncio.wait_for(answered, 60)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def window(
        self, width: int, height: int, *, ratio: float = 1, dark: bool = False, phone: bool = False
    ) -> None:
        """Set the size, the density and the colour scheme of the window."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=phone
        )
        await self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def visit(self, address: str) -> None:
        """Load a page and return when it has loaded."""
        self._loaded.clear()
        await self.call("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited when it is a promise."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send one event of the mouse: `Moved`, `Pressed`, `Released` or `Wheel`."""
        await self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    async def click(self, x: float, y: float) -> None:
        await self.mouse("Moved", x, y)
        await self.mouse("Pressed", x, y, button="left", clickCount=1)
        await self.mouse("Released", x, y, button="left", clickCount=1)

    async def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key by its name in `KeyboardEvent.key`."""
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, " ": 32}
        more: dict[str, Any] = {"key": key, "modifiers": 8 if shift else 0, "windowsVirtualKeyCode": codes.get(key, 0)}
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **more, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **more)

    async def write(self, text: str) -> None:
        """Put text into the focused field, as typing does."""
        await self.call("Input.insertText", text=text)

    async def settled(self) -> None:
        """Return when two frames have been shown."""
        await self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    async def save_to(self, folder: Path) -> None:
        """Let the page save files in a folder."""
        await self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder), eventsEnabled=True)

    async def saved(self) -> str:
        """Return the name of the next file that the page has saved."""
        return await asyncio.wait_for(self._saved.get(), 30)

    async def picture(self) -> bytes:
        """Return what the window shows as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def open_page() -> AsyncIterator[Page]:
    """Start the browser with a profile of its own, and end it with the block."""
    assert BROWSER is not None
    # As root the browser's own sandbox cannot be set up.
    options = [*_OPTIONS, "--no-sandbox"] if os.geteuid() == 0 else list(_OPTIONS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            BROWSER,
            *options,
            f"--user-data-dir={profile}",
            "about:blank",
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await asyncio.wait_for(_port_of(process), 30)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    address = next(one["webSocketDebuggerUrl"] for one in await answer.json() if one["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Network", "Runtime", "Log"):
                        await page.call(f"{domain}.enable")
                    yield page
                await page._listening
        finally:
            process.terminate()
            await process.communicate()


async def _port_of(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if line.startswith(b"DevTools listening on ws://"):
            return line.decode().split(":")[2].split("/")[0]
    raise AssertionError("the browser did not start")
