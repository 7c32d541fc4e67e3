"""Runs for the history of a library, as values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harvester.clock import SECOND_US, exact_iso
from harvester.library import PastRun
from tests.support.samples import NOW_US


def past_run(number: int, *, ended_at: int | None = None, **changed: Any) -> PastRun:
    """Return the run of this number; it lasted a minute and ended `number` hours after the first."""
    end_us = NOW_US + number * 3_600 * SECOND_US if ended_at is None else ended_at
    run = PastRun(
        run=f"{number:032x}", started=exact_iso(end_us - 60 * SECOND_US), ended=exact_iso(end_us), command="harvest",
        version="0.1.0", end="target reached", exit_code=0, seconds=60.0, requests=10, refused=0, denied=0, processed=9,
        sounds=100, edges=200, renewed=0, gone=0, deferred=0, total_sounds=100 * number, total_processed=9 * number,
    )  # fmt: skip
    return replace(run, **changed)
