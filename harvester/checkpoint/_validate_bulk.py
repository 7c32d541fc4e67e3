"""The check of nodes and edges by the hundred, at the speed of C loops; whatever is not plain goes one by one.

Owns no rule: what passes here is what `values_content` would let pass, for sounds whose records are made alike and
edges that carry a score and nothing else, as nearly all are. Where a batch is not like that, each of its sounds is
looked at alone, and that check speaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from sys import getrefcount
from typing import Any

from harvester.checkpoint._validate_content import OWN_KINDS, ContentReader
from harvester.clock import LATEST_US
from harvester.errors import LibraryCorrupt
from harvester.graph import FLAT

BATCH = 128
_INTEGER, _DICT, _FLOAT, _TEXT, _ONE = {int}, {dict}, {float}, {str}, {1}
_JSON = FLAT | {list, dict}
_score_of = itemgetter("score")


def _holders(containers: Sequence[object]) -> set[int]:
    """Return how many hold each of the containers: one number when each has the same."""
    return set(map(getrefcount, containers))


_sample = {1: {"score": 0.5}}
_ALONE = _holders(list(_sample.values()))
"""What `_holders` says of containers that a list of ours and one container of the file hold, and nobody else."""


def read_nodes(nodes: dict[int, Any], reader: ContentReader) -> dict[int, dict[str, Any]]:
    """Return the checked attributes by sound, in canonical order; their dicts are the ones given where they may be."""
    if len(set(map(id, nodes.values()))) < len(nodes):
        raise LibraryCorrupt("two of its sounds share a record")
    checked: dict[int, dict[str, Any]] = {}
    for batch in _batches(nodes.items()):
        before = reader.left
        if _are_plain(batch, reader):
            for sound_id, attributes in batch:
                if "id" in attributes:
                    attributes["id"] = sound_id  # one object for both
            checked.update(batch)
        else:
            reader.left = before  # each is counted when it is looked at alone
            checked.update((sound_id, reader.attributes(sound_id, attributes)) for sound_id, attributes in batch)
    return checked


def read_edges(
    adjacency: dict[int, Any], nodes: dict[int, dict[str, Any]], reader: ContentReader
) -> dict[int, dict[int, dict[str, Any]]]:
    """Return the checked out-edges by sound, in the order of `nodes`; their dicts are the ones given where they may be.

    No dict among them is anybody else's.
    """
    checked: dict[int, dict[int, dict[str, Any]]] = {}
    for batch in _batches(nodes.items()):
        ids = [sound_id for sound_id, _ in batch]
        tables = [adjacency[sound_id] for sound_id in ids]
        before = reader.left
        if _are_plain_edges(batch, tables, reader) and all(map(nodes.__contains__, chain.from_iterable(tables))):
            checked.update(zip(ids, tables, strict=True))
        else:
            reader.left = before
            checked.update((sound_id, reader.adjacency(sound_id, adjacency[sound_id], nodes)) for sound_id in ids)
    return checked


def _batches(pairs: Iterable[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    rest = iter(pairs)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _are_plain(batch: list[tuple[int, dict[Any, Any]]], reader: ContentReader) -> bool:
    """Tell whether each record of a batch is good: flat values, and lists and dicts of such that are all its own."""
    alike: defaultdict[tuple[Any, ...], list[tuple[int, dict[Any, Any]]]] = defaultdict(list)
    for pair in batch:
        alike[tuple(pair[1])].append(pair)
    inner: list[Any] = []
    for names, pairs in alike.items():
        if not _gather(inner, names, pairs, reader):
            return False
    # Whose they are comes before what is in them: a list shared by a thousand records is not read a thousand times.
    if inner and _holders(inner) != _ALONE:
        return False
    lists = [container for container in inner if type(container) is list]
    dicts = [container for container in inner if type(container) is dict]
    reader.spend(sum(map(len, inner)) + len(inner))
    return (
        FLAT.issuperset(map(type, chain.from_iterable(lists)))
        and _TEXT.issuperset(map(type, chain.from_iterable(dicts)))
        and FLAT.issuperset(map(type, chain.from_iterable(map(dict.values, dicts))))
    )


def _gather(
    inner: list[Any], names: tuple[Any, ...], pairs: list[tuple[int, dict[str, Any]]], reader: ContentReader
) -> bool:
    """Tell whether records that all have these names are plain, column by column, and add their containers."""
    order, _ = reader.plan(names)
    if order != names or "withdrawn_at" in names or "extra_stamps" in names:
        return False
    reader.spend((len(names) + 1) * len(pairs))
    for name, column in zip(names, zip(*(attributes.values() for _, attributes in pairs), strict=True), strict=True):
        kinds = set(map(type, column))
        if name == "id":
            if kinds != _INTEGER or column != tuple(sound_id for sound_id, _ in pairs):
                return False
        elif name in OWN_KINDS:
            if kinds != {OWN_KINDS[name]} or (kinds == _INTEGER and (min(column) < 0 or max(column) > LATEST_US)):
                return False
        elif not kinds <= FLAT:
            if not kinds <= _JSON:
                return False
            inner += column if len(kinds) == 1 else [value for value in column if type(value) not in FLAT]
    return True


def _are_plain_edges(batch: list[tuple[int, dict[str, Any]]], tables: list[Any], reader: ContentReader) -> bool:
    """Tell whether each edge of a batch has a good score and nothing else, and each of its dicts is its own.

    Whether its end exists is not looked at.
    """
    if set(map(type, tables)) != _DICT or _holders(tables) != _ALONE:
        return False
    if any(table and "linked_at" not in attributes for table, (_, attributes) in zip(tables, batch, strict=True)):
        return False
    reader.spend(sum(map(len, tables)) + len(tables))
    edges = list(chain.from_iterable(map(dict.values, tables)))
    if not edges:
        return True
    if set(map(type, chain.from_iterable(tables))) != _INTEGER:
        return False
    try:
        if set(map(len, edges)) != _ONE or _holders(edges) != _ALONE:
            return False
        scores = list(map(_score_of, edges))
    except (KeyError, TypeError):  # TypeError: it is no dict
        return False
    # A NaN may hide from min and max, never from the sum.
    return set(map(type, scores)) == _FLOAT and min(scores) >= 0.0 and max(scores) <= 1.0 and sum(scores) >= 0.0
