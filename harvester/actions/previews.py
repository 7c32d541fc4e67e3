"""Fetch the previews of a selection into the library's folder."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack
from urllib.parse import urlsplit

from harvester.actions.blocking import blocking
from harvester.actions.default_library import find_library
from harvester.actions.events import OnProgress, Reporter
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import (
    check_choice,
    check_flag,
    check_listener,
    check_text,
    check_verbosity,
    check_whole,
)
from harvester.actions.preview_result import PreviewsResult, result_of
from harvester.actions.preview_server import (
    check_preview_server,
    hosts_of,
    is_embedded,
    longest_preview_s,
    serving_previews,
)
from harvester.actions.quantities import size_text
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.clock import Clock, Stop, SystemClock
from harvester.counts import counted
from harvester.errors import DiskFull, LibraryUnwritable, SettingsError
from harvester.freesound import Downloads, FileHosts, FileTransport, proxy_for, read_api_url
from harvester.graph import Selected, Selection
from harvester.library import LibraryView, load_view, require_library
from harvester.library_source import ANY_SANDBOX, is_sandbox
from harvester.previews import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    FORMATS,
    QUALITIES,
    TERMS,
    FetchBounds,
    FetchRun,
    FetchTally,
    PreviewFolder,
    PreviewPlan,
    opened_previews,
    plan_previews,
    read_previews,
)
from harvester.settings import COUNT, PREVIEW_CONCURRENCY, PREVIEWS_PER_MINUTE, parse_size_bytes, read_contact
from harvester.told import Level

MOST_FILES, MOST_SIZE = 1_000, "500MB"
PER_MINUTE, MOST_PER_MINUTE = 60, 600
"""Requests a minute without an option, and the most to Freesound's hosts."""
PROGRESS_KIND = "preview"
_SELECTS_NO_SOUND = {"edges", "min_score", "column"}


@dataclass(frozen=True, slots=True)
class _Request:
    """What the caller wants, checked."""

    folder: Path
    selection: Selection
    quality: str
    format: str
    bounds: FetchBounds
    per_minute: int | None
    api_url: str | None
    sandbox: bool
    asked_to_stop: Callable[[], bool]


@naming_keywords
def fetch_previews(
    library: StrPath | None = None,
    *,
    all: bool = False,
    quality: str = DEFAULT_QUALITY,
    format: str = DEFAULT_FORMAT,
    max_files: int = MOST_FILES,
    max_size: int | str = MOST_SIZE,
    concurrency: int = 2,
    per_minute: int | None = None,
    api_url: str | None = None,
    sandbox: bool = False,
    dry_run: bool = False,
    verbose: int = 0,
    on_progress: OnProgress | None = None,
    asked_to_stop: Callable[[], bool] | None = None,
    **selection: Unpack[SelectKeywords],
) -> PreviewsResult:
    """Fetch the previews of a selection into `previews/`.

    The folder lies in the library's. A file is named `ID.ogg`; `manifest.jsonl` has its size, SHA-256, address and
    license, and `CREDITS.md` the credits. `all` takes every sound. Else the other keywords must select some; they are
    those of `SelectKeywords`. `quality` is lq or hq, `format` ogg or mp3. A preview that is here in this quality or a
    higher one is not requested again. At most `max_files` are requested, and the folder grows to `max_size` (bytes, or
    a text such as `500MB`). At most `concurrency` requests (1 to 8) are open, and `per_minute` are sent in a minute: 60
    by default, at most 600 to Freesound; the embedded sandbox has no limit. No request has an API key.

    `library` is its folder; None: the default folder. A sandbox's previews come from the sandbox at `api_url`; without
    it, or with `sandbox`, from the embedded one. With `dry_run` nothing is requested and nothing changed. `on_progress`
    gets lines, and an event of the kind `preview` after each file; with `verbose` 1 (or True) also each request. When
    `asked_to_stop` returns True, open requests are dropped. Needs no lock of the library, so that it may run beside a
    harvest.

    Each preview is whole and durable before it is counted. After a crash, an error or a cancellation every file in the
    folder is whole, and the next call fetches the rest. A preview that the server does not have is requested again
    after 1, 3, 7, 14, then 28 days.

    Raises `SettingsError` that names a wrong keyword, or when nothing is selected; `LibraryNotFound`, `LibraryLocked`
    while another call fetches previews of this library, `WrongSource`, `ApiUnreachable` after ten minutes without an
    answer, `DiskFull`, or `LibraryUnwritable`.
    """
    stop_asked = asked_to_stop or (lambda: False)
    reporter = Reporter(check_listener("--on-progress", on_progress), verbose=check_verbosity("--verbose", verbose))
    request = _Request(
        folder=find_library(library),
        selection=read_selection(**selection),
        quality=check_choice("--quality", quality, QUALITIES),
        format=check_choice("--format", format, FORMATS),
        bounds=FetchBounds(
            check_whole("--max-files", max_files, COUNT),
            check_size("--max-size", max_size),
            check_whole("--concurrency", concurrency, PREVIEW_CONCURRENCY),
        ),
        per_minute=None if per_minute is None else check_whole("--per-minute", per_minute, PREVIEWS_PER_MINUTE),
        api_url=None if api_url is None else read_api_url(check_text("--api-url", api_url)),
        sandbox=check_flag("--sandbox", sandbox),
        asked_to_stop=stop_asked,
    )
    _check_named(check_flag("--all", all), selection)
    require_library(request.folder)
    if check_flag("--dry-run", dry_run):
        return _rehearse(request, SystemClock())
    return blocking(_fetch)(request, reporter)


def check_size(option: str, value: object) -> int:
    """Return a size in bytes, given as a number or a text."""
    if isinstance(value, str):
        try:
            return parse_size_bytes(value)
        except SettingsError as error:
            raise SettingsError(f"{option}: {error}") from None
    return check_whole(option, value, COUNT._replace(most=10**15))


def _check_named(all: bool, selection: SelectKeywords) -> None:
    chosen = {name for name, value in selection.items() if _is_given(value)}
    if all and chosen - _SELECTS_NO_SOUND:
        raise SettingsError("--all takes every sound: leave it out, or leave out the options that select sounds")
    if not all and not chosen - _SELECTS_NO_SOUND:
        raise SettingsError(
            "no sound is selected: name some, as with --query rain or --license CC0, or take every sound with --all; "
            "--dry-run tells what it would take; nothing was fetched"
        )


def _is_given(value: object) -> bool:
    return value is not None and value is not False and not (isinstance(value, str | list | tuple) and not value)


def _rehearse(request: _Request, clock: Clock) -> PreviewsResult:
    began_s, view = clock.monotonic_s(), load_view(request.folder)
    source, pace = view.state.source, _check_server(request, view.state.source)
    chosen, notices = select_from(view, request.selection, measured=False)
    folder = read_previews(request.folder)
    plan = _plan(request, chosen, folder, hosts_of(source, request.api_url), source, clock)
    seconds = clock.monotonic_s() - began_s
    return result_of(request.folder, plan, folder, FetchTally(), pace, dry_run=True, seconds=seconds, notices=notices)


def _check_server(request: _Request, source: str) -> int | None:
    """Return how many requests are sent in a minute, None: without a limit.

    Raises as `check_preview_server`, and for a pace that Freesound must not be sent.
    """
    check_preview_server(request.folder, source, request.api_url, sandbox=request.sandbox)
    pace = request.per_minute
    if pace is not None and pace > MOST_PER_MINUTE and not is_sandbox(source):
        raise SettingsError(f"--per-minute: at most {MOST_PER_MINUTE} for Freesound; nothing was fetched")
    return pace or (None if is_embedded(source, request.api_url, sandbox=request.sandbox) else PER_MINUTE)


async def _fetch(request: _Request, reporter: Reporter) -> PreviewsResult:
    clock, stop = SystemClock(), Stop()
    began_s = clock.monotonic_s()
    async with AsyncExitStack() as stack:
        # The lock comes first: a sound that is withdrawn later, `forget` removes here too.
        folder = stack.enter_context(opened_previews(request.folder, clock.time_us()))
        view = await asyncio.to_thread(load_view, request.folder)
        source = view.state.source
        pace = _check_server(request, source)
        chosen, notices = await asyncio.to_thread(select_from, view, request.selection, measured=False)
        if withdrawn := folder.drop_withdrawn(view.state):
            reporter.tell(f"{counted(withdrawn, 'preview')} of withdrawn sounds removed")
        address = None if request.sandbox else request.api_url
        plan = _plan(request, chosen, folder, hosts_of(source, address), source, clock)
        tally = FetchTally()
        try:
            if plan.wanted:
                hosts = await stack.enter_async_context(serving_previews(source, address, clock, reporter))
                plan = _plan(request, chosen, folder, hosts, source, clock)
                await _fetch_wanted(request, plan, folder, tally, source, hosts, pace, clock, stop, reporter)
        except BaseException:
            # The rows are in the folder already; on a full disk the next run puts them in order.
            with suppress(DiskFull, LibraryUnwritable):
                _finish(folder, view)
            if tally.fetched:
                size = size_text(tally.size_bytes)
                reporter.tell(f"{counted(tally.fetched, 'preview')} came before that ({size}), each whole")
            raise
        _finish(folder, view)
        seconds, notices = clock.monotonic_s() - began_s, (*notices, *reporter.notices)
        return result_of(request.folder, plan, folder, tally, pace, dry_run=False, seconds=seconds, notices=notices)


async def _fetch_wanted(
    request: _Request,
    plan: PreviewPlan,
    folder: PreviewFolder,
    tally: FetchTally,
    source: str,
    hosts: FileHosts,
    per_minute: int | None,
    clock: Clock,
    stop: Stop,
    reporter: Reporter,
) -> None:
    if not folder.terms_were_told:
        for line in TERMS:
            reporter.tell(line, kind="terms")
        if reporter.listens:
            folder.remember_terms()
    host = urlsplit(plan.wanted[0].url).netloc
    count = min(len(plan.wanted), request.bounds.most_files)
    wanted = counted(len(plan.wanted), "preview")
    some = f"{count:,} of {wanted}" if count < len(plan.wanted) else wanted
    pace = f"{per_minute:,} a minute" if per_minute else "without a limit"
    size = size_text(sum(one.expected_bytes for one in plan.wanted[:count]))
    reporter.tell(f"fetching {some} ({request.quality} {request.format}, about {size}) from {host}, {pace}")
    reached = [0]

    def done(tally: FetchTally) -> None:
        reached[0] += 1
        reporter.tell(
            f"{reached[0]:,} of {count:,} previews, {size_text(tally.size_bytes)}",
            Level.PROGRESS, PROGRESS_KIND, done=reached[0], total=count, bytes=tally.size_bytes,
        )  # fmt: skip

    transport = FileTransport(hosts, clock, contact=read_contact(os.environ), proxy_of=proxy_for)
    async with transport:
        downloads = Downloads(
            transport,
            host,
            clock=clock,
            stop=stop,
            per_minute=per_minute,
            rng=random.Random(),
            on_event=reporter.pass_on,
        )
        sandbox = source.removeprefix(ANY_SANDBOX) if is_sandbox(source) else ""
        run = FetchRun(folder, downloads, request.bounds, clock, stop, sandbox, done, tally)
        await run.fetch(plan.wanted, request.asked_to_stop)


def _finish(folder: PreviewFolder, view: LibraryView) -> None:
    folder.settle()
    if folder.stored or folder.has_credits:
        folder.write_credits(view.state)


def _plan(
    request: _Request, chosen: Selected, folder: PreviewFolder, hosts: FileHosts, source: str, clock: Clock
) -> PreviewPlan:
    return plan_previews(
        list(chosen.sounds()),
        folder.stored,
        folder.lost,
        hosts,
        quality=request.quality,
        format=request.format,
        longest_s=longest_preview_s(source),
        now_us=clock.time_us(),
    )
