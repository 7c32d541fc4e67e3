"""The history of a library: note a run at its end, and list the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvester.actions.default_library import find_library
from harvester.actions.events import Reporter
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import check_seconds, check_whole
from harvester.actions.result import RunResult
from harvester.actions.status_file import load_status, save_end
from harvester.clock import SECOND_US, SystemClock, exact_iso, is_stamp
from harvester.errors import HarvesterError, problem_of
from harvester.library import KILLED, PastRun, add_run, load_history, new_run_id, require_library
from harvester.settings import COUNT
from harvester.storage import HISTORY
from harvester.terminal_text import drop_controls
from harvester.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from harvester.clock import Clock
    from harvester.freesound import FreesoundClient

_MOST_TEXT = 300


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """The runs of a library in `runs`, oldest first.

    `notices`: lines that need attention, such as lines of the file that describe no run.
    """

    runs: tuple[PastRun, ...]
    notices: tuple[str, ...] = ()


@naming_keywords
def history(
    library: StrPath | None = None, *, last: int | None = None, since: float | str | None = None
) -> HistoryReport:
    """Return the runs of a library, oldest first.

    `library` is its folder; None: the default folder. `last`: the newest runs only. `since`: those that ended within
    these seconds, or a text such as `7d`. Reads `history.jsonl`, takes no lock and writes nothing. Raises
    `SettingsError` for a wrong keyword, and `LibraryNotFound` for a folder that has neither a library nor a history.
    """
    most = None if last is None else check_whole("--last", last, COUNT)
    newer_s = None if since is None else check_seconds("--since", since)
    folder = find_library(library)
    found = load_history(folder)
    if not found.runs:
        require_library(folder)
    runs = found.runs
    if newer_s is not None:
        from_us = SystemClock().time_us() - round(newer_s * SECOND_US)
        runs = tuple(run for run in runs if run.ended_at >= from_us)
    return HistoryReport(runs[-most:] if most is not None else runs, found.notices)


class RunRecord:
    """The line that a run adds to the history.

    Its `run` id is in `status.json` from the beginning, so that the next run can add the line of a killed one.
    """

    def __init__(self, command: str, clock: Clock) -> None:
        self.run = new_run_id()
        self.command = command
        self._clock = clock
        self._started_at = clock.time_us()

    def add(
        self, result: RunResult, client: FreesoundClient, reporter: Reporter, failure: BaseException | None = None
    ) -> None:
        """Add the line of a run that has ended; a failure to do so is told.

        `status.json` gets the end too: so the run is not taken for a killed one where the line is on another branch.
        """
        activity = client.activity
        run = PastRun(
            run=self.run,
            started=exact_iso(self._started_at),
            ended=exact_iso(self._clock.time_us()),
            command=self.command,
            version=__version__,
            end=drop_controls(result.reason)[:_MOST_TEXT],
            exit_code=0 if failure is None else getattr(failure, "exit_code", HarvesterError.exit_code),
            seconds=round(result.seconds, 1),
            requests=result.requests,
            refused=activity.refused,
            denied=activity.denied,
            processed=result.samples,
            sounds=result.sounds,
            edges=result.edges,
            renewed=result.renewed,
            gone=result.gone,
            deferred=result.deferred,
            total_sounds=result.total.sounds,
            total_processed=result.total.processed,
        )
        _add(result.folder, run, reporter)
        save_end(result.folder, self.run, run.end)


def note_killed_run(folder: Path, reporter: Reporter) -> None:
    """Add the line of the run before, if it was killed.

    Call it with the library's lock: so the run of `status.json` is over, and it was killed if it says no end. Its
    figures are at most two seconds older than its end.
    """
    status = load_status(folder) or {}
    if status.get("end"):
        return
    counts = ("started_at", "updated_at", "samples", "new_nodes", "new_edges", "requests", "nodes", "processed")
    if not isinstance(status.get("run_id"), str) or not all(is_stamp(status.get(name)) for name in counts):
        return
    if any(run.run == status["run_id"] for run in load_history(folder).runs):
        return
    run = PastRun(
        run=status["run_id"],
        started=exact_iso(status["started_at"]),
        ended=exact_iso(status["updated_at"]),
        command="refresh" if status.get("command") == "refresh" else "harvest",
        version=__version__,
        end=KILLED,
        exit_code=None,
        seconds=max(0, status["updated_at"] - status["started_at"]) / SECOND_US,
        requests=status["requests"],
        refused=0,
        denied=0,
        processed=0 if status.get("command") == "refresh" else status["samples"],
        sounds=status["new_nodes"],
        edges=status["new_edges"],
        renewed=0,
        gone=0,
        deferred=0,
        total_sounds=status["nodes"],
        total_processed=status["processed"],
    )
    _add(folder, run, reporter)


def _add(folder: Path, run: PastRun, reporter: Reporter) -> None:
    try:
        for line in add_run(folder, run):
            reporter.warn(line)
    except OSError as error:
        path = folder / HISTORY
        reporter.warn(f"{path}: {problem_of(error, path)}; the run `{run.end}` is not in the history")
