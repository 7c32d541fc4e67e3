"""Read the keywords that select a part of a library: those of `export`, `draw_map` and `Library.select`."""

from __future__ import annotations

from typing import TypedDict

from harvester.actions.keywords import Duration, Texts, read_number, read_seconds, read_texts
from harvester.errors import SettingsError
from harvester.graph import Selected, Selection, select
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
    longest_s = None if max_duration is None else read_seconds("max_duration", max_duration)
    if longest_s == 0:
        raise SettingsError("max_duration must be longer than zero")
    return Selection(
        licenses=read_texts("license", license),
        categories=read_texts("category", category),
        tags=read_texts("tag", tag),
        users=read_texts("user", user),
        min_duration_s=None if min_duration is None else read_seconds("min_duration", min_duration),
        max_duration_s=longest_s,
        processed_only=processed_only,
        min_score=None if min_score is None else read_number("min_score", min_score, SCORE),
        largest_component=largest_component,
    )


def select_from(view: LibraryView, selection: Selection) -> Selected:
    """Return the sounds that `selection` picks; raise `SettingsError` if the folder holds no library."""
    if not view.exists:
        raise SettingsError(f"{view.folder}: no library here; `harvester harvest` starts one")
    return select(view.state, selection)
