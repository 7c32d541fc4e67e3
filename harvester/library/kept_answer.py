"""Keep an answer of the API that could not be read, for whoever looks into it: in `quarantine/`, a few at most."""

from __future__ import annotations

from pathlib import Path

from harvester.storage import QUARANTINE, quarantine_path, write_atomically

NAME = "unusable_answer.json"
MOST_KEPT = 10
"""So many of them are kept; every run of a broken month would add one more."""


def keep_answer(folder: Path, body: bytes, now_us: int) -> Path | None:
    """Write `body` to the library's `quarantine/` and return where it is; None when there are enough of them.

    Bytes that are there already are not written again. Raises `OSError`.
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
