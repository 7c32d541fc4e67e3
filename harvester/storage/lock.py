"""The writer's lock: one process writes, any process can read which.

Owns `freesound_library.lock`: an OS lock held for the whole run (the system releases it with the process, even after
`kill -9`), and the holder's name in the file. The file stays; only the lock on it counts.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harvester.clock import LATEST_US
from harvester.errors import LibraryLocked, LibraryUnwritable
from harvester.storage.opening import open_for_writing, open_regular
from harvester.storage.paths import LOCK

_TRIES, _PAUSE_S = 7, 0.05
"""How often to try, and the pause between two tries: `read_owner` holds a shared lock for an instant."""

_LARGEST_PID = 1 << 32


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that writes a library.

    Its host, its process id, and its start (microseconds UTC).
    """

    host: str
    pid: int
    started: int


class WriterLock:
    """The lock of one library, held from `acquire` to `release`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._descriptor: int | None = None

    def acquire(self, started: int) -> None:
        """Take the lock.

        Raises `LibraryLocked` with the holder's name, or `LibraryUnwritable`.
        """
        try:
            descriptor = open_for_writing(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise LibraryUnwritable(
                f"{self._path}: cannot be locked ({error.strerror or error}); nothing was changed"
            ) from error
        try:
            self._take(descriptor)
            owner = Owner(socket.gethostname(), os.getpid(), started)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _take(self, descriptor: int) -> None:
        for attempt in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if attempt + 1 < _TRIES:
                    time.sleep(_PAUSE_S)
                    continue
                raise _locked(self._path.parent, read_owner(self._path.parent)) from error
            except OSError as error:
                raise LibraryUnwritable(
                    f"{self._path}: cannot be locked ({error.strerror}); nothing was changed"
                ) from error
            else:
                return

    def release(self) -> None:
        """Release the lock; safe to call again.

        Also safe when the folder no longer exists.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.release()


def refuse_locked(folder: Path) -> None:
    """Raise `LibraryLocked` if another process writes the library now.

    Changes nothing, needs no write permission.
    """
    owner = read_owner(folder)
    if owner is not None:
        raise _locked(folder, owner)


def _locked(folder: Path, owner: Owner | None) -> LibraryLocked:
    who = f"process {owner.pid} on {owner.host}" if owner and owner.pid else "another process"
    return LibraryLocked(f"{folder}: {who} is writing this library; wait for it, or stop it")


def read_owner(folder: Path) -> Owner | None:
    """Return the process that writes the library now, or None.

    Changes nothing, needs no write permission.
    """
    try:
        descriptor = open_regular(folder / LOCK)
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
        host, pid, started = fields["host"], fields["pid"], fields["started"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Owner("", 0, 0)  # locked, but the holder has not written its name yet
    if type(host) is not str or any(type(number) is not int for number in (pid, started)):
        return Owner("", 0, 0)
    return Owner(host, pid, started) if 0 < pid < _LARGEST_PID and 0 <= started <= LATEST_US else Owner("", 0, 0)
