"""The figures of a run at one moment.

`Advanced` brings them, and `status.json` and the log say them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from harvester.actions.quantities import done_text, target_text, waiting_text
from harvester.counts import counted, graph_size

IDLE = "idle"
"""What a fetcher does whose request may not be sent yet."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of a run, named as in `status.json`.

    Moments (`started_at`, `updated_at`, `quota_next_at`, `last_checkpoint_at`, `last_backup_at`) are microseconds since
    1970, UTC. `pid` and `host`: the process and its machine. `run_id`: the run in `history.jsonl`; `command`: harvest
    or refresh. `server`: the address that requests go to; `source`: the catalogue that the library comes from.
    `samples` (sounds that were not processed before), `new_nodes`, `new_edges` and `requests` count what this run did,
    `renewed` and `relisted` the known records and lists that it fetched again; `rereads`: the run is a refresh.
    `target` is the number of samples to reach, None without one. `processed`, `nodes`, `edges`, `frontier` (waiting
    sounds), `deferred` and `gone` count what the library holds. `requests_24h`: requests of the last 24 hours.
    `quota_left` and `daily_limit` are None without a limit; the quota may be a second old. `quota_next_at`: when the
    oldest request of the day stops counting, None without one. `durable_ledger`: whether requests are counted on disk,
    which those to the embedded sandbox are not. `samples_per_minute`: the rate of the last minute. `eta_s`: the seconds
    to the target, by the rate of the last minute and the day's quota, None if unknown. `waiting_for` says why no
    request is sent, until `waiting_until`; both are None while requests are sent. `activity`: what each fetcher does.
    `oddities`: how often answers had something unusual that was tolerated, by kind.
    """

    pid: int
    host: str
    run_id: str
    command: str
    source: str
    server: str
    key: str
    """The first 12 hexadecimal digits of the key's SHA-256."""
    started_at: int
    updated_at: int
    samples: int
    target: int | None
    processed: int
    nodes: int
    edges: int
    new_nodes: int
    new_edges: int
    rereads: bool
    renewed: int
    relisted: int
    frontier: int
    deferred: int
    gone: int
    requests: int
    requests_24h: int
    quota_left: int | None
    quota_next_at: int | None
    daily_limit: int | None
    durable_ledger: bool
    samples_per_minute: float
    eta_s: float | None
    waiting_for: str | None
    waiting_until: int | None
    activity: Mapping[int, str]
    last_checkpoint_at: int | None
    last_backup_at: int | None
    oddities: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures under the keys of `status.json`."""
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS = tuple(field.name for field in fields(Snapshot))


def progress_line(now: Snapshot) -> str:
    """Return the figures as one line, for a log."""
    quota = "" if now.quota_left is None else f", {now.quota_left:,} left today"
    text = (
        f"{done_text(now.as_dict(), '/')} ({now.processed:,} in all), "
        f"{graph_size(now.nodes, now.edges)}, {now.frontier:,} waiting, {counted(now.requests, 'request')}{quota}"
    )
    if not now.waiting_for:
        return text
    figures = now.as_dict()
    done = target_text(figures, now.updated_at)
    return f"{text}; {waiting_text(figures, now.updated_at)}{f'; done about {done}' if done else ''}"
