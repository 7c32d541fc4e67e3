"""Guard the process's streams: escape control characters in texts.

Owns this last guard, which also covers text from other packages (usage errors, tracebacks, warnings), and the few
functions that move the cursor. Only `raw` bypasses the guard.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO, cast

from harvester.cli.streams import ReaderLeft, guarded, open_missing, open_stdin
from harvester.errors import HarvesterError
from harvester.terminal_text import escape_line, escape_paragraph

_HOME, _REST_OF_LINE, _REST_OF_SCREEN, _ALL = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"

_WITHOUT_CURSOR = {"", "dumb", "unknown"}
_NARROWEST = 40
"""The columns that a panel needs; without them, lines that the terminal breaks say more."""


class _Guarded:
    """A text stream that escapes controls, except newlines and tabs."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes a str, not {type(text).__name__}")
        self.stream.write(escape_paragraph(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard stdout and stderr in the block, and open the missing streams."""
    open_missing()
    sys.stdin = open_stdin()
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    guards = {name: _Guarded(guarded(stream, name)) for name, stream in before.items()}
    for name, guard in guards.items():
        setattr(sys, name, guard)
    try:
        yield
    finally:
        for name, guard in guards.items():
            # The block has flushed what it wrote; an error that ended it is what to tell, not this one.
            with suppress(ReaderLeft, HarvesterError):
                guard.flush()
            setattr(sys, name, before[name])


def can_redraw(name: str) -> bool:
    """Tell whether a picture on `stdout` or `stderr` can be replaced.

    It cannot in a file, on a terminal that does not move its cursor, and on one that is too narrow for a panel.
    """
    if not getattr(sys, name).isatty() or os.environ.get("TERM", "") in _WITHOUT_CURSOR:
        return False
    return shutil.get_terminal_size().columns >= _NARROWEST


def raw(stream: TextIO) -> TextIO:
    """Return the stream behind the guard, for text that is already escaped."""
    return cast(_Guarded, stream).stream if isinstance(stream, _Guarded) else stream


def clear_screen() -> None:
    """Clear the terminal on stdout."""
    raw(sys.stdout).write(_ALL)


def redraw(lines: list[str]) -> None:
    """Replace the last lines on stdout without flicker."""
    shown = f"{_REST_OF_LINE}\n".join(map(escape_line, lines))
    raw(sys.stdout).write(_HOME + shown + _REST_OF_LINE + _REST_OF_SCREEN)


def has_terminal() -> bool:
    """Tell whether a person can be asked: stdin and stderr are terminals."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


@contextmanager
def output_on_stderr() -> Iterator[None]:
    """Write to stderr what the block writes to stdout."""
    with redirect_stdout(sys.stderr):
        yield


def ask_line(question: str) -> str:
    """Ask on stderr, and return the line that is typed on stdin.

    The end of the input, Ctrl-C and bytes that are no text count as an empty answer.
    """
    answer = ""
    try:
        # In here: Ctrl-C may come as soon as the question is seen.
        raw(sys.stderr).write(escape_line(question))
        raw(sys.stderr).flush()
        answer = sys.stdin.readline()
    except (KeyboardInterrupt, OSError, UnicodeDecodeError):
        pass
    if not answer.endswith("\n"):
        raw(sys.stderr).write("\n")
    return answer


def replace_line(text: str) -> None:
    """Replace the current line on stderr's terminal; empty: clear it."""
    raw(sys.stderr).write(f"\r{escape_line(text)}{_REST_OF_LINE}")
    raw(sys.stderr).flush()
