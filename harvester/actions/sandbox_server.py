"""Serve a sandbox: a local server that answers as Freesound does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from harvester.actions.keywords import StrPath, Texts, check_number
from harvester.actions.options import check_texts, check_whole, keywords_named
from harvester.clock import SystemClock
from harvester.open_files import OWN_FILES, allow_open_files
from harvester.sandbox import Catalogue, Fault, GeneratedCatalogue, RecordedCatalogue, Sandbox, serving
from harvester.settings import CONCURRENCY, COUNT_FROM_ZERO, GENERATED_SOUNDS, LATENCY_MS, PORT, RANDOM_SEED, SCORE
from harvester.storage import read_path


@asynccontextmanager
async def serve_sandbox(
    *,
    port: int = 0,
    token: Texts | None = None,
    sounds: int = 5_000,
    random_seed: int = 7,
    catalogue: StrPath | Iterable[StrPath] | None = None,
    burst: int = 60,
    daily: int = 2_000,
    no_throttle: bool = False,
    deleted_share: float = 0,
    latency_ms: float = 0,
    fault: Texts | None = None,
    access_log: StrPath | None = None,
) -> AsyncIterator[str]:
    """Serve a sandbox while the block lasts, and yield its address.

    It listens on 127.0.0.1. `port` 0 takes a free one. `token`: the keys it accepts, by default `sandbox`. It generates
    `sounds` of them from `random_seed`, or serves those of `catalogue`, one file of JSON lines or several. With a key
    it accepts `burst` requests a minute and `daily` in 24 hours, or any number with `no_throttle`. `deleted_share` of
    the sounds are deleted; every answer waits `latency_ms`. `fault`: rules such as `500-html@rate=0.01`. `access_log`:
    append a JSON line for each request.

    Raises `SettingsError` that names a wrong keyword, and for a port or a log that cannot be opened.
    """
    with keywords_named(serve_sandbox):
        keys, rules = check_texts("--token", token), check_texts("--fault", fault)
        share = check_number("--deleted-share", deleted_share, SCORE)
        seed = check_whole("--random-seed", random_seed, RANDOM_SEED)
        limits = check_whole("--burst", burst, COUNT_FROM_ZERO), check_whole("--daily", daily, COUNT_FROM_ZERO)
        count, number = check_whole("--sounds", sounds, GENERATED_SOUNDS), check_whole("--port", port, PORT)
        latency_s = check_number("--latency-ms", latency_ms, LATENCY_MS) / 1000
        faults = [Fault.parse(rule) for rule in rules]
    given = [catalogue] if isinstance(catalogue, str | os.PathLike) else catalogue or ()
    files = [read_path(one) for one in given]
    served: Catalogue = RecordedCatalogue.load(files) if files else GeneratedCatalogue(count, seed)
    allow_open_files("the sandbox", OWN_FILES + CONCURRENCY.most)
    sandbox = Sandbox(
        served,
        clock=SystemClock(),
        tokens=keys or ("sandbox",),
        burst=None if no_throttle else limits[0],
        daily=None if no_throttle else limits[1],
        faults=faults,
        random_seed=seed,
        deleted_share=share,
    )
    async with serving(
        sandbox,
        port=number,
        latency_s=latency_s,
        access_log=None if access_log is None else read_path(access_log),
    ) as address:
        yield address
