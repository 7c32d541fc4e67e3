"""Join conditions into one filter.

Conditions are presets, the user's own filter, windows of a sweep and lists of ids. They are joined as trees, so every
condition keeps its meaning beside the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote_plus

from harvester.errors import SettingsError
from harvester.filters.impossible import why_impossible
from harvester.filters.parse import Filter, read_filter
from harvester.filters.tokens import check_characters, refuse
from harvester.filters.tree import EVERY_SOUND, And, Leaf, Pattern, Range, Term, Tree, all_of, any_of
from harvester.filters.write import write
from harvester.records import BY, CC0

LONGEST_ENCODED = 1_800
"""The most bytes of a filter in a request.

With 150 ids and the names of the fields, the request line then stays within 4,094 bytes.
"""


def build_filter(
    text: str,
    *,
    cc0: bool = False,
    by: bool = False,
    max_duration_s: float | None = None,
    tags: Sequence[str] = (),
    types: Sequence[str] = (),
    users: Sequence[str] = (),
    packs: Sequence[int] = (),
) -> Filter:
    """Join the user's filter and the presets; all must match.

    `cc0` and `by` together mean either license. `users` (any) also finds users whose names hold all words of one in
    this order, because the index splits names into words. `packs`: ids, any of them. Raises `SettingsError` for a
    filter that cannot be sent safely.
    """
    written = read_filter(text)
    parts = [written.tree]
    licenses = [name for name, wanted in ((CC0.index_name, cc0), (BY.index_name, by)) if wanted]
    if licenses:
        parts.append(_either("license", licenses))
    if max_duration_s is not None:
        parts.append(Leaf("duration", Range("0", _number(max_duration_s))))
    parts += [_either("tag", [_text("--tag", tag)]) for tag in tags]
    if types:
        parts.append(_either("type", [_file_type(name) for name in types]))
    if users:
        parts.append(_either("username", [_text("--user", name) for name in users]))
    if packs:
        # The index holds a pack as its id and its name in one word; the name may change.
        parts.append(any_of(Leaf("pack_grouping", Pattern(f"{pack}_*")) for pack in packs))
    built = Filter(all_of(parts), written.notices)
    if len(quote_plus(built.text)) > LONGEST_ENCODED:
        refuse(f"it takes {len(quote_plus(built.text))} bytes of a request; at most {LONGEST_ENCODED} are possible")
    return built


@lru_cache(maxsize=64)
def canonical(text: str) -> str:
    """Return a filter's canonical text, equal for all its spellings."""
    return read_filter(text).text


@lru_cache(maxsize=64)
def join_filters(*texts: str) -> str:
    """Join filters that must all match; a blank one matches everything."""
    return write(all_of(read_filter(text).tree for text in texts))


def list_conditions(filter: Filter) -> list[tuple[Tree, str]]:
    """Return the parts of a filter that must all match, each with its text."""
    tree = filter.tree
    return [(part, write(part)) for part in (tree.parts if isinstance(tree, And) else (tree,))]


def filter_ids(sound_ids: Iterable[int], text: str = "") -> str:
    """Return the filter of those sounds (at least one) that match `text`."""
    # All clauses of a canonical text are required, so one more may precede them: 150 ids need not become a tree.
    listed = " OR ".join(map(str, dict.fromkeys(sound_ids)))
    rest = canonical(text)
    return (f"id:({listed})" if " " in listed else f"id:{listed}") + (f" {rest}" if rest else "")


@lru_cache(maxsize=64)
def filter_similar(text: str) -> str:
    """Restrict a filter to sounds, for a similarity search.

    The index has other documents too.
    """
    return write(all_of((read_filter(text).tree, EVERY_SOUND)))


def _either(name: str, values: Sequence[str]) -> Tree:
    return any_of(Leaf(name, Term(value)) for value in values)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise SettingsError("--max-duration is longer than any number of seconds")
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _file_type(name: str) -> str:
    kind = _text("--type", name).lower()
    if problem := why_impossible("type", Term(kind)):
        raise SettingsError(f"--type: {problem}")
    return kind


def _text(option: str, value: str) -> str:
    if not value.strip():
        raise SettingsError(f"{option} needs a text")
    check_characters(value)
    return value
