"""One run as the command line sees it: the ring, the client and the store, and what they tell of themselves.

`describe` is the one source of what the panel, the log lines and `status.json` show.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harvester.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from harvester.cli.connect import Server
    from harvester.freesound import FreesoundClient
    from harvester.library import Store
    from harvester.pipeline import Harvest


@dataclass(frozen=True, slots=True)
class Run:
    """A harvest with everything around it."""

    harvest: Harvest
    client: FreesoundClient
    store: Store
    folder: Path
    server: Server
    clock: Clock
    started_at: int


def describe(run: Run, *, fresh: bool = False) -> dict[str, Any]:
    """Return the run in numbers, under the keys of `status.json`. Cheap enough for every refresh of the panel; the
    quota may be a second old unless `fresh`."""
    progress, frontier, state = run.harvest.progress, run.harvest.frontier, run.store.state
    waiting = run.client.waiting_for
    requests_24h, quota_left = run.client.spending(fresh=fresh)
    return {
        "pid": os.getpid(),
        "host": platform.node(),
        "source": state.source,
        "server": run.server.url,
        "key": run.server.key.fingerprint,
        "started_at": run.started_at,
        "updated_at": run.clock.time_us(),
        "samples": progress.samples,
        "target": progress.target,
        "processed": len(state.processed),
        "nodes": len(state),
        "edges": state.edge_count,
        "new_nodes": progress.new_nodes,
        "new_edges": progress.new_edges,
        "frontier": frontier.waiting + frontier.in_flight,
        "deferred": frontier.deferred,
        "gone": state.gone_count,
        "requests": run.client.activity.counted,
        "requests_24h": requests_24h,
        "quota_left": quota_left,
        "quota_next_at": run.client.slot_frees_at(),
        "daily_limit": run.client.limits.daily,
        "durable_ledger": not run.server.embedded,
        "samples_per_minute": round(progress.samples_per_minute(), 2),
        # A rate of the last minute tells nothing of a wait.
        "eta_s": None if waiting else progress.eta_s(),
        "waiting_for": waiting.reason if waiting else None,
        "waiting_until": waiting.until_us if waiting else None,
        "activity": dict(sorted(progress.activity.items())),
        "last_checkpoint_at": run.store.last_checkpoint_at,
        "last_backup_at": run.store.last_backup_at,
        "oddities": dict(progress.oddities),
    }
