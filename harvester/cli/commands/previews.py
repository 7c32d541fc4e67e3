"""`harvester previews`: fetch the previews of selected sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.completion import completing
from harvester.cli.consent import DryRunOption
from harvester.cli.console import (
    Console,
    JsonOption,
    LibraryOption,
    duration_text,
    note,
    print_event,
    print_json,
    say,
    size_text,
)
from harvester.cli.options import SandboxUrlOption, bounded, check_size, grouped
from harvester.cli.select_options import SelectOptions
from harvester.cli.stopping import stopping
from harvester.cli.terminal import can_redraw
from harvester.clock import SystemClock
from harvester.counts import counted
from harvester.settings import COUNT, PREVIEW_CONCURRENCY, PREVIEWS_PER_MINUTE, parse_size_bytes
from harvester.told import Told

if TYPE_CHECKING:
    from harvester.actions import PreviewsResult, RunEvent

_QUALITIES, _FORMATS = "lq|hq", "ogg|mp3"
_LINE_EVERY_S = 60.0


@grouped
def previews(
    *,
    all: Annotated[bool, typer.Option("--all", help="Take every sound of the library.")] = False,
    quality: Annotated[
        str,
        typer.Option(metavar=_QUALITIES, autocompletion=completing(_QUALITIES), help="Fetch this quality, or keep hq."),
    ] = "lq",
    format: Annotated[
        str, typer.Option(metavar=_FORMATS, autocompletion=completing(_FORMATS), help="Fetch this format.")
    ] = "ogg",
    max_files: Annotated[int, bounded(COUNT, "Request at most N files in this run.")] = 1_000,
    max_size: Annotated[
        str, typer.Option(metavar="500MB", callback=check_size, help="Let the folder grow to this size.")
    ] = "500MB",
    concurrency: Annotated[int, bounded(PREVIEW_CONCURRENCY, "Send at most N requests at the same time.")] = 2,
    per_minute: Annotated[
        int | None,
        bounded(
            PREVIEWS_PER_MINUTE,
            "Send at most N requests a minute; to Freesound up to 600.",
            show_default="60; no limit to the embedded sandbox",
        ),
    ] = None,
    api_url: SandboxUrlOption = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Fetch made-up sounds from the embedded sandbox.")] = False,
    dry_run: DryRunOption = False,
    library: LibraryOption = None,
    select: SelectOptions,
    as_json: JsonOption = False,
) -> None:
    """Fetch the previews of selected sounds.

    They go to previews/ in the library's folder, named by id, with a manifest and credits. Options that select sounds,
    or --all, must say which. A preview that is here is not fetched again: run the command again for the rest. No
    request has your API key. Git does not take the folder, and `harvester forget` removes the preview too.
    """
    from harvester import actions

    with stopping("the previews so far are whole") as asked_to_stop, _showing() as on_progress:
        report = actions.fetch_previews(
            library,
            all=all,
            quality=quality,
            format=format,
            max_files=max_files,
            max_size=max_size,
            concurrency=concurrency,
            per_minute=per_minute,
            api_url=api_url,
            sandbox=sandbox,
            dry_run=dry_run,
            verbose=Console.verbose,
            on_progress=on_progress,
            asked_to_stop=asked_to_stop,
            **select.keywords(),
        )
    note(*report.notices)
    for line in _planned(report, max_files, max_size) if dry_run else _done(report):
        say(line)
    if as_json:
        print_json(report.as_dict())


def _done(report: PreviewsResult) -> Iterator[str]:
    asked = report.fetched + report.lost + report.failed
    if not asked and not report.left:
        yield f"nothing to do: {counted(report.here, 'preview')} here already{_waiting(report)}"
    else:
        end = f"{report.end}: " if report.end else ""
        parts = [f"{counted(report.fetched, 'preview')} fetched ({size_text(report.fetched_bytes)})"]
        parts += [f"{report.lost:,} not on the server"] if report.lost else []
        parts += [f"{report.failed:,} failed"] if report.failed else []
        parts += [f"{report.here:,} here before"] if report.here else []
        # In a full folder another run would fetch nothing.
        to_do = "raise --max-size" if "--max-size" in report.end else "run it again"
        parts += [f"{report.left:,} left: {to_do}"] if report.left else []
        yield f"{end}{', '.join(parts)}, in {duration_text(report.seconds)}{_waiting(report)}"
    if report.lost or report.failed:
        yield "what did not come is listed in lost.jsonl, and requested again by a later run: after hours or days"
    yield f"{report.folder}: {counted(report.files, 'file')}, {size_text(report.size_bytes)}"


def _planned(report: PreviewsResult, max_files: int, max_size: str) -> Iterator[str]:
    pace = "without a limit"
    if report.per_minute:
        pace = f"in about {duration_text(60 * report.left / report.per_minute)} at {report.per_minute:,} a minute"
    yield "dry run: this is what would be done, and nothing is changed"
    wanted = f"{counted(report.left, 'preview')} to fetch, about {size_text(report.expected_bytes)}"
    yield f"{counted(report.selected, 'sound')}: {wanted}, {pace}; {report.here:,} here already{_waiting(report)}"
    if report.left > max_files:
        yield f"one run requests at most {max_files:,} of them: run it again for the rest, or raise --max-files"
    if report.size_bytes + report.expected_bytes > parse_size_bytes(max_size):
        yield f"the folder may hold {max_size}: raise --max-size for all of them"


def _waiting(report: PreviewsResult) -> str:
    if not report.waiting:
        return ""
    return f"; {report.waiting:,} lost before: requested again from {report.next_retry} on"


@contextmanager
def _showing() -> Iterator[Callable[[RunEvent], None]]:
    """Show the progress as a bar on a terminal, elsewhere a line a minute."""
    if Console.quiet or Console.log_json or not can_redraw("stderr"):
        yield _each_minute()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from harvester.cli.rich_text import stderr_console

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr_console(), transient=True) as bar:
        task = bar.add_task("previews", total=None, visible=False)

        def show(event: RunEvent) -> None:
            if isinstance(event, Told) and event.kind == "preview":
                done, total = int(event.fields["done"] or 0), int(event.fields["total"] or 0)
                bar.update(task, completed=done, total=total, description=event.line, visible=True)
            else:
                bar.update(task, visible=False)
                _print(event)

        yield show


def _print(event: RunEvent) -> None:
    """Print a line; the terms also with `--quiet`, because they come once."""
    if isinstance(event, Told) and event.kind == "terms":
        note(event.line)
    else:
        print_event(event)


def _each_minute() -> Callable[[RunEvent], None]:
    clock = SystemClock()
    told_s = clock.monotonic_s()

    def show(event: RunEvent) -> None:
        nonlocal told_s
        if isinstance(event, Told) and event.kind == "preview":
            if clock.monotonic_s() - told_s < _LINE_EVERY_S:
                return
            told_s = clock.monotonic_s()
        _print(event)

    return show
