"""`harvest.log`: the messages of harvests with their times.

It is rotated, to stay small over weeks. The log is no state of the library: if a line cannot be written, it is dropped,
the user gets one notice, and the harvest goes on. A file that logrotate has moved away is left to it, and the next line
begins a new one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from harvester.clock import Clock, iso, local_iso
from harvester.json_text import json_text
from harvester.storage import LOG, open_for_writing
from harvester.terminal_text import escape_json, escape_line
from harvester.told import Told

LARGEST_BYTES = 2_000_000
KEPT_FILES = 3


class _Handler(RotatingFileHandler):
    on_error: Callable[[], None]

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        return open(open_for_writing(Path(self.baseFilename), flags), "a", encoding="utf-8")  # noqa: PTH123 - a descriptor

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - logging's own name
        self.on_error()


def json_line(told: Told, now_us: int) -> str:
    """Return a line as one JSON object: time, level, kind, text, fields."""
    return escape_json(
        json_text(
            {
                "time": local_iso(now_us),
                "level": told.level.value,
                "kind": told.kind,
                "text": told.line,
                "fields": dict(told.fields),
            }
        )
    )


class RunLog:
    """The log of one run in the library folder.

    `on_error` gets one line when it cannot be written.
    """

    def __init__(self, folder: Path, clock: Clock, on_error: Callable[[str], None], *, as_json: bool = False) -> None:
        self._clock = clock
        self._as_json = as_json
        self._path = folder / LOG
        self._on_error: Callable[[str], None] | None = on_error
        self._handler = _Handler(
            self._path, maxBytes=LARGEST_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
        self._handler.on_error = self._tell_once

    def write(self, told: Told) -> None:
        """Append one line with the time; line breaks in it are escaped."""
        if self._was_moved():
            self.close()
        now_us = self._clock.time_us()
        text = json_line(told, now_us) if self._as_json else f"{iso(now_us)} {escape_line(told.line)}"
        self._handler.handle(logging.makeLogRecord({"msg": text}))

    def close(self) -> None:
        """Close the file until the next line.

        An error of a disk that is gone loses only the last lines.
        """
        try:
            self._handler.close()
        except OSError:
            self._tell_once()

    def _was_moved(self) -> bool:
        stream = self._handler.stream
        if stream is None:
            return False
        try:
            return not os.path.samestat(os.fstat(stream.fileno()), Path(self._handler.baseFilename).stat())
        except OSError:
            return True

    def _tell_once(self) -> None:
        tell, self._on_error = self._on_error, None
        if tell is not None:
            tell(f"{self._path} cannot be written; the harvest goes on without a log")
