"""Compare the similar lists that a link computed with the server's."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.actions.blocking import blocking
from harvester.actions.connect import Connection, open_client, open_server
from harvester.actions.default_library import find_library
from harvester.actions.events import OnProgress, Reporter
from harvester.actions.keywords import StrPath
from harvester.actions.missing_key import refuse_without_key
from harvester.actions.options import check_listener, check_verbosity, check_whole, keywords_named, read_connection
from harvester.clock import Stop, SystemClock
from harvester.counts import counted
from harvester.errors import ApiUnreachable, FetchFailed, Stopped, WrongSource
from harvester.freesound import FreesoundClient
from harvester.library import load_view, require_library
from harvester.library_source import join_sources
from harvester.model import SimilarPage
from harvester.settings import COUNT, NEIGHBOURS, RANDOM_SEED
from harvester.vectors import load_vectors


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Result of a comparison of `sounds` lists.

    `found` of the server's `expected` neighbours are in the computed lists, a share of `recall`. `largest_difference`:
    between two scores of a pair. `empty`: sounds without a list on the server. `notices`: lines that need attention.
    """

    sounds: int
    expected: int
    found: int
    largest_difference: float
    empty: int
    recall: float
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for `--json`."""
        return {name: value for name, value in asdict(self).items() if name != "notices"}


def verify_links(
    verify: int,
    *,
    library: StrPath | None = None,
    random_seed: int = 0,
    key: str | None = None,
    level: int = 1,
    limits: str | None = None,
    api_url: str | None = None,
    sandbox: bool = False,
    verbose: int = 0,
    on_progress: OnProgress | None = None,
) -> VerifyResult:
    """Compare computed lists with the server's, for random sounds.

    It takes at most `verify` requests, one for each sound, also with retries, and saves nothing.
    `random_seed` chooses the sounds. The other keywords are those of `harvest`. Works where an event loop is running,
    too.

    Raises `SettingsError` that names a wrong keyword, `WrongSource` when the library comes from another server,
    `ApiUnreachable` when no list can be fetched now, `AccessDenied`, and the errors of reading a library.
    """
    with keywords_named(verify_links):
        count = check_whole("--verify", verify, COUNT)
        seed = check_whole("--random-seed", random_seed, RANDOM_SEED)
        reporter = Reporter(check_listener("--on-progress", on_progress), verbose=check_verbosity("--verbose", verbose))
        # Spend no more than the announced requests: each retry means one list less.
        connection = read_connection(
            reporter, key=key, level=level, limits=limits, api_url=api_url, sandbox=sandbox, max_requests=count
        )
        folder = find_library(library)
        require_library(folder)
        return blocking(_verify)(connection, folder, count, seed, reporter)


async def _verify(
    connection: Connection, folder: Path, count: int, random_seed: int, reporter: Reporter
) -> VerifyResult:
    # Imported here, because only linking needs numpy, and only a linked library comes this far.
    from harvester.similarity import choose_sounds, compare

    await asyncio.to_thread(refuse_without_key, connection, folder)
    clock, state = SystemClock(), (await asyncio.to_thread(load_view, folder)).state
    async with (
        open_server(connection, clock, reporter) as server,
        open_client(connection, server, clock, Stop(), reporter, space=state.space) as client,
    ):
        source = await client.identify()
        if join_sources(state.source, source) != source:
            raise WrongSource(f"{folder} was harvested from {state.source}, not from {source}; no list was requested")
        pages = await _fetch(client, choose_sounds(state, count, random_seed), reporter)
    agreement = compare(state, pages, load_vectors(folder).places)
    return VerifyResult(**agreement.as_dict(), notices=tuple(reporter.notices))


async def _fetch(client: FreesoundClient, chosen: list[int], reporter: Reporter) -> list[SimilarPage]:
    pages: list[SimilarPage] = []
    for sound_id in chosen:
        try:
            pages.append(await client.fetch_similar(sound_id, NEIGHBOURS.most))
        except FetchFailed as failure:
            reporter.warn(f"sound {sound_id}: {failure.reason}")
        except Stopped as stopped:
            if not pages:
                raise ApiUnreachable(f"the lists cannot be compared now: {stopped}") from None
            reporter.warn(f"{len(chosen) - len(pages):,} of {counted(len(chosen), 'list')} not compared: {stopped}")
            break
    return pages
