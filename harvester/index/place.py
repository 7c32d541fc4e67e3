"""Where the index of a library lies, and what makes it believed.

Owns the names of its two files and their trust. Both lie in a folder that only the user can write: the index, and the
seal, which has the SHA-256 of the index and of the checkpoint that it describes. So a torn, flipped, foreign or stale
index never matches, and no other user can put a pair there that does. Nothing lies in the library's own folder: Git, a
copy or an archive never carries an index, and a library in a read-only folder can have one.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BufferedWriter
from pathlib import Path

from harvester.storage import CHECKPOINT, TEMPORARY_SUFFIX, opened, path_text, read_bounded

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
    is its index soon.
    """

    index: str
    checkpoint: str
    library: str


@dataclass(frozen=True, slots=True)
class Place:
    """The two files of one library's index, in `folder`."""

    folder: Path
    index: Path
    seal: Path
    library: str


def place_of(folder: Path, library: Path) -> Place:
    """Return where the index of `library` lies in the folder of indexes."""
    name = path_text(library.resolve())
    key = hashlib.blake2b(os.fsencode(library.resolve()), digest_size=12).hexdigest()
    return Place(folder, folder / f"{key}.sqlite", folder / f"{key}.seal", name)


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


def seal_bytes(seal: Seal) -> bytes:
    """Return a seal as the content of its file."""
    return json.dumps(asdict(seal)).encode()


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


def sweep(folder: Path) -> None:
    """Remove what killed builds and removed libraries left."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
    for path in folder.glob("*.seal"):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            library = Path(json.loads(read_bounded(path, _LARGEST_SEAL_BYTES))["library"])
            if not (library / CHECKPOINT).exists():
                path.unlink()
                path.with_suffix(".sqlite").unlink()
