"""Report a run while it goes on.

Owns when `status.json` is written, when the log gets a line, and when the caller gets the figures. Nothing here changes
the run, and a failure to report it never ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from harvester.actions.events import Advanced, Reporter
from harvester.actions.run import Run, take_snapshot
from harvester.actions.snapshot import progress_line
from harvester.actions.status_file import save_status
from harvester.errors import HarvesterError, words_of
from harvester.told import Level

ADVANCED_EVERY_S = 0.25
STATUS_EVERY_S = 2.0
LINE_EVERY_S = 60.0


@asynccontextmanager
async def reporting(run: Run, reporter: Reporter) -> AsyncIterator[None]:
    """Report the run in the block.

    At its end `status.json` and a last `Advanced` have the final figures.
    """

    def advance() -> None:
        if reporter.listens:
            reporter.emit(Advanced(take_snapshot(run)))

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_status_file(run, reporter))
        await stack.enter_async_context(
            every(LINE_EVERY_S, lambda: reporter.tell(progress_line(take_snapshot(run)), Level.PROGRESS), reporter.warn)
        )
        if reporter.listens:
            await stack.enter_async_context(every(ADVANCED_EVERY_S, advance, reporter.warn))
        try:
            yield
        except HarvesterError:
            with suppress(HarvesterError):  # the first error says more
                advance()
            raise
        advance()


@asynccontextmanager
async def _status_file(run: Run, reporter: Reporter) -> AsyncIterator[None]:
    """Keep `status.json` up to date in the block; report one failure."""
    told = False

    def save() -> None:
        nonlocal told
        try:
            save_status(run.folder, take_snapshot(run).as_dict())
        except (OSError, TypeError, HarvesterError) as error:
            if not told:
                reporter.tell(f"status.json cannot be written ({words_of(error)}); the harvest goes on")
            told = True

    save()
    try:
        async with every(STATUS_EVERY_S, save, reporter.warn):
            yield
    finally:
        save()


@asynccontextmanager
async def every(pause_s: float, act: Callable[[], None], on_failure: Callable[[str], None]) -> AsyncIterator[None]:
    """Call `act` again and again in the block.

    `on_failure` gets one line about its first failure.
    """

    async def again() -> None:
        told = False
        while True:
            await asyncio.sleep(pause_s)
            try:
                act()
            except (HarvesterError, OSError) as error:
                # A failure to show the run must not end it; the next turn tries again.
                if not told:
                    on_failure(f"the progress cannot be shown ({words_of(error)}); the run goes on")
                told = True

    task = asyncio.create_task(again())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})  # unlike `await task`, this cannot swallow a cancellation of the caller
        if not task.cancelled():
            task.result()
