"""File systems of our own: small ones that fill up, and ones whose power can be cut. Only root may make them.

Owns making, mounting, cutting and unmounting; whatever fails on the way there skips the test with its reason.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2
"""`EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN`: stop at once, without writing what is still in memory."""

_MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-m", "0"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}
_BLOCKS = {"ext4": "-b {}", "xfs": "-b size={}"}
SMALLEST_BYTES = {"ext4": 8 << 20, "xfs": 320 << 20}


class Mount:
    """A file system in a file, mounted at `path`."""

    def __init__(self, image: Path, path: Path) -> None:
        self._image, self.path = image, path

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def unmount(self) -> None:
        _run("umount", str(self.path))

    def cut_power(self) -> None:
        """Let the file system stop here and now; what is not on the disk never will be."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def come_back(self) -> None:
        """Mount again what the power cut left. Nobody may have a file open there."""
        self.unmount()
        self.mount()


@contextmanager
def file_system(kind: str, folder: Path, *, block_bytes: int = 4096) -> Iterator[Mount]:
    """Make a file system of that kind in `folder`, mounted at `folder/disk` for the length of the block."""
    _only_root()
    if shutil.which(_MAKE[kind][0]) is None:
        pytest.skip(f"{_MAKE[kind][0]} is not installed")
    image, path = folder / f"{kind}.image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(SMALLEST_BYTES[kind])
    path.mkdir()
    _or_skip(*_MAKE[kind], *_BLOCKS[kind].format(block_bytes).split(), str(image))
    _or_skip("mount", "-o", "loop", str(image), str(path))
    mount = Mount(image, path)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)
        image.unlink()


@contextmanager
def memory_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a file system in memory, of that size, for the length of the block."""
    _only_root()
    path = folder / "disk"
    path.mkdir()
    _or_skip("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "harvester", str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


def remount(path: Path, option: str) -> None:
    """Change a mounted file system to `ro`, `rw` or `size=…`."""
    _run("mount", "-o", f"remount,{option}", str(path))


def _only_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _or_skip(*command: str) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"{command[0]} does not work here: {ended.stderr.strip()}")
