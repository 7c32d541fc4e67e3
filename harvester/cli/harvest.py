"""`harvester harvest`: reads the options into a plan and runs it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.console import LibraryOption
from harvester.cli.git import CommitBackupsOption, CommitOption, Growth, commit_after
from harvester.cli.options import (
    ApiUrlOption,
    BackupEveryOption,
    ByOption,
    Cc0Option,
    ConcurrencyOption,
    ExtraFieldsOption,
    FilterOption,
    ForeverOption,
    KeepBackupsOption,
    LevelOption,
    LimitsOption,
    MaxDurationOption,
    MaxRequestsOption,
    NeighboursOption,
    ProgressOption,
    QueryOption,
    SandboxOption,
    SeedOption,
    SweepOption,
    TagOption,
    TimeLimitOption,
    TypeOption,
    check_sweep,
    one_of,
    read_connection,
    read_filter,
)
from harvester.errors import SettingsError
from harvester.settings import parse_duration_s


def harvest(
    library: LibraryOption = None,
    seed: SeedOption = None,
    query: QueryOption = "",
    filter: FilterOption = "",
    cc0: Cc0Option = False,
    by: ByOption = False,
    max_duration: MaxDurationOption = None,
    tag: TagOption = None,
    type: TypeOption = None,
    sweep: SweepOption = False,
    samples: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Samples to add.", show_default="50; no end with --forever; all hits with --sweep"
        ),
    ] = None,
    forever: ForeverOption = False,
    neighbours: NeighboursOption = 25,
    order: Annotated[str, typer.Option(metavar="popular|breadth|random", help="Which waiting sound comes next.")] = (
        "popular"
    ),
    random_seed: Annotated[int, typer.Option(metavar="N", help="For --order random.")] = 0,
    concurrency: ConcurrencyOption = 4,
    level: LevelOption = 1,
    limits: LimitsOption = None,
    max_requests: MaxRequestsOption = None,
    time_limit: TimeLimitOption = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="laion_clap|freesound_classic",
            help="The similarity space of a new library.",
            show_default="laion_clap",
        ),
    ] = None,
    extra_fields: ExtraFieldsOption = "",
    checkpoint_interval: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples that may share one durable commit.")
    ] = 1,
    backup_every: BackupEveryOption = 100,
    keep_backups: KeepBackupsOption = 5,
    api_url: ApiUrlOption = None,
    sandbox: SandboxOption = False,
    commit: CommitOption = None,
    commit_backups: CommitBackupsOption = False,
    progress: ProgressOption = None,
) -> None:
    """Grow the library: fetch sounds and their similar sounds, every one durable at once.

    Goes on where the last run stopped. Ctrl-C ends in order, a second one at once; nothing counted is lost either way.
    With --sweep it first collects every hit of the search and then links those; --samples 0 collects only.
    Without an API key it harvests the embedded sandbox into data/sandbox_library.
    """
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
    from harvester.cli.display import summarise
    from harvester.cli.run import Run
    from harvester.cli.session import Request, run_session
    from harvester.model import SPACES
    from harvester.pipeline.fetcher import Search
    from harvester.pipeline.harvest import Plan
    from harvester.pipeline.order import ORDERS

    one_of("--order", order, ORDERS)
    if space is not None:
        one_of("--space", space, SPACES)
    walk_filter = read_filter(filter, cc0, by, max_duration, tag, type)
    check_sweep(sweep, query, walk_filter, seed)
    if samples == 0 and not sweep:
        raise SettingsError("--samples 0 only makes sense with --sweep; `harvester plan` tells what a harvest costs")
    plan = Plan(
        target=samples if samples is not None else None if forever or sweep else 50,
        seed_ids=tuple(dict.fromkeys(seed or ())),
        new_seeds=bool(query or walk_filter) and not seed,
        search=Search(query, walk_filter, neighbours),
        order=order,
        random_seed=random_seed,
        sweep=sweep,
        concurrency=concurrency,
        samples_per_commit=checkpoint_interval,
        forever=forever,
        time_limit_s=parse_duration_s(time_limit) if time_limit else None,
    )
    request = Request(
        plan=plan,
        connection=read_connection(
            level=level,
            limits=limits,
            api_url=api_url,
            sandbox=sandbox,
            max_requests=max_requests,
            extra_fields=extra_fields,
            forever=forever,
        ),
        folder=Path(library) if library else None,
        space=space,
        backup_every=backup_every,
        keep_backups=keep_backups,
        panel=sys.stderr.isatty() if progress is None else progress,
    )
    grown: list[Growth] = []

    def finish(run: Run, reason: str) -> None:
        summarise(run, reason)
        done = run.harvest.progress
        grown.append(
            Growth(
                run.folder,
                run.store.state.source,
                done.samples,
                len(run.store.state.processed),
                done.new_edges,
                run.client.activity.counted,
            )
        )

    asyncio.run(run_session(request, finish))
    # After the lock is free: a hook of the user's may want to read the library.
    for growth in grown:
        commit_after(growth, commit, with_backups=commit_backups)
