"""Check where a harvest starts and which sounds it may take.

Owns the rules about several of these options, and how many sounds a harvest processes unless the caller says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harvester.actions.events import Reporter
from harvester.actions.options import (
    check_choice,
    check_flag,
    check_seconds,
    check_sounds,
    check_text,
    check_texts,
    check_whole,
)
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.filters import build_filter, refuse_impossible
from harvester.model import SPACES
from harvester.settings import COUNT_FROM_ZERO

SAMPLES = 50
"""How many sounds a harvest processes unless the caller says otherwise."""
ALL = "all"
"""What the caller says instead of a number of sounds, to process all that are found."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a harvest starts and which sounds it may take, checked.

    `filter` joins all conditions; `usernames` narrows what it finds to these users. `records_only`: no similar list
    unless the caller says how many. `column`: that of the ids in a list, empty if it has a known name.
    """

    seed_ids: tuple[int, ...]
    query: str
    filter: str
    sweep: bool
    vectors: str
    permitted: bool
    usernames: tuple[str, ...] = ()
    records_only: bool = False
    column: str = ""

    def target(self, samples: Any, *, forever: bool = False) -> int | None:
        """Return how many sounds to process; None: all that are found.

        `samples`: what the caller says, a number, `all` or None. Raises `SettingsError` for anything else.
        """
        if samples == ALL:
            return None
        if isinstance(samples, str):
            raise SettingsError(f"--samples must be a whole number or 'all', not {ascii(samples)[:40]}")
        if samples is not None:
            return check_whole("--samples", samples, COUNT_FROM_ZERO)
        return 0 if self.vectors or self.records_only else None if forever or self.sweep else SAMPLES


def read_scope(
    reporter: Reporter,
    *,
    seed: Any,
    query: Any,
    filter: Any,
    cc0: Any,
    by: Any,
    max_duration: Any,
    tag: Any,
    type: Any,
    sweep: Any,
    vectors: Any,
    i_have_permission: Any,
    ids: Any = None,
    column: Any = "",
    user: Any = None,
    pack: Any = None,
) -> Wanted:
    """Return the scope of a harvest.

    Tells which part of the filter has no effect. Raises `SettingsError` for a filter that cannot be used, a sweep of
    everything, which the API's terms forbid, a sweep with seeds, and a list of ids beside anything else.
    """
    query, sweep = check_text("--query", query), check_flag("--sweep", sweep)
    users, packs = check_texts("--user", user), check_sounds("--pack", pack, what="a pack's id")
    refuse_impossible(check_text("--filter", filter), SystemClock().time_us())
    built = build_filter(
        filter,
        cc0=check_flag("--cc0", cc0),
        by=check_flag("--by", by),
        max_duration_s=None if max_duration is None else check_seconds("--max-duration", max_duration),
        tags=check_texts("--tag", tag),
        types=check_texts("--type", type),
        users=users,
        packs=packs,
    )
    for line in built.notices:
        reporter.warn(line)
    seed_ids = check_sounds("--seed", seed)
    if ids is not None:
        _refuse_beside_ids(
            {"--seed": seed_ids, "--query": query, "--filter": built.text, "--sweep": sweep, "--vectors": vectors}
        )
    if users or packs:
        sweep = True
    if sweep and not (query or built.text):
        raise SettingsError(
            "--sweep needs --query or --filter: the API's terms do not allow a copy of all of Freesound"
        )
    if sweep and seed_ids:
        what = "--user and --pack take" if users or packs else "--sweep takes"
        raise SettingsError(f"{what} every hit of a search; leave out --seed")
    if vectors is not None:
        check_choice("--vectors", vectors, SPACES)
        if not sweep:
            raise SettingsError("--vectors needs --sweep and --query or --filter")
    permitted = check_flag("--i-have-permission", i_have_permission)
    return Wanted(
        seed_ids, query, built.text, sweep, vectors or "", permitted, users,
        records_only=ids is not None or bool(users or packs), column=check_text("--column", column),
    )  # fmt: skip


def _refuse_beside_ids(given: Mapping[str, Any]) -> None:
    """Raise `SettingsError` for an option that a list of sounds excludes."""
    name = next((name for name, value in given.items() if value), None)
    if name == "--filter":
        raise SettingsError(
            "--ids takes every sound of its list: leave out --filter, --cc0, --by, --max-duration, --tag, --type, "
            "--user and --pack; `harvester export` selects among the sounds that came"
        )
    if name is not None:
        raise SettingsError(f"--ids takes every sound of its list and no other: leave out {name}")
