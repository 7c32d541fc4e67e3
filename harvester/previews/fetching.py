"""Fetch previews: a few at a time, each verified before it counts.

A preview counts once its bytes, its row and its name are durable. Whatever ends a run, all that counted stays, and no
half file keeps its final name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harvester.clock import Clock, Stop
from harvester.errors import FetchFailed, Stopped, WrongSource
from harvester.freesound import SANDBOX_HEADER, Downloads, FileLost
from harvester.pipeline import wait_after_absence, wait_after_failure
from harvester.previews.audio import BEGINNING_BYTES, is_audio
from harvester.previews.folder import PreviewFolder
from harvester.previews.plan import WantedPreview
from harvester.previews.rows import LostPreview, StoredPreview
from harvester.storage import ArrivingFile

_LEAST_BOUND_BYTES, _MOST_BOUND_BYTES = 4_000_000, 400_000_000
_BOUND = 4
"""The most that a body may have of the size that is expected, as a factor."""
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class FetchBounds:
    """The most files of a run, the most bytes of the folder, the tasks."""

    most_files: int
    most_bytes: int
    concurrency: int


@dataclass(slots=True)
class FetchTally:
    """What a run has done so far.

    `fetched` previews of `size_bytes`; `lost`: the server has them not; `failed`: they did not come now. `end`: why
    the run ended before all was done, or an empty text.
    """

    fetched: int = 0
    size_bytes: int = 0
    lost: int = 0
    failed: int = 0
    end: str = ""


@dataclass(eq=False)
class FetchRun:
    """The tasks of one run, and what they share.

    It counts in `tally`, and calls `on_done` after each preview. `sandbox` is the digest of the catalogue that the
    sounds come from, and `folder` is open.
    """

    folder: PreviewFolder
    downloads: Downloads
    bounds: FetchBounds
    clock: Clock
    stop: Stop
    sandbox: str
    on_done: Callable[[FetchTally], None]
    tally: FetchTally

    def __post_init__(self) -> None:
        """Begin with no download."""
        self._started = 0
        self._end = ""
        """Why no further download begins, while open ones go on."""
        self._committing = asyncio.Lock()
        self._space = _Space(self.bounds.most_bytes, self.folder.size_bytes)

    async def fetch(self, wanted: tuple[WantedPreview, ...], asked_to_stop: Callable[[], bool]) -> None:
        """Fetch what is wanted, within the bounds.

        When `asked_to_stop` returns True, open requests are dropped at once. Raises the error that ended the run,
        after all tasks have ended: `ApiUnreachable`, `DiskFull`, `LibraryUnwritable`, `WrongSource`.
        """
        watch = asyncio.ensure_future(self._watch(asked_to_stop))
        queue = iter(wanted)
        try:
            tasks = (self._work(queue) for _ in range(self.bounds.concurrency))
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error
        self.tally.end = self.stop.reason or self._end

    async def _watch(self, asked_to_stop: Callable[[], bool]) -> None:
        while not asked_to_stop():
            await self.clock.sleep(LOOK_EVERY_S)
        self.stop.close("asked to stop", by_person=True)

    async def _work(self, queue: Iterator[WantedPreview]) -> None:
        """Fetch from the queue until it is empty or the run closes."""
        try:
            while (wanted := self._next(queue)) is not None:
                if await self._fetch(wanted):
                    self.on_done(self.tally)
        except Stopped:
            return
        except BaseException:
            self.stop.close("another download ended the run")
            raise

    def _next(self, queue: Iterator[WantedPreview]) -> WantedPreview | None:
        if self.stop.closed or self._end:
            return None
        wanted = next(queue, None)
        if wanted is not None and self._started >= self.bounds.most_files:
            self._end = f"{self.bounds.most_files:,} requested, the most of this run (--max-files)"
            return None
        self._started += wanted is not None
        return wanted

    async def _fetch(self, wanted: WantedPreview) -> bool:
        """Fetch one preview; tell whether what became of it is noted."""
        arriving = self.folder.arriving(wanted.sound_id, wanted.format)
        sink = _PreviewSink(arriving, wanted, self._space)
        try:
            self._space.take(sink, 1)  # a full folder sends no request
            answer = await self.downloads.fetch(wanted.url, sink)
            sink.check_end()
            self._check_source(answer.headers.get(SANDBOX_HEADER, self.sandbox))
            await self._store(arriving, wanted)
        except _NoSpace:
            self._end = f"the folder may hold {self.bounds.most_bytes:,} bytes (--max-size)"
            return False
        except FileLost as lost:
            self.tally.lost += 1
            await self._note(wanted, lost.reason, is_lost=True)
        except FetchFailed as failed:
            self.tally.failed += 1
            await self._note(wanted, failed.reason, is_lost=False)
        finally:
            self._space.release(sink)
            arriving.discard()
        return True

    async def _store(self, arriving: ArrivingFile, wanted: WantedPreview) -> None:
        before = self.folder.stored.get((wanted.sound_id, wanted.format))
        row = StoredPreview(
            wanted.sound_id,
            wanted.format,
            wanted.quality,
            arriving.size_bytes,
            arriving.sha256,
            wanted.address,
            wanted.license,
            self.clock.time_us(),
        )
        async with self._committing:
            await asyncio.to_thread(self.folder.store, arriving, row)
        self._space.used += row.size_bytes - (before.size_bytes if before is not None else 0)
        self.tally.fetched += 1
        self.tally.size_bytes += row.size_bytes

    async def _note(self, wanted: WantedPreview, reason: str, *, is_lost: bool) -> None:
        before = self.folder.lost.get((wanted.sound_id, wanted.format))
        count = 1 if before is None else before.count + 1
        wait_us = wait_after_absence(count) if is_lost else wait_after_failure(count)
        row = LostPreview(
            wanted.sound_id,
            wanted.format,
            wanted.quality,
            wanted.address,
            reason[:200],
            count,
            self.clock.time_us() + wait_us,
        )
        async with self._committing:
            await asyncio.to_thread(self.folder.note_lost, row)

    def _check_source(self, digest: str) -> None:
        if digest != self.sandbox:
            raise WrongSource(
                f"the previews come from another sandbox (catalogue {digest[:40] or 'none'}) than these sounds "
                f"({self.sandbox or 'none'}); nothing of it was saved: check --api-url"
            )


class _NoSpace(Exception):
    """The folder would hold more than it may."""


class _Space:
    """The bytes that the folder may still take, with all open downloads."""

    def __init__(self, most_bytes: int, used: int) -> None:
        self._most_bytes = most_bytes
        self.used = used
        self._taken: dict[object, int] = {}

    def take(self, owner: object, size_bytes: int) -> None:
        """Count the size of an open download; raise `_NoSpace`."""
        self._taken[owner] = size_bytes
        if self.used + sum(self._taken.values()) > self._most_bytes:
            raise _NoSpace

    def grow(self, owner: object, size_bytes: int) -> None:
        """Count a download that is larger than it said."""
        if size_bytes > self._taken[owner]:
            self.take(owner, size_bytes)

    def release(self, owner: object) -> None:
        """Count a download no more."""
        self._taken.pop(owner, None)


class _PreviewSink:
    """Takes the body of one preview: checks its size, type and beginning."""

    def __init__(self, arriving: ArrivingFile, wanted: WantedPreview, space: _Space) -> None:
        self._arriving = arriving
        self._wanted = wanted
        self._space = space
        self._beginning = b""
        self._most_bytes = min(max(_BOUND * wanted.expected_bytes, _LEAST_BOUND_BYTES), _MOST_BOUND_BYTES)

    def begin(self, length: int | None) -> None:
        """Begin the file again; raise `FetchFailed` for a body too large."""
        self._check_size(length or 0)
        self._space.take(self, length or 1)
        self._beginning = b""
        self._arriving.begin()

    def write(self, piece: bytes) -> None:
        """Add bytes; raise `FetchFailed` for what is no audio."""
        size_bytes = self._arriving.size_bytes + len(piece)
        self._check_size(size_bytes)
        self._space.grow(self, size_bytes)
        if len(self._beginning) < BEGINNING_BYTES:
            self._beginning += piece[: BEGINNING_BYTES - len(self._beginning)]
            if len(self._beginning) >= BEGINNING_BYTES:
                self._check_beginning()
        self._arriving.write(piece)

    def check_end(self) -> None:
        """Raise `FetchFailed` unless the whole file can be decoded."""
        if not self._arriving.size_bytes:
            raise FetchFailed("the file is empty")
        self._check_beginning()

    def _check_beginning(self) -> None:
        if not is_audio(self._wanted.format, self._beginning):
            raise FetchFailed(f"it is no {self._wanted.format} file")

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._most_bytes:
            raise FetchFailed(f"it is larger than {self._most_bytes:,} bytes, which its length does not explain")
