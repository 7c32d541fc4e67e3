"""Find the values of a selection that no sound has, and what was meant.

Names the values that there are. Licenses and categories are closed vocabularies: a value outside of them, which no
sound of the library has either, is impossible rather than absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any

from harvester.counts import plain_number
from harvester.graph.selection import Selection, license_names, typed_license
from harvester.graph.sound import Sound
from harvester.graph.state import SoundGraph
from harvester.graph.words import has_words, tokens_of
from harvester.records import (
    CATEGORIES,
    LICENSES,
    created_us,
    gen_ai_wish,
    is_possible_license,
    license_name,
    value_of,
)

_MOST_NAMED = 6
_EXAMPLES = 100
"""How many of the selected sounds are looked at before all sounds are."""
_LONGEST_NAME = 40
_ALL_CATEGORIES = {name.casefold() for name in chain(CATEGORIES, *CATEGORIES.values())}


@dataclass(frozen=True, slots=True)
class MissingValue:
    """A value of a selection that no sound has, or ids that it lacks.

    `what`: what it is a value of, such as `license` or `tag`. `others` says what was probably meant, or what there is;
    it may be empty. `possible` is False for a value outside a closed vocabulary. `decides` is False if sounds may match
    without it: a value that excludes sounds, and some ids of many.
    """

    what: str
    value: str
    others: str
    possible: bool = True
    decides: bool = True

    def __str__(self) -> str:
        whose = "no sound has" if self.decides else "no sound to exclude has"
        told = _TOLD.get(self.what, "{whose} the {what} {quoted}")
        told = told.format(whose=whose, what=self.what, value=self.value, quoted=_quoted(self.value))
        return f"{told}; {self.others}" if self.others else told


def explain_missing(missing: Iterable[MissingValue], state: SoundGraph, *, found: bool) -> str:
    """Return one line about values that no sound of `state` has.

    `found` tells whether some sound meets the selection nevertheless.
    """
    ordered = sorted(missing, key=lambda one: not one.decides)
    told = [*map(str, ordered)]
    if found:
        return f"a part of the selection matches nothing: {'; '.join(told)}"
    if all(map(state.is_gone, state.graph)):
        return "no sound matches: the library holds no sounds"
    if not any(one.decides for one in ordered):
        told.insert(0, "no sound meets all conditions together")
    return f"no sound matches: {'; '.join(told)}"


def find_missing(state: SoundGraph, selection: Selection, selected: Iterable[int] = ()) -> tuple[MissingValue, ...]:
    """Return the values of a selection that no sound of `state` has.

    Sounds that are gone do not count. `selected`: ids of sounds that meet the selection, if they are known. Most
    selections have some, and then their first ones answer what else takes a pass over all sounds.
    """
    examples = [state.attributes(sound_id) for sound_id in islice(selected, _EXAMPLES)]
    return tuple(
        chain(
            _missing(state, "license", selection.licenses, examples, is_possible_license, typed_license, license_names),
            _missing(state, "category", selection.categories, examples, _ALL_CATEGORIES.__contains__),
            _missing(state, "tag", selection.tags, examples),
            _missing(state, "user", selection.users, examples),
            _missing(state, "gen-AI wish", selection.gen_ai_wishes, examples),
            _missing_relations(state, selection.edges.relations or ()),
            # A sound that meets the selection has all its words, and is within its bounds.
            _missing_words(state, () if examples else selection.words),
            () if examples else _beyond_all(state, selection),
            _missing_ids(state, selection.ids),
            _missing(state, "tag", selection.excluded_tags, examples, decides=False),
            _missing(state, "user", selection.excluded_users, examples, decides=False),
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
    examples: Iterable[dict[str, Any]],
    is_possible: Callable[[str], bool] = lambda _: True,
    folded: Callable[[str], str] = str.casefold,
    spellings: Callable[[str], Iterable[str]] = lambda name: (name.casefold(),),
    *,
    decides: bool = True,
) -> Iterator[MissingValue]:
    def missing_in(names: Iterable[str], values: Iterable[str]) -> list[str]:
        known = {spelling for name in names for spelling in spellings(name)}
        return [value for value in values if folded(value) not in known]

    unseen = missing_in(chain.from_iterable(map(_NAMES[what], examples)), wanted)
    if not unseen:
        return
    there = _count(state, what)
    for value in missing_in(there, unseen):
        if is_possible(folded(value)):
            yield MissingValue(what, value, _others(folded(value), there), decides=decides)
        else:
            listed = f"there are {', '.join(map(_quoted, _VOCABULARIES[what]))}"
            similar = _similar(folded(value), [*_VOCABULARIES[what], *_SUBCATEGORIES, *there])
            yield MissingValue(what, value, similar or listed, possible=False)


def _missing_relations(state: SoundGraph, kinds: Collection[str]) -> Iterator[MissingValue]:
    """Yield the kinds of relations that no edge has."""
    if not kinds:
        return
    there = Counter(
        kind
        for sound_id in state.graph
        for edge in state.graph.succ[sound_id].values()
        for kind in edge.get("relation", ())
    )
    for kind in sorted(set(kinds) - there.keys()):
        # Sounds are selected all the same; they have no edges of this kind.
        yield MissingValue("relation", kind, _others(kind.casefold(), there), decides=False)


def _missing_words(state: SoundGraph, words: Iterable[str]) -> Iterator[MissingValue]:
    """Yield the words that no sound has, with words that are spelt alike."""

    def sounds() -> Iterator[Sound]:
        # Made again for each question: of a stored library they would not fit into memory.
        return (Sound(sound_id, attributes) for sound_id, attributes in _present(state))

    return missing_words(
        words,
        lambda word: any(has_words(sound, [word]) for sound in sounds()),
        lambda _: set().union(*map(tokens_of, sounds())),
    )


def missing_words(
    words: Iterable[str], is_there: Callable[[str], bool], tokens: Callable[[str], Iterable[str]]
) -> Iterator[MissingValue]:
    """Yield the words that no sound has, with words that are spelt alike.

    `is_there` tells whether a sound has a word, `tokens` returns those that may be spelt like it, each once.
    """
    for word in dict.fromkeys(words):
        if not is_there(word):
            # Comparing is slow, and useless without a common character: most tokens are ids.
            alike = (token for token in tokens(word) if not set(word).isdisjoint(token))
            yield MissingValue("word", word, _meant(get_close_matches(word, alike, n=2)))


def _beyond_all(state: SoundGraph, selection: Selection) -> Iterator[MissingValue]:
    """Yield the bounds that no sound is within, and what comes nearest."""
    for what, bound, read, nearest, shown, told in (
        ("least duration", selection.min_duration_s, _duration, max, plain_number, "the longest has {} s"),
        ("most duration", selection.max_duration_s, _duration, min, plain_number, "the shortest has {} s"),
        ("least downloads", selection.min_downloads, _downloads, max, "{:,}".format, "the most downloads are {}"),
    ):
        if bound is not None:
            values = [value for _, attributes in _present(state) if (value := read(attributes)) is not None]
            near = nearest(values, default=None)
            if near is None or nearest(near, bound) != near:
                others = _NONE if near is None else told.format(shown(near))
                yield MissingValue(what, shown(bound), others)
    if selection.created is not None:
        stamps = [stamp for _, attributes in _present(state) if (stamp := created_us(attributes)) is not None]
        if not any(map(selection.created.holds, stamps)):
            others = f"the uploads are from {_day(min(stamps))} to {_day(max(stamps))}" if stamps else _NONE
            yield MissingValue("created", selection.created.text, others)


def _missing_ids(state: SoundGraph, ids: Collection[int] | None) -> Iterator[MissingValue]:
    """Yield one line about the ids that are not in the library, or gone."""
    absent = sorted(sound_id for sound_id in ids or () if sound_id not in state)
    gone = sorted(sound_id for sound_id in ids or () if sound_id in state and state.is_gone(sound_id))
    if ids and (absent or gone):
        were = "was" if len(gone) == 1 else "were"
        told = [f"the library lacks {len(absent):,} ({_first(absent)})"] if absent else []
        told += [f"{len(gone):,} {were} deleted or withdrawn ({_first(gone)})"] if gone else []
        line = f"of {len(ids):,} id{'s' if len(ids) > 1 else ''} {', and '.join(told)}"
        yield MissingValue("id", line, "", decides=len(absent) + len(gone) == len(ids))


def _first(ids: Sequence[int]) -> str:
    """Return the first few ids, and whether there are more."""
    return f"{', '.join(map(str, ids[:_MOST_NAMED]))}{' …' if len(ids) > _MOST_NAMED else ''}"


def _present(state: SoundGraph) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((one, state.attributes(one)) for one in state.graph if not state.is_gone(one))


def _count(state: SoundGraph, what: str) -> Counter[str]:
    """Return how many sounds have each value."""
    return Counter(name for _, attributes in _present(state) for name in _NAMES[what](attributes))


def _others(value: str, there: Counter[str]) -> str:
    if not there:
        return _NONE
    similar = _similar(value, there)
    if similar:
        return similar
    frequent = [_quoted(name) for name, _ in there.most_common(_MOST_NAMED)]
    more = f" and {len(there) - len(frequent)} more" if len(there) > len(frequent) else ""
    return f"there are {', '.join(frequent)}{more}"


def _similar(value: str, there: Iterable[str]) -> str:
    names = {name.casefold(): name for name in there}
    return _meant([names[one] for one in get_close_matches(value, names)])


def _meant(names: Iterable[str]) -> str:
    meant = " or ".join(map(_quoted, names))
    return f"did you mean {meant}?" if meant else ""


def _quoted(text: str) -> str:
    return f"'{text[:_LONGEST_NAME]}{'…' if len(text) > _LONGEST_NAME else ''}'"


def _licenses(attributes: dict[str, Any]) -> Iterator[str]:
    if value_of(attributes, "license"):
        yield license_name(value_of(attributes, "license"))


def _categories(attributes: dict[str, Any]) -> Iterable[str]:
    return {value_of(attributes, name) or "" for name in ("category", "subcategory")} - {""}


def _duration(attributes: dict[str, Any]) -> float | None:
    duration_s: float | None = value_of(attributes, "duration")
    return duration_s


def _downloads(attributes: dict[str, Any]) -> float | None:
    downloads: float | None = value_of(attributes, "num_downloads")
    return downloads


def _day(stamp_us: int) -> str:
    return str((_EPOCH + timedelta(microseconds=stamp_us)).date())


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NONE = "there is none in the library"
_TOLD = {
    "least duration": "no sound lasts {value} s or longer",
    "most duration": "no sound lasts {value} s or less",
    "least downloads": "no sound has {value} downloads or more",
    "created": "no sound was uploaded in {value}",
    "id": "{value}",
    "relation": "no edge is of the relation {quoted}",
}
"""How a missing value is told, where it is not the name of something."""
_NAMES: Mapping[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    "license": _licenses,
    "category": _categories,
    "tag": lambda attributes: value_of(attributes, "tags") or (),
    "user": lambda attributes: filter(None, [value_of(attributes, "username")]),
    "gen-AI wish": lambda attributes: [gen_ai_wish(value_of(attributes, "gen_ai_preference"))],
}
_VOCABULARIES = {"license": [one.short_name for one in LICENSES], "category": list(CATEGORIES)}
_SUBCATEGORIES = list(chain(*CATEGORIES.values()))
