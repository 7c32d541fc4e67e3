"""A file layer that fails on demand: at the n-th operation, once with an errno, or for good as a killed process would.

`operations` logs what was asked (`create`, `write`, `fsync`, `rename`, `sync_folder`, `unlink`, `make_folder`), so
that a test can walk through all of them.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harvester.storage.atomic import Files


class Killed(BaseException):
    """The process is gone: from here on no operation has any effect."""


class FaultyFiles(Files):
    """Real files until operation number `fail_at` (from 1): that one raises `error`, or `Killed` when it is None."""

    def __init__(self, fail_at: int = 0, error: int | None = errno.ENOSPC, *, torn: bool = False) -> None:
        self.operations: list[str] = []
        self._fail_at, self._error, self._torn = fail_at, error, torn
        self._killed = False

    def _step(self, name: str) -> None:
        if self._killed:
            raise Killed
        self.operations.append(name)
        if len(self.operations) == self._fail_at:
            if self._error is None:
                self._killed = True
                raise Killed
            raise OSError(self._error, os.strerror(self._error))

    def create(self, path: Path) -> int:
        self._step("create")
        return super().create(path)

    def write(self, descriptor: int, chunk: bytes) -> int:
        if self._torn and len(self.operations) + 1 == self._fail_at:
            super().write(descriptor, chunk[: len(chunk) // 2])
        self._step("write")
        return super().write(descriptor, chunk[:4096])  # short writes are allowed, so callers must expect them

    def fsync(self, descriptor: int) -> None:
        self._step("fsync")
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder")
        super().sync_folder(folder)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        super().unlink(path)

    def make_folder(self, folder: Path) -> None:
        self._step("make_folder")
        super().make_folder(folder)
