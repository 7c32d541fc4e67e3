"""Write data to stdout and messages to stderr.

Every command writes with these functions only: they escape control characters, so that no text from a library, a
server or a file name can forge a line of ours.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from harvester.actions import age_text as age_text
from harvester.actions import clock_text as clock_text
from harvester.actions import done_text as done_text
from harvester.actions import duration_text as duration_text
from harvester.actions import size_text as size_text
from harvester.actions import target_text as target_text
from harvester.actions import waiting_text as waiting_text
from harvester.cli.terminal import raw
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.storage import path_text, read_path
from harvester.terminal_text import escape_json, escape_line, escape_paragraph
from harvester.told import MOST_VERBOSE, Level, Told

if TYPE_CHECKING:
    from harvester.actions import RunEvent

_SHOWN = 100


def check_name(path: str | None) -> str | None:
    """Return the path; raise `SettingsError` if it cannot be used.

    It is empty or too long, or begins with `~` and leads nowhere.
    """
    if path is not None and not path.strip():
        raise SettingsError("a path is empty: name a folder or a file, or leave the option out")
    try:
        if path is not None:
            read_path(path).stat()
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
    """What `-v` (0 to 2), `-q` and `--log-json` ask for."""

    verbose: ClassVar[int] = 0
    quiet: ClassVar[bool] = False
    log_json: ClassVar[bool] = False

    @classmethod
    def ask(cls, *, verbose: int = 0, quiet: bool = False, log_json: bool = False) -> None:
        """Add what options ask for; `--quiet` holds beside `--verbose`."""
        cls.quiet = cls.quiet or quiet
        cls.verbose = 0 if cls.quiet else min(max(cls.verbose, verbose), MOST_VERBOSE)
        cls.log_json = cls.log_json or log_json


def note(*lines: str, level: Level = Level.WARNING) -> None:
    """Write lines to stderr, apart from data."""
    for line in lines:
        _write(Told(line, level))


def say(line: str) -> None:
    """Write one line to stderr, unless `--quiet` is set."""
    if not Console.quiet:
        note(line, level=Level.INFO)


def say_to_person(line: str) -> None:
    """Write one line to stderr if a person waits at the terminal."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        say(line)


def say_more(line: str) -> None:
    """Write one line to stderr with `--verbose`."""
    if Console.verbose:
        _write(Told(line, Level.DECISION))


def print_event(event: RunEvent) -> None:
    """Write the line of an event to stderr if the verbosity asks for it."""
    if not isinstance(event, Told) or event.level.verbosity > Console.verbose:
        return
    if event.level is Level.WARNING or not Console.quiet:
        _write(event)


def _write(told: Told) -> None:
    sys.stderr.write(_text_of(told) + "\n")
    sys.stderr.flush()


def _text_of(told: Told) -> str:
    if not Console.log_json:
        return escape_line(told.line)
    from harvester.actions import json_line

    return json_line(told, SystemClock().time_us())


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
