"""Say why a search of the server finds no sound, in one line.

It takes at most one more request, and none for a search with one condition. Suggestions come from the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harvester.counts import counted
from harvester.errors import HarvesterError, Stopped
from harvester.filters import Filter, Leaf, Term, list_conditions, read_filter
from harvester.freesound import FreesoundClient
from harvester.graph import SoundGraph, suggest

_KINDS = {"tag": "tag", "username": "user"}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class _Condition:
    """One condition of a search: what it says, and what may be meant."""

    query: str
    filter: str
    told: str
    meant: str = ""


async def explain_empty_search(client: FreesoundClient | None, query: str, filter: str, state: SoundGraph) -> str:
    """Return why the search finds nothing.

    Of several conditions, the server counts the sounds of the one that is most likely wrong. Without a `client` it is
    not asked.
    """
    conditions = list(_conditions(query, read_filter(filter), state))
    if len(conditions) == 1:
        return _line(conditions[0].told, conditions[0].meant)
    # A condition that resembles another value of the library is probably mistyped; else it is the words of the query.
    suspect = next((one for one in conditions if one.meant), conditions[0])
    if client is not None:
        try:
            found = (await client.search(query=suspect.query, filter=suspect.filter, page_size=1)).count
        except (HarvesterError, Stopped):  # the run itself has ended well
            found = None
        if found == 0:
            return _line(suspect.told, suspect.meant)
        if found and len(conditions) == 2:
            other = next(one for one in conditions if one is not suspect)
            return f"the search finds nothing: without {_shown(other)} it finds {counted(found, 'sound')}"
    all_of_them = " and ".join(map(_shown, conditions))
    hint = f" ({suspect.told}: {suspect.meant})" if suspect.meant else ""
    return f"the search finds nothing: no sound meets {all_of_them} together{hint}"


def _conditions(query: str, filter: Filter, state: SoundGraph) -> Iterator[_Condition]:
    if query.strip():
        yield _Condition(query, "", f"no sound has the words of the query '{query[:_SHOWN]}'")
    for leaf, text in list_conditions(filter):
        match leaf:
            case Leaf(name, Term(value)):
                meant = suggest(state, _KINDS[name], value) if name in _KINDS else ""
                known = f"'{value}'".casefold() in meant.casefold()  # the library has it
                yield _Condition("", text, f"no sound has the {name} '{value[:_SHOWN]}'", "" if known else meant)
            case _:
                yield _Condition("", text, f"no sound meets `{text[:_SHOWN]}`")


def _shown(condition: _Condition) -> str:
    return f"`{condition.filter}`" if condition.filter else f"the query '{condition.query[:_SHOWN]}'"


def _line(told: str, meant: str) -> str:
    return f"the search finds nothing: {told}{'; ' if meant else ''}{meant}"
