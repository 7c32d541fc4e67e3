"""The entry points of the installed packages, read once in this process: most commands cost less than reading them."""

from __future__ import annotations

import importlib.metadata
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

_read = importlib.metadata.entry_points


def remember_entry_points() -> None:
    """Let `importlib.metadata.entry_points` read a group again only after a change of `sys.path` or its folders."""
    importlib.metadata.entry_points = _remembered


def _remembered(**params: Any) -> Any:
    return _read_at(tuple(sorted(params.items())), tuple((place, _changed_at(Path(place))) for place in sys.path))


@lru_cache(maxsize=32)
def _read_at(params: tuple[tuple[str, Any], ...], _places: tuple[tuple[str, int], ...]) -> Any:
    return _read(**dict(params))


def _changed_at(place: Path) -> int:
    try:
        return place.stat().st_mtime_ns
    except OSError:
        return 0
