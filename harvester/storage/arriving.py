"""A file that arrives piece by piece, and counts only when it is whole.

Written to a temporary file beside its target. `keep` syncs it, `replace` puts it in place; any other end removes it.
The names of temporary files are those that `sweep_temporaries` removes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from harvester.storage.atomic import REAL_FILES, TEMPORARY_SUFFIX, Files, disk_errors, write_all


class ArrivingFile:
    """The file at `target`, from the first piece to the rename.

    `kept` is what an error says is safe. Errors of the disk are raised as `DiskFull` or `LibraryUnwritable`.
    """

    def __init__(self, target: Path, kept: str, files: Files = REAL_FILES) -> None:
        self.target = target
        self.size_bytes = 0
        self._kept = kept
        self._files = files
        self._digest = hashlib.sha256()
        self._temporary = target.with_name(f".{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
        self._descriptor: int | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hexadecimal."""
        return self._digest.hexdigest()

    def begin(self) -> None:
        """Begin the file again, without the bytes that came before."""
        self.discard()
        self.size_bytes, self._digest = 0, hashlib.sha256()
        with disk_errors(self.target, self._kept):
            self._temporary.unlink(missing_ok=True)  # left by a killed process with the same process id
            self._descriptor = self._files.create(self._temporary)

    def write(self, piece: bytes) -> None:
        """Add bytes; call `begin` before."""
        assert self._descriptor is not None
        self._digest.update(piece)
        self.size_bytes += len(piece)
        with disk_errors(self.target, self._kept):
            write_all(self._descriptor, piece, self._files)

    def keep(self) -> None:
        """Sync the bytes; durable on return, still under the other name."""
        assert self._descriptor is not None
        with disk_errors(self.target, self._kept):
            self._files.fsync(self._descriptor)
            self._close()

    def replace(self) -> None:
        """Put the kept file in place, atomically and durable on return."""
        with disk_errors(self.target, self._kept):
            self._files.rename(self._temporary, self.target)
            self._files.sync_folder(self.target.parent)

    def discard(self) -> None:
        """Remove the temporary file; safe to call at any time."""
        self._close()
        try:
            self._temporary.unlink(missing_ok=True)
        except OSError:
            return  # the folder was removed or is read-only: the next start removes the file

    def _close(self) -> None:
        if self._descriptor is not None:
            self._files.close(self._descriptor)
            self._descriptor = None
