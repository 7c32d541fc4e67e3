"""The facts of `harvester status`: about the library, about the running harvest, and as lines for stdout."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from harvester.actions import load_status
from harvester.cli.status_screen import screen
from harvester.freesound import count_requests
from harvester.library import LibraryView, list_backups
from harvester.reports import count_library, describe_content
from harvester.storage import CHECKPOINT, path_text, read_owner
from harvester.vectors import count_vectors


def lines_for_stdout(facts: dict[str, Any], now_us: int) -> list[str]:
    """Return the screen as lines that fit the terminal's width and stdout's encoding."""
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    lines = screen(facts, now_us, width=shutil.get_terminal_size().columns, unicode=unicode)
    return lines if unicode else [line.encode("ascii", "backslashreplace").decode() for line in lines]


def library_facts(view: LibraryView, now_us: int) -> dict[str, Any]:
    """Return the facts about a library, under the keys of `status --json`."""
    checkpoint, backups = view.folder / CHECKPOINT, list_backups(view.folder)
    return {
        "library": path_text(view.folder),
        **count_library(view.state, view.deferrals, now_us),
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
        **describe_content(view.state),
    }


def run_facts(folder: Path, now_us: int) -> dict[str, Any]:
    """Return the facts about a running harvest and the requests sent, under the keys of `status --json`."""
    last_run, owner = load_status(folder) or {}, read_owner(folder)
    requests_24h, quota_left = 0, last_run.get("quota_left")
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
