"""`harvester refresh`: fetch stale records and lists again."""

from __future__ import annotations

from typing import Annotated

import typer

from harvester.cli.console import LibraryOption
from harvester.cli.options import NeighboursOption, RunOptions, bounded, check_duration, grouped
from harvester.settings import COUNT


@grouped
def refresh(
    *,
    library: LibraryOption = None,
    older_than: Annotated[
        str, typer.Option(callback=check_duration, metavar="30d", help="Refresh records older than this.")
    ] = "30d",
    limit: Annotated[int | None, bounded(COUNT, "Refresh at most N records (and N lists), oldest first.")] = None,
    links: Annotated[bool, typer.Option("--links", help="Refresh similar lists too: one request each.")] = False,
    neighbours: NeighboursOption = 25,
    run: RunOptions,
) -> None:
    """Fetch stale records again, and find deleted sounds.

    One request fetches 150 records. Fresh records stay as they are. --links also fetches similar lists that are stale,
    or shorter than --neighbours.
    """
    from harvester import actions
    from harvester.cli.display import summarise_refresh
    from harvester.cli.running import run_with_display

    run_with_display(
        actions.refresh,
        run,
        summarise_refresh,
        library=library,
        older_than=older_than,
        limit=limit,
        links=links,
        neighbours=neighbours,
    )
