"""`harvester refresh`: fetch stale records and lists again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import LibraryOption, duration_text, say
from harvester.cli.options import NeighboursOption, RunOptions, bounded, check_duration, grouped
from harvester.settings import COUNT

if TYPE_CHECKING:
    from harvester.actions import RunResult


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
    from harvester.cli.running import run_with_display

    run_with_display(
        actions.refresh,
        run,
        _summarise,
        library=library,
        older_than=older_than,
        limit=limit,
        links=links,
        neighbours=neighbours,
    )


def _summarise(done: RunResult) -> None:
    from harvester.actions import EXHAUSTED

    what = "nothing was stale" if not done.requests and done.reason == EXHAUSTED else "everything stale is refreshed"
    ended = what if done.reason == EXHAUSTED else done.reason
    say(
        f"{ended}: {done.renewed:,} records and {done.relisted:,} lists refreshed, "
        f"{done.gone:,} sounds found deleted, {done.deferred:,} deferred, {done.requests:,} requests "
        f"in {duration_text(done.seconds)}"
    )
    say(f"library: {done.folder}, {done.total.sounds:,} sounds (+{done.sounds:,}), {done.total.edges:,} edges")
