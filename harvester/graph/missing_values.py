"""Explain why a selection is empty.

Names the values that no sound has, and those that there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from harvester.graph.attributes import is_gone
from harvester.graph.selection import Selection, license_names, typed_license
from harvester.graph.state import SoundGraph
from harvester.records import license_name, value_of

_MOST_NAMED = 6
_LONGEST_NAME = 40


def explain_empty(state: SoundGraph, selection: Selection) -> str:
    """Return one line that says why no sound of `state` meets `selection`.

    It names each value that no sound has, with similar ones that there are, or else the most frequent ones. Sounds that
    are gone do not count.
    """
    sounds = [attributes for attributes in state.graph.nodes.values() if not is_gone(attributes)]
    if not sounds:
        return "no sound matches: the library holds no sounds"
    missing = [
        *_missing("license", selection.licenses, sounds, _licenses, typed_license, license_names),
        *_missing("category", selection.categories, sounds, _categories),
        *_missing("tag", selection.tags, sounds, lambda attributes: value_of(attributes, "tags") or ()),
        *_missing("user", selection.users, sounds, lambda attributes: filter(None, [value_of(attributes, "username")])),
    ]
    return f"no sound matches: {'; '.join(missing) or 'no sound meets all conditions together'}"


def _missing(
    what: str,
    wanted: Iterable[str],
    sounds: Iterable[dict[str, Any]],
    names_of: Callable[[dict[str, Any]], Iterable[str]],
    folded: Callable[[str], str] = str.casefold,
    spellings: Callable[[str], Iterable[str]] = lambda name: (name.casefold(),),
) -> Iterator[str]:
    if not wanted:
        return
    there = Counter(name for attributes in sounds for name in names_of(attributes))
    known = {spelling for name in there for spelling in spellings(name)}
    for value in wanted:
        if folded(value) not in known:
            yield f"no sound has the {what} {_quoted(value)}; {_others(folded(value), there)}"


def _others(value: str, there: Counter[str]) -> str:
    if not there:
        return "there is none in the library"
    names = {name.casefold(): name for name in there}
    similar = [names[one] for one in get_close_matches(value, names)]
    if similar:
        return f"did you mean {' or '.join(map(_quoted, similar))}?"
    frequent = [_quoted(name) for name, _ in there.most_common(_MOST_NAMED)]
    more = f" and {len(there) - len(frequent)} more" if len(there) > len(frequent) else ""
    return f"there are {', '.join(frequent)}{more}"


def _quoted(text: str) -> str:
    return f"'{text[:_LONGEST_NAME]}{'…' if len(text) > _LONGEST_NAME else ''}'"


def _licenses(attributes: dict[str, Any]) -> Iterator[str]:
    if value_of(attributes, "license"):
        yield license_name(value_of(attributes, "license"))


def _categories(attributes: dict[str, Any]) -> Iterable[str]:
    return {value_of(attributes, name) or "" for name in ("category", "subcategory")} - {""}
