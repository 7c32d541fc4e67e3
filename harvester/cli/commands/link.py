"""`harvester link`: compute similar lists from vectors, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from harvester.cli.console import Console, JsonOption, LibraryOption, duration_text, note, print_event, print_json, say
from harvester.cli.options import (
    JobsOption,
    NeighboursOption,
    SchedulerOption,
    ServerOptions,
    bounded,
    check_finite,
    grouped,
)
from harvester.cli.stopping import stopping
from harvester.cli.terminal import can_redraw
from harvester.counts import counted
from harvester.settings import COUNT_FROM_ZERO, RANDOM_SEED, SCORE

if TYPE_CHECKING:
    from harvester.actions import LinkResult, VerifyResult


@grouped
def link(
    *,
    library: LibraryOption = None,
    neighbours: NeighboursOption = 25,
    min_score: Annotated[
        float,
        bounded(SCORE, "Keep neighbours from this score on; the server's is 0.7.", metavar="S", callback=check_finite),
    ] = 0.7,
    verify: Annotated[
        int, bounded(COUNT_FROM_ZERO, "Compare with the server's lists of N random sounds: N requests.")
    ] = 0,
    random_seed: Annotated[int, bounded(RANDOM_SEED, "Seed the choice of --verify.")] = 0,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    server: ServerOptions,
    as_json: JsonOption = False,
) -> None:
    """Compute the similar lists of all sounds with a vector.

    `harvester harvest --sweep --query TEXT --vectors laion_clap` fetches the vectors. A second run computes only what
    is new. Lists from the server are never changed. Only --verify sends requests.
    """
    from harvester import actions

    connection = server.keywords()  # an invalid one is refused before anything is linked
    folder = actions.find_library(library)
    with stopping("keeping the computed lists") as asked_to_stop, _showing(folder) as on_progress:
        report = actions.link(
            folder,
            neighbours=neighbours,
            min_score=min_score,
            jobs=jobs,
            scheduler=scheduler,
            on_progress=on_progress,
            asked_to_stop=asked_to_stop,
        )
    for line in report.notices:
        note(line)
    for line in _lines(folder, report, neighbours):
        say(line)
    agreement = None
    if verify and report.done:
        say(
            f"verifying takes {counted(verify, 'request')}, "
            f"for the server's lists of {counted(verify, 'random sound')}; they are not saved"
        )
        agreement = actions.verify_links(
            verify,
            library=folder,
            random_seed=random_seed,
            **connection,
            verbose=Console.verbose,
            on_progress=print_event,
        )
        say(_verdict(agreement))
    if as_json:
        facts = {**report.as_dict(), "agreement": agreement and agreement.as_dict()}
        print_json(facts)


def _lines(folder: Path, report: LinkResult, asked: int) -> Iterator[str]:
    how = "" if report.done else "asked to stop; run it again for the rest: "
    yield (
        f"{how}{counted(report.new, 'sound')} linked, {counted(report.changed, 'list')} changed, "
        f"{report.unchanged:,} unchanged, no request, in {duration_text(report.seconds)}"
    )
    if report.kept:
        yield counted(report.kept, "list from the server stays as it is", "lists from the server stay as they are")
    if report.neighbours > asked:
        more = counted(report.neighbours, "neighbour")
        yield f"earlier lists have {more}, so all lists now have up to {report.neighbours:,}"
    yield f"library: {folder}, {counted(report.vectors, 'vector')}, {counted(report.edges, 'edge')}"


def _verdict(agreement: VerifyResult) -> str:
    if not agreement.sounds:
        return "no list was compared"
    return (
        f"{counted(agreement.sounds, 'list')} compared: {agreement.found:,} of the server's {agreement.expected:,} "
        f"are here ({100 * agreement.recall:.1f} %), scores differ by {agreement.largest_difference:.6f} at most"
    )


@contextmanager
def _showing(folder: Path) -> Iterator[Callable[[int, int], None]]:
    """Show the progress as a bar on a terminal, and nothing elsewhere."""
    if Console.quiet or not can_redraw("stderr"):
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from harvester.cli.rich_text import stderr_console
    from harvester.terminal_text import escape_line

    # Rich's default first column parses markup, which a folder's name must not be read as.
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr_console(), transient=True) as bar:
        task = bar.add_task(escape_line(f"linking {folder}"), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
