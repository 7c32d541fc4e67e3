"""Turn coroutines into functions that block, for scripts and threads.

They work in a notebook's cell too. Owns what Ctrl-C does to them: once, the run ends in order; twice, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast

from harvester.clock import Stop

P = ParamSpec("P")
T = TypeVar("T")

_LOOK_EVERY_S = 0.1
"""How often a thread that waits for another looks whether its own task was cancelled."""


def blocking(action: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Return `action` as a function that blocks until it has ended.

    In a thread without a running event loop it uses `asyncio.run`. Where one is running it uses a thread of its own,
    and calls `on_progress` there. Ctrl-C once ends the run in order, and `KeyboardInterrupt` is raised after that; a
    second Ctrl-C ends it at once, as a cancellation does.
    """
    stoppable = "stop" in signature(action).parameters  # without it, there is nothing to save

    @wraps(action)
    def blocks(*given: P.args, **named: P.kwargs) -> T:
        options: dict[str, Any] = dict(named)
        stop: Stop | None = None
        if stoppable:
            stop = options["stop"] = options.get("stop") or Stop()
        work = _Work(lambda: cast(Any, action)(*given, **options), stop)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return cast(T, asyncio.run(work.run()))
        return cast(T, _in_a_thread(work))

    blocks.__name__ = f"run_{action.__name__}"
    blocks.__qualname__ = f"run_{action.__qualname__}"
    blocks.__doc__ = f"Block until `{action.__name__}` has ended, and return its result.\n\n{_HOW}{action.__doc__}"
    return blocks


_HOW = """\
    It works where an event loop is running, too: it then uses a thread of its own, and calls `on_progress` there.
    Ctrl-C once ends the run in order and raises `KeyboardInterrupt` after that; a second Ctrl-C ends it at once, as a
    cancellation does. All else is as in the coroutine:

    """


class _Work:
    """A coroutine and its stop.

    The first cancellation ends it in order, the second at once; without a stop, the first does that.
    """

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Any]], stop: Stop | None) -> None:
        self._start, self._stop = start, stop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> Any:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        action = asyncio.ensure_future(self._start())
        try:
            return await asyncio.shield(action)
        except asyncio.CancelledError:
            if self._stop is None:
                action.cancel()
            else:
                self._stop.close("interrupted", by_person=True)
            await action
            raise

    def cancel(self) -> None:
        """Cancel it from another thread.

        Has no effect before its start and after its end.
        """
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._task.cancel)


def _in_a_thread(work: _Work) -> Any:
    host = asyncio.current_task()
    cancelled_before = host.cancelling() if host is not None else 0
    ended: BaseException | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="harvester") as pool:
        running: Future[Any] = pool.submit(asyncio.run, work.run())
        while not running.done():
            try:
                wait((running,), timeout=_LOOK_EVERY_S)
                if ended is None and host is not None and host.cancelling() > cancelled_before:
                    # `asyncio.run` answers Ctrl-C by cancelling its task, which does not reach a task that blocks.
                    ended = asyncio.CancelledError()
                    work.cancel()
            except KeyboardInterrupt as error:
                ended = error
                work.cancel()
        if ended is not None and isinstance(running.exception(), asyncio.CancelledError | None):
            raise ended
        return running.result()
