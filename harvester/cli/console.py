"""Write data to stdout and messages to stderr; format quantities.

Every command writes with these functions only: they escape control characters, so that no text from a library, a
server or a file name can forge a line of ours.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from harvester.cli.terminal import raw
from harvester.clock import SECOND_US
from harvester.errors import SettingsError
from harvester.storage import path_text
from harvester.terminal_text import escape_json, escape_line, escape_paragraph

_SHOWN = 100


def check_name(path: str | None) -> str | None:
    """Return the path; raise `SettingsError` if it is empty or too long."""
    if path is not None and not path.strip():
        raise SettingsError("a path is empty: name a folder or a file, or leave the option out")
    try:
        if path is not None:
            Path(path).stat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            shown = path_text(path or "")[:_SHOWN]
            raise SettingsError(f"{shown}…: it is not a valid file name ({error.strerror})") from error
    return path


LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="DIR",
        help="Use the library in this folder.",
        show_default="freesound_library, here or in data/",
        callback=check_name,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Console:
    """The verbosity, set once from `-v` and `-q`."""

    verbose: ClassVar[bool] = False
    quiet: ClassVar[bool] = False


def note(line: str) -> None:
    """Write one line to stderr, apart from data; drop it if that is closed."""
    # A closed terminal or pipe must not end a harvest; the log has the line too.
    with suppress(OSError):
        sys.stderr.write(escape_line(line) + "\n")
        sys.stderr.flush()


def say(line: str) -> None:
    """Write one line to stderr, unless `--quiet` is set."""
    if not Console.quiet:
        note(line)


def say_more(line: str) -> None:
    """Write one line to stderr with `--verbose`."""
    if Console.verbose:
        note(line)


def print_lines(*lines: str) -> None:
    """Write each text to stdout as one line."""
    sys.stdout.write("".join(f"{escape_line(line)}\n" for line in lines))


def print_json(value: Any, *, indented: bool = True) -> None:
    """Write a value to stdout as JSON, with control characters escaped."""
    from harvester.json_text import json_text

    print_document([json_text(value, indented=indented), "\n"], escape_json)


def print_document(pieces: Iterable[str], escape: Callable[[str], str]) -> None:
    """Write a document to stdout in UTF-8, escaped by `escape`."""
    stream = raw(sys.stdout)
    stream.flush()
    for piece in pieces:
        stream.buffer.write(escape(piece).encode())
    stream.buffer.flush()


def print_markdown(text: str) -> None:
    """Write Markdown to stdout, laid out if stdout is a terminal."""
    if sys.stdout.isatty():
        from harvester.cli.rich_text import draw_markdown

        draw_markdown(text)
    else:
        print_document([text], escape_paragraph)


def duration_text(seconds: float) -> str:
    """Return seconds as `45 s`, `12 min`, `3 h 20 min` or `2 d 4 h`."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3_600 % 24, seconds // 86_400
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def age_text(stamp_us: int | None, now_us: int) -> str:
    """Return the time since a stamp, such as `3 h 20 min ago`, or `never`."""
    return "never" if stamp_us is None else f"{duration_text((now_us - stamp_us) / SECOND_US)} ago"


def clock_text(stamp_us: int, now_us: int) -> str:
    """Return a local time: `21:13`, on another day `Mon 21:13` or its date."""
    then, now = (datetime.fromtimestamp(stamp // SECOND_US).astimezone() for stamp in (stamp_us, now_us))
    days = abs((then.date() - now.date()).days)
    return then.strftime("%H:%M" if days == 0 else "%a %H:%M" if days < 7 else "%Y-%m-%d %H:%M")


def size_text(size_bytes: float) -> str:
    """Return a size in decimal units: `940 B`, `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError


def waiting_text(run: dict[str, Any], now_us: int) -> str:
    """Return why the harvest waits, and until when."""
    until_us = run.get("waiting_until")
    if until_us is None:
        return f"waiting: {run['waiting_for']}"
    left = duration_text((until_us - now_us) / SECOND_US)
    # For less than a minute, the clock time is of no use.
    until = (
        f" until {clock_text(until_us, now_us)}, {left} more"
        if until_us - now_us > 60 * SECOND_US
        else f", {left} more"
    )
    return f"waiting: {run['waiting_for']}{until}"
