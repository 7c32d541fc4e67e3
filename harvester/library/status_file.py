"""`status.json`: what a running harvest says of itself, for `status` and for other programs.

A courtesy, not state: written beside and renamed, so that a reader never sees half of it, but not synced. A crash may
leave an old one; the writer's lock, not this file, tells whether a harvest is running.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from harvester.library.atomic import TEMPORARY_SUFFIX

NAME = "status.json"


def save_status(folder: Path, status: Mapping[str, Any]) -> None:
    """Replace `status.json`. Raises `OSError`: the run goes on without it."""
    temporary = folder / f".{NAME}.{os.getpid()}{TEMPORARY_SUFFIX}"
    try:
        temporary.write_bytes(orjson.dumps(status, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
        temporary.replace(folder / NAME)
    finally:
        temporary.unlink(missing_ok=True)


def load_status(folder: Path) -> dict[str, Any] | None:
    """Return what the last harvest said, or None when there is nothing readable."""
    try:
        status = orjson.loads((folder / NAME).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return status if isinstance(status, dict) else None
