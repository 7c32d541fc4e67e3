"""Keep unreadable API responses for a bug report.

They go to `quarantine/`, `MOST_KEPT` at most.
"""

from __future__ import annotations

from pathlib import Path

from harvester.storage import QUARANTINE, quarantine_path, write_atomically

NAME = "unusable_answer.json"
MOST_KEPT = 10
"""Maximum number of kept responses: while the API is broken, each run would add one more."""


def keep_answer(folder: Path, body: bytes, now_us: int) -> Path | None:
    """Write `body` to `quarantine/` and return its path.

    Returns None when `MOST_KEPT` are there. A body that is already there is not written again. Durable on return.
    Raises `OSError`.
    """
    kept = sorted((folder / QUARANTINE).glob(f"*_{NAME}*"))
    for path in kept:
        if path.is_file() and path.stat().st_size == len(body) and path.read_bytes() == body:
            return path
    if len(kept) >= MOST_KEPT:
        return None
    path = quarantine_path(folder, NAME, now_us)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, [body])
    return path
