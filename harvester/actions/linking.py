"""Link a library: compute similar lists from its vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, check_cluster, check_jobs, check_number, naming_keywords
from harvester.actions.options import check_whole
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.jobs import Threads, hired
from harvester.library import require_library
from harvester.settings import NEIGHBOURS, SCORE


@dataclass(frozen=True, slots=True)
class LinkResult:
    """Result of a link in numbers of lists, and of compared `vectors`.

    `library` is its folder. `new`, `changed` and `unchanged`: computed lists; `edges`: all their edges. `commits`: to
    the journal. `seconds`: how long it took. `notices`: lines that need attention. `kept`: lists from the server;
    `left_out`: vectors of deleted sounds and the like. `neighbours`: how many a list may have, which is more than asked
    if earlier lists are longer. `compared_with_all`: sounds that were compared with all others. `done` is False if the
    link was stopped before its end.
    """

    library: Path
    vectors: int
    new: int
    changed: int
    unchanged: int
    kept: int
    left_out: int
    neighbours: int
    edges: int
    compared_with_all: int
    commits: int
    done: bool
    seconds: float
    notices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for `--json`."""
        return {**asdict(self), "library": str(self.library)}


@naming_keywords
def link(
    library: StrPath | None = None,
    *,
    neighbours: int = 25,
    min_score: float = 0.7,
    jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    asked_to_stop: Callable[[], bool] | None = None,
) -> LinkResult:
    """Compute the similar lists of all sounds with a vector.

    They are durable on return. `library` is its folder; None: the default folder. A list holds up to `neighbours`
    sounds (1 to 150) with a score from `min_score` (0 to 1) on. Lists from the server are never changed, and a second
    call computes only what is new. `jobs` threads compute at the same time; -1 uses all cores. With `scheduler`, such
    as `tcp://127.0.0.1:8786`, the workers of a Dask cluster compute instead, and the library gets the same bytes.
    `on_progress` gets the numbers of sounds done and of all. When `asked_to_stop` returns True, the lists so far are
    kept, and `result.done` is False. A crash keeps the lists of the last commit, at most ten minutes old.

    Raises `SettingsError` that names a wrong keyword, a library without vectors, or numpy when it is missing;
    `LibraryNotFound`, `LibraryLocked`, `LibraryCorrupt`, `BackupFailed`, `DiskFull`, or `LibraryUnwritable`;
    `ClusterFailed`, which keeps the lists so far.
    """
    try:
        from harvester.similarity import link_library
    except ImportError as error:
        raise SettingsError(missing("link", "numpy", "link")) from error
    count, least = check_whole("--neighbours", neighbours, NEIGHBOURS), check_number("--min-score", min_score, SCORE)
    threads, cluster = Threads(check_jobs("--jobs", jobs)), check_cluster("--scheduler", scheduler)
    folder = find_library(library)
    require_library(folder)
    with hired(threads, cluster, packages=["numpy"]) as team:
        report = link_library(
            folder,
            clock=SystemClock(),
            neighbours=count,
            min_score=least,
            team=team,
            on_progress=on_progress or (lambda _done, _total: None),
            asked_to_stop=asked_to_stop or (lambda: False),
        )
    return LinkResult(folder, **report.as_dict())
