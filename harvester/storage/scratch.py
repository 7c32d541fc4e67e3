"""Keep on disk, while the process lives, what is too much for memory.

Owns a file without a name: nobody else can open it, and the system frees its space with the last reader, also after a
kill. It lies in the system's folder for temporary files (`TMPDIR`).
"""

from __future__ import annotations

import os
import weakref
from array import array

from harvester.storage.atomic import write_all

_BUFFER_BYTES = 1 << 20


class ScratchFile:
    """Byte texts in a temporary file, by the number of their `add`.

    It takes eight bytes of memory for each. Several threads may read at the same time.
    """

    def __init__(self) -> None:
        """Raise `OSError` without a folder for temporary files."""
        from tempfile import TemporaryFile  # slow to import

        # Without a buffer of its own: after an error, closing would try to write that again.
        file = TemporaryFile(buffering=0)  # noqa: SIM115  # it lives as long as this object
        weakref.finalize(self, file.close)
        self._descriptor = file.fileno()
        self._ends, self._waiting = array("Q", [0]), bytearray()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, content: bytes) -> None:
        """Add the next one; raise `OSError` if the disk is full."""
        self._waiting += content
        self._ends.append(self._ends[-1] + len(content))
        if len(self._waiting) >= _BUFFER_BYTES:
            self.end()

    def end(self) -> None:
        """Call this before reading; raise `OSError` if the disk is full."""
        write_all(self._descriptor, bytes(self._waiting))
        self._waiting.clear()

    def __getitem__(self, number: int) -> bytes:
        start = self._ends[number]
        return os.pread(self._descriptor, self._ends[number + 1] - start, start)
