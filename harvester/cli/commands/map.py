"""`harvester map`: draw the library as an interactive HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.console import LibraryOption, note, say, size_text
from harvester.cli.options import bounded, check_ids, grouped
from harvester.cli.select_options import SelectOptions
from harvester.settings import DEPTH


@grouped
def map(
    out: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Write this file, or replace it.")] = Path(
        "map.html"
    ),
    ego: Annotated[
        int | None, typer.Option(callback=check_ids, metavar="ID", help="Draw only the neighbourhood of this sound.")
    ] = None,
    depth: Annotated[int, bounded(DEPTH, "Follow N edges from the sound of --ego.")] = 2,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Set the heading.", show_default="the folder's name")
    ] = None,
    library: LibraryOption = None,
    *,
    select: SelectOptions,
) -> None:
    """Draw the library as one HTML file.

    Similar sounds lie together; you can search them and listen to them. The file sends no request until you click.
    The same library gives the same picture.
    """
    from harvester import actions

    report = actions.draw_map(
        out,
        library=library,
        ego=ego,
        depth=depth,
        title=title,
        **select.keywords(),
        on_layout=lambda sounds, edges: say(f"laying out {sounds:,} sounds and {edges:,} edges"),
    )
    note(*report.notices)
    say(f"{out}: {size_text(report.size_bytes)}; open it in a browser")
