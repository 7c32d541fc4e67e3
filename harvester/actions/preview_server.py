"""Find where the previews of a library are: Freesound, or its sandbox."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harvester.actions.connect import SANDBOX_KEY, SANDBOX_SEED, SANDBOX_SOUNDS, Connection, open_server
from harvester.actions.events import Reporter
from harvester.clock import Clock
from harvester.errors import SettingsError, WrongSource
from harvester.freesound import LEVELS, FileHosts, read_api_url
from harvester.library_source import ANY_SANDBOX, described, is_sandbox
from harvester.sandbox import LONGEST_PREVIEW_S, GeneratedCatalogue

_ANYWHERE = "http://127.0.0.1/apiv2/"
"""Stands for a sandbox to which no request is sent."""


def check_preview_server(folder: Path, source: str, api_url: str | None, *, sandbox: bool) -> None:
    """Raise unless the previews of this library can be fetched.

    `WrongSource` for a sandbox where the sounds are real, `SettingsError` for made-up sounds of another sandbox than
    the embedded one without its address.
    """
    if not is_sandbox(source):
        if sandbox:
            raise WrongSource(
                f"{folder} is for {described(source)}, whose previews no sandbox has; nothing was fetched"
            )
        return
    if is_embedded(source, api_url, sandbox=sandbox) and source not in (ANY_SANDBOX, _embedded_source()):
        raise SettingsError(
            f"{folder} is for {described(source)}, which the embedded sandbox of this version does not have: name the "
            "address of that sandbox with --api-url; nothing was fetched"
        )


def is_embedded(source: str, api_url: str | None, *, sandbox: bool) -> bool:
    """Tell whether the previews come from the sandbox in this process."""
    return is_sandbox(source) and (sandbox or api_url is None)


def longest_preview_s(source: str) -> float:
    """Return the seconds after which a preview of such sounds is cut off."""
    return LONGEST_PREVIEW_S if is_sandbox(source) else math.inf


def hosts_of(source: str, api_url: str | None) -> FileHosts:
    """Return the hosts of a library's previews, to plan with."""
    return FileHosts((api_url or _ANYWHERE) if is_sandbox(source) else None)


@asynccontextmanager
async def serving_previews(
    source: str, api_url: str | None, clock: Clock, reporter: Reporter
) -> AsyncIterator[FileHosts]:
    """Yield the hosts of a library's previews.

    `api_url` None: the embedded sandbox for made-up sounds, which runs while the block lasts.
    """
    if api_url is not None or not is_sandbox(source):
        yield hosts_of(source, None if api_url is None else read_api_url(api_url))
        return
    async with open_server(Connection(SANDBOX_KEY, None, LEVELS[99], sandbox=True), clock, reporter) as server:
        yield FileHosts(server.url)


def _embedded_source() -> str:
    return ANY_SANDBOX + GeneratedCatalogue(SANDBOX_SOUNDS, SANDBOX_SEED).digest
