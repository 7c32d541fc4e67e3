"""Listen on a loopback socket; log nothing of what clients do wrong.

Any program of this machine can send malformed requests to a server, as often as it likes: no terminal fills with them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from harvester.errors import SettingsError

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LOG = logging.getLogger(__name__)
_MALFORMED = HttpProcessingError, web.RequestPayloadError


def _is_ours(record: logging.LogRecord) -> bool:
    return not isinstance(record.exc_info[1] if record.exc_info else None, _MALFORMED)


_LOG.addFilter(_is_ours)


@asynccontextmanager
async def listening(handle: Handler, host: str, port: int, cannot: str, **limits: Any) -> AsyncIterator[int]:
    """Answer requests with `handle` for the block, and yield the port.

    Port 0 takes a free one; `limits` are those of `web.Server`. On exit, open connections are closed at once. Raises
    `SettingsError`, which begins with the words `cannot`, for a port in use.
    """
    server = web.Server(handle, access_log=None, handler_cancellation=True, logger=_LOG, **limits)
    runner = web.ServerRunner(server, shutdown_timeout=0.05)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as problem:
            raise SettingsError(f"{cannot} on {host}:{port}: {os.strerror(problem.errno or 0)}") from problem
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
