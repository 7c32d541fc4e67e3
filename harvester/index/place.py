"""Where the files made of a library lie, and what makes them believed.

Owns the names of an index or of tables, with its seal, and their trust. Both lie in a folder that only the user can
write: the file, and the seal, which has the SHA-256 of the file and of the checkpoint that it describes. So a torn,
flipped, foreign or stale file never matches, and no other user can put a pair there that does. Nothing lies in the
library's own folder: Git, a copy or an archive never carries one, and a library in a read-only folder can have one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import BufferedWriter
from pathlib import Path

from harvester.errors import LibraryCorrupt
from harvester.storage import (
    CHECKPOINT,
    TEMPORARY_SUFFIX,
    full_sync,
    opened,
    path_text,
    read_bounded,
    write_atomically,
)

INDEX, TABLES = ".sqlite", ".duckdb"
"""How the names of the two kinds of files end."""

_SEAL = ".seal"
_LARGEST_SEAL_BYTES = 1 << 16
_PIECE_BYTES = 1 << 20
_OTHERS_MAY_WRITE = 0o022
_ABANDONED_S = 3_600
"""A temporary file this old is of a killed build: a build takes less than a minute."""


class IndexUnusable(Exception):
    """The index is none, not proven, or of no use; read the library."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What an index must be, and of which checkpoint.

    Both are SHA-256 of whole files, in hexadecimal. `library` is the path of the library's folder: where it is gone, so
    is its index soon. `about` is a text of the code that made the index.
    """

    index: str
    checkpoint: str
    library: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The two files of one library's index, in `folder`."""

    folder: Path
    index: Path
    seal: Path
    library: str


def place_of(folder: Path, library: Path, ending: str = INDEX) -> Place:
    """Return where the file of `library` lies in the folder of indexes."""
    name = path_text(library.resolve())
    key = hashlib.blake2b(os.fsencode(library.resolve()), digest_size=12).hexdigest()
    return Place(folder, folder / f"{key}{ending}", folder / f"{key}{ending}{_SEAL}", name)


def is_private(folder: Path) -> bool:
    """Tell whether a folder is this user's, and no other user may write it."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    mode = status.st_mode
    return stat.S_ISDIR(mode) and status.st_uid == os.geteuid() and not mode & _OTHERS_MAY_WRITE


def read_seal(place: Place) -> Seal | None:
    """Return the seal of a library's index, or None without a valid one."""
    if not is_private(place.folder):
        return None
    try:
        return Seal(**json.loads(read_bounded(place.seal, _LARGEST_SEAL_BYTES)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def digest_of_file(descriptor: int) -> str:
    """Return the SHA-256 of an open file, in hexadecimal."""
    digest = hashlib.sha256()
    for piece in _pieces(descriptor):
        digest.update(piece)
    return digest.hexdigest()


def copy_to(copy: BufferedWriter, path: Path) -> str:
    """Copy a file; return the SHA-256 of what was copied, in hexadecimal."""
    digest = hashlib.sha256()
    with opened(path) as descriptor:
        for piece in _pieces(descriptor):
            digest.update(piece)
            copy.write(piece)
    return digest.hexdigest()


def _pieces(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while piece := os.pread(descriptor, _PIECE_BYTES, offset):
        yield piece
        offset += len(piece)


def write_sealed(place: Place, library: Path, fill: Callable[[Path, int, str], str]) -> Seal:
    """Make a file of a library's checkpoint, and its seal.

    `fill` makes the file at the path that it is given, of the open checkpoint, whose SHA-256 it is given too, and
    returns the `about` of the seal. The file is synced once and renamed; the seal follows. A crash or an error leaves
    nothing that is believed, except the earlier file for an unchanged checkpoint. Raises `LibraryCorrupt` if the
    checkpoint changes meanwhile, `OSError`, and what `fill` raises.
    """
    folder = place.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(errno.EPERM, f"{path_text(folder)} is not a folder that only you can write")
    sweep(folder)
    draft = folder / f".{place.index.name}.{os.getpid()}{TEMPORARY_SUFFIX}"
    _remove(draft)  # left by a killed process with the same process id
    try:
        with opened(library / CHECKPOINT) as checkpoint:
            packed = digest_of_file(checkpoint)
            about = fill(draft, checkpoint, packed)
            if digest_of_file(checkpoint) != packed:
                raise LibraryCorrupt("another process wrote into it")
        with opened(draft) as descriptor:
            full_sync(descriptor)
            seal = Seal(digest_of_file(descriptor), packed, place.library, about)
        draft.replace(place.index)
        write_atomically(place.seal, [json.dumps(asdict(seal)).encode()])
    finally:
        _remove(draft)
    return seal


@contextmanager
def proven(place: Place, seal: Seal) -> Iterator[int]:
    """Open a file for the block, if it is what its seal says.

    Raises `IndexUnusable` or `OSError`.
    """
    with opened(place.index) as descriptor:
        if digest_of_file(descriptor) != seal.index:
            raise IndexUnusable
        yield descriptor


def files_beside(path: Path) -> list[Path]:
    """Return the files that a database engine may have left beside its own."""
    return list(path.parent.glob(f"{path.name}.wal*"))


def _remove(draft: Path) -> None:
    for path in (draft, *files_beside(draft)):
        path.unlink(missing_ok=True)


def remove_files_of(folder: Path, library: Path) -> list[Path]:
    """Remove the index and the tables of a library; return what stays."""
    left: list[Path] = []
    for place in (place_of(folder, library, ending) for ending in (INDEX, TABLES)):
        for path in (place.seal, place.index):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                left.append(path)
    return left


def sweep(folder: Path) -> None:
    """Remove what killed builds and removed libraries left."""
    for path in (*folder.glob(f".*{TEMPORARY_SUFFIX}*"), *_without_the_other(folder)):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _ABANDONED_S:
                path.unlink()
    for path in folder.glob(f"*{_SEAL}"):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            library = Path(json.loads(read_bounded(path, _LARGEST_SEAL_BYTES))["library"])
            if not (library / CHECKPOINT).exists():
                path.unlink()
                path.with_suffix("").unlink()


def _without_the_other(folder: Path) -> Iterator[Path]:
    """Yield each file without a seal, and each seal without a file."""
    names = {path.name for path in folder.glob("[!.]*")}
    for name in names:
        if name.endswith((INDEX, TABLES)) and name + _SEAL not in names:
            yield folder / name
        if name.endswith(_SEAL) and name.removesuffix(_SEAL) not in names:
            yield folder / name
