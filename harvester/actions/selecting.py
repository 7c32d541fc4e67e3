"""Read the keywords that select a part of a library."""

from __future__ import annotations

from typing import TypedDict

from harvester.actions.keywords import Duration, Texts, check_number, naming_keywords
from harvester.actions.options import check_order, check_seconds, check_texts
from harvester.errors import SettingsError
from harvester.graph import MissingValue, Selected, Selection, SoundGraph, explain_missing, find_missing, select
from harvester.library import LibraryView
from harvester.settings import SCORE


class SelectKeywords(TypedDict, total=False):
    """The types of these keywords, for functions that pass them on."""

    license: Texts | None
    category: Texts | None
    tag: Texts | None
    user: Texts | None
    min_duration: Duration | None
    max_duration: Duration | None
    processed_only: bool
    min_score: float | None
    largest_component: bool


@naming_keywords
def read_selection(
    *,
    license: Texts | None = None,
    category: Texts | None = None,
    tag: Texts | None = None,
    user: Texts | None = None,
    min_duration: Duration | None = None,
    max_duration: Duration | None = None,
    processed_only: bool = False,
    min_score: float | None = None,
    largest_component: bool = False,
) -> Selection:
    """Return the selection for these keywords.

    `license` (CC0, BY, BY-NC, Sampling+, or a version such as `BY 4.0`), `category` and `user`: one text or several,
    of which any must match; `tag`: all must. Durations are seconds or texts such as `10s`. `min_score` is from 0 to 1,
    and keeps edges with at least this score. Raises `SettingsError` that names the keyword of a wrong value.
    """
    shortest_s = None if min_duration is None else check_seconds("--min-duration", min_duration, zero=True)
    longest_s = None if max_duration is None else check_seconds("--max-duration", max_duration)
    check_order("--min-duration", shortest_s, "--max-duration", longest_s)
    return Selection(
        licenses=_between_commas(check_texts("--license", license)),
        categories=check_texts("--category", category),
        tags=check_texts("--tag", tag),
        users=check_texts("--user", user),
        min_duration_s=shortest_s,
        max_duration_s=longest_s,
        processed_only=processed_only,
        min_score=None if min_score is None else check_number("--min-score", min_score, SCORE),
        largest_component=largest_component,
    )


def _between_commas(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the licenses in texts such as `CC0,BY 4.0`; none has a comma."""
    return tuple(name.strip() for text in texts for name in text.split(","))


def select_from(view: LibraryView, selection: Selection) -> tuple[Selected, tuple[str, ...]]:
    """Return the sounds that `selection` picks, and the notices.

    Those are the view's, and which values of the selection no sound has. Raises as `check_values` does.
    """
    missing = check_values(view.state, selection)
    selected = select(view.state, selection)
    return selected, (*view.notices, *why_missing(missing, selected, selection))


def check_values(state: SoundGraph, selection: Selection) -> tuple[MissingValue, ...]:
    """Return the values of a selection that no sound has.

    Raises `SettingsError` for a license or a category that Freesound does not have, and no sound of the library.
    """
    missing = find_missing(state, selection)
    for one in missing:
        if not one.possible:
            raise SettingsError(f"--{one.what}: Freesound has no {one.what} '{one.value[:40]}'; {one.others}")
    return missing


def why_missing(missing: tuple[MissingValue, ...], selected: Selected, selection: Selection) -> tuple[str, ...]:
    """Return one line about values that no sound has, and why none matches.

    There is none where all values were found, or where the selection has no condition.
    """
    if not missing and (len(selected) or selection == Selection()):
        return ()
    return (explain_missing(missing, selected.state, found=bool(len(selected))),)
