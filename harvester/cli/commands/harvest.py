"""`harvester harvest`: read the options into a plan and run it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.completion import completing
from harvester.cli.console import LibraryOption, note
from harvester.cli.options import (
    SPACE_NAMES,
    NeighboursOption,
    RunOptions,
    SamplesOption,
    ScopeOptions,
    bounded,
    grouped,
)
from harvester.extension_points import ORDERS
from harvester.settings import COUNT, RANDOM_SEED, SAMPLES_PER_COMMIT


@grouped
def harvest(
    *,
    library: LibraryOption = None,
    scope: ScopeOptions,
    samples: SamplesOption = None,
    neighbours: NeighboursOption = 25,
    missing: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --ids: list the missing sounds here.", show_default="missing.csv in the library"
        ),
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            metavar="|".join(ORDERS.own),
            autocompletion=completing(lambda: ORDERS),
            help="Choose which waiting sound comes next.",
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
) -> None:
    """Grow the library: fetch sounds and their similar lists.

    Each sound is saved at once, and the next run continues from there. Press Ctrl-C once to stop cleanly, twice to
    abort; no saved sound is lost. --sweep first collects every hit of the search and then fetches the similar lists;
    add --samples 0 to collect only. --vectors collects vectors for `harvester link`, and fetches similar lists only
    with --samples N. --ids, --user and --pack fetch records only, 150 a request; add --samples N or all for similar
    lists. Without an API key, the harvest uses the embedded sandbox and sandbox_library.
    """
    from harvester import actions
    from harvester.cli.display import summarise
    from harvester.cli.running import run_with_display

    note(*ORDERS.find().problems)
    run_with_display(
        actions.harvest,
        run,
        summarise,
        library=library,
        **scope.keywords(),
        samples=samples,
        neighbours=neighbours,
        missing=missing,
        order=order,
        random_seed=random_seed,
        space=space,
        checkpoint_interval=checkpoint_interval,
    )
