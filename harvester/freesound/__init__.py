"""Request sounds from Freesound's API; `API.md` has the facts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from harvester.freesound.address import API_URL, is_loopback, read_api_url
from harvester.freesound.fields import read_extra_fields
from harvester.freesound.file_hosts import AddressRefused, FileHosts
from harvester.freesound.key import ApiKey
from harvester.freesound.ledger import FileLedger, count_requests, state_folder
from harvester.freesound.quota import LEVELS, Ledger, Limits, MemoryLedger, read_limits
from harvester.freesound.wire import SANDBOX_HEADER, RawResponse, TransportFailure

if TYPE_CHECKING:
    from harvester.freesound.client import FreesoundClient
    from harvester.freesound.downloads import Downloads, FileLost
    from harvester.freesound.file_transport import FileSink, FileTransport
    from harvester.freesound.proxy import proxy_for
    from harvester.freesound.transport import AiohttpTransport

_LATE = {
    "FreesoundClient": "client",
    "AiohttpTransport": "transport",
    "proxy_for": "proxy",
    "Downloads": "downloads",
    "FileLost": "downloads",
    "FileSink": "file_transport",
    "FileTransport": "file_transport",
}
"""Imported on first use: they need aiohttp, which takes 0.2 s to import, or urllib.request."""


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
