"""Make the result of a run from what took part in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harvester.actions.connect import Server
from harvester.actions.events import Reporter
from harvester.actions.result import RunResult, Totals
from harvester.clock import SECOND_US
from harvester.errors import HarvesterError
from harvester.gitsync import grown_message, refreshed_message
from harvester.library import Store
from harvester.pipeline import Harvest, Plan, Progress

if TYPE_CHECKING:
    from harvester.freesound import FreesoundClient


def make_result(
    store: Store,
    client: FreesoundClient,
    progress: Progress,
    server: Server,
    reason: str,
    ring: Harvest | None,
    failure: Exception | None,
) -> RunResult:
    """Return what a run did; `completed` adds what follows from it.

    `ring` None: the run ended before the server had identified itself. `failure`: the error that ended it.
    """
    state = store.state
    left = free_at = None
    with suppress(HarvesterError):  # the ledger cannot be read: what ended the run says so
        left = client.quota_left()
        free_at = datetime.fromtimestamp(client.quota_free_at() / SECOND_US, UTC) if left == 0 else None
    waiting = sum(1 for _ in state.pending()) if ring is None else ring.frontier.waiting + ring.frontier.in_flight
    return RunResult(
        folder=store.folder,
        server=server.url,
        source=state.source,
        reason=reason,
        failed=failure is not None,
        began=ring is not None,
        kept=not store.holds_nothing,
        message="",
        unsaved=store.unsaved,
        samples=progress.samples,
        relisted=progress.relisted,
        sounds=progress.new_nodes,
        edges=progress.new_edges,
        vectors=progress.vectors,
        renewed=progress.renewed,
        gone=progress.gone,
        deferred=progress.deferred,
        requests=client.activity.counted,
        seconds=progress.elapsed_s,
        quota_left=left,
        next_possible_at=free_at,
        total=totals_of(store, waiting),
        oddities=dict(progress.oddities),
        notices=(),
    )


def totals_of(store: Store, waiting: int) -> Totals:
    """Return what the library holds; `waiting` sounds have no list yet."""
    state = store.state
    return Totals(
        processed=len(state.processed),
        sounds=len(state),
        edges=state.edge_count,
        vectors=len(store.vectors),
        frontier=waiting,
        size_bytes=store.checkpoint_size_bytes,
    )


def completed(result: RunResult, plan: Plan, reporter: Reporter) -> RunResult:
    """Return the result with what follows from its figures and lines."""
    if result.unsaved:
        message = "library: the state before the end of a run; the rest is in its journal"
    elif plan.refresh is None:
        message = grown_message(result.samples, result.total.processed, result.edges, result.requests)
    else:
        message = refreshed_message(result.renewed, result.relisted, result.gone, result.requests)
    return replace(result, message=message, notices=tuple(reporter.notices))
