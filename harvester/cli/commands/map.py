"""`harvester map`: draw the library as an interactive picture in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.commands.export import SelectOptions, load_selected
from harvester.cli.console import LibraryOption, say, size_text
from harvester.cli.options import bounded, check_ids, grouped
from harvester.errors import SettingsError
from harvester.settings import DEPTH
from harvester.storage import path_text


@grouped
def map(
    out: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Write this file.")] = Path("map.html"),
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
    from harvester.cli.default_library import find_library
    from harvester.exports import check_place
    from harvester.graph import around
    from harvester.map import encode_map
    from harvester.storage import disk_errors, write_atomically

    check_place(out)
    selected = load_selected(library, select.selection())
    if ego is not None:
        if ego not in selected:
            raise SettingsError(
                f"sound {ego} cannot be shown: it is not in the library, deleted, withdrawn, or filtered out"
            )
        selected = around(selected, ego, depth)
    heading = path_text(title or (find_library(library).resolve().name if ego is None else f"Around sound {ego}"))
    say(f"laying out {len(selected)} sounds and {selected.edge_count} edges")
    with disk_errors(out, "the earlier file is unchanged"):
        write_atomically(out, encode_map(selected, heading, ego=ego))
    say(f"{out}: {size_text(out.stat().st_size)}; open it in a browser")
