"""Decide whether a library is fresh, for monitoring.

News is what a harvest or `refresh` brings: a record, a similar list, a tombstone. The time of a file says nothing: a
copy, a `git pull` or an import of old data makes no library fresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harvester.actions.quantities import duration_text
from harvester.clock import SECOND_US

MAX_AGE = "26h"
"""A day, which is the pause of a nightly harvest and the longest wait for quota, and two hours to work in."""

_LONGEST_QUOTA_WAIT_S = 26 * 3_600
_ALIVE_S = 60
"""A running harvest renews `status.json` every two seconds; after this long it hangs."""


def judge_freshness(facts: Mapping[str, Any], max_age_s: float, now_us: int) -> dict[str, Any]:
    """Return the value of `freshness` in `status --json`.

    `facts` has `last_news_at` and `run`. A harvest that waits for quota may go without news for a day, also where
    `max_age_s` is less. `why` is one line for a person.
    """
    last_us = facts["last_news_at"]
    waits = _waits_for_quota(facts["run"], now_us)
    allowed_s = max(max_age_s, _LONGEST_QUOTA_WAIT_S) if waits else max_age_s
    age_s = None if last_us is None else max(0.0, (now_us - last_us) / SECOND_US)
    fresh = age_s is not None and age_s <= allowed_s
    if age_s is None:
        why = "nothing was fetched into this library yet"
    elif fresh and age_s > max_age_s:
        why = f"the newest data is {duration_text(age_s)} old, and the harvest waits for quota"
    else:
        more = "no more than" if fresh else "more than"
        why = f"the newest data is {duration_text(age_s)} old, {more} {duration_text(allowed_s)}"
    return {"fresh": fresh, "max_age_s": max_age_s, "why": why}


def _waits_for_quota(run: Mapping[str, Any] | None, now_us: int) -> bool:
    """Tell whether a harvest that is alive waits for the day's quota."""
    if run is None or run.get("quota_left") != 0 or run.get("waiting_until") is None:
        return False
    updated_us = run.get("updated_at")
    is_alive = type(updated_us) is int and now_us - updated_us <= _ALIVE_S * SECOND_US
    return is_alive and bool(run["waiting_until"] > now_us)
