"""Read the keywords that select a part of a library.

Owns what each of them means: a function that selects takes `**selection: Unpack[SelectKeywords]` and passes it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

from harvester.actions.given_ids import read_given_ids
from harvester.actions.keywords import Duration, Ids, Numbers, StrPath, Texts, check_number, naming_keywords
from harvester.actions.options import (
    check_order,
    check_seconds,
    check_text,
    check_texts,
    check_whole,
)
from harvester.errors import SettingsError
from harvester.graph import (
    EdgeRule,
    MissingValue,
    Selected,
    Selection,
    SoundGraph,
    explain_missing,
    find_missing,
    read_edge_kinds,
    select,
    split_words,
)
from harvester.library import LibraryView, load_analysis
from harvester.records import CreatedRange, read_created_range, read_gen_ai_wish
from harvester.settings import COUNT, COUNT_FROM_ZERO, SCORE

T = TypeVar("T")


class SelectKeywords(TypedDict, total=False):
    """The keywords that select sounds.

    A sound must meet each that is given. It must have one of `license` (CC0, BY, BY-NC, Sampling+, or a version such as
    `BY 4.0`), of `category`, of `user` and of `gen_ai`, all of `tag`, and none of `exclude_tag` and `exclude_user`;
    each is one text or several. `query`: words that it must all have, as in `find`. `ids`: sound ids, or a file that
    lists them, as `harvest` takes it (`-`: standard input; `column`: the column of a table). `created`: years, months
    or days of the upload in UTC, such as `2019..2021`, `2019-05..` or `2020`; both ends are included. `min_duration`
    and `max_duration`: seconds or texts such as `10s`. `min_downloads`: a number. `gen_ai`: values of the field
    `gen_ai_preference`, or `unknown`, which is neither a yes nor a no. `community`: one number or several of the
    communities that `analyse` found; it must be in one of them. `processed_only`: it must have a record and a similar
    list. `edges`: the kinds of edges to keep, any of `similar`, `relation:KIND`, `relation` (of every kind) and `all`.
    `min_score`, from 0 to 1, keeps similar edges with at least this score; relations have none, and stay.
    `largest_component` keeps the largest part that is connected by these edges.
    """

    license: Texts | None
    category: Texts | None
    tag: Texts | None
    user: Texts | None
    exclude_tag: Texts | None
    exclude_user: Texts | None
    query: Texts | None
    ids: Ids | StrPath | None
    column: str | None
    created: str | None
    min_duration: Duration | None
    max_duration: Duration | None
    min_downloads: int | None
    gen_ai: Texts | None
    community: Numbers | None
    processed_only: bool
    min_score: float | None
    edges: Texts | None
    largest_component: bool


@naming_keywords
def read_selection(**given: Unpack[SelectKeywords]) -> Selection:
    """Return the selection for these keywords.

    Reads the file that `ids` names. Raises `SettingsError` that names the keyword of a wrong value.
    """
    shortest_s = _checked("--min-duration", given.get("min_duration"), _least_seconds)
    longest_s = _checked("--max-duration", given.get("max_duration"), check_seconds)
    check_order("--min-duration", shortest_s, "--max-duration", longest_s)
    ids, notices = _read_ids(given.get("ids"), check_text("--column", given.get("column") or ""))
    return Selection(
        licenses=_between_commas(check_texts("--license", given.get("license"))),
        categories=check_texts("--category", given.get("category")),
        tags=check_texts("--tag", given.get("tag")),
        users=check_texts("--user", given.get("user")),
        excluded_tags=check_texts("--exclude-tag", given.get("exclude_tag")),
        excluded_users=check_texts("--exclude-user", given.get("exclude_user")),
        words=_checked("--query", given.get("query"), _read_words) or (),
        ids=ids,
        created=_checked("--created", given.get("created"), _read_created),
        min_duration_s=shortest_s,
        max_duration_s=longest_s,
        min_downloads=_checked("--min-downloads", given.get("min_downloads"), _read_count),
        gen_ai_wishes=_read_wishes("--gen-ai", given.get("gen_ai")),
        communities=_checked("--community", given.get("community"), _read_numbers) or (),
        processed_only=given.get("processed_only", False),
        min_score=_checked("--min-score", given.get("min_score"), _read_score),
        edges=check_edges(given.get("edges")),
        largest_component=given.get("largest_component", False),
        notices=notices,
    )


def _between_commas(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values in texts such as `CC0,BY 4.0`; none has a comma."""
    return tuple(name.strip() for text in texts for name in text.split(","))


def check_edges(edges: Texts | None) -> EdgeRule:
    """Return the rule for kinds of edges.

    Raises `SettingsError` for a text that names none.
    """
    try:
        return read_edge_kinds(check_texts("--edges", edges))
    except ValueError as error:
        raise SettingsError(
            f"--edges: '{str(error)[:40]}' is no kind of edges; use similar, relation:KIND, relation or all"
        ) from None


def select_from(view: LibraryView, selection: Selection, *, measured: bool = True) -> tuple[Selected, tuple[str, ...]]:
    """Return the sounds that `selection` picks, and the notices.

    Those are the view's and those of `select_in`, which also says what `measured` means and what is raised.
    """
    selected, notices = select_in(view.folder, view.state, selection, measured=measured)
    return selected, (*view.notices, *notices)


def select_in(
    folder: Path, state: SoundGraph, selection: Selection, *, measured: bool
) -> tuple[Selected, tuple[str, ...]]:
    """Return the sounds of the library in `folder` that `selection` picks.

    `measured`: the caller uses the measures of the library's analysis, which `state` then has. The notices are about
    the analysis, and about values of the selection that no sound has. Raises as `check_values` does.
    """
    about = take_analysis(folder, state) if measured or selection.communities else ()
    try:
        _check_communities(state, selection.communities)
        selected = select(state, selection)
        missing = check_values(state, selection, selected.sound_ids)
    except SettingsError as error:
        for line in about:
            error.add_note(line)
        raise
    return selected, (*about, *why_missing(missing, selected, selection))


def take_analysis(folder: Path, state: SoundGraph) -> tuple[str, ...]:
    """Give `state` the measures of the analysis of its library.

    Returns a line about an analysis that is older than the library, or that cannot be used.
    """
    loaded = load_analysis(folder, state)
    state.measures = loaded.measures
    return loaded.notices


def check_values(state: SoundGraph, selection: Selection, selected: Iterable[int] = ()) -> tuple[MissingValue, ...]:
    """Return the values of a selection that no sound has.

    `selected`: the sounds that meet it, if they are known; this saves time. Raises `SettingsError` for a license or a
    category that Freesound does not have, and no sound of the library, and for a community that the library's analysis
    does not have.
    """
    _check_communities(state, selection.communities)
    missing = find_missing(state, selection, selected)
    for one in missing:
        if not one.possible:
            raise SettingsError(f"--{one.what}: Freesound has no {one.what} '{one.value[:40]}'; {one.others}")
    return missing


def _check_communities(state: SoundGraph, wanted: tuple[int, ...]) -> None:
    if not wanted:
        return
    if not state.measures:
        raise SettingsError("--community needs an analysis of the library: run `harvester analyse` first")
    last = max(one.community for one in state.measures.values())
    if max(wanted) > last:
        there = f"has communities 1 to {last:,}" if last > 1 else "has community 1 only"
        raise SettingsError(f"--community: there is no community {max(wanted)}; the analysis {there}")


def why_missing(missing: tuple[MissingValue, ...], selected: Selected, selection: Selection) -> tuple[str, ...]:
    """Return how the conditions were read, and why parts match nothing.

    The latter is one line, about values that no sound has, and why no sound matches. There is none where all values
    were found, or where the selection has no condition.
    """
    if not missing and (len(selected) or selection == Selection()):
        return selection.notices
    return (*selection.notices, explain_missing(missing, selected.state, found=bool(len(selected))))


def _checked(option: str, value: Any, check: Callable[[str, Any], T]) -> T | None:
    return None if value is None else check(option, value)


def _least_seconds(option: str, value: Any) -> float:
    return check_seconds(option, value, zero=True)


def _read_numbers(option: str, value: Any) -> tuple[int, ...]:
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return tuple(sorted({check_whole(option, one, COUNT) for one in several}))


def _read_count(option: str, value: Any) -> int:
    return check_whole(option, value, COUNT_FROM_ZERO)


def _read_score(option: str, value: Any) -> float:
    return check_number(option, value, SCORE)


def _read_words(option: str, value: Any) -> tuple[str, ...]:
    words = split_words(" ".join(check_texts(option, value)))
    if not words:
        raise SettingsError(f"{option} has no words; name words that a sound must have, or leave it out")
    return words


def _read_created(option: str, value: Any) -> CreatedRange:
    return _named(option, check_text(option, value), read_created_range)


def _read_wishes(option: str, value: Any) -> tuple[str, ...]:
    return tuple(_named(option, text, read_gen_ai_wish) for text in _between_commas(check_texts(option, value)))


def _named(option: str, text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except SettingsError as error:
        raise SettingsError(f"{option}: {error}") from None


def _read_ids(ids: Any, column: str) -> tuple[frozenset[int] | None, tuple[str, ...]]:
    """Return the ids of a file, or those given, and the file's notices."""
    found = read_given_ids(ids, column)
    return (None, ()) if found is None else (frozenset(found.sound_ids), found.notices)
