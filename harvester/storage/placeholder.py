"""Placeholders: small files in place of content not fetched yet.

Git LFS, git-annex and git-crypt write them. Owns how they are recognised and named. A placeholder is not corruption:
harvester repairs, moves, replaces or commits nothing while a file of the library is a placeholder.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harvester.errors import LibraryNotFetched
from harvester.storage.opening import read_start
from harvester.storage.paths import CHECKPOINT, JOURNAL, VECTORS

HEAD_BYTES = 64
_LFS = b"version https://git-lfs.github.com/spec/v1"
_LARGEST_POINTER_BYTES = 1024
_KINDS = (
    (_LFS, "a Git LFS pointer", "git lfs pull"),
    (b"version https://hawser.github.com/spec/v1", "a Git LFS pointer", "git lfs pull"),
    (b"/annex/objects/", "a git-annex pointer", "git annex get"),
    (b"\0GITCRYPT\0", "encrypted by git-crypt", "git-crypt unlock"),
)


def is_lfs_pointer(content: bytes) -> bool:
    """Tell whether the content of a file is a Git LFS pointer."""
    return content.startswith(_LFS) and len(content) <= _LARGEST_POINTER_BYTES


def refuse_content(head: bytes, name: object) -> None:
    """Raise `LibraryNotFetched` if the file `name` is a placeholder.

    `head` is how the file begins.
    """
    for start, what, command in _KINDS:
        if head.startswith(start):
            raise LibraryNotFetched(f"{name}: it is {what}, not the library: run `{command}`; nothing was changed")


def refuse_placeholder(path: Path) -> None:
    """Raise `LibraryNotFetched` for a placeholder or a broken link."""
    if path.is_symlink() and not path.exists():
        raise LibraryNotFetched(
            f"{path}: it is a symbolic link to a file that does not exist ({path.readlink()}): "
            f"bring that file back (`git annex get` for a file of git-annex); nothing was changed"
        )
    with suppress(OSError):  # the code that reads the file later reports the error
        refuse_content(read_start(path, HEAD_BYTES), path)


def refuse_placeholders(folder: Path) -> None:
    """Raise `LibraryNotFetched` if a library's file is a placeholder.

    Looks at checkpoint, journal and vector file.
    """
    for name in (CHECKPOINT, JOURNAL, VECTORS):
        refuse_placeholder(folder / name)
