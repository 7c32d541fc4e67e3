"""`harvester sandbox`: run the embedded server until a signal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.console import print_lines
from harvester.cli.options import check_finite
from harvester.settings import COUNT_FROM_ZERO, LATENCY_MS, PORT, RANDOM_SEED, SCORE


def sandbox(
    port: Annotated[
        int, typer.Option(min=PORT.least, max=PORT.most, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    token: Annotated[list[str] | None, typer.Option(help="Key to accept, repeatable. [default: sandbox]")] = None,
    sounds: Annotated[int, typer.Option(help="Size of the generated catalogue, 1 to 1,000,000.")] = 5_000,
    random_seed: Annotated[
        int,
        typer.Option(
            min=RANDOM_SEED.least, max=RANDOM_SEED.most, help="Random seed of the generated catalogue and of faults."
        ),
    ] = 7,
    catalogue: Annotated[
        list[Path] | None,
        typer.Option(help="JSON lines of sounds to serve instead of generated ones, repeatable.", metavar="FILE.jsonl"),
    ] = None,
    burst: Annotated[
        int,
        typer.Option(min=COUNT_FROM_ZERO.least, max=COUNT_FROM_ZERO.most, help="Requests a minute a key may make."),
    ] = 60,
    daily: Annotated[
        int,
        typer.Option(min=COUNT_FROM_ZERO.least, max=COUNT_FROM_ZERO.most, help="Requests in 24 hours a key may make."),
    ] = 2_000,
    no_throttle: Annotated[bool, typer.Option("--no-throttle", help="Lift both limits.")] = False,
    deleted_share: Annotated[
        float,
        typer.Option(
            callback=check_finite,
            min=SCORE.least,
            max=SCORE.most,
            help="Share of deleted sounds, which searches still list as null rows.",
        ),
    ] = 0,
    latency_ms: Annotated[
        float,
        typer.Option(
            callback=check_finite, min=LATENCY_MS.least, max=LATENCY_MS.most, help="Wait before every answer."
        ),
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Inject a fault (repeatable): KIND@name=value…, with any of rate=R "
            "(a share), path=TEXT (contained), from=N, to=M, every=K (of those requests), after=S, until=S (seconds). "
            "Kinds: 500 500-html 502 503 504 400-solr-down 400-solr-drops 400-solr-500 400-solr-503 401 429-burst "
            "429-day null duplicate missing-field mistyped truncate reset no-answer drip. "
            "For example 500-html@rate=0.01 or null@path=/similar/@every=7.",
        ),
    ] = None,
    access_log: Annotated[Path | None, typer.Option(help="Append one JSON object a request, without any key.")] = None,
) -> None:
    """Serve a local server like Freesound on loopback, until Ctrl-C or SIGTERM."""
    import asyncio
    import signal

    from harvester.clock import SystemClock
    from harvester.sandbox import Catalogue, Fault, GeneratedCatalogue, RecordedCatalogue, Sandbox, serving

    faults = [Fault.parse(rule) for rule in fault or ()]
    served: Catalogue = RecordedCatalogue.load(catalogue) if catalogue else GeneratedCatalogue(sounds, random_seed)

    async def serve() -> None:
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        box = Sandbox(
            served,
            clock=SystemClock(),
            tokens=token or ("sandbox",),
            burst=None if no_throttle else burst,
            daily=None if no_throttle else daily,
            faults=faults,
            random_seed=random_seed,
            deleted_share=deleted_share,
        )
        async with serving(box, port=port, latency_s=latency_ms / 1000, access_log=access_log) as address:
            print_lines(f"listening on {address}")
            sys.stdout.flush()
            await ended.wait()

    asyncio.run(serve())
