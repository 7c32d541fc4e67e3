"""Read and identify the checkpoint file, with its path in every error.

Owns how a file of the library is identified (device, inode, size, mtime) and read. `checkpoint.format` decodes it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harvester.checkpoint.container import Packed, is_packed_elsewhere
from harvester.checkpoint.copying import segments_of, verify_segments
from harvester.checkpoint.format import (
    Decoded,
    begins_as_checkpoint,
    decode_checkpoint,
    digest_of,
    garbage_collection_off,
)
from harvester.checkpoint.layout import latest_stamp
from harvester.checkpoint.loading import load_by_blocks
from harvester.checkpoint.segments import LastFile, Segments
from harvester.checkpoint.stored import StoringKeeper
from harvester.checkpoint.stream import digest_in
from harvester.checkpoint.walk import Verified, walk_checkpoint
from harvester.errors import BackupFailed, HarvesterError, LibraryCorrupt, LibraryUnwritable, NewerFormat, SettingsError
from harvester.graph import Dropped
from harvester.storage import (
    BEGINNING_BYTES,
    CHECKPOINT,
    HEAD_BYTES,
    PICKLE,
    NotRegular,
    describe_file,
    opened,
    opened_bounded,
    read_backup_name,
    read_bounded,
    read_start,
    refuse_content,
)

LARGEST_BYTES = 2 << 30
"""Largest checkpoint that is read: all of Freesound takes about half of it."""
_BEGINNING_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Signature:
    """Identity of a file.

    It changes when another program replaces or rewrites the file.
    """

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """Result of writing a checkpoint.

    `size_bytes` is the size of what was written, `backup` the backup written with it. `joined` counts the sounds that
    came from a checkpoint that another program had put there. `unchanged`: the checkpoint's file was left as it was.
    """

    path: Path
    size_bytes: int
    nodes: int
    edges: int
    backup: Path | None = None
    joined: int = 0
    unchanged: bool = False


def read_signature(path: Path) -> Signature | None:
    """Return the signature of a file, or None without one.

    Raises `LibraryUnwritable` if access is refused.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LibraryUnwritable(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    return _signature_of(status)


def _signature_of(status: os.stat_result) -> Signature:
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def packed_elsewhere(path: Path) -> list[bytes]:
    """Return the checkpoint's bytes if another zlib compressed it.

    `encode_checkpoint` takes them as `at_hand`. If this process's zlib compresses the same way, it reads only the
    beginning and returns an empty list. It also does for a file that is missing or cannot be read.
    """
    try:
        if is_packed_elsewhere(read_start(path, _BEGINNING_BYTES)):
            return [read_bounded(path, LARGEST_BYTES)]
    except OSError:  # without these blocks the new file is still valid, but Git stores more
        pass
    return []


def load_checkpoint(path: Path, dropped: Dropped | None = None) -> Decoded:
    """Read and decode a checkpoint or a backup.

    `dropped` is as in `decode_checkpoint`. Raises `LibraryCorrupt` or `NewerFormat` with the file's path,
    `LibraryNotFetched` for a placeholder, `LibraryUnwritable` when the system refuses to read it, `FileNotFoundError`
    when it does not exist.
    """
    with _opened(path) as file:
        return load_by_blocks(file) or decode_checkpoint(file, dropped)


def load_given(path: Path, dropped: Dropped | None = None) -> Decoded:
    """Read and decode a file that a person named as a checkpoint.

    A file that is none of ours is not corrupt: raises `SettingsError`, which says what the file is; else as
    `load_checkpoint` does.
    """
    try:
        return load_checkpoint(path, dropped)
    except LibraryCorrupt:
        if is_ours(path):
            raise
        what = describe_file(path)
        hint = " (`harvester import` takes files of older tools)" if what == PICKLE else ""
        raise SettingsError(
            f"{path}: it is {what}, not a library, a checkpoint or a backup{hint}; nothing was changed"
        ) from None


def is_ours(path: Path) -> bool:
    """Tell whether a file has a name of ours, or begins as a checkpoint.

    Only such a file can be a corrupt one.
    """
    if path.name == CHECKPOINT or read_backup_name(path.name) is not None:
        return True
    with suppress(OSError):
        return begins_as_checkpoint(read_start(path, BEGINNING_BYTES))
    return False


def verify_checkpoint(path: Path, dropped: Dropped | None = None) -> Verified:
    """Read and verify a checkpoint or a backup, and return what it holds.

    Applies the rules of `load_checkpoint` and raises as it does, but keeps no graph: at 255,683 sounds it needs 230 MB
    instead of 1.4 GB. Only a file that is corrupt, or in another form than harvester writes, is loaded.
    """
    with _opened(path) as file:
        verified = walk_checkpoint(file)
    if verified is not None:
        return verified
    decoded = load_checkpoint(path, dropped)
    state = decoded.state
    return Verified(
        decoded.digest, state.source, state.space, len(state), state.edge_count, len(state.processed), state.list_count,
        latest_stamp(state), is_canonical=digest_of(state) == decoded.digest,
    )  # fmt: skip


def store_checkpoint(path: Path) -> Decoded | None:
    """Read a checkpoint or a backup into a state whose sounds stay on disk.

    It is read-only, and else that of `load_checkpoint`: a temporary file of about five times the size of this one has
    its sounds. None for a file that the walk does not prove: only `load_checkpoint` can judge it. Raises as
    `load_checkpoint` does, and `LibraryUnwritable` also where no temporary file can be written.
    """
    with _opened(path) as file:
        return store_open_checkpoint(file)


def store_open_checkpoint(file: Packed) -> Decoded | None:
    """Do as `store_checkpoint` does, with an open file."""
    keeper = StoringKeeper()
    with garbage_collection_off():
        verified = walk_checkpoint(file, keeper=keeper)
    return None if verified is None else Decoded(keeper.state, keeper.metadata, verified.digest)


def check_readable(new: Path) -> None:
    """Raise `BackupFailed` unless the new checkpoint can be read back.

    Called before it replaces the old one.
    """
    try:
        verify_checkpoint(new)
    except LibraryCorrupt as error:
        reason = str(error).removeprefix(f"{new}: ")
        raise BackupFailed(
            f"the new checkpoint could not be read back ({reason}) and was discarded; the old file is unchanged; "
            f"please report this"
        ) from error


def load_digest(path: Path) -> str:
    """Return the digest of a checkpoint or backup after verifying it.

    Takes a tenth of the time of `load_checkpoint`: enough to detect corruption of a file that was once verified.
    Raises as `load_checkpoint` does.
    """
    with _opened(path) as file:
        return digest_in(file)


def verify_written(path: Path, segments: Segments) -> None:
    """Read back a file that this process has written, and verify it.

    Takes a hundredth of the time of `verify_checkpoint` where most blocks were copied. `segments` are those of what was
    written. Raises `LibraryCorrupt` if a byte differs, or a value in a new block is invalid; else as `load_checkpoint`.
    """
    with _opened(path) as file:
        verify_segments(file, segments)


def holds_segments(path: Path, segments: Segments) -> bool:
    """Tell whether a file has the bytes of these segments now."""
    try:
        with _opened(path) as file:
            return all(True for _ in segments_of(file, segments))
    except (HarvesterError, OSError):
        return False


@contextmanager
def copying_from(path: Path, signature: Signature | None, segments: Segments | None) -> Iterator[LastFile | None]:
    """Open the file with these segments for the block, to copy from it.

    Gives None if there is none, or if the file at `path` has another signature.
    """
    with _opened_as(path, signature) as descriptor:
        yield None if descriptor is None or segments is None else LastFile(descriptor, segments)


@contextmanager
def _opened_as(path: Path, signature: Signature | None) -> Iterator[int | None]:
    """Open a file for the block; give None if it has not this signature."""
    with ExitStack() as stack:
        descriptor = None
        with suppress(OSError):
            file = stack.enter_context(opened(path))
            descriptor = file if _signature_of(os.fstat(file)) == signature else None
        yield descriptor


@contextmanager
def _opened(path: Path) -> Iterator[Packed]:
    """Open a file for the block, and put its path before every error."""
    try:
        with opened_bounded(path, LARGEST_BYTES) as file:
            refuse_content(next(file.pieces(), b"")[:HEAD_BYTES], path)
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        if isinstance(error, NotRegular) or error.errno in (errno.EIO, errno.EISDIR, errno.EFBIG):
            raise LibraryCorrupt(f"{path}: it cannot be read ({error.strerror})") from error
        raise LibraryUnwritable(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    except (LibraryCorrupt, NewerFormat) as error:
        raise type(error)(f"{path}: {error}") from error
