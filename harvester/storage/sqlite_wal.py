"""The index of a WAL: room on the disk for it, before SQLite writes there through memory.

SQLite maps the `-shm` file into memory and extends it by one byte in each 4,096. On a file system with smaller blocks
that leaves holes, and a write into one is a bus error where the disk is full: the process is gone, without a word.
Owns that no hole is left (`posix_fallocate`, which says "full" in time), and that a database is not even opened where
there is no room to begin. Knows nothing of what the databases hold.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from harvester.errors import DiskFull

LEAST_FREE_BYTES = 64 << 10
"""What SQLite needs at least: the first region of an index, and a commit."""

REGION_BYTES, REGION_FRAMES = 1 << 15, 4000
"""SQLite indexes 4,096 frames of the WAL in each 32 KiB, the first of them a few less (wal.c, WALINDEX_PGSZ)."""

_FRAME_HEAD_BYTES = 24
_DESCRIPTORS = Path("/dev/fd")
_NO_ALLOCATION = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def index_size(frames: int) -> int:
    """Return how many bytes the index of a WAL of so many frames takes."""
    return (frames // REGION_FRAMES + 1) * REGION_BYTES


class WalIndex:
    """The index of one database: `begin` before it is opened, `hold` before each transaction."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        self._path, self._index = path, path.with_name(f"{path.name}-shm")
        self._wal = path.with_name(f"{path.name}-wal")
        self._sized = str(self._wal), str(self._path)
        self._frame_bytes = page_bytes + _FRAME_HEAD_BYTES
        self._held_bytes = 0

    def begin(self) -> None:
        """Raise `DiskFull` where there is no room for the index that opening makes, and for one commit."""
        folder = self._path.parent
        usage = shutil.disk_usage(folder)
        needed_bytes = LEAST_FREE_BYTES + index_size(_size(self._wal) // self._frame_bytes) - REGION_BYTES
        if usage.total and usage.free < needed_bytes:
            raise DiskFull(f"{folder}: no space left on the disk ({usage.free} bytes); nothing was changed")
        self._held_bytes = 0

    def hold(self, new_bytes: int) -> None:
        """See that the index has its room when `new_bytes` more are written; raises the `OSError` of a full disk.

        A transaction may also touch any page that is there, so that the whole database counts as well.
        """
        frames = (sum(map(_size, self._sized)) + 2 * new_bytes) // self._frame_bytes
        wanted_bytes = index_size(frames)
        if wanted_bytes <= self._held_bytes:
            return
        descriptor = _descriptor_of(self._index)
        if descriptor is not None and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(descriptor, 0, wanted_bytes)
            except OSError as error:
                if error.errno not in _NO_ALLOCATION:
                    raise
        self._held_bytes = wanted_bytes


def _size(path: Path | str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - before every commit, half the time of a Path's
    except FileNotFoundError:
        return 0


def _descriptor_of(path: Path) -> int | None:
    """Return SQLite's own descriptor of a file.

    One of ours would have to be closed some day, and that ends every lock of this process on the file (POSIX): SQLite
    would go on as if it held them.
    """
    try:
        wanted = path.stat()
        numbers = [int(name) for name in os.listdir(_DESCRIPTORS)]  # noqa: PTH208 - names, not paths
    except OSError:
        return None
    for number in numbers:
        with suppress(OSError):  # closed since, by another thread
            status = os.fstat(number)
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                return number
    return None
