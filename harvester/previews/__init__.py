"""Previews of sounds as files: what to fetch, fetch it, and keep it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from harvester.previews.folder import (
    ROW_FILES,
    PreviewFolder,
    holding_previews,
    opened_previews,
    preview_files,
    read_previews,
)
from harvester.previews.plan import (
    DEFAULT_FORMAT,
    DEFAULT_QUALITY,
    PreviewPlan,
    WantedPreview,
    plan_previews,
)
from harvester.previews.rows import FORMATS, QUALITIES, LostPreview, StoredPreview
from harvester.previews.terms import TERMS

if TYPE_CHECKING:
    from harvester.previews.fetching import FetchBounds, FetchRun, FetchTally

_LATE = ("FetchBounds", "FetchRun", "FetchTally")
"""Imported on first use: they need aiohttp, which takes 0.2 s to import."""


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(f"{__name__}.fetching"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
