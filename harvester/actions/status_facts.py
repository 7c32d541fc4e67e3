"""The status of a library, and of the harvest that runs now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvester.actions.default_library import LibraryLike, find_library
from harvester.actions.freshness import MAX_AGE, judge_freshness
from harvester.actions.indexing import ask
from harvester.actions.keywords import Duration, StrPath, naming_keywords
from harvester.actions.options import check_seconds
from harvester.actions.status_file import load_status
from harvester.checkpoint import Signature, read_signature
from harvester.clock import SystemClock
from harvester.freesound import count_requests
from harvester.graph import LibraryTally
from harvester.index import IndexedState
from harvester.library import LibraryView, list_backups, require_library
from harvester.reports import count_library, describe_tally
from harvester.reports import list_deferred as list_rows
from harvester.storage import CHECKPOINT, JOURNAL_PARTS, path_text, read_owner
from harvester.vectors import count_vectors

_SHARE_OF_TIME = 10
"""A watch reads the library so rarely that this takes at most about a tenth of the time."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a library holds and what a running harvest does.

    `at_us` is the time, in microseconds UTC. `facts` has the keys of `harvester status --json`, which `harvester guide
    status` explains. `notices`: lines that need attention.
    """

    at_us: int
    facts: Mapping[str, Any]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeferredReport:
    """The deferred sounds, the soonest retry first.

    Each of `sounds` has the keys id, name, reason, count, next_try_at (microseconds UTC), next_try (ISO 8601) and due.
    `notices`: lines that need attention.
    """

    sounds: tuple[dict[str, Any], ...]
    notices: tuple[str, ...] = ()


@naming_keywords
def status(library: LibraryLike = None, *, max_age: Duration = MAX_AGE) -> StatusReport:
    """Return what the library holds and what a running harvest does.

    `library` is a folder or an opened `Library`; None: the default folder. `max_age`: how old its newest record or
    similar list may be for `facts["freshness"]["fresh"]` to be true. Needs no lock and writes nothing into its folder.
    A first harvest that has nothing yet gives counts of zero. Raises `SettingsError`, `LibraryNotFound`,
    `LibraryCorrupt`, `NewerFormat` or `LibraryUnwritable`.
    """
    now_us, max_age_s = SystemClock().time_us(), check_seconds("--max-age", max_age)

    def report(view: LibraryView, facts: dict[str, Any]) -> StatusReport:
        facts |= run_facts(view.folder, now_us)
        return StatusReport(now_us, _judged(facts, max_age_s, now_us), tuple(view.notices))

    return ask(library, lambda view: report(view, library_facts(view, now_us)))


def list_deferred(library: LibraryLike = None) -> DeferredReport:
    """Return the sounds whose fetch failed and that wait for a retry.

    `library` and the errors are those of `status`.
    """
    now_us = SystemClock().time_us()
    return ask(
        library,
        lambda view: DeferredReport(tuple(list_rows(view.state, view.deferrals, now_us)), tuple(view.notices)),
    )


class StatusWatch:
    """The status of a library, again and again, for `status --watch`.

    The library is read only after its files have changed, and so rarely that reading takes about a tenth of the time;
    the figures of a running harvest are always those of now.
    """

    def __init__(self, library: StrPath | None = None, *, max_age: Duration = MAX_AGE) -> None:
        self.folder: Path = find_library(library)
        self._max_age_s = check_seconds("--max-age", max_age)
        self._facts: dict[str, Any] = {}
        self._files: list[Signature | None] = []
        self._next_s = 0.0
        self._notices: tuple[str, ...] = ()

    def look(self) -> StatusReport:
        """Return the status now, with the newer counts of a running harvest.

        The errors are those of `status`.
        """
        require_library(self.folder)
        now_us, began_s = SystemClock().time_us(), time.monotonic()
        files = [read_signature(self.folder / name) for name in (CHECKPOINT, *JOURNAL_PARTS)]
        if not self._facts or (files != self._files and began_s >= self._next_s):
            look = lambda view: (library_facts(view, now_us), tuple(view.notices))  # noqa: E731
            self._facts, self._notices = ask(self.folder, look, is_first=True)
            self._files = files
            now_s = time.monotonic()
            self._next_s = now_s + _SHARE_OF_TIME * (now_s - began_s)
        facts = self._facts | run_facts(self.folder, now_us)
        run = facts["run"] or {}
        newer = ("nodes", "edges", "processed", "frontier", "deferred", "gone", "last_checkpoint_at")
        facts |= {name: run[name] for name in newer if run.get(name) is not None}
        return StatusReport(now_us, _judged(facts, self._max_age_s, now_us), self._notices)


def _judged(facts: dict[str, Any], max_age_s: float, now_us: int) -> dict[str, Any]:
    return facts | {"freshness": judge_freshness(facts, max_age_s, now_us)}


def library_facts(view: LibraryView, now_us: int) -> dict[str, Any]:
    """Return the facts about a library, under the keys of `status --json`."""
    state = view.state
    tally = state.tally() if isinstance(state, IndexedState) else LibraryTally.of(state)
    checkpoint, backups = view.folder / CHECKPOINT, list_backups(view.folder)
    return {
        "library": path_text(view.folder),
        **count_library(state, view.deferrals, now_us, tally),
        "last_checkpoint_at": view.last_checkpoint_at,
        "size_bytes": checkpoint.stat().st_size if checkpoint.exists() else 0,
        "unsaved": view.unsaved,
        "vectors": count_vectors(view.folder),
        "backups": {
            "count": len(backups),
            "newest_at": backups[0].taken_at if backups else None,
            "newest_nodes": backups[0].nodes if backups else None,
            "size_bytes": sum(one.size_bytes for one in backups),
        },
        **describe_tally(tally),
    }


def run_facts(folder: Path, now_us: int) -> dict[str, Any]:
    """Return the facts about a running harvest and the requests sent."""
    last_run, owner = load_status(folder) or {}, read_owner(folder)
    # The ledger of the embedded sandbox ends with its process: nothing is known of its requests.
    requests_24h, quota_left = None if last_run else 0, last_run.get("quota_left")
    if last_run.get("durable_ledger"):
        requests_24h = count_requests(last_run["server"], last_run["key"], now_us)
        daily = last_run.get("daily_limit")
        quota_left = None if daily is None else max(0, daily - requests_24h)
    return {
        "requests_24h": requests_24h,
        "quota_left": quota_left,
        "running": owner.pid if owner else None,
        "running_host": owner.host if owner else None,
        "run": last_run if owner else None,
    }
