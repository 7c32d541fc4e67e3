"""Write atomically every byte of the library that SQLite does not.

Owns the order write, fsync, rename, fsync the folder (without the file's fsync XFS leaves an empty file after a power
cut) and the translation of `OSError` into errors of harvester. A failure keeps the old file and leaves no temporary
file. Knows nothing of the meaning of the bytes.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harvester.errors import DiskFull, LibraryUnwritable
from harvester.open_files import reason_of
from harvester.storage.opening import NotRegular

SYNC_EVERY_BYTES = 4 << 20
"""A large file is synced in slices of this size, so that a journal commit never waits for a sync of the whole file."""

TEMPORARY_SUFFIX = ".tmp"

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


class Files:
    """The file operations that the library uses.

    Tests pass a subclass that fails on purpose.
    """

    def create(self, path: Path) -> int:
        """Create a file for writing; raise `FileExistsError` if it exists."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write(self, descriptor: int, chunk: bytes) -> int:
        """Write some of `chunk` and return how many bytes were written."""
        return os.write(descriptor, chunk)

    def fsync(self, descriptor: int) -> None:
        """Return when the file's bytes are on the disk."""
        full_sync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Replace `target` by `source`, atomically."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Sync the folder's entries, where its file system supports that."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some network file systems cannot sync a folder; there the rename alone must do.
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)

    def unlink(self, path: Path) -> None:
        """Remove the file."""
        path.unlink()

    def make_folder(self, folder: Path) -> None:
        """Create the folder and its parents if they are missing."""
        folder.mkdir(parents=True, exist_ok=True)


REAL_FILES = Files()
"""The file system of this machine."""


def full_sync(descriptor: int) -> None:
    """Sync a file to the disk itself.

    On macOS `fsync` stops at the drive's cache, F_FULLFSYNC does not.
    """
    command = getattr(fcntl, "F_FULLFSYNC", None)
    if command is not None:
        with suppress(OSError):  # not every file system supports it; then use fsync
            fcntl.fcntl(descriptor, command)
            return
    os.fsync(descriptor)


class NewFile:
    """A new file, written and synced beside its target.

    `replace` puts it in the target's place.
    """

    def __init__(self, path: Path, target: Path, files: Files) -> None:
        self.path = path
        self.replaced = False
        self._target = target
        self._files = files

    def replace(self) -> None:
        """Replace the target by this file, durable on return.

        Raises the `OSError` of the failed operation.
        """
        self._files.rename(self.path, self._target)
        self.replaced = True
        self._files.sync_folder(self._target.parent)


@contextmanager
def written_beside(path: Path, chunks: Iterable[bytes], files: Files = REAL_FILES) -> Iterator[NewFile]:
    """Write `chunks` to a new file beside `path` and sync it.

    The block may call `replace` to put it in place. A block that ends without `replace` leaves `path` unchanged.

    A crash leaves either the old or the new file, and perhaps a temporary file, which the next start removes. On an
    error before `replace` the old file stays and the temporary file is removed. Raises the `OSError` of the failed
    operation.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    with suppress(FileNotFoundError):  # left by a killed process with the same process id
        temporary.unlink()
    new = NewFile(temporary, path, files)
    try:
        _write_synced(temporary, chunks, files)
        yield new
    finally:
        if isinstance(chunks, Generator):  # end its threads now, not when the exception is garbage-collected
            chunks.close()
        if not new.replaced:
            _remove(temporary, files)


def write_atomically(path: Path, chunks: Iterable[bytes], files: Files = REAL_FILES) -> None:
    """Replace `path` by `chunks`, atomically and durable on return.

    A crash or an error leaves either the old or the new file. Raises the `OSError` of the failed operation.
    """
    with written_beside(path, chunks, files) as new:
        new.replace()


def write_all(descriptor: int, content: bytes, files: Files = REAL_FILES) -> None:
    """Write all bytes to an open file.

    The system may take fewer at once. Raises the `OSError` of the failed write; the file then has the bytes that were
    written before.
    """
    while content:
        content = content[files.write(descriptor, content) :]


def _write_synced(path: Path, chunks: Iterable[bytes], files: Files) -> None:
    descriptor = files.create(path)
    try:
        unsynced = 0
        for chunk in chunks:
            write_all(descriptor, chunk, files)
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
        with suppress(OSError):  # the folder was removed or is read-only: the next start removes the file
            path.unlink()


def sweep_temporaries(folder: Path) -> list[Path]:
    """Remove and return temporary files that killed processes left.

    Requires the writer's lock.
    """
    swept = []
    for path in sorted(folder.glob(f".*{TEMPORARY_SUFFIX}")):
        with suppress(OSError):
            path.unlink()
            swept.append(path)
    return swept


@contextmanager
def disk_errors(what: Path, kept: str) -> Iterator[None]:
    """Translate an `OSError` of the block into an error of harvester.

    Raises `DiskFull` or `LibraryUnwritable`; `kept` says what is safe.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(error, what, kept) from error


def disk_error(error: OSError, what: Path, kept: str) -> DiskFull | LibraryUnwritable:
    """Return the one-line `HarvesterError` for an `OSError`."""
    if error.errno in _FULL:
        return DiskFull(f"{what}: no space left on the disk ({error.strerror}); {kept}")
    if isinstance(error, NotRegular) and error.filename:
        return LibraryUnwritable(f"{error.filename}: {error.strerror}; {kept}")
    return LibraryUnwritable(f"{what}: cannot be written ({reason_of(error)}); {kept}")
