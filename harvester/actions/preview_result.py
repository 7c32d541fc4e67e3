"""What came of fetching previews, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.clock import iso
from harvester.counts import counted
from harvester.previews import FetchTally, PreviewFolder, PreviewPlan


@dataclass(frozen=True, slots=True)
class PreviewsResult:
    """Result of fetching previews: numbers of `selected` sounds.

    `library` is its folder; its `folder` of previews has the files. `here` were there before; `fetched` came now, with
    `fetched_bytes`. `lost`: the server has no such file; `failed`: it did not come; both are requested again later, as
    are the `waiting` ones of earlier runs, from `next_retry` (ISO 8601, UTC) on. `left`: not requested yet, of about
    `expected_bytes`. `without_address`: no preview in their record; `refused`: an address to which no request is sent.
    `per_minute`: the requests that are sent in a minute, None: without a limit. `files` of `size_bytes` are in the
    folder. `end`: why the run ended before all was done, or an empty text.
    `dry_run`: nothing was requested. `seconds`: how long it took. `notices`: lines that need attention.
    """

    library: Path
    folder: Path
    selected: int
    here: int
    fetched: int
    fetched_bytes: int
    lost: int
    failed: int
    waiting: int
    next_retry: str | None
    left: int
    expected_bytes: int
    without_address: int
    refused: int
    per_minute: int | None
    files: int
    size_bytes: int
    end: str
    dry_run: bool
    seconds: float
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for `--json`."""
        return {**asdict(self), "library": str(self.library), "folder": str(self.folder)}


def result_of(
    library: Path,
    plan: PreviewPlan,
    folder: PreviewFolder,
    tally: FetchTally,
    per_minute: int | None,
    *,
    dry_run: bool,
    seconds: float,
    notices: tuple[str, ...],
) -> PreviewsResult:
    """Return the result of a run; its last notices are about the plan."""
    return PreviewsResult(
        library=library,
        folder=folder.path,
        selected=plan.selected,
        here=plan.here,
        fetched=tally.fetched,
        fetched_bytes=tally.size_bytes,
        lost=tally.lost,
        failed=tally.failed,
        waiting=plan.waiting,
        next_retry=None if plan.next_retry_at is None else iso(plan.next_retry_at),
        left=len(plan.wanted) - tally.fetched - tally.lost - tally.failed,
        expected_bytes=plan.expected_bytes,
        without_address=plan.without_address,
        refused=len(plan.refused),
        per_minute=per_minute,
        files=len(folder.stored),
        size_bytes=folder.size_bytes,
        end=tally.end,
        dry_run=dry_run,
        seconds=seconds,
        notices=(*notices, *folder.notices, *_about(plan)),
    )


def _about(plan: PreviewPlan) -> list[str]:
    """Return lines about the sounds whose preview cannot be requested."""
    lines = []
    if plan.without_address:
        lines.append(f"{counted(plan.without_address, 'sound')} without such a preview in the record")
    if plan.refused:
        sound_id, reason = next(iter(plan.refused.items()))
        lines.append(
            f"{counted(len(plan.refused), 'sound')} with an address to which no request is sent, such as sound "
            f"{sound_id}: {reason}"
        )
    return lines
