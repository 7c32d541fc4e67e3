"""`harvester map`: draw the library as an interactive HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harvester.cli.completion import completing
from harvester.cli.console import LibraryOption, note, say, size_text
from harvester.cli.options import JobsOption, SchedulerOption, bounded, check_ids, grouped
from harvester.cli.select_options import SelectOptions
from harvester.counts import counted
from harvester.errors import SettingsError
from harvester.settings import DEPTH, DPI

_LAYOUTS = "auto|graph|vectors"
_COLORS = "category|community|license|user"


@grouped
def map(
    out: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Write this file, or replace it.")] = Path(
        "map.html"
    ),
    ego: Annotated[
        int | None, typer.Option(callback=check_ids, metavar="ID", help="Draw only the neighbourhood of this sound.")
    ] = None,
    depth: Annotated[int, bounded(DEPTH, "Follow N edges from the sound of --ego.")] = 2,
    context: Annotated[
        bool, typer.Option("--context", help="Also draw the neighbours that were not selected, as faint dots.")
    ] = False,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Set the heading.", show_default="the folder's name")
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            metavar=_LAYOUTS, autocompletion=completing(_LAYOUTS), help="Place sounds by their edges or their vectors."
        ),
    ] = "auto",
    local_previews: Annotated[
        bool, typer.Option("--local-previews", help="Play the previews that are here, offline.")
    ] = False,
    static: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a picture for papers instead: FILE ends in .svg, .pdf or .png."),
    ] = None,
    size_mm: Annotated[str, typer.Option(metavar="WxH", help="Set the size of the picture in mm.")] = "180x180",
    dpi: Annotated[int, bounded(DPI, "Draw what is no vector with N dots an inch.")] = 300,
    color_by: Annotated[
        str | None,
        typer.Option(
            "--color-by",
            "--colour-by",
            metavar=_COLORS,
            autocompletion=completing(_COLORS),
            help="Colour the picture by this.",
            show_default="what tells most",
        ),
    ] = None,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    library: LibraryOption = None,
    *,
    select: SelectOptions,
) -> None:
    """Draw the library as one HTML file, or as a picture.

    Similar sounds lie together; you can search them and listen to them. The file sends no request until you click.
    The same library gives the same picture. --static draws the same map for papers, without a browser.
    With --layout vectors, --jobs and --scheduler share the search for the nearest sounds; other maps need none.
    """
    from harvester import actions

    if local_previews and static is not None:
        raise SettingsError("--local-previews works without --static: a picture plays nothing")
    shared: dict[str, Any] = {
        "library": library,
        "ego": ego,
        "depth": depth,
        "context": context,
        "title": title,
        "layout": layout,
        "jobs": jobs,
        "scheduler": scheduler,
        **select.keywords(),
        "on_layout": lambda sounds, edges: say(f"laying out {counted(sounds, 'sound')} and {counted(edges, 'edge')}"),
    }
    if static is None:
        report = actions.draw_map(out, **shared, local_previews=local_previews)
        note(*report.notices)
        say(f"{out}: {size_text(report.size_bytes)}; open it in a browser")
    else:
        report = actions.draw_picture(static, **shared, size_mm=size_mm, dpi=dpi, color_by=color_by)
        note(*report.notices)
        say(f"{static}: {size_text(report.size_bytes)}")
