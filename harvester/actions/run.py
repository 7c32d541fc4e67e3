"""A run with everything that takes part in it, and its figures.

`take_snapshot` is the only source of the figures in events, `status.json` and the log.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvester.actions.snapshot import IDLE, Snapshot
from harvester.clock import SECOND_US, Clock

if TYPE_CHECKING:
    from pathlib import Path

    from harvester.actions.connect import Server
    from harvester.actions.past_runs import RunRecord
    from harvester.freesound import FreesoundClient
    from harvester.library import Store
    from harvester.pipeline import Harvest


@dataclass(frozen=True, slots=True)
class Run:
    """A harvest with its client, store, server and clock."""

    harvest: Harvest
    client: FreesoundClient
    store: Store
    folder: Path
    server: Server
    clock: Clock
    started_at: int
    record: RunRecord


def take_snapshot(run: Run) -> Snapshot:
    """Return the run's figures now.

    It is cheap enough for every refresh of a panel. The quota may be a second old. Raises
    `LibraryUnwritable` or `DiskFull` if the ledger of requests cannot be read.
    """
    progress, frontier, state = run.harvest.progress, run.harvest.frontier, run.store.state
    waiting, held = run.client.waiting_for, run.client.held_back
    requests_24h, quota_left = run.client.spending()
    return Snapshot(
        pid=os.getpid(),
        host=platform.node(),
        run_id=run.record.run,
        command=run.record.command,
        source=state.source,
        server=run.server.url,
        key=run.server.key.fingerprint,
        started_at=run.started_at,
        updated_at=run.clock.time_us(),
        samples=progress.samples,
        target=progress.target,
        processed=len(state.processed),
        nodes=len(state),
        edges=state.edge_count,
        new_nodes=progress.new_nodes,
        new_edges=progress.new_edges,
        frontier=frontier.waiting + frontier.in_flight,
        deferred=frontier.deferred,
        gone=state.gone_count,
        requests=run.client.activity.counted,
        requests_24h=requests_24h,
        quota_left=quota_left,
        quota_next_at=run.client.slot_frees_at(),
        daily_limit=run.client.limits.daily,
        durable_ledger=not run.server.embedded,
        samples_per_minute=round(progress.samples_per_minute(), 2),
        eta_s=_eta_s(run),
        waiting_for=waiting.reason if waiting else None,
        waiting_until=waiting.until_us if waiting else None,
        activity={
            number: IDLE if progress.tasks.get(number) in held else what
            for number, what in sorted(progress.activity.items())
        },
        last_checkpoint_at=run.store.last_checkpoint_at,
        last_backup_at=run.store.last_backup_at,
        oddities=dict(progress.oddities),
    )


def _eta_s(run: Run) -> float | None:
    """Return the seconds to the target, by rate and quota, or None.

    Each further sound is taken to cost as many requests as those of this run, or one before the first.
    """
    progress, client = run.harvest.progress, run.client
    if progress.target is None or client.in_outage:
        return None
    left = max(0, progress.target - progress.samples)
    requests = math.ceil(left * (client.activity.counted / progress.samples if progress.samples else 1))
    quota_s = (client.possible_at(requests) - run.clock.time_us()) / SECOND_US
    # During a wait, the rate of the last minute says nothing about the time left.
    rate_s = None if client.waiting_for else progress.eta_s()
    known = [seconds for seconds in (rate_s, quota_s if quota_s > 1 else None) if seconds is not None]
    return max(known, default=None)
