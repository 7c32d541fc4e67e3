"""Freesound's API as a client sees it: requests, limits, retries, outages, and answers made into typed records.

`API.md` has the facts with their sources.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from harvester.freesound.address import API_URL, is_loopback, read_api_url
from harvester.freesound.fields import read_extra_fields
from harvester.freesound.key import ApiKey
from harvester.freesound.ledger import FileLedger, count_requests
from harvester.freesound.quota import LEVELS, Ledger, Limits, MemoryLedger, read_limits

if TYPE_CHECKING:
    from harvester.freesound.client import FreesoundClient
    from harvester.freesound.transport import AiohttpTransport

_LATE = {"FreesoundClient": "client", "AiohttpTransport": "transport"}
"""What needs aiohttp, which takes a fifth of a second to import: loaded when it is first used."""


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
