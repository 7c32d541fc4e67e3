"""`harvester refresh`: stale records and lists read again, deleted sounds found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import LibraryOption, duration_text, say
from harvester.cli.options import NeighboursOption, RunOptions, check_duration, grouped
from harvester.settings import COUNT, parse_duration_s

if TYPE_CHECKING:
    from harvester.cli.run import Run


@grouped
def refresh(
    *,
    library: LibraryOption = None,
    older_than: Annotated[
        str, typer.Option(callback=check_duration, metavar="30d", help="What was read before that is stale.")
    ] = "30d",
    limit: Annotated[
        int | None,
        typer.Option(
            min=COUNT.least, max=COUNT.most, metavar="N", help="At most so many records (and lists), stalest first."
        ),
    ] = None,
    links: Annotated[bool, typer.Option("--links", help="Read similar lists again too: one request each.")] = False,
    neighbours: NeighboursOption = 25,
    run: RunOptions,
) -> None:
    """Read stale records again, 150 a request, and find the sounds that are gone from Freesound.

    What is fresh is never touched. --links reads similar lists again that are stale, or shorter than --neighbours.
    """
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
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
    what = "nothing was stale" if not now["requests"] and reason == EXHAUSTED else "all that was stale is read again"
    ended = what if reason == EXHAUSTED else reason
    say(
        f"{ended}: {progress.renewed} records and {progress.samples} lists read again, "
        f"{progress.gone} sounds gone, {progress.deferred} deferred, {now['requests']} requests "
        f"in {duration_text(progress.elapsed_s)}"
    )
    say(f"library: {run.folder}, {now['nodes']} sounds (+{now['new_nodes']}), {now['edges']} edges")
