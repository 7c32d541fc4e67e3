"""Open the process's streams so that their failures are ours.

Owns what a missing, closed or full stream means. stdin that is missing is empty. What stdout cannot take ends the
command: with `ReaderLeft` for a closed pipe, else with an error that has an exit code. What stderr cannot take is
dropped: a closed terminal or a full disk must not end a harvest, and its log has the lines too.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harvester.storage import disk_error

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDOUT, _STDERR = 1, 2
_ENCODING, _ERRORS = "utf-8", "backslashreplace"
"""The encoding is that of a stream that was missing. A character that an encoding does not have is spelled out."""


class ReaderLeft(Exception):
    """The program that reads stdout has ended; this is no error."""


class _Output(io.FileIO):
    """A descriptor for writing that raises our errors, or none.

    After a failure it leads nowhere, so that no later write fails again.
    """

    def __init__(self, descriptor: int, *, dropping: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._dropping = dropping

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self._dropping:
                return memoryview(data).nbytes
            if isinstance(error, BrokenPipeError):
                raise ReaderLeft from error
            told = OSError(error.errno, "it is closed") if error.errno == errno.EBADF else error
            raise disk_error(told, Path("stdout"), "the output is incomplete") from error


def open_missing() -> None:
    """Open the standard streams that the process was started without.

    Otherwise the next file would get such a number, and what is written to stdout would go into a library.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one. Writing fails as before: only reading is allowed.
            os.open(os.devnull, os.O_RDONLY)


def guarded(stream: TextIO | None, name: str) -> TextIO:
    """Return `stream` over a descriptor whose failures are ours.

    `name` is `stdout` or `stderr`. A stream that is no file, as a test puts in its place, stays.
    """
    if stream is not None:
        buffer = getattr(stream, "buffer", None)
        if not isinstance(getattr(buffer, "raw", buffer), io.FileIO):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=_ERRORS)
            return stream
        stream.flush()
    descriptor = {"stdout": _STDOUT, "stderr": _STDERR}[name] if stream is None else stream.fileno()
    binary = io.BufferedWriter(_Output(descriptor, dropping=name == "stderr"))
    return io.TextIOWrapper(
        binary,
        encoding=_ENCODING if stream is None else stream.encoding,
        errors=_ERRORS,
        line_buffering=name == "stderr" or binary.isatty(),
    )


def open_stdin() -> TextIO:
    """Return the process's stdin, an empty one if it was missing."""
    return sys.stdin if sys.stdin is not None else open(0, encoding=_ENCODING, closefd=False)
