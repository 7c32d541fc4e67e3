"""Rehearse a change in a copy of the library.

Owns what the copy consists of, and how a report about the copy becomes one about the library. The change is the real
one: a rehearsal finds what the change itself would find, apart from a full disk.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from harvester.checkpoint import Signature, read_signature
from harvester.errors import HarvesterError, LibraryLocked, LibraryUnwritable
from harvester.storage import (
    HISTORY,
    JOURNAL,
    JOURNAL_PARTS,
    LOCK,
    QUARANTINE,
    VECTORS,
    copy_regular,
    disk_errors,
    refuse_locked,
)

T = TypeVar("T")


def perform(change: Callable[[Path], T], target: Path, *, dry_run: bool) -> T:
    """Return what `change` reports about a library or a checkpoint.

    With `dry_run` it works on a copy, and no file of `target` is changed: the report is the same, apart from the time
    in new names. A dry run raises what the change would raise, also `LibraryLocked` while another process writes the
    library; only a full disk is not noticed.
    """
    return _rehearse(change, target) if dry_run else change(target)


def _rehearse(change: Callable[[Path], T], target: Path) -> T:
    refuse_locked(target)
    if target.is_dir() and not os.access(target, os.W_OK | os.X_OK):
        raise LibraryUnwritable(f"{target}: cannot be written ({os.strerror(errno.EACCES)}); nothing was changed")
    with tempfile.TemporaryDirectory(prefix="harvester") as place:
        copy = Path(place).resolve() / (target.name or "library")
        with disk_errors(target, "nothing was changed"):
            before = _signatures(target)
            _copy(target, copy)
            refuse_locked(target)
            if _signatures(target) != before:
                raise LibraryLocked(f"{target}: another process wrote this library just now; try again")
        try:
            report: T = _about(change(copy), copy, target)
        except HarvesterError as error:
            error.args = tuple(_about(one, copy, target) for one in error.args)
            error.command_line = _about(error.command_line, copy, target)
            raise
        return report


def _signatures(folder: Path) -> list[Signature | None]:
    return [read_signature(folder / name) for name in JOURNAL_PARTS] if folder.is_dir() else []


def _copy(target: Path, copy: Path) -> None:
    """Make a copy that a change may work on.

    Files that a change replaces as a whole are symbolic links to the real ones. Those that it writes in place are
    copied: the journal, the vectors and the lock. So is the history, which is read through no link.
    """
    if not target.is_dir():
        if os.path.lexists(target):
            copy.symlink_to(target.absolute())
        return
    copy.mkdir()
    for path in target.iterdir():
        if path.name == QUARANTINE and path.is_dir() and not path.is_symlink():
            (copy / QUARANTINE).mkdir()
            for kept in path.iterdir():
                (copy / QUARANTINE / kept.name).symlink_to(kept.absolute())
        elif path.name.startswith(JOURNAL) or path.name in (VECTORS, LOCK, HISTORY):
            _copy_as_it_is(path, copy / path.name)
        else:
            (copy / path.name).symlink_to(path.absolute())


def _copy_as_it_is(path: Path, copy: Path) -> None:
    """Copy a file; make the same kind of what is no regular file."""
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode):
        copy_regular(path, copy)
    elif stat.S_ISLNK(mode):
        copy.symlink_to(path.resolve())
    elif stat.S_ISDIR(mode):
        copy.mkdir()
    else:
        os.mkfifo(copy)


def _about(value: Any, copy: Path, target: Path) -> Any:
    """Return a value with the paths of `target` for those of its copy."""
    match value:
        case Path() if value.is_relative_to(copy):
            return target / value.relative_to(copy)
        case str():
            return value.replace(str(copy), str(target))
        case tuple():
            return tuple(_about(one, copy, target) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _about(getattr(value, one.name), copy, target) for one in fields(value)})
    return value
