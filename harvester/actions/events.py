"""What a run tells its caller: typed events, passed in order.

Owns the rule for a function that raises: it gets no further event, the run ends in order, and its exception is raised
once everything is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harvester.clock import Stop
from harvester.told import Fact, Level, Told

if TYPE_CHECKING:
    from harvester.actions.log import RunLog
    from harvester.actions.result import RunResult
    from harvester.actions.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins.

    The library in `folder` is open, and the server has identified itself. `snapshot`: the figures at this moment.
    """

    folder: Path
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Advanced:
    """The figures of the run in `snapshot`, four times a second.

    It comes once more at the end of the run.
    """

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Ended:
    """The run ended, everything is saved, and the lock is released.

    `result` is what the call returns. It also comes before the call raises an error that ended the run: `result.failed`
    is then true. It does not come after a cancellation, nor where the library could not be opened.
    """

    result: RunResult


RunEvent = Told | Started | Advanced | Ended
"""What `on_progress` gets: `Told` at any time; else one `Started`, then `Advanced` again and again, then `Ended`.

A run that ends before the server has identified itself has only its `Ended`.
"""

OnProgress = Callable[[RunEvent], None]


class Reporter:
    """Passes the events of one call to the function of its caller.

    Lines also go to the log of the run. Those of a level beyond `verbose` are dropped.
    """

    def __init__(self, on_progress: OnProgress | None, stop: Stop | None = None, verbose: int = 0) -> None:
        self._on_progress = on_progress
        self._stop = stop
        self.verbose = verbose
        self.log: RunLog | None = None
        self.notices: list[str] = []
        self.error: Exception | None = None
        """What the caller's function raised."""

    @property
    def listens(self) -> bool:
        """Whether the caller wants events."""
        return self._on_progress is not None

    def emit(self, event: RunEvent) -> None:
        """Pass on an event; close the run if the caller's function raises."""
        if self._on_progress is None or self.error is not None:
            return
        try:
            self._on_progress(event)
        except Exception as error:
            self.error = error
            if self._stop is None:
                raise
            self._stop.close(f"on_progress raised {type(error).__name__}")

    def pass_on(self, told: Told) -> None:
        """Pass on a line and write it to the log, if `verbose` asks for it."""
        if told.level.verbosity > self.verbose:
            return
        if told.level is Level.WARNING:
            self.notices.append(told.line)
        if self.log is not None:
            self.log.write(told)
        self.emit(told)

    def tell(self, line: str, level: Level = Level.INFO, kind: str = "message", **fields: Fact) -> None:
        """Make a `Told` of these and pass it on."""
        self.pass_on(Told(line, level, kind, fields))

    def warn(self, line: str) -> None:
        """Tell one line that needs attention."""
        self.tell(line, Level.WARNING)
