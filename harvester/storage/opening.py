"""Open regular files only, and write through no symbolic link.

Reads stop at a limit. Opening a FIFO blocks, reading a device never ends, and a symbolic link leads out of the folder.
Files of a library and settings come from Git, archives and colleagues, so this module checks each file before it reads
or writes a byte.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_PIECE_BYTES = 1 << 20


def path_text(path: Path | str) -> str:
    """Return a path as valid text.

    Bytes that are not UTF-8 become a backslash, `x` and two hex digits.
    """
    return os.fsencode(path).decode(errors="backslashreplace")


class NotRegular(OSError):
    """The path is not a regular file; `strerror` says what it is."""


def open_regular(path: Path) -> int:
    """Return a descriptor for reading the regular file at `path`.

    Follows symbolic links. Raises `NotRegular`, `IsADirectoryError`, or what `os.open` raises. Never blocks.
    """
    _refuse_odd(path, path.stat())  # before opening: opening a device can have side effects
    return _checked(path, os.open(path, os.O_RDONLY | _FLAGS))


def open_for_writing(path: Path, flags: int = os.O_WRONLY) -> int:
    """Return a descriptor for writing the regular file at `path`.

    With `O_CREAT` in `flags` the file is created. Raises `NotRegular` or `IsADirectoryError` for a symbolic link and
    for anything else that is not a regular file.
    """
    refuse_link(path)
    try:
        return _checked(path, os.open(path, flags | _FLAGS | os.O_NOFOLLOW, 0o666))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_regular(path, stat.S_IFLNK) from error
        raise


def refuse_link(path: Path) -> None:
    """Raise `NotRegular` or `IsADirectoryError` for any other file.

    A regular or a missing file passes, a link does not.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    _refuse_odd(path, status)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Raises `OSError` (EFBIG) if it is larger than `most_bytes`.
    """
    with opened_bounded(path, most_bytes) as file:
        return b"".join(file.pieces())


class OpenFile:
    """An open regular file that can be read several times.

    `size_bytes` is its size at opening; what another process appends later is not read.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = os.fstat(descriptor).st_size

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes from the start; readings do not disturb each other."""
        return _pieces(self._descriptor, self.size_bytes)


@contextmanager
def opened_bounded(path: Path, most_bytes: int) -> Iterator[OpenFile]:
    """Open a regular file for the block, to read it several times.

    Raises `OSError` (EFBIG) if it is larger than `most_bytes`.
    """
    with opened(path) as descriptor:
        yield _bounded(descriptor, path, most_bytes)


def read_inside(folder: Path, name: str, most_bytes: int) -> bytes:
    """Return the bytes of the file `name` that lies in `folder` itself.

    Follows no symbolic link, neither of the file nor of the folder. Raises `NotRegular`, `IsADirectoryError`, `OSError`
    (EFBIG) if it is larger than `most_bytes`, or what `os.open` raises.
    """
    path = folder / name
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | _FLAGS)
    try:
        _refuse_odd(path, os.stat(name, dir_fd=place, follow_symlinks=False))
        descriptor = _checked(path, os.open(name, os.O_RDONLY | os.O_NOFOLLOW | _FLAGS, dir_fd=place))
    finally:
        os.close(place)
    try:
        return b"".join(_bounded(descriptor, path, most_bytes).pieces())
    finally:
        os.close(descriptor)


def read_start(path: Path, most_bytes: int) -> bytes:
    """Return the first bytes of a regular file, at most `most_bytes`."""
    with opened(path) as descriptor:
        return os.read(descriptor, most_bytes)


def read_pieces(path: Path, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a regular file, up to its size at opening."""
    with opened(path) as descriptor:
        yield from _pieces(descriptor, os.fstat(descriptor).st_size, piece_bytes)


def copy_regular(source: Path, target: Path) -> None:
    """Copy a regular file to a new one, without a sync.

    Raises `FileExistsError` if `target` exists.
    """
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600), "wb") as file:
        file.writelines(read_pieces(source))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file for the block, as `open_regular` does."""
    descriptor = open_regular(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _bounded(descriptor: int, path: Path, most_bytes: int) -> OpenFile:
    file = OpenFile(descriptor)
    if file.size_bytes > most_bytes:
        raise OSError(errno.EFBIG, f"it has {file.size_bytes} bytes, more than {most_bytes}", str(path))
    return file


def _pieces(descriptor: int, size_bytes: int, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes]:
    # Stop at the known size: a file that another process extends might never end.
    place = 0
    while place < size_bytes and (piece := os.pread(descriptor, min(size_bytes - place, piece_bytes), place)):
        place += len(piece)
        yield piece


def _checked(path: Path, descriptor: int) -> int:
    try:
        _refuse_odd(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_odd(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(path, stat.S_IFMT(status.st_mode))


def _not_regular(path: Path, kind: int) -> OSError:
    if kind == stat.S_IFDIR:
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return NotRegular(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a regular file", str(path))
