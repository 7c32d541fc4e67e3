"""`status.json`: the figures of a running harvest, for other programs.

`harvester status` reads it too. It is no state of the library: it is written to a temporary file and renamed, so that a
reader never sees half of it, but not synced. A crash may leave an old one; the writer's lock, not this file, tells
whether a harvest is running.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from harvester.clock import is_stamp
from harvester.settings import DURATION_S, is_number
from harvester.storage import STATUS, TEMPORARY_SUFFIX, read_bounded

_LARGEST_BYTES = 1 << 20
_TEXTS = ("source", "server", "key")
_COUNTS = ("samples", "requests")
_COUNTS_OR_NULL = (
    "target", "daily_limit", "quota_left", "waiting_until", "nodes", "edges", "processed", "frontier", "deferred",
    "gone", "last_checkpoint_at",
)  # fmt: skip


def save_status(folder: Path, status: Mapping[str, Any]) -> None:
    """Replace `status.json`.

    Raises `OSError`, or `TypeError` for a value that is not JSON.
    """
    content = orjson.dumps(status, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    temporary = folder / f".{STATUS}.{os.getpid()}{TEMPORARY_SUFFIX}"
    with suppress(FileNotFoundError):  # left by a killed process with the same pid
        temporary.unlink()
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(folder / STATUS)
    finally:
        with suppress(OSError):
            temporary.unlink()


def save_end(folder: Path, run: str, end: str) -> None:
    """Add why the run ended to its `status.json`.

    Without the file of this run, or where it cannot be written, nothing changes: the run is then taken for a killed one
    unless the history has it.
    """
    status = load_status(folder)
    if status is not None and status.get("run_id") == run:
        with suppress(OSError):
            save_status(folder, {**status, "end": end})


def load_status(folder: Path) -> dict[str, Any] | None:
    """Return the figures of the last harvest, or None without a valid file.

    The counts, stamps and texts that this package reads are present and have their types; other keys are not checked.
    """
    try:
        status = orjson.loads(read_bounded(folder / STATUS, _LARGEST_BYTES))
    except (OSError, orjson.JSONDecodeError):
        return None
    return status if isinstance(status, dict) and _is_typed(status) else None


def _is_typed(status: dict[str, Any]) -> bool:
    return (
        all(type(status.get(name)) is str for name in _TEXTS)
        and all(is_stamp(status.get(name)) for name in _COUNTS)
        and all(status.get(name) is None or is_stamp(status[name]) for name in _COUNTS_OR_NULL)
        and _is_eta(status.get("eta_s"))
        and type(status.get("durable_ledger")) is bool
        and type(status.get("waiting_for")) in (str, type(None))
    )


def _is_eta(value: object) -> bool:
    return value is None or (is_number(value) and 0 <= value <= DURATION_S.most)  # type: ignore[operator]
