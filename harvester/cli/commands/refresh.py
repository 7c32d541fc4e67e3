"""`harvester refresh`: fetch stale records and lists again, and find deleted sounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import LibraryOption, duration_text, say
from harvester.cli.options import NeighboursOption, RunOptions, bounded, check_duration, grouped
from harvester.settings import COUNT, parse_duration_s

if TYPE_CHECKING:
    from harvester.cli.run import Run


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
    from harvester.cli.session import run_session
    from harvester.clock import SECOND_US
    from harvester.pipeline import Plan, Refresh

    older_than_us = round(parse_duration_s(older_than) * SECOND_US)
    plan = Plan(
        target=None,
        refresh=Refresh(older_than_us, limit, links, neighbours),
        concurrency=run.concurrency,
        forever=run.forever,
    )
    asyncio.run(run_session(plan, run, library, summary=_summarise))


def _summarise(run: Run, reason: str) -> None:
    from harvester.cli.run import describe
    from harvester.pipeline import EXHAUSTED

    now, progress = describe(run), run.harvest.progress
    what = "nothing was stale" if not now["requests"] and reason == EXHAUSTED else "everything stale is refreshed"
    ended = what if reason == EXHAUSTED else reason
    say(
        f"{ended}: {progress.renewed} records and {progress.samples} lists refreshed, "
        f"{progress.gone} sounds found deleted, {progress.deferred} deferred, {now['requests']} requests "
        f"in {duration_text(progress.elapsed_s)}"
    )
    say(f"library: {run.folder}, {now['nodes']} sounds (+{now['new_nodes']}), {now['edges']} edges")
