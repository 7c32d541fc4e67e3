"""`harvest` and `refresh`: read the options into a plan and run it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from harvester.actions.blocking import blocking
from harvester.actions.events import OnProgress, Reporter
from harvester.actions.id_lists import read_listed, read_missing_path
from harvester.actions.keywords import StrPath
from harvester.actions.options import (
    check_choice,
    check_flag,
    check_folder,
    check_listener,
    check_seconds,
    check_stop,
    check_verbosity,
    check_whole,
    keywords_named,
    read_connection,
)
from harvester.actions.result import RunResult
from harvester.actions.scope_options import read_scope
from harvester.actions.session import run_session
from harvester.clock import SECOND_US, Stop
from harvester.errors import SettingsError
from harvester.model import SPACES
from harvester.pipeline import ORDERS, Plan, Refresh
from harvester.settings import CONCURRENCY, COUNT, NEIGHBOURS, RANDOM_SEED, SAMPLES_PER_COMMIT


async def harvest(
    library: Path | str | None = None,
    *,
    seed: int | Iterable[int] | None = None,
    query: str = "",
    filter: str = "",
    cc0: bool = False,
    by: bool = False,
    max_duration: float | str | None = None,
    tag: str | Iterable[str] | None = None,
    type: str | Iterable[str] | None = None,
    ids: StrPath | Iterable[int] | None = None,
    column: str = "",
    missing: StrPath | None = None,
    user: str | Iterable[str] | None = None,
    pack: int | Iterable[int] | None = None,
    sweep: bool = False,
    vectors: str | None = None,
    i_have_permission: bool = False,
    samples: int | Literal["all"] | None = None,
    neighbours: int = 25,
    order: str = "popular",
    random_seed: int = 0,
    space: str | None = None,
    checkpoint_interval: int = SAMPLES_PER_COMMIT,
    key: str | None = None,
    level: int = 1,
    limits: str | None = None,
    api_url: str | None = None,
    sandbox: bool = False,
    concurrency: int = 4,
    max_requests: int | None = None,
    time_limit: float | str | None = None,
    forever: bool = False,
    extra_fields: str | Iterable[str] = "",
    backup_every: int = 100,
    keep_backups: int = 5,
    verbose: int = 0,
    log_json: bool = False,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> RunResult:
    """Grow a library: fetch sounds and their similar lists.

    The keywords are the options of `harvester harvest`, with the same defaults. `library` None: the default folder of
    the server. Durations are seconds, or texts such as `2h`.

    It starts from `seed` (an id or several), from the best hits of `query` and `filter`, or else from the most
    downloaded sounds. `filter`, `cc0`, `by` (with `cc0`: either), `max_duration`, `tag` (all of them) and `type` (any
    of them) restrict the sounds that it takes. `sweep` collects every hit of the search, 150 a request; with `vectors`,
    a similarity space, their vectors too, for `link`. `user` and `pack` (a name and an id, or several: any of them)
    sweep all sounds of a user or a pack, and keep to them. `i_have_permission` confirms that Freesound allows a sweep
    of more than 50,000 sounds, or a list of more than 100,000.

    `ids` fetches the records of these sounds and no others, 150 a request: a file, `-` for standard input, or several
    ids. A file is a text with an id, link or file name a line, a table, JSON or JSON lines; `column` names its column.
    Known records cost nothing. The result's `listed` says what became of the list; the sounds that did not come are
    written to the file `missing`, or to `missing.csv` in the library's folder.

    `samples`: how many sounds to process, or `"all"` that are found; None: 50, all hits with `sweep`, none with
    `vectors`, `ids`, `user` or `pack`, no end with `forever`. `neighbours`: the length of a similar list, from 1 to
    150. `order`: which waiting sound comes next: popular, breadth, random with the number `random_seed`, or a plugin's.
    `space`: the similarity space of a new library.

    `key` None: the key from the environment or from `.env` in the working folder, as the command reads it; without any
    key, or with `sandbox`, the harvest uses the embedded sandbox. `api_url` is the address of another server. The key's
    `level` is 1, 2, 3 or 99; `limits`, such as `60/2000`, are its requests a minute and a day instead. At most
    `concurrency` requests are sent at the same time. The run ends in order after `max_requests` requests or after
    `time_limit`; with `forever` it waits for quota and through outages. `extra_fields`: further fields of the API, one
    text with commas or several. At most `checkpoint_interval` processed sounds share a commit. A backup is written
    every `backup_every` new sounds, and the newest `keep_backups` are kept.

    `on_progress` is called in the event loop with each `RunEvent`; keep it short. If it raises, it gets no further
    event, the run ends in order, and its exception is raised here. `stop.close("enough")` in the event loop ends the
    run in order too: open requests finish, a checkpoint is written, and the result says why. `verbose`: 1 (or True)
    also tells each request, retry and decision, 2 also claims, attempts, waits and commits. `log_json` writes
    `harvest.log` as JSON, one object a line.

    Every processed sound is on disk before it is counted. A cancellation (also `asyncio.timeout`) ends the run at once:
    what was counted is in the journal, answers on the way are lost, no checkpoint is written, and the lock is released
    before the `CancelledError` leaves; the next call continues from there. A crash leaves the same.

    It installs no signal handlers, prints nothing, and writes only in the library's folder and the user's state folder.
    Several harvests of different libraries may run in one event loop.

    Raises a `HarvesterError` after an orderly end: `SettingsError` for keywords that cannot be used, before anything
    changes; `LibraryLocked`, `AccessDenied`, `ApiUnreachable`, `WrongSource`, `DiskFull`, …
    """
    with keywords_named(harvest):
        stop = check_stop("--stop", stop)
        reporter = Reporter(check_listener("--on-progress", on_progress), stop, check_verbosity("--verbose", verbose))
        check_choice("--order", order, ORDERS)
        if space is not None:
            check_choice("--space", space, SPACES)
        wanted = read_scope(
            reporter, seed=seed, query=query, filter=filter, cc0=cc0, by=by, max_duration=max_duration, tag=tag,
            type=type, sweep=sweep, vectors=vectors, i_have_permission=i_have_permission, ids=ids, column=column,
            user=user, pack=pack,
        )  # fmt: skip
        forever = check_flag("--forever", forever)
        target = wanted.target(samples, forever=forever)
        if samples == 0 and not (wanted.sweep or wanted.records_only):
            raise SettingsError("--samples 0 needs --sweep; to see what a harvest costs, use `harvester plan`")
        if vectors and space not in (None, vectors):
            raise SettingsError(f"--space {space} and --vectors {vectors} differ: a library has one similarity space")
        missing_path = read_missing_path(missing, ids)
        plan = Plan(
            target=target,
            listed_ids=await read_listed(reporter, ids, wanted),
            seed_ids=wanted.seed_ids,
            new_seeds=bool(wanted.query or wanted.filter) and not wanted.seed_ids,
            query=wanted.query,
            filter=wanted.filter,
            usernames=wanted.usernames,
            neighbours=check_whole("--neighbours", neighbours, NEIGHBOURS),
            sweep=wanted.sweep,
            vectors=wanted.vectors,
            permitted=wanted.permitted,
            order=order,
            random_seed=check_whole("--random-seed", random_seed, RANDOM_SEED),
            concurrency=check_whole("--concurrency", concurrency, CONCURRENCY),
            samples_per_commit=check_whole("--checkpoint-interval", checkpoint_interval, COUNT),
            forever=forever,
        )
        return await run_session(
            plan,
            read_connection(
                reporter, key=key, level=level, limits=limits, api_url=api_url, sandbox=sandbox,
                max_requests=max_requests, extra_fields=extra_fields, forever=forever,
            ),
            check_folder("--library", library),
            reporter,
            stop,
            space=vectors or space,
            log_json=check_flag("--log-json", log_json),
            missing=missing_path,
            time_limit_s=None if time_limit is None else check_seconds("--time-limit", time_limit),
            backup_every=check_whole("--backup-every", backup_every, COUNT),
            keep_backups=check_whole("--keep-backups", keep_backups, COUNT),
        )  # fmt: skip


async def refresh(
    library: Path | str | None = None,
    *,
    older_than: float | str = "30d",
    limit: int | None = None,
    links: bool = False,
    neighbours: int = 25,
    key: str | None = None,
    level: int = 1,
    limits: str | None = None,
    api_url: str | None = None,
    sandbox: bool = False,
    concurrency: int = 4,
    max_requests: int | None = None,
    time_limit: float | str | None = None,
    forever: bool = False,
    extra_fields: str | Iterable[str] = "",
    backup_every: int = 100,
    keep_backups: int = 5,
    verbose: int = 0,
    log_json: bool = False,
    on_progress: OnProgress | None = None,
    stop: Stop | None = None,
) -> RunResult:
    """Fetch stale records of a library again, and find deleted sounds.

    The keywords are the options of `harvester refresh`, with the same defaults. Records that were fetched more than
    `older_than` ago (seconds or a text such as `30d`) are stale; `limit`: the most records. `links` fetches the
    similar lists of these sounds too. The other keywords are those of `harvest`. The result counts the records in
    `renewed`, with `links=True` the similar lists in `relisted`, and the deleted sounds in `gone`. Events, cancellation
    and errors are as in `harvest`.
    """
    with keywords_named(refresh):
        stop = check_stop("--stop", stop)
        reporter = Reporter(check_listener("--on-progress", on_progress), stop, check_verbosity("--verbose", verbose))
        forever = check_flag("--forever", forever)
        stale = Refresh(
            older_than_us=round(check_seconds("--older-than", older_than, zero=True) * SECOND_US),
            limit=None if limit is None else check_whole("--limit", limit, COUNT),
            lists=check_flag("--links", links),
            neighbours=check_whole("--neighbours", neighbours, NEIGHBOURS),
        )
        plan = Plan(
            target=None,
            refresh=stale,
            concurrency=check_whole("--concurrency", concurrency, CONCURRENCY),
            forever=forever,
        )
        return await run_session(
            plan,
            read_connection(
                reporter, key=key, level=level, limits=limits, api_url=api_url, sandbox=sandbox,
                max_requests=max_requests, extra_fields=extra_fields, forever=forever,
            ),
            check_folder("--library", library),
            reporter,
            stop,
            log_json=check_flag("--log-json", log_json),
            time_limit_s=None if time_limit is None else check_seconds("--time-limit", time_limit),
            backup_every=check_whole("--backup-every", backup_every, COUNT),
            keep_backups=check_whole("--keep-backups", keep_backups, COUNT),
        )  # fmt: skip


run_harvest = blocking(harvest)
run_refresh = blocking(refresh)
