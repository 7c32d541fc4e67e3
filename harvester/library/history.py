"""`history.jsonl`: one line for each run of a library, oldest first.

It is shared with the library: Git joins two versions line by line, `merge` by the runs' ids. It is no state of the
library: a file that cannot be read or written changes no sound. The guide's topic `status` describes it. The file may
come from anyone, so its size is bounded, and a line that describes no run is left out. One that only a newer version
understands is kept: it has the id of a run.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from harvester.clock import LATEST_US, is_stamp, stamp_of
from harvester.errors import problem_of
from harvester.json_text import json_text
from harvester.storage import HISTORY, REAL_FILES, Files, read_bounded, refuse_link, write_atomically

MOST_RUNS = 10_000
"""The newest runs that the file keeps: 27 years of nights."""
LONGEST_LINE_BYTES = 2_000
LARGEST_BYTES = MOST_RUNS * (LONGEST_LINE_BYTES + 2)
"""Lines may end with CR LF."""
LONGEST_TEXT = 500
KILLED = "killed (no end was recorded)"
"""The end of a run that was killed; the next run notes it."""

_ID = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"[0-9A-Za-z.+_-]{1,40}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of `harvest` or `refresh`, as `history.jsonl` keeps it.

    `run` is random: the same run is known by it in every copy of the library. `started` and `ended` are moments in UTC
    (ISO 8601, to the microsecond: runs that start in one second have an order); `seconds` is how long it took.
    `command` is `harvest` or `refresh`, of harvester's `version`. `end` says why it ended; `exit_code` is None if the
    run was killed. `requests` counted against the quota; the server refused `refused` for a limit (429) and `denied`
    for the key (401). The run processed `processed` new sounds and brought `sounds` new ones and `edges`; it fetched
    `renewed` known records again and found `gone` sounds deleted. `deferred` fetches failed. `total_sounds` and
    `total_processed` are what the library held then.
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
        return stamp_of(self.started)

    @property
    def ended_at(self) -> int:
        """When it ended, in microseconds since 1970, UTC."""
        return stamp_of(self.ended)

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


@dataclass(frozen=True, slots=True)
class _HistoryLine:
    """A line; `run` is None where only a newer version reads it."""

    text: bytes
    started: str
    ended: str
    run: PastRun | None


_Lines = dict[str, _HistoryLine]
"""Lines by the ids of their runs."""


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
    return History(tuple(line.run for _, line in _ordered(lines) if line.run is not None), tuple(notices))


def add_run(folder: Path, run: PastRun, files: Files = REAL_FILES) -> Sequence[str]:
    """Add a run to the history; durable on return.

    Call it with the library's lock. Returns lines that need attention, such as what the file no longer has. A crash
    leaves the file as it was. Raises `OSError`, also for a file too large to be one; then it is unchanged.
    """
    notices: list[str] = []
    lines, found = _read(folder, notices), run.as_dict()
    if not _is_valid(found):
        raise OSError(errno.EINVAL, "the run has a value that no run has")
    _put(lines, run.run, _line(json_text(found).encode(), found))
    _write(folder, lines, files)
    return notices


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
                for run, line in _read(other, notices).items():
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
    for text in map(bytes.strip, content.split(b"\n")):
        found = _parsed(text)
        if found is not None:
            _put(lines, found["run"], _line(text, found))
        elif text:
            refused += 1
    newer = sum(line.run is None for line in lines.values())
    if refused:
        what = "1 line that describes" if refused == 1 else f"{refused:,} lines that describe"
        notices.append(f"{path}: left out {what} no run")
    if newer:
        what = "1 line needs" if newer == 1 else f"{newer:,} lines need"
        notices.append(f"{path}: {what} a newer harvester to be read; the file keeps every run")
    return lines


def _parsed(text: bytes) -> dict[str, Any] | None:
    """Return the object of a line if it has the id of a run."""
    if not text or len(text) > LONGEST_LINE_BYTES:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    known = isinstance(found, dict) and isinstance(found.get("run"), str) and _ID.fullmatch(found["run"])
    return found if known else None


def _line(text: bytes, found: Mapping[str, Any]) -> _HistoryLine:
    run = PastRun(**{name: found[name] for name in _NAMES}) if _is_valid(found) else None
    # Without its Z, a whole second comes before its fractions.
    started, ended = (str(found.get(name, "")).removesuffix("Z") for name in ("started", "ended"))
    return _HistoryLine(text, started, ended, run)


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
        return is_stamp(stamp_of(text))
    except ValueError:
        return False


def _put(lines: _Lines, run: str, line: _HistoryLine) -> None:
    """Keep one line a run: the one that ended last, then the larger one."""
    known = lines.get(run)
    if known is None or (known.ended, known.text) < (line.ended, line.text):
        lines[run] = line


def _ordered(lines: _Lines) -> list[tuple[str, _HistoryLine]]:
    return sorted(lines.items(), key=lambda one: (one[1].started, one[0]))


def _write(folder: Path, lines: _Lines, files: Files) -> None:
    refuse_link(folder / HISTORY)
    newest = _ordered(lines)[-MOST_RUNS:]
    write_atomically(folder / HISTORY, [b"".join(line.text + b"\n" for _, line in newest)], files)


def _unreadable(folder: Path, error: OSError) -> str:
    return f"{folder / HISTORY}: {problem_of(error, folder / HISTORY)}; it is left as it is"
