"""The writer's lock: one process writes, any process can read which.

Owns `freesound_library.lock`: an OS lock held for the whole run (the system releases it with the process, even after
`kill -9`), and the holder's name in the file. The file stays with the library; only the lock on it counts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harvester.clock import LATEST_US, check_clock
from harvester.errors import LibraryLocked, LibraryUnwritable, words_of
from harvester.storage.opening import open_for_writing, open_regular
from harvester.storage.paths import LOCK

_TRIES, _PAUSE_S = 7, 0.05
"""How often to try, and the pause between two tries: `read_owner` holds a shared lock for an instant."""

_LARGEST_PID = 1 << 32
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a file system without locks answers, such as an NFS mount without a lock server."""


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

    def __init__(self, folder: Path, *, name: str = LOCK, work: str = "is writing this library") -> None:
        """Make a lock, not taken yet; `work` says what its holder does."""
        self._path = folder / name
        self._work = work
        self._descriptor: int | None = None

    def acquire(self, started: int) -> None:
        """Take the lock; `started` is the time now.

        Raises `LibraryLocked` with the holder's name, or `LibraryUnwritable`, also where the file system has no locks.
        Raises `SettingsError` for a clock that is not set: what this process writes would have its time.
        """
        check_clock(started)
        descriptor = self._open()
        try:
            self._take(descriptor)
            while not self._is_in_place(descriptor):
                os.close(descriptor)
                descriptor = self._open()
                self._take(descriptor)
            owner = Owner(socket.gethostname(), os.getpid(), started)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._descriptor is not None

    def _open(self) -> int:
        try:
            return open_for_writing(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise LibraryUnwritable(
                f"{self._path}: cannot be locked ({words_of(error)}); nothing was changed"
            ) from error

    def _is_in_place(self, descriptor: int) -> bool:
        """Tell whether the locked file is still at its path.

        A run to which nothing came removes the file, while another process may wait for its lock.
        """
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _take(self, descriptor: int) -> None:
        for attempt in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if attempt + 1 < _TRIES:
                    time.sleep(_PAUSE_S)
                    continue
                raise _locked(self._path.parent, read_owner(self._path.parent, self._path.name), self._work) from error
            except OSError as error:
                raise _no_locks(self._path, error) from error
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
        raise _locked(folder, owner, "is writing this library")


def _locked(folder: Path, owner: Owner | None, work: str) -> LibraryLocked:
    who = f"process {owner.pid} on {owner.host}" if owner and owner.pid else "another process"
    return LibraryLocked(f"{folder}: {who} {work}; wait for it, or stop it")


def check_locks(beside: Path) -> None:
    """Raise `LibraryUnwritable` if SQLite can lock no file beside `beside`.

    SQLite itself would wait, and then report that another process has the lock.
    """
    from tempfile import TemporaryFile  # slow to import

    # A file of its own: closing any descriptor of a file releases this process's locks on it (POSIX).
    try:
        with TemporaryFile(dir=beside.parent, prefix=f".{beside.name}.") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _no_locks(beside, error) from error


def _no_locks(path: Path, error: OSError) -> LibraryUnwritable:
    advice = ""
    if error.errno in _NO_LOCKS:
        advice = "this file system has no locks: move the folder to a local disk, or mount it with locks; "
    return LibraryUnwritable(f"{path}: cannot be locked ({error.strerror}); {advice}nothing was changed")


def read_owner(folder: Path, name: str = LOCK) -> Owner | None:
    """Return the process that writes the library now, or None.

    Changes nothing, needs no write permission.
    """
    try:
        descriptor = open_regular(folder / name)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_owner(descriptor)
    except OSError:
        return None  # a file system without locks: no process can write this library
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
