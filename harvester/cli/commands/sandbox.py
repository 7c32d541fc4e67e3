"""`harvester sandbox`: run the embedded server until a signal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.console import print_lines
from harvester.cli.options import bounded, check_finite
from harvester.settings import COUNT_FROM_ZERO, GENERATED_SOUNDS, LATENCY_MS, PORT, RANDOM_SEED, SCORE


def _check_faults(rules: list[str] | str | None) -> list[str] | str | None:
    """Return rules; raise `SettingsError` for a text that is none."""
    if rules:
        from harvester.actions import check_faults

        check_faults([rules] if isinstance(rules, str) else rules)
    return rules


def sandbox(
    port: Annotated[int, bounded(PORT, "Listen on this port of 127.0.0.1; 0 takes a free one.")] = 0,
    token: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Accept this key (repeatable).", show_default="sandbox"),
    ] = None,
    sounds: Annotated[int, bounded(GENERATED_SOUNDS, "Generate N sounds.")] = 5_000,
    random_seed: Annotated[int, bounded(RANDOM_SEED, "Seed the generated sounds and the faults.")] = 7,
    catalogue: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.jsonl", help="Serve the sounds of this file of JSON lines (repeatable)."),
    ] = None,
    burst: Annotated[int, bounded(COUNT_FROM_ZERO, "Accept N requests a minute with a key.")] = 60,
    daily: Annotated[int, bounded(COUNT_FROM_ZERO, "Accept N requests in 24 hours with a key.")] = 2_000,
    no_throttle: Annotated[bool, typer.Option("--no-throttle", help="Lift both limits.")] = False,
    deleted_share: Annotated[
        float,
        bounded(
            SCORE,
            "Delete this share of the sounds; searches list them as null rows.",
            metavar="SHARE",
            callback=check_finite,
        ),
    ] = 0,
    latency_ms: Annotated[
        float, bounded(LATENCY_MS, "Wait this long before every answer.", metavar="MS", callback=check_finite)
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            callback=_check_faults,
            help="Inject a fault (repeatable): KIND@name=value…, with any of rate=R "
            "(a share), path=TEXT (contained), from=N, to=M, every=K (of those requests), after=S, until=S (seconds), "
            "retry-after=S (a header, with errors). "
            "Kinds: 404 500 500-html 502 503 504 400-solr-down 400-solr-drops 400-solr-500 400-solr-503 401 429-burst "
            "429-day null duplicate missing-field mistyped truncate reset no-answer drip. "
            "For example 500-html@rate=0.01 or null@path=/similar/@every=7.",
        ),
    ] = None,
    access_log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append one JSON object a request, without any key.")
    ] = None,
) -> None:
    """Run a local server that answers as Freesound does.

    It listens on this machine only, until Ctrl-C or SIGTERM.
    """
    import asyncio

    from harvester import actions
    from harvester.interrupts import taking

    async def serve() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        with taking(lambda _number: loop.call_soon_threadsafe(ended.set)):
            await serve_until(ended)

    async def serve_until(ended: asyncio.Event) -> None:
        async with actions.serve_sandbox(
            port=port,
            token=token,
            sounds=sounds,
            random_seed=random_seed,
            catalogue=catalogue,
            burst=burst,
            daily=daily,
            no_throttle=no_throttle,
            deleted_share=deleted_share,
            latency_ms=latency_ms,
            fault=fault,
            access_log=access_log,
        ) as address:
            print_lines(f"listening on {address}")
            sys.stdout.flush()
            await ended.wait()

    asyncio.run(serve())
