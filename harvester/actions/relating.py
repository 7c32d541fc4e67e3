"""Relate sounds: make edges from what their records have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from harvester.actions.default_library import find_library
from harvester.actions.keywords import StrPath, check_number, naming_keywords
from harvester.actions.options import check_choice, check_flag, check_texts, check_whole
from harvester.actions.selecting import SelectKeywords, read_selection, select_in
from harvester.clock import Clock, SystemClock
from harvester.errors import SettingsError
from harvester.graph import Selection
from harvester.library import Store, perform, require_library
from harvester.relations import BY, KindReport, RelationBounds, find_relations
from harvester.settings import RELATED, SCORE


@dataclass(frozen=True, slots=True)
class RelateResult:
    """Result of relating sounds: what was found for each kind.

    `library` is its folder; `searched` sounds were compared. Each of `kinds` has by its name the numbers of relations
    `found`, `new`, `stronger` (known with a lower weight) and `beyond` (known, and not among the found), and the
    numbers of `sounds` with a relation and of those `cut` to the most. `edges`: those that the library now holds;
    `saved` is False if there was nothing new. `seconds`: how long it took. `notices`: lines that need attention.
    """

    library: Path
    searched: int
    kinds: dict[str, KindReport]
    edges: int
    saved: bool
    seconds: float
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for `--json`."""
        return {**asdict(self), "library": str(self.library)}


@naming_keywords
def relate(
    library: StrPath | None = None,
    *,
    by: str | Iterable[str] = BY,
    min_jaccard: float = 0.15,
    max: int = 25,
    dry_run: bool = False,
    **selection: Unpack[SelectKeywords],
) -> RelateResult:
    """Make relations between sounds from their records, offline.

    They are edges of the kinds in `by`: `user` (the same uploader), `pack` (the same pack) and `tags` (alike tags). A
    sound gets at most `max` (1 to 1,000) of each kind: to the sounds of its user or pack with the nearest ids, and to
    those with the most alike tags. Their weight is the share of common tags, of all that either has (Jaccard's index);
    `min_jaccard` (above 0, to 1) is the least. `library` is its folder; None: the default folder. The other
    keywords select the sounds that are related to each other, and are those of `SelectKeywords`.

    Relations only grow: a second call changes nothing, and one with other bounds adds what is new and drops nothing.
    They are durable on return, with a verified backup; a crash leaves all of them or none. With `dry_run` nothing is
    changed, and the result says what would be.

    Raises `SettingsError` that names a wrong keyword; `LibraryNotFound`, `LibraryLocked`, `LibraryCorrupt`,
    `BackupFailed`, `DiskFull`, or `LibraryUnwritable`.
    """
    kinds = _read_kinds(by)
    bounds = RelationBounds(_check_jaccard(min_jaccard), check_whole("--max", max, RELATED))
    chosen = read_selection(**selection)
    folder = find_library(library)
    require_library(folder)
    return perform(
        lambda place: _relate(place, kinds, bounds, chosen, SystemClock()),
        folder,
        dry_run=check_flag("--dry-run", dry_run),
    )


def _relate(
    folder: Path, kinds: tuple[str, ...], bounds: RelationBounds, selection: Selection, clock: Clock
) -> RelateResult:
    started_s = clock.monotonic_s()
    with Store.open(folder, clock=clock) as store:
        selected, notices = select_in(folder, store.state, selection, measured=False)
        found = find_relations(selected, kinds, bounds)
        for event in found.events:
            store.state.apply(event)
        if found.events:
            store.rewrite()
        result = RelateResult(
            library=folder,
            searched=len(selected),
            kinds=dict(found.kinds),
            edges=store.state.edge_count,
            saved=bool(found.events),
            seconds=0.0,
            notices=(*store.notices, *notices),
        )
    return replace(result, seconds=clock.monotonic_s() - started_s)


def _read_kinds(by: str | Iterable[str]) -> tuple[str, ...]:
    """Return the kinds to find, each once, in the order of BY."""
    wanted = {name.strip() for text in check_texts("--by", by) for name in text.split(",")} - {""}
    for name in sorted(wanted):
        check_choice("--by", name, BY)
    if not wanted:
        raise SettingsError(f"--by names no kind; choose from {', '.join(BY)}")
    return tuple(kind for kind in BY if kind in wanted)


def _check_jaccard(value: float) -> float:
    least = check_number("--min-jaccard", value, SCORE)
    if not least:
        raise SettingsError("--min-jaccard must be above 0: sounds without a common tag are never alike")
    return least
