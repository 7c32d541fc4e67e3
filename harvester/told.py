"""What a run tells: one line, how important it is, and its facts.

Every room tells with these events; `actions.events` passes them to the caller, the log and the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Fact: TypeAlias = str | int | float | None


class Level(StrEnum):
    """How important a line is.

    `ERROR`: what ended a command, only on the command line. `WARNING`: something needs attention; the result's
    `notices` have the line too. `INFO`: something happened.
    `PROGRESS`: the figures of the run, once a minute. With `verbose=1` also `REQUEST`: a request and its answer, and
    `DECISION`: why a sound is next, or why a checkpoint is due. With `verbose=2` also `DETAIL`: claims, attempts, short
    waits, commits.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    PROGRESS = "progress"
    REQUEST = "request"
    DECISION = "decision"
    DETAIL = "detail"

    @property
    def verbosity(self) -> int:
        """The least `verbose` that tells lines of this level."""
        return _VERBOSITY.get(self, 0)


_VERBOSITY = {Level.REQUEST: 1, Level.DECISION: 1, Level.DETAIL: 2}
MOST_VERBOSE = max(_VERBOSITY.values())


@dataclass(frozen=True, slots=True)
class Told:
    """One `line` for a person, in English, without the key.

    `level` says how important it is. `kind` and `fields` say the same to a program: `request` with its status, `next`
    with the sound, and so on; a plain line is a `message`. Stamps among the fields are microseconds since 1970, UTC.
    The line and the fields may hold texts of the server: escape control characters before you print them.
    """

    line: str
    level: Level = Level.INFO
    kind: str = "message"
    fields: Mapping[str, Fact] = field(default_factory=dict)


OnTold: TypeAlias = Callable[[Told], None]
