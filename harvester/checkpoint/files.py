"""The checkpoint file: read with a name in every error, and told from a foreign one before it is replaced.

Owns how a file of the library is identified (device, inode, size, mtime) and read; the bytes are `codec`'s.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from harvester.checkpoint.format import Decoded, decode_checkpoint, digest_in, is_packed_elsewhere
from harvester.errors import BackupFailed, LibraryCorrupt, LibraryUnwritable, NewerFormat
from harvester.graph import Dropped
from harvester.storage import HEAD_BYTES, NotRegular, read_bounded, read_start, refuse_content

LARGEST_BYTES = 2 << 30
"""No checkpoint is larger: all of Freesound takes about half of it."""
_BEGINNING_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells one file from another that came to its place."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What a checkpoint came to. `backup` is the backup that was written; `joined` counts sounds that a foreign file
    brought in; `unchanged` says that the checkpoint's file was left as it is. `size_bytes` is of what was written."""

    path: Path
    size_bytes: int
    nodes: int
    edges: int
    seconds: float
    backup: Path | None = None
    joined: int = 0
    unchanged: bool = False


def read_signature(path: Path) -> Signature | None:
    """Return the signature of a file, or None when there is none; raises `LibraryUnwritable` when it cannot be seen."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LibraryUnwritable(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def packed_elsewhere(path: Path) -> list[bytes]:
    """Return the bytes of the checkpoint at `path`, for `encode_checkpoint`, where another zlib packed it.

    Reads its beginning only where the zlib of this process packs the same. Returns nothing for a missing file.
    """
    try:
        if is_packed_elsewhere(read_start(path, _BEGINNING_BYTES)):
            return [read_bounded(path, LARGEST_BYTES)]
    except OSError:  # without its blocks the new file is as good; only Git stores more
        pass
    return []


def load_checkpoint(path: Path, dropped: Dropped | None = None) -> Decoded:
    """Return what a checkpoint or a backup holds; `dropped` is `decode_checkpoint`'s.

    Raises `LibraryCorrupt` or `NewerFormat` with the file's name, `LibraryNotFetched` for a placeholder,
    `LibraryUnwritable` when it cannot be read at all, `FileNotFoundError` when it is not there.
    """
    packed = _read_bytes(path)
    try:
        return decode_checkpoint(packed, dropped)
    except (LibraryCorrupt, NewerFormat) as error:
        raise type(error)(f"{path}: {error}") from error


def check_readable(new: Path) -> None:
    """Raise `BackupFailed` unless the reader takes a file that is about to replace another."""
    try:
        load_checkpoint(new)
    except LibraryCorrupt as error:
        reason = str(error).removeprefix(f"{new}: ")
        raise BackupFailed(
            f"the new checkpoint could not be read back ({reason}) and was not put in place: what was there is as it "
            f"was; please report this"
        ) from error


def load_digest(path: Path) -> str:
    """Return the digest of a checkpoint or a backup after comparing it with the content.

    A tenth of the work of `load_checkpoint`: enough to see that a file which was verified once has not rotted since.
    """
    packed = _read_bytes(path)
    try:
        return digest_in(packed)
    except LibraryCorrupt as error:
        raise LibraryCorrupt(f"{path}: {error}") from error


def _read_bytes(path: Path) -> bytes:
    try:
        packed = read_bounded(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        if isinstance(error, NotRegular) or error.errno in (errno.EIO, errno.EISDIR, errno.EFBIG):
            raise LibraryCorrupt(f"{path}: it cannot be read ({error.strerror})") from error
        raise LibraryUnwritable(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    refuse_content(packed[:HEAD_BYTES], path)
    return packed
