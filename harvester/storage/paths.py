"""Names of the files in a library folder, and moves to `quarantine/`.

Nothing is ever deleted here: a file that cannot be used moves to `quarantine/`.
"""

from __future__ import annotations

import errno
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from harvester.clock import SECOND_US
from harvester.storage.atomic import Files
from harvester.storage.opening import NotRegular

CHECKPOINT = "freesound_library.pkl"
JOURNAL = "freesound_library.journal"
LOCK = "freesound_library.lock"
VECTORS = "freesound_library.vectors"
QUARANTINE = "quarantine"
JOURNAL_PARTS = (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm")
RECOVERED = f"{JOURNAL}.salvaged"
"""The recovered part of a corrupt journal, complete and durable, until it replaces the journal."""
STATUS = "status.json"
HISTORY = "history.jsonl"
ANALYSIS = "analysis.json"
MISSING = "missing.csv"
"""The sounds of a list that did not come with the last run."""
PREVIEWS = "previews"
"""The folder of fetched previews."""
LOG = "harvest.log"
"""Also the beginning of the names of rotated logs."""

_NAMES = frozenset(
    {CHECKPOINT, *JOURNAL_PARTS, RECOVERED, LOCK, VECTORS, QUARANTINE}
    | {STATUS, HISTORY, ANALYSIS, LOG, MISSING, PREVIEWS, "README.md"}
)
_BACKUP = re.compile(r"freesound_library_backup_(\d+)nodes_(\d{8}_\d{6})\.pkl")


def second_name(stamp_us: int) -> str:
    """Return a stamp (microseconds UTC) for file names: `20261122_152912`."""
    return datetime.fromtimestamp(stamp_us // SECOND_US, UTC).strftime("%Y%m%d_%H%M%S")


def backup_name(nodes: int, stamp_us: int) -> str:
    """Return a backup's name; it has `nodes` sounds as of `stamp_us` (UTC)."""
    return f"freesound_library_backup_{nodes}nodes_{second_name(stamp_us)}.pkl"


def read_backup_name(name: str) -> tuple[int, int] | None:
    """Return (nodes, stamp in µs UTC) from a backup's file name, or None."""
    match = _BACKUP.fullmatch(name)
    if match is None:
        return None
    try:
        taken = datetime.strptime(match[2], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(match[1]), int(taken.timestamp()) * SECOND_US


def belongs_to_library(name: str) -> bool:
    """Tell whether a library folder has files of this name."""
    return name in _NAMES or name.startswith((".", f"{LOG}.")) or read_backup_name(name) is not None


def quarantine_path(folder: Path, name: str, stamp_us: int) -> Path:
    """Return an unused path in `quarantine/` for a file called `name`.

    Raises `NotRegular` if `quarantine/` is no folder.
    """
    place = folder / QUARANTINE
    if place.is_symlink():
        raise NotRegular(errno.ENOTDIR, "it is a symbolic link, which may lead out of the library", str(place))
    if place.exists() and not place.is_dir():
        raise NotRegular(errno.ENOTDIR, "it is not a folder; move it away", str(place))
    base = folder / QUARANTINE / f"{second_name(stamp_us)}_{name}"
    path, count = base, 1
    while os.path.lexists(path):
        count += 1
        path = base.with_name(f"{base.name}.{count}")
    return path


def set_aside(path: Path, folder: Path, stamp_us: int, files: Files) -> Path:
    """Move a file to `quarantine/`; return its new path, durable on return."""
    target = quarantine_path(folder, path.name, stamp_us)
    files.make_folder(target.parent)
    files.rename(path, target)
    files.sync_folder(target.parent)
    files.sync_folder(folder)
    return target
