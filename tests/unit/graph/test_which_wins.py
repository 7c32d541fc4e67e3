"""Which of two values wins, as literal tables: records, extra fields and similar lists, each against the other."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.graph.merge_rules import (
    Extra,
    best_first,
    extras_of,
    is_same,
    list_wins,
    newer_extras,
    record_wins,
    similar_of,
)
from harvester.model import Seen, SimilarList
from tests.support.samples import make_record


def attributes(fetched_at: int, record: dict[str, Any], **own: Any) -> dict[str, Any]:
    """A node with a record, as the graph keeps it."""
    return {**record, "added_at": 1, "fetched_at": fetched_at, **own}


INCOMPLETE = {"id": 1, "name": "b"}
A, B = make_record(1, name="a"), make_record(1, name="b")
WITHDRAWN = {"withdrawn_at": 3}


@pytest.mark.parametrize(
    ("new", "new_at", "known", "known_at", "own", "wins"),
    [
        # completeness before the stamp
        (A, 1, INCOMPLETE, 9, {}, True), (INCOMPLETE, 9, A, 1, {}, False),
        # the stamp before the bytes
        (A, 6, B, 5, {}, True), (B, 4, A, 5, {}, False), (INCOMPLETE, 6, INCOMPLETE, 5, {}, True),
        # the bytes, at one time
        (B, 5, A, 5, {}, True), (A, 5, B, 5, {}, False), (A, 5, A, 5, {}, False),
        # numbers of different types are different values
        (A | {"num_downloads": 2.0}, 5, A | {"num_downloads": 2}, 5, {}, True),
        (A | {"num_downloads": 2}, 5, A | {"num_downloads": 2.0}, 5, {}, False),
        # extra fields have stamps of their own and decide nothing here
        (A | {"bpm": 9}, 5, A, 5, {}, False), (A, 5, A | {"bpm": 9}, 5, {}, False),
        # what a withdrawal blanks decides nothing after it, what it keeps does
        (B, 5, A, 5, WITHDRAWN, False), (B | {"num_downloads": 2}, 5, A | {"num_downloads": 1}, 5, WITHDRAWN, True),
        # and what it keeps decides before it too
        (A | {"num_downloads": 2}, 5, B | {"num_downloads": 1}, 5, {}, True),
        # a text that UTF-8 cannot encode is equal to itself
        (A | {"name": "\ud800"}, 5, A | {"name": "\ud800"}, 5, {}, False),
        (B | {"num_downloads": 1}, 5, A | {"num_downloads": 2}, 5, {}, False),
    ],
)  # fmt: skip
def test_a_record_wins_by_completeness_then_stamp_then_bytes(
    new: dict[str, Any], new_at: int, known: dict[str, Any], known_at: int, own: dict[str, Any], wins: bool
) -> None:
    assert record_wins(Seen(1, new, new_at), attributes(known_at, known, **own)) is wins


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": "x"}, {"b": "x", "a": 1}, False), ({"a": 1}, {"a": 1}, True), ({}, {}, True),
        ({"a": 1}, {"a": 1.0}, False), ({"a": 1}, {"a": True}, False), ({"a": 1}, {"a": 2}, False),
        ({"a": float("nan")}, {"a": None}, False), ({1: "x"}, {1: "x"}, True),
        ({"a": "\ud800"}, {"a": "\ud800"}, False),  # the encoder cannot tell
        ({"a": 2**70}, {"a": 2**70}, False),
    ],
)  # fmt: skip
def test_values_are_certainly_the_same_only_with_their_types(
    one: dict[Any, Any], other: dict[Any, Any], same: bool
) -> None:
    assert is_same(one, other) is same


@pytest.mark.parametrize(
    ("new_at", "value", "own", "wins"),
    [
        # known: bpm 5 of a record fetched at 10
        (11, 1, {}, True), (9, 9, {}, False), (10, 6, {}, True), (10, 4, {}, False), (10, 5, {}, False),
        (10, 5.0, {}, False),
        # known: bpm 5 of an older record than the node's
        (8, 1, {"extra_stamps": {"bpm": 7}}, True), (7, 6, {"extra_stamps": {"bpm": 7}}, True),
        (6, 9, {"extra_stamps": {"bpm": 7}}, False), (11, 1, {"extra_stamps": {"other": 20}}, True),
        # a number stays in a withdrawn record, a text does not
        (10, 6, WITHDRAWN, True), (10, {"a": 1}, WITHDRAWN, False),
    ],
)  # fmt: skip
def test_an_extra_field_wins_by_its_own_stamp_then_its_bytes(
    new_at: int, value: object, own: dict[str, Any], wins: bool
) -> None:
    known = attributes(10, A | {"bpm": None if own is WITHDRAWN and value != 6 else 5}, **own)
    event = Seen(1, A | {"bpm": value}, new_at)
    assert newer_extras(event, known) == ({"bpm": Extra(new_at, value)} if wins else {})


def test_an_extra_field_that_is_not_known_is_new_whatever_its_stamp() -> None:
    event = Seen(1, A | {"nn": "x", "bpm": 1}, 2)
    assert list(newer_extras(event, attributes(10, A | {"zz": 1})).items()) == [
        ("bpm", Extra(2, 1)),
        ("nn", Extra(2, "x")),
    ]
    assert newer_extras(Seen(1, A, 99), attributes(10, A | {"zz": 1})) == {}


def test_extra_fields_come_by_name_each_with_the_stamp_of_its_record() -> None:
    node = attributes(10, A | {"zz": 3, "bpm": 5, "nn": "x"}, extra_stamps={"nn": 7})
    assert list(extras_of(node).items()) == [("bpm", Extra(10, 5)), ("nn", Extra(7, "x")), ("zz", Extra(10, 3))]
    assert extras_of(attributes(10, A)) == {}


LIST = SimilarList(((2, 0.5),), linked_at=10, limit=25, space="s", filter="", origin="server")


def altered(**changes: Any) -> SimilarList:
    fields = {name: getattr(LIST, name) for name in ("neighbours", "linked_at", "limit", "space", "filter", "origin")}
    return SimilarList(**(fields | changes))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        # the server's before a computed one, whatever else
        (altered(filter="f", limit=1, linked_at=1), altered(origin="computed", limit=150, linked_at=99)),
        # unfiltered before filtered
        (altered(limit=1, linked_at=1), altered(filter="f", limit=150, linked_at=99)),
        # unfiltered: the longer before the later
        (altered(limit=26, linked_at=1), altered(limit=25, linked_at=99)),
        (altered(linked_at=11), altered(linked_at=10)),
        # filtered: the later before the longer
        (altered(filter="f", limit=1, linked_at=11), altered(filter="g", limit=150, linked_at=10)),
        (altered(filter="f", limit=26), altered(filter="f", limit=25)),
        # equal in rank: by bytes
        (altered(neighbours=((3, 0.5),)), altered(neighbours=((2, 0.5),))),
        (altered(neighbours=((2, 0.6),)), altered(neighbours=((2, 0.5),))),
        (altered(space="t"), altered(space="s")),
        (altered(filter="g"), altered(filter="f")),
        (altered(origin="computed", space="t"), altered(origin="computed", space="s")),
        (altered(space="t", neighbours=()), altered(space="s", neighbours=((9, 0.9),))),
    ],
)
def test_a_similar_list_wins_by_origin_filter_length_stamp_and_bytes(better: SimilarList, worse: SimilarList) -> None:
    assert list_wins(better, worse)
    assert not list_wins(worse, better)
    assert not list_wins(better, better)


@pytest.mark.parametrize(
    "ordered", [[(3, 0.9), (1, 0.5), (2, 0.5)], [(1, 1.0), (5, 0.0), (4, -0.5)], [(2, 0.5), (10, 0.5)]]
)
def test_neighbours_are_sorted_by_score_then_id(ordered: list[tuple[int, float]]) -> None:
    mixed = ordered[1:] + ordered[:1]
    assert sorted(mixed, key=best_first) == ordered


def test_a_nodes_similar_list_is_read_back_as_it_was_and_relations_are_no_neighbours() -> None:
    linked = {
        "linked_at": 5,
        "link_limit": 60,
        "link_space": "clap",
        "link_filter": "type:wav",
        "link_origin": "computed",
    }
    edges: dict[int, dict[str, Any]] = {8: {"score": 0.5}, 7: {"relation": "remix"}, 9: {"score": 0.75}}
    assert similar_of({}, edges) is None
    assert similar_of(linked, edges) == SimilarList(((9, 0.75), (8, 0.5)), 5, 60, "clap", "type:wav", "computed")
    assert similar_of(linked, {}) == SimilarList((), 5, 60, "clap", "type:wav", "computed")
