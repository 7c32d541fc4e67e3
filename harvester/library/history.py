"""`history.jsonl`: one line for each run of a library, oldest first.

It is shared with the library: Git joins two versions line by line, `merge` by the runs' ids. It is no state of the
library: a file that cannot be read or written changes no sound. The guide's topic `status` describes it. The file may
come from anyone, so its size is bounded, and a line that describes no run is left out.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from harvester.clock import LATEST_US, SECOND_US, is_stamp
from harvester.errors import problem_of
from harvester.json_text import json_text
from harvester.storage import HISTORY, REAL_FILES, Files, read_bounded, refuse_link, write_atomically

MOST_RUNS = 10_000
"""The newest runs that the file keeps: 27 years of nights."""
LARGEST_BYTES = 16_000_000
LONGEST_LINE_BYTES = 2_000
LONGEST_TEXT = 500
KILLED = "killed (no end was recorded)"
"""The end of a run that was killed; the next run notes it."""

_ID = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"[0-9A-Za-z.+_-]{1,40}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of `harvest` or `refresh`, as `history.jsonl` keeps it.

    `run` is random: the same run is known by it in every copy of the library. `started` and `ended` are moments in UTC
    (ISO 8601); `seconds` is how long it took. `command` is `harvest` or `refresh`, of harvester's `version`. `end` says
    why it ended; `exit_code` is None if the run was killed. `requests` counted against the quota; the server refused
    `refused` for a limit (429) and `denied` for the key (401). The run processed `processed` new sounds and brought
    `sounds` new ones and `edges`; it fetched `renewed` known records again and found `gone` sounds deleted. `deferred`
    fetches failed. `total_sounds` and `total_processed` are what the library held then.
    """

    run: str
    started: str
    ended: str
    command: str
    version: str
    end: str
    exit_code: int | None
    seconds: float
    requests: int
    refused: int
    denied: int
    processed: int
    sounds: int
    edges: int
    renewed: int
    gone: int
    deferred: int
    total_sounds: int
    total_processed: int

    @property
    def started_at(self) -> int:
        """When it started, in microseconds since 1970, UTC."""
        return _stamp_of(self.started)

    @property
    def ended_at(self) -> int:
        """When it ended, in microseconds since 1970, UTC."""
        return _stamp_of(self.ended)

    def as_dict(self) -> dict[str, Any]:
        """Return the run under the keys of the file."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = tuple(one.name for one in fields(PastRun))
_TEXTS = {"run": _ID, "started": _MOMENT, "ended": _MOMENT, "command": _WORD, "version": _WORD}
_COUNTS = tuple(name for name in _NAMES if name not in {*_TEXTS, "end", "exit_code", "seconds"})


@dataclass(frozen=True, slots=True)
class History:
    """The runs of a library, oldest first, and lines that need attention."""

    runs: tuple[PastRun, ...] = ()
    notices: tuple[str, ...] = ()


_Lines = dict[str, tuple[PastRun, bytes]]
"""Runs by their ids, each with its line: a newer version may have written more than is read here."""


def new_run_id() -> str:
    """Return an id that no other run has."""
    return secrets.token_hex(16)


def load_history(folder: Path) -> History:
    """Return the runs of a library; a file that cannot be read is a notice."""
    notices: list[str] = []
    try:
        lines = _read(folder, notices)
    except OSError as error:
        return History(notices=(_unreadable(folder, error),))
    return History(tuple(run for run, _ in _ordered(lines)), tuple(notices))


def add_run(folder: Path, run: PastRun, files: Files = REAL_FILES) -> None:
    """Add a run to the history; durable on return.

    Call it with the library's lock. A crash leaves the file as it was. Raises `OSError`, also for a file too large to
    be one; then it is unchanged.
    """
    lines, found = _read(folder, []), run.as_dict()
    if not _is_valid(found):
        raise OSError(errno.EINVAL, "the run has a value that no run has")
    _put(lines, run, json_text(found).encode())
    _write(folder, lines, files)


def join_histories(folder: Path, others: Iterable[Path], files: Files = REAL_FILES) -> Sequence[str]:
    """Add the runs of other libraries; durable on return.

    Call it with the library's lock. Returns lines that need attention: a history that cannot be read or written is one,
    no error. The order of the others changes nothing, and neither does a second call.
    """
    notices: list[str] = []
    try:
        lines = _read(folder, notices)
        known = dict(lines)
        for other in others:
            try:
                for run, line in _read(other, notices).values():
                    _put(lines, run, line)
            except OSError as error:
                notices.append(_unreadable(other, error))
        if lines != known:
            _write(folder, lines, files)
    except OSError as error:
        notices.append(f"{folder / HISTORY}: {problem_of(error, folder / HISTORY)}; no run was added to it")
    return notices


def _read(folder: Path, notices: list[str]) -> _Lines:
    path, lines, refused = folder / HISTORY, _Lines(), 0
    try:
        content = read_bounded(path, LARGEST_BYTES)
    except FileNotFoundError:
        return lines
    for line in content.split(b"\n"):
        line = line.strip()
        if not line:
            continue
        run = _parsed(line)
        if run is None:
            refused += 1
        else:
            _put(lines, run, line)
    if refused:
        what = "1 line that describes" if refused == 1 else f"{refused:,} lines that describe"
        notices.append(f"{path}: left out {what} no run")
    return lines


def _parsed(line: bytes) -> PastRun | None:
    if len(line) > LONGEST_LINE_BYTES:
        return None
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or not _is_valid(found):
        return None
    return PastRun(**{name: found[name] for name in _NAMES})


def _is_valid(found: Mapping[str, Any]) -> bool:
    code, seconds, end = found.get("exit_code", ""), found.get("seconds"), found.get("end")
    return (
        all(isinstance(found.get(name), str) and kind.fullmatch(found[name]) for name, kind in _TEXTS.items())
        and all(map(_is_moment, (found["started"], found["ended"])))
        and all(is_stamp(found.get(name)) for name in _COUNTS)
        and (code is None or (type(code) is int and 0 <= code <= 255))
        and isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and 0 <= seconds <= LATEST_US
        and isinstance(end, str)
        and len(end) <= LONGEST_TEXT
    )


def _is_moment(text: str) -> bool:
    try:
        return is_stamp(_stamp_of(text))
    except ValueError:
        return False


def _stamp_of(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp()) * SECOND_US


def _put(lines: _Lines, run: PastRun, line: bytes) -> None:
    """Keep one line a run: the one that ended last, then the larger one."""
    known = lines.get(run.run)
    if known is None or (known[0].ended, known[1]) < (run.ended, line):
        lines[run.run] = run, line


def _ordered(lines: _Lines) -> list[tuple[PastRun, bytes]]:
    return sorted(lines.values(), key=lambda one: (one[0].started, one[0].run))


def _write(folder: Path, lines: _Lines, files: Files) -> None:
    refuse_link(folder / HISTORY)
    newest = _ordered(lines)[-MOST_RUNS:]
    write_atomically(folder / HISTORY, [b"".join(line + b"\n" for _, line in newest)], files)


def _unreadable(folder: Path, error: OSError) -> str:
    return f"{folder / HISTORY}: {problem_of(error, folder / HISTORY)}; it is left as it is"
