"""`harvester browse`: serve the map as a page that follows the library."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harvester.cli.console import LibraryOption, note, print_lines
from harvester.cli.options import bounded, check_ids, grouped
from harvester.cli.select_options import SelectOptions
from harvester.settings import DEPTH, PORT


@grouped
def browse(
    port: Annotated[int, bounded(PORT, "Listen on this port of 127.0.0.1; 0 takes a free one.")] = 0,
    open: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
    ego: Annotated[
        int | None, typer.Option(callback=check_ids, metavar="ID", help="Show only the neighbourhood of this sound.")
    ] = None,
    depth: Annotated[int, bounded(DEPTH, "Follow N edges from the sound of --ego.")] = 2,
    context: Annotated[
        bool, typer.Option("--context", help="Also show the neighbours that were not selected, as faint dots.")
    ] = False,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Set the heading.", show_default="the folder's name")
    ] = None,
    library: LibraryOption = None,
    *,
    select: SelectOptions,
) -> None:
    """Serve the map as a page that follows the library.

    New sounds appear while a harvest runs. The page is for this machine only, at an address that is random each time;
    it changes nothing. It is there until Ctrl-C or SIGTERM.
    """
    import asyncio
    import threading

    from harvester import actions
    from harvester.interrupts import taking

    served = actions.browse(
        port=port,
        ego=ego,
        depth=depth,
        context=context,
        title=title,
        library=library,
        on_notice=note,
        **select.keywords(),
    )

    async def serve() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        with taking(lambda _number: loop.call_soon_threadsafe(ended.set)):
            async with served as address:
                print_lines(f"{address} (Ctrl-C ends it)")
                sys.stdout.flush()
                if open:
                    # Of its own: a browser without windows ends only when its reader has.
                    threading.Thread(target=_show, args=(address,), daemon=True).start()
                await ended.wait()

    asyncio.run(serve())


def _show(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        note("no browser could be opened: go to this address yourself")
