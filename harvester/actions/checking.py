"""Check a library's files, and repair them."""

from __future__ import annotations

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, check_cluster, check_jobs, naming_keywords
from harvester.actions.options import check_flag
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.jobs import Processes, hired
from harvester.library import CheckReport, check_library, perform, repair_library


@naming_keywords
def check(
    library: StrPath | None = None,
    *,
    repair: bool = False,
    dry_run: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
) -> CheckReport:
    """Verify every file of the library, and return what was found.

    `library` is its folder; None: the default folder. `report.clean` tells whether there are no problems; a problem
    raises nothing. `jobs` processes read files at the same time; -1 uses all cores. With `scheduler`, such as
    `tcp://127.0.0.1:8786`, the workers of a Dask cluster check them, to which they are sent. Without `repair`, nothing
    is written and no lock is needed.

    With `repair`, corrupt files move to `quarantine/`, and a complete library is written from the rest, durable on
    return; nothing is deleted. A crash leaves a library that loads. Raises `LibraryLocked` while another process
    writes the library, `LibraryCorrupt` when no valid file is left to replace the checkpoint, `LibraryNotFetched`,
    `BackupFailed`, `DiskFull`, `LibraryUnwritable`, or `ClusterFailed`. With `dry_run` nothing is changed, and the
    report says what the repair would do; `SettingsError` for `dry_run` without `repair`.
    """
    processes, cluster = Processes(check_jobs("--jobs", jobs)), check_cluster("--scheduler", scheduler)
    folder = find_library(library)
    if check_flag("--dry-run", dry_run) and not repair:
        raise SettingsError("--dry-run shows what --repair would do; use it with --repair")
    work = repair_library if repair else check_library
    with hired(processes, cluster) as team:
        return perform(lambda place: work(place, clock=SystemClock(), team=team), folder, dry_run=dry_run)
