"""`harvester harvest`: read the options into a plan and run it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from harvester.cli.commands.git import CommitBackupsOption, CommitOption, commit_after
from harvester.cli.completion import completing
from harvester.cli.console import LibraryOption
from harvester.cli.options import (
    SPACE_NAMES,
    NeighboursOption,
    RunOptions,
    SamplesOption,
    ScopeOptions,
    bounded,
    grouped,
    one_of,
)
from harvester.errors import SettingsError
from harvester.settings import COUNT, RANDOM_SEED, SAMPLES_PER_COMMIT

_ORDERS = "popular|breadth|random"


@grouped
def harvest(
    *,
    library: LibraryOption = None,
    scope: ScopeOptions,
    samples: SamplesOption = None,
    neighbours: NeighboursOption = 25,
    order: Annotated[
        str,
        typer.Option(
            metavar=_ORDERS, autocompletion=completing(_ORDERS), help="Choose which waiting sound comes next."
        ),
    ] = "popular",
    random_seed: Annotated[int, bounded(RANDOM_SEED, "Seed the order of --order random.")] = 0,
    space: Annotated[
        str | None,
        typer.Option(
            metavar=SPACE_NAMES,
            autocompletion=completing(SPACE_NAMES),
            help="Choose the similarity space of a new library.",
            show_default="laion_clap",
        ),
    ] = None,
    checkpoint_interval: Annotated[
        int, bounded(COUNT, "Save at most N processed sounds with one commit; none waits for another.")
    ] = SAMPLES_PER_COMMIT,
    run: RunOptions,
    commit: CommitOption = None,
    commit_backups: CommitBackupsOption = False,
) -> None:
    """Grow the library: fetch sounds and their similar lists.

    Each sound is saved at once, and the next run continues from there. Press Ctrl-C once to stop cleanly, twice to
    abort; no saved sound is lost. --sweep first collects every hit of the search and then fetches the similar lists;
    add --samples 0 to collect only. --vectors collects vectors for `harvester link`, and fetches similar lists only
    with --samples N. Without an API key, the harvest uses the embedded sandbox and sandbox_library.
    """
    from harvester.cli.session import run_session
    from harvester.gitsync import grown_message
    from harvester.model import SPACES
    from harvester.pipeline import ORDERS, Plan

    one_of("--order", order, ORDERS)
    if space is not None:
        one_of("--space", space, SPACES)
    scope_filter = scope.read_filter()
    if samples == 0 and not scope.sweep:
        raise SettingsError("--samples 0 needs --sweep; to see what a harvest costs, use `harvester plan`")
    if scope.vectors and space not in (None, scope.vectors):
        raise SettingsError(f"--space {space} and --vectors {scope.vectors} differ: a library has one similarity space")
    plan = Plan(
        target=scope.samples_to_add(samples, forever=run.forever),
        seed_ids=tuple(dict.fromkeys(scope.seed or ())),
        new_seeds=bool(scope.query or scope_filter) and not scope.seed,
        query=scope.query,
        filter=scope_filter,
        neighbours=neighbours,
        sweep=scope.sweep,
        vectors=scope.vectors or "",
        permitted=scope.i_have_permission,
        order=order,
        random_seed=random_seed,
        concurrency=run.concurrency,
        samples_per_commit=checkpoint_interval,
        forever=run.forever,
    )
    done = asyncio.run(run_session(plan, run, library, space=scope.vectors or space))
    if done is None:
        return
    counted, state = done.harvest.progress, done.store.state
    message = grown_message(counted.samples, len(state.processed), counted.new_edges, done.client.activity.counted)
    # Commit after the lock is released: a hook of the user may read the library.
    commit_after(done.folder, state.source, message, commit, with_backups=commit_backups)
