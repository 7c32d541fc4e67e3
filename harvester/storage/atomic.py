"""The file layer: every byte of the library that SQLite does not write goes through here.

Owns the order write, fsync, rename, fsync the folder (without the file's fsync XFS leaves an empty file after a power
cut) and the translation of the system's errors into ours. A failure leaves the old file standing and no temporary.
Knows nothing of what the bytes mean.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from harvester.errors import DiskFull, LibraryUnwritable
from harvester.storage.opening import NotRegular

SYNC_EVERY_BYTES = 4 << 20
"""A large file is synced in slices, so that a journal commit beside it never waits for the whole of it."""

TEMPORARY_SUFFIX = ".tmp"

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


class Files(Protocol):
    """What the library asks of a file system; tests hand in one that fails by map."""

    def create(self, path: Path) -> int:
        """Create a new file for writing and return its descriptor; it must not exist yet."""
        ...

    def write(self, descriptor: int, chunk: bytes) -> int:
        """Write some of `chunk` and return how many bytes were taken."""
        ...

    def fsync(self, descriptor: int) -> None:
        """Return when the file's bytes are on the disk."""
        ...

    def close(self, descriptor: int) -> None: ...

    def rename(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target`, atomically."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return when the folder's entries are on the disk."""
        ...

    def unlink(self, path: Path) -> None: ...

    def make_folder(self, folder: Path) -> None:
        """Create the folder and its parents where they are missing."""
        ...


class RealFiles:
    """The file system of this machine."""

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write(self, descriptor: int, chunk: bytes) -> int:
        return os.write(descriptor, chunk)

    def fsync(self, descriptor: int) -> None:
        full_sync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some network file systems cannot sync a folder; the rename itself is all there is then.
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)


REAL_FILES = RealFiles()


def full_sync(descriptor: int) -> None:
    """Sync a file to the platter: on macOS `fsync` alone stops at the drive's cache, F_FULLFSYNC does not."""
    command = getattr(fcntl, "F_FULLFSYNC", None)
    if command is not None:
        with suppress(OSError):  # not every file system knows it; fsync is what remains
            fcntl.fcntl(descriptor, command)
            return
    os.fsync(descriptor)


class NewFile:
    """A file that is written and synced beside the one it may replace, until `replace` says so."""

    def __init__(self, path: Path, target: Path, files: Files) -> None:
        self.path = path
        self.replaced = False
        self._target = target
        self._files = files

    def replace(self) -> None:
        """Put the file in the place of its target, durable on return. Raises the `OSError` it met."""
        self._files.rename(self.path, self._target)
        self.replaced = True
        self._files.sync_folder(self._target.parent)


@contextmanager
def written_beside(path: Path, chunks: Iterable[bytes], files: Files = REAL_FILES) -> Iterator[NewFile]:
    """Give a new file with `chunks`, all of it synced; a block that ends without `replace` leaves `path` as it is.

    A crash leaves the old file or the new one; whatever fails, no temporary stays. Raises the `OSError` it met.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    with suppress(FileNotFoundError):  # left by a killed process of the same number
        temporary.unlink()
    new = NewFile(temporary, path, files)
    try:
        _write_synced(temporary, chunks, files)
        yield new
    finally:
        if isinstance(chunks, Generator):  # its threads end now, not when the error is forgotten
            chunks.close()
        if not new.replaced:
            _remove(temporary, files)


def write_atomically(path: Path, chunks: Iterable[bytes], files: Files = REAL_FILES) -> None:
    """Replace `path` by `chunks`, durable on return. Raises the `OSError` it met; a file is never half written."""
    with written_beside(path, chunks, files) as new:
        new.replace()


def _write_synced(path: Path, chunks: Iterable[bytes], files: Files) -> None:
    descriptor = files.create(path)
    try:
        unsynced = 0
        for chunk in chunks:
            rest = chunk
            while rest:
                rest = rest[files.write(descriptor, rest) :]
            unsynced += len(chunk)
            if unsynced >= SYNC_EVERY_BYTES:
                files.fsync(descriptor)
                unsynced = 0
        files.fsync(descriptor)
    finally:
        files.close(descriptor)


def _remove(path: Path, files: Files) -> None:
    try:
        files.unlink(path)
    except FileNotFoundError:
        return
    except OSError:
        with suppress(OSError):  # the folder itself has gone or turned read-only: the next `open` sweeps
            path.unlink()


def sweep_temporaries(folder: Path) -> list[Path]:
    """Remove what killed processes left half written, and return it. Only the holder of the lock may call this."""
    swept = []
    for path in sorted(folder.glob(f".*{TEMPORARY_SUFFIX}")):
        with suppress(OSError):
            path.unlink()
            swept.append(path)
    return swept


@contextmanager
def disk_errors(what: Path, kept: str) -> Iterator[None]:
    """Turn an `OSError` of the block into `DiskFull` or `LibraryUnwritable`; `kept` says what is still safe."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, what, kept) from error


def disk_error(error: OSError, what: Path, kept: str) -> DiskFull | LibraryUnwritable:
    """Return our error for the system's, one line: what failed, why, what was kept."""
    if error.errno in _FULL:
        return DiskFull(f"{what}: no space left on the disk ({error.strerror}); {kept}")
    if isinstance(error, NotRegular) and error.filename:
        return LibraryUnwritable(f"{error.filename}: {error.strerror}; {kept}")
    return LibraryUnwritable(f"{what}: cannot be written ({error.strerror or error}); {kept}")
