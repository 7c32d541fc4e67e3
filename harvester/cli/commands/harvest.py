"""`harvester harvest`: read the options into a plan and run it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from harvester.cli.commands.git import CommitBackupsOption, CommitOption, commit_after
from harvester.cli.console import LibraryOption
from harvester.cli.options import NeighboursOption, RunOptions, WalkOptions, bounded, grouped, one_of
from harvester.errors import SettingsError
from harvester.settings import COUNT, COUNT_FROM_ZERO, RANDOM_SEED, SAMPLES_PER_COMMIT


@grouped
def harvest(
    *,
    library: LibraryOption = None,
    walk: WalkOptions,
    samples: Annotated[
        int | None,
        bounded(
            COUNT_FROM_ZERO,
            "Samples to add.",
            show_default="50; no end with --forever; all hits with --sweep; none with --vectors",
        ),
    ] = None,
    neighbours: NeighboursOption = 25,
    order: Annotated[str, typer.Option(metavar="popular|breadth|random", help="Which waiting sound comes next.")] = (
        "popular"
    ),
    random_seed: Annotated[int, bounded(RANDOM_SEED, "For --order random.")] = 0,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="laion_clap|freesound_classic",
            help="The similarity space of a new library.",
            show_default="laion_clap",
        ),
    ] = None,
    checkpoint_interval: Annotated[
        int, bounded(COUNT, "Most samples in one durable commit; no sample waits for others.")
    ] = SAMPLES_PER_COMMIT,
    run: RunOptions,
    commit: CommitOption = None,
    commit_backups: CommitBackupsOption = False,
) -> None:
    """Grow the library: fetch sounds and their similar sounds, and save each one at once.

    Continues where the last run stopped. Press Ctrl-C once to stop cleanly, twice to abort; no saved sound is lost.
    With --sweep it first collects every hit of the search and then fetches their similar lists; --samples 0 only
    collects. With --vectors it collects vectors for `harvester link`, and fetches similar lists only for --samples N.
    Without an API key it harvests the embedded sandbox into data/sandbox_library.
    """
    from harvester.cli.session import run_session
    from harvester.gitsync import grown_message
    from harvester.model import SPACES
    from harvester.pipeline import ORDERS, Plan

    one_of("--order", order, ORDERS)
    if space is not None:
        one_of("--space", space, SPACES)
    walk_filter = walk.read_filter()
    if samples == 0 and not walk.sweep:
        raise SettingsError("--samples 0 needs --sweep; to see what a harvest costs, use `harvester plan`")
    if walk.vectors and space not in (None, walk.vectors):
        raise SettingsError(f"--space {space} and --vectors {walk.vectors} differ: a library has one similarity space")
    usual = 0 if walk.vectors else None if run.forever or walk.sweep else 50
    plan = Plan(
        target=samples if samples is not None else usual,
        seed_ids=tuple(dict.fromkeys(walk.seed or ())),
        new_seeds=bool(walk.query or walk_filter) and not walk.seed,
        query=walk.query,
        filter=walk_filter,
        neighbours=neighbours,
        sweep=walk.sweep,
        vectors=walk.vectors or "",
        permitted=walk.i_have_permission,
        order=order,
        random_seed=random_seed,
        concurrency=run.concurrency,
        samples_per_commit=checkpoint_interval,
        forever=run.forever,
    )
    done = asyncio.run(run_session(plan, run, library, space=walk.vectors or space))
    if done is None:
        return
    counted, state = done.harvest.progress, done.store.state
    message = grown_message(counted.samples, len(state.processed), counted.new_edges, done.client.activity.counted)
    # Commit after the lock is released: a hook of the user may read the library.
    commit_after(done.folder, state.source, message, commit, with_backups=commit_backups)
