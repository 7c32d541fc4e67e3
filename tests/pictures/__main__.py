"""`make pictures`: the pictures of README and guide, made again by the program itself, from what a newcomer gets."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
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


def pictures_of_a_first_library(target: Path) -> None:
    """Draw what a newcomer gets: the map after the first `make harvest`, map and growth after 500 processed sounds."""
    with tempfile.TemporaryDirectory() as scratch:

        def call(*arguments: object) -> None:
            done = run(*arguments, cwd=Path(scratch), key=None, timeout_s=300)
            assert done.code == 0, done.err

        for name, arguments in {"first_map": (), "map": ("--samples", 450)}.items():
            call("harvest", *arguments)
            call("map", "-o", f"{name}.html")
            picture = asyncio.run(_seen_in_a_browser(Path(scratch) / f"{name}.html"))
            (target / f"{name}.png").write_bytes(picture)
        call("status", "--plot", "plots")
        shutil.copy(Path(scratch) / "plots/growth.png", target / "library_growth.png")


async def _seen_in_a_browser(page_file: Path) -> bytes:
    async with open_page() as page:
        await page.window(1000, 640)
        await page.visit(page_file.as_uri())
        await page.settled()
        return await page.picture()


GROUPS: dict[str, Callable[[], object]] = {
    "panel": lambda: picture_of_the_panel(PICTURES / "panel.svg"),
    "library": lambda: pictures_of_a_first_library(PICTURES),
    "growth": lambda: draw_growth(PICTURES / "growth.svg"),
}
"""The pictures that are made together: `growth` measures for ten minutes, the others take half a minute each."""

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(GROUPS)
    if unknown := set(wanted) - GROUPS.keys():
        sys.exit(f"pictures: there is no group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for group in wanted:
        GROUPS[group]()
        print(f"made {group} in {PICTURES}")
