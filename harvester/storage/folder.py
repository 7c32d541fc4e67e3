"""Write a folder of files as a whole.

Every file is written and synced in a temporary folder beside the target, which is then renamed. Knows nothing of the
meaning of the files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from harvester.storage.atomic import REAL_FILES, TEMPORARY_SUFFIX, write_atomically


def replace_folder(out: Path, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    """Replace `out`, absent or a folder, by a folder of these files.

    `files` gives the path of each file below `out`, and its bytes; they are consumed one after the other. A link is
    followed: the folder that it names is replaced. Durable on return.

    An error leaves the earlier folder, and no temporary one. A folder cannot be replaced in one step: a crash between
    the two renames leaves the old one as `.NAME.PID.old`. Raises the `OSError` of the failed operation.
    """
    place = Path(os.path.realpath(out))
    fresh, old = (place.with_name(f".{place.name}.{os.getpid()}{end}") for end in (TEMPORARY_SUFFIX, ".old"))
    shutil.rmtree(fresh, ignore_errors=True)  # left by a killed process with the same process id
    try:
        for name, chunks in files:
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, chunks)
        REAL_FILES.sync_folder(fresh)
        if place.exists():
            place.rename(old)
        fresh.rename(place)
        REAL_FILES.sync_folder(place.parent)
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
