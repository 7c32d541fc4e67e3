"""Allocate disk space for the index of an SQLite WAL in advance.

SQLite writes to it through mapped memory. SQLite maps the `-shm` file into memory and extends it by one byte in each
4,096. On a file system with smaller blocks that leaves holes, and on a full disk a write into a hole raises a bus
error, which ends the process without a message. So this module fills the holes (`posix_fallocate`, which reports a full
disk in time), and refuses to open a database when the disk has no room for a first commit. Knows nothing of the
databases' content.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from harvester.errors import DiskFull

LEAST_FREE_BYTES = 64 << 10
"""Least free space that SQLite needs: the first region of an index, and a commit."""

REGION_BYTES, REGION_FRAMES = 1 << 15, 4000
"""SQLite indexes 4,096 frames of the WAL per 32 KiB, and a few less in the first 32 KiB (wal.c, WALINDEX_PGSZ)."""

_FRAME_HEAD_BYTES = 24
_DESCRIPTORS = Path("/dev/fd")
_NO_ALLOCATION = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def index_size(frames: int) -> int:
    """Return the size in bytes of the index of a WAL with `frames` frames."""
    return (frames // REGION_FRAMES + 1) * REGION_BYTES


class WalIndex:
    """The index of one database's WAL.

    Call `begin` before opening it and `hold` before each transaction.
    """

    def __init__(self, path: Path, page_bytes: int) -> None:
        self._path, self._index = path, path.with_name(f"{path.name}-shm")
        self._wal = path.with_name(f"{path.name}-wal")
        self._sized = str(self._wal), str(self._path)
        self._frame_bytes = page_bytes + _FRAME_HEAD_BYTES
        self._held_bytes = 0

    def begin(self) -> None:
        """Raise `DiskFull` without room for a new index and one commit."""
        folder = self._path.parent
        usage = shutil.disk_usage(folder)
        needed_bytes = LEAST_FREE_BYTES + index_size(_size(self._wal) // self._frame_bytes) - REGION_BYTES
        if usage.total and usage.free < needed_bytes:
            raise DiskFull(f"{folder}: no space left on the disk ({usage.free} bytes); nothing was changed")
        self._held_bytes = 0

    def hold(self, new_bytes: int) -> None:
        """Allocate the index for a transaction of `new_bytes`.

        Raises the `OSError` of a full disk. A transaction may also change any existing page, so the size of the whole
        database counts too.
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
        return os.stat(path).st_size  # noqa: PTH116 - called before every commit, in half the time of Path.stat
    except FileNotFoundError:
        return 0


def _descriptor_of(path: Path) -> int | None:
    """Return SQLite's own descriptor of a file, or None if not open.

    Closing a second descriptor would release every lock of this process on the file (POSIX), and SQLite would continue
    without its locks.
    """
    try:
        wanted = path.stat()
        numbers = [int(name) for name in os.listdir(_DESCRIPTORS)]  # noqa: PTH208 - names, not paths
    except OSError:
        return None
    for number in numbers:
        with suppress(OSError):  # another thread closed it meanwhile
            status = os.fstat(number)
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                return number
    return None
