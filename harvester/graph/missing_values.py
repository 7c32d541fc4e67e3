"""Find the values of a selection that no sound has, and what was meant.

Names the values that there are. Licenses and categories are closed vocabularies: a value outside of them, which no
sound of the library has either, is impossible rather than absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import Any

from harvester.graph.attributes import is_gone
from harvester.graph.selection import Selection, license_names, typed_license
from harvester.graph.state import SoundGraph
from harvester.records import CATEGORIES, LICENSES, is_possible_license, license_name, value_of

_MOST_NAMED = 6
_LONGEST_NAME = 40
_ALL_CATEGORIES = {name.casefold() for name in chain(CATEGORIES, *CATEGORIES.values())}


@dataclass(frozen=True, slots=True)
class MissingValue:
    """A value of a selection that no sound has.

    `what`: `license`, `category`, `tag`, `user`, or `relation` for a kind of edges. `others` says what was probably
    meant, or what there is. `possible` is False for a value outside a closed vocabulary.
    """

    what: str
    value: str
    others: str
    possible: bool = True

    def __str__(self) -> str:
        has = "no edge is of the" if self.what == "relation" else "no sound has the"
        return f"{has} {self.what} {_quoted(self.value)}; {self.others}"


def explain_missing(missing: Iterable[MissingValue], state: SoundGraph, *, found: bool) -> str:
    """Return one line about values that no sound of `state` has.

    `found` tells whether some sound meets the selection nevertheless.
    """
    told = "; ".join(map(str, missing))
    if found:
        return f"a part of the selection matches nothing: {told}"
    if not any(not is_gone(attributes) for attributes in state.graph.nodes.values()):
        return "no sound matches: the library holds no sounds"
    return f"no sound matches: {told or 'no sound meets all conditions together'}"


def find_missing(state: SoundGraph, selection: Selection) -> tuple[MissingValue, ...]:
    """Return the values of a selection that no sound of `state` has.

    Sounds that are gone do not count.
    """
    return tuple(
        chain(
            _missing(state, "license", selection.licenses, is_possible_license, typed_license, license_names),
            _missing(state, "category", selection.categories, _ALL_CATEGORIES.__contains__),
            _missing(state, "tag", selection.tags),
            _missing(state, "user", selection.users),
            _missing(
                state, "relation", sorted(selection.edges.relations or ()), folded=str, spellings=lambda name: (name,)
            ),
        )
    )


def suggest(state: SoundGraph, what: str, value: str) -> str:
    """Return `did you mean …?` with like values of the library, or empty.

    `what` is as in `MissingValue`.
    """
    return _similar(value.casefold(), _count(state, what))


def _missing(
    state: SoundGraph,
    what: str,
    wanted: Iterable[str],
    is_possible: Callable[[str], bool] = lambda _: True,
    folded: Callable[[str], str] = str.casefold,
    spellings: Callable[[str], Iterable[str]] = lambda name: (name.casefold(),),
) -> Iterator[MissingValue]:
    if not wanted:
        return
    there = _count(state, what)
    known = {spelling for name in there for spelling in spellings(name)}
    for value in wanted:
        if folded(value) in known:
            continue
        if is_possible(folded(value)):
            yield MissingValue(what, value, _others(folded(value), there))
        else:
            listed = f"there are {', '.join(map(_quoted, _VOCABULARIES[what]))}"
            similar = _similar(folded(value), [*_VOCABULARIES[what], *_SUBCATEGORIES, *there])
            yield MissingValue(what, value, similar or listed, possible=False)


def _count(state: SoundGraph, what: str) -> Counter[str]:
    """Return how many sounds have each value, or edges each relation."""
    if what == "relation":
        return Counter(
            kind
            for sound_id in state.graph
            for edge in state.graph.succ[sound_id].values()
            for kind in edge.get("relation", ())
        )
    sounds = (attributes for attributes in state.graph.nodes.values() if not is_gone(attributes))
    return Counter(name for attributes in sounds for name in _NAMES[what](attributes))


def _others(value: str, there: Counter[str]) -> str:
    if not there:
        return "there is none in the library"
    similar = _similar(value, there)
    if similar:
        return similar
    frequent = [_quoted(name) for name, _ in there.most_common(_MOST_NAMED)]
    more = f" and {len(there) - len(frequent)} more" if len(there) > len(frequent) else ""
    return f"there are {', '.join(frequent)}{more}"


def _similar(value: str, there: Iterable[str]) -> str:
    names = {name.casefold(): name for name in there}
    similar = [names[one] for one in get_close_matches(value, names)]
    return f"did you mean {' or '.join(map(_quoted, similar))}?" if similar else ""


def _quoted(text: str) -> str:
    return f"'{text[:_LONGEST_NAME]}{'…' if len(text) > _LONGEST_NAME else ''}'"


def _licenses(attributes: dict[str, Any]) -> Iterator[str]:
    if value_of(attributes, "license"):
        yield license_name(value_of(attributes, "license"))


def _categories(attributes: dict[str, Any]) -> Iterable[str]:
    return {value_of(attributes, name) or "" for name in ("category", "subcategory")} - {""}


_NAMES: Mapping[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    "license": _licenses,
    "category": _categories,
    "tag": lambda attributes: value_of(attributes, "tags") or (),
    "user": lambda attributes: filter(None, [value_of(attributes, "username")]),
}
_VOCABULARIES = {"license": [one.short_name for one in LICENSES], "category": list(CATEGORIES)}
_SUBCATEGORIES = list(chain(*CATEGORIES.values()))
