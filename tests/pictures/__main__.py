"""`make pictures`: the pictures of README and guide, made again from a sandbox library by the program itself."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI

from harvester.cli.panel import draw
from tests.bench.growth import draw as draw_growth
from tests.support.browser import open_page
from tests.support.processes import ROOT, run, sandbox_process, start, wait_until

PICTURES = ROOT / "data/pictures"
WIDTH = 88


def picture_of_the_panel(target: Path) -> None:
    """Draw the panel of a real harvest, stopped at a moment in the middle."""
    with tempfile.TemporaryDirectory() as scratch, sandbox_process(Path(scratch), "--latency-ms", 250) as sandbox:
        harvest = start(
            "harvest", "--api-url", sandbox.url, "--limits", "600/2000", "--samples", 120, "--no-progress",
            cwd=Path(scratch),
        )  # fmt: skip
        status = Path(scratch) / "sandbox_library/status.json"

        def now() -> dict[str, Any]:
            shown: dict[str, Any] = json.loads(status.read_bytes()) if status.exists() else {"samples": 0}
            return shown

        wait_until(lambda: now()["samples"] >= 45, what="45 samples")
        moment = now()
        harvest.terminate()
        _, told = harvest.communicate(timeout=30)
    events = [line for line in told.splitlines() if line.startswith("checkpoint")][:2]
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print(draw(moment, title="harvester · data/freesound_library", events=events, width=WIDTH))
    svg = console.export_svg(title="make harvest", theme=MONOKAI, unique_id="panel")
    # The reader's own monospace font instead of one fetched from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    target.write_text(svg.replace("Fira Code", "ui-monospace, Menlo, Consolas"), encoding="utf-8")


async def picture_of_the_map() -> bytes:
    """Draw the map of a sandbox library and take the picture that a browser shows of it."""
    with tempfile.TemporaryDirectory() as scratch:
        for arguments in (("harvest", "--samples", 3000, "--concurrency", 8), ("map", "-o", "map.html")):
            done = run(*arguments, cwd=Path(scratch), key=None, timeout_s=300)
            assert done.code == 0, done.err
        async with open_page() as page:
            await page.window(1000, 640)
            await page.visit((Path(scratch) / "map.html").as_uri())
            await page.settled()
            return await page.picture()


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture_of_the_panel(PICTURES / "panel.svg")
    (PICTURES / "map.png").write_bytes(asyncio.run(picture_of_the_map()))
    draw_growth(PICTURES / "growth.svg")
    print(f"made {PICTURES}/panel.svg, map.png and growth.svg")
