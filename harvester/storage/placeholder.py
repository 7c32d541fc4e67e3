"""Placeholders: small files that stand where Git LFS, git-annex or git-crypt has not put the content yet.

Owns how they are recognised and named. A placeholder is never damage: nothing is repaired, set aside, replaced or
committed while one is in the place of a file of the library.
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
    """Tell whether a whole file is a pointer of Git LFS."""
    return content.startswith(_LFS) and len(content) <= _LARGEST_POINTER_BYTES


def refuse_content(head: bytes, name: object) -> None:
    """Raise `LibraryNotFetched` when a file called `name` that begins with `head` is a placeholder."""
    for start, what, command in _KINDS:
        if head.startswith(start):
            raise LibraryNotFetched(f"{name} is {what}, not the library: run `{command}`; nothing was changed")


def refuse_placeholder(path: Path) -> None:
    """Raise `LibraryNotFetched` when the file at `path` is a placeholder, or a link to content that is not there."""
    if path.is_symlink() and not path.exists():
        raise LibraryNotFetched(
            f"{path} is a symbolic link to a file that is not there ({path.readlink()}): "
            f"bring that file back (`git annex get`, where it is git-annex's); nothing was changed"
        )
    with suppress(OSError):  # whoever reads the file says what is wrong with it
        refuse_content(read_start(path, HEAD_BYTES), path)


def refuse_placeholders(folder: Path) -> None:
    """Raise `LibraryNotFetched` when the checkpoint, the journal or the vectors of a library are a placeholder."""
    for name in (CHECKPOINT, JOURNAL, VECTORS):
        refuse_placeholder(folder / name)
