"""The writer's lock: one process writes a library, and everybody can see which.

Owns `freesound_library.lock`: an OS lock held for the whole run (gone with its process, even after `kill -9`), and
in the file who holds it. The file stays; only the lock on it counts.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harvester.errors import LibraryLocked, LibraryUnwritable
from harvester.library.layout import LOCK

_PATIENCE_S = 0.3
"""How long to try: a reader that asks who holds the lock takes a share of it for an instant."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that writes a library: where it runs, its number, and since when (microseconds UTC)."""

    host: str
    pid: int
    started: int


class WriterLock:
    """The lock of one library, held from `acquire` to `release`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._lock = FileLock(self._path, thread_local=False)

    def acquire(self, started: int) -> None:
        """Take the lock, or raise `LibraryLocked` naming who holds it."""
        try:
            self._lock.acquire(timeout=_PATIENCE_S, poll_interval=0.05)
        except Timeout as error:
            owner = read_owner(self._path.parent)
            who = f"process {owner.pid} on {owner.host}" if owner and owner.pid else "another process"
            raise LibraryLocked(
                f"{self._path.parent}: {who} is writing this library; wait for it, or stop it"
            ) from error
        except OSError as error:
            raise LibraryUnwritable(
                f"{self._path}: cannot be locked ({error.strerror or error}); nothing was changed"
            ) from error
        try:
            self._path.write_text(
                json.dumps(asdict(Owner(socket.gethostname(), os.getpid(), started))), encoding="utf-8"
            )
        except OSError:
            self._lock.release()
            raise

    def release(self) -> None:
        """Let go; safe to call again, and when the folder has vanished."""
        self._lock.release()


def read_owner(folder: Path) -> Owner | None:
    """Return who writes the library now, or None when nobody does. Changes nothing, needs no right to write."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read_owner(descriptor)
    finally:
        os.close(descriptor)
    return None


def _read_owner(descriptor: int) -> Owner:
    try:
        fields = json.loads(os.read(descriptor, 4096))
        return Owner(str(fields["host"]), int(fields["pid"]), int(fields["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Owner("", 0, 0)  # held, but its holder has not signed yet
