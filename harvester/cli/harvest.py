"""`harvester harvest`: reads the options, joins client, store and ring, and shows what happens."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import LibraryOption
from harvester.errors import SettingsError
from harvester.settings import build_filter, parse_duration_s, read_key

if TYPE_CHECKING:
    pass

REAL_API = "https://freesound.org/apiv2/"


def harvest(
    library: LibraryOption = None,
    seed: Annotated[list[int] | None, typer.Option(metavar="ID", help="Start from this sound (repeatable).")] = None,
    query: Annotated[str, typer.Option(metavar="TEXT", help="Start from the best hits of this search.")] = "",
    filter: Annotated[str, typer.Option(metavar="SOLR", help="Only sounds that match, in Freesound's syntax.")] = "",
    cc0: Annotated[bool, typer.Option("--cc0", help="Only Creative Commons 0 (with --by: either).")] = False,
    by: Annotated[bool, typer.Option("--by", help="Only Attribution (with --cc0: either).")] = False,
    max_duration: Annotated[str | None, typer.Option(metavar="10s", help="Only sounds up to this long.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only with this tag (repeatable).")] = None,
    type: Annotated[list[str] | None, typer.Option(metavar="wav", help="Only of this type (repeatable: any).")] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Samples to add.", show_default="50; no end with --forever")
    ] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Wait for quota and through outages; go on.")] = False,
    neighbours: Annotated[int, typer.Option(min=1, max=150, metavar="N", help="Length of a similar list.")] = 25,
    order: Annotated[str, typer.Option(metavar="popular|breadth|random", help="Which waiting sound comes next.")] = (
        "popular"
    ),
    random_seed: Annotated[int, typer.Option(metavar="N", help="For --order random.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Requests on the wire at once.")] = 4,
    level: Annotated[int, typer.Option(metavar="1|2|3|99", help="The key's throttling level.")] = 1,
    limits: Annotated[
        str | None, typer.Option(metavar="BURST/DAY", help="Requests a minute and a day, instead of --level.")
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Send at most this many requests.")
    ] = None,
    time_limit: Annotated[str | None, typer.Option(metavar="2h", help="Stop in order after this time.")] = None,
    space: Annotated[
        str, typer.Option(metavar="laion_clap|freesound_classic", help="The similarity space of a new library.")
    ] = "laion_clap",
    extra_fields: Annotated[
        str, typer.Option(metavar="bpm,loudness", help="Further fields of the API to keep with every record.")
    ] = "",
    checkpoint_interval: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples that may share one durable commit.")
    ] = 1,
    backup_every: Annotated[int, typer.Option(min=1, metavar="N", help="New sounds between two backups.")] = 100,
    keep_backups: Annotated[int, typer.Option(min=1, metavar="N", help="Backups kept (and always the largest).")] = 5,
    api_url: Annotated[str | None, typer.Option(metavar="URL", help="Ask this server.", show_default=REAL_API)] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Ask the embedded sandbox, even with a key.")] = False,
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="The live panel.", show_default="on a terminal")
    ] = None,
) -> None:
    """Grow the library: fetch sounds and their similar sounds, every one durable at once.

    Goes on where the last run stopped. Ctrl-C ends in order, a second one at once; nothing counted is lost either way.
    Without an API key it harvests the embedded sandbox into data/sandbox_library.
    """
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
    from harvester.cli.session import Request, run_session
    from harvester.freesound.quota import LEVELS, read_limits
    from harvester.model import SPACES
    from harvester.pipeline.fetcher import Search
    from harvester.pipeline.harvest import Plan
    from harvester.pipeline.order import ORDERS

    _one_of("--order", order, ORDERS)
    _one_of("--space", space, SPACES)
    _one_of("--level", level, LEVELS)
    key = read_key(os.environ, Path.cwd())
    walk_filter = build_filter(
        filter,
        cc0=cc0,
        by=by,
        max_duration_s=parse_duration_s(max_duration) if max_duration else None,
        tags=tuple(tag or ()),
        types=tuple(type or ()),
    )
    searched = bool(query or walk_filter)
    plan = Plan(
        target=samples if samples is not None else None if forever else 50,
        seed_ids=tuple(dict.fromkeys(seed or ())),
        new_seeds=searched and not seed,
        search=Search(query, walk_filter, neighbours),
        order=order,
        random_seed=random_seed,
        concurrency=concurrency,
        samples_per_commit=checkpoint_interval,
        forever=forever,
        time_limit_s=parse_duration_s(time_limit) if time_limit else None,
    )
    request = Request(
        plan=plan,
        key=key,
        api_url=None if sandbox or (key is None and api_url is None) else api_url or REAL_API,
        folder=Path(library) if library else None,
        limits=read_limits(limits) if limits else LEVELS[level],
        max_requests=max_requests,
        space=space,
        extra_fields=tuple(name.strip() for name in extra_fields.split(",") if name.strip()),
        backup_every=backup_every,
        keep_backups=keep_backups,
        panel=sys.stderr.isatty() if progress is None else progress,
    )
    asyncio.run(run_session(request))


def _one_of(option: str, value: object, allowed: object) -> None:
    names = [str(name) for name in allowed]  # type: ignore[attr-defined]
    if str(value) not in names:
        raise SettingsError(f"{option} {value} is not known; choose from {', '.join(names)}")
