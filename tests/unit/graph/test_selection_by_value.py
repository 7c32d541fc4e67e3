"""Selections by value: each condition alone at its edges, edges with and without score, components, surroundings."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.graph import SoundGraph
from harvester.graph.edges import Edge
from harvester.graph.measures import Measures
from harvester.graph.selection import Selected, Selection, around, components, narrow, select
from harvester.model import Gone, Known, Linked, Related, Seen, SimilarList, Withdrawn
from harvester.records import GEN_AI_WISHES, read_created_range

CC = "https://creativecommons.org/"
SOUND: dict[str, Any] = {
    "id": 1,
    "license": f"{CC}licenses/by/4.0/",
    "category": "Music",
    "subcategory": "Solo instrument",
    "username": "Anna",
    "tags": ["Rain", "Straße"],
    "duration": 2.5,
    "name": "Storm_over the Sea.wav",
    "num_downloads": 7,
    "created": "2012-10-21T14:54:11Z",
    "gen_ai_preference": "no-gen-ai",
}
BARE: dict[str, Any] = {"added_at": 1}


@pytest.mark.parametrize(
    ("typed", "deed", "matches"),
    [
        ("CC0", "publicdomain/zero/1.0/", True), ("cc-0", "publicdomain/zero/1.0/", True),
        (" CC 0 ", "publicdomain/zero/1.0/", True), ("CC0-1.0", "publicdomain/zero/1.0/", True),
        ("cc0 1.0", "publicdomain/zero/1.0/", True), ("cc0 4.0", "publicdomain/zero/1.0/", False),
        ("BY", "publicdomain/zero/1.0/", False),
        ("by", "licenses/by/4.0/", True), ("CC-BY", "licenses/by/3.0/", True), ("cc by", "licenses/by/3.0/", True),
        ("CC-BY 4.0", "licenses/by/4.0/", True), ("BY 4.0", "licenses/by/3.0/", False),
        ("BY", "licenses/by-nc/4.0/", False), ("BY-NC", "licenses/by-nc/4.0/", True),
        ("by-nc 4.0", "licenses/by-nc/4.0/", True), ("Sampling+", "licenses/sampling+/1.0/", True),
        ("SAMPLING+", "licenses/sampling+/1.0/", True), ("CC0", "licenses/by/4.0/", False),
    ],
)  # fmt: skip
def test_a_license_is_its_family_or_one_version_however_a_person_writes_it(
    typed: str, deed: str, matches: bool
) -> None:
    assert Selection(licenses=(typed,)).matches(1, SOUND | {"license": CC + deed}) is matches
    assert Selection(licenses=("nothing else", typed)).matches(1, SOUND | {"license": CC + deed}) is matches


@pytest.mark.parametrize(
    ("selection", "matches"),
    [
        (Selection(), True),
        (Selection(categories=("music",)), True), (Selection(categories=("SOLO INSTRUMENT",)), True),
        (Selection(categories=("speech", "music")), True), (Selection(categories=("speech",)), False),
        (Selection(users=("ANNA",)), True), (Selection(users=("berta", "anna")), True),
        (Selection(users=("berta",)), False),
        (Selection(tags=("rain",)), True), (Selection(tags=("STRASSE", "RAIN")), True),
        (Selection(tags=("rain", "wind")), False),
        (Selection(min_duration_s=2.5), True), (Selection(min_duration_s=2.51), False),
        (Selection(max_duration_s=2.5), True), (Selection(max_duration_s=2.49), False),
        (Selection(min_duration_s=1, max_duration_s=3), True), (Selection(min_duration_s=3, max_duration_s=9), False),
        (Selection(max_duration_s=0), False), (Selection(min_duration_s=0), True),
        (Selection(words=("storm",)), True), (Selection(words=("orm_", "strasse", "ann")), True),
        (Selection(words=("1",)), True), (Selection(words=("storm", "rain", "wind")), False),
        (Selection(words=("wavanna",)), False),
        (Selection(ids=frozenset({1, 2})), True), (Selection(ids=frozenset({2})), False),
        (Selection(ids=frozenset()), False), (Selection(ids=frozenset({1}), users=("berta",)), False),
        (Selection(created=read_created_range("2012-10-21")), True),
        (Selection(created=read_created_range("2012-10-22..")), False),
        (Selection(min_downloads=7), True), (Selection(min_downloads=8), False),
        (Selection(excluded_tags=("RAIN", "x")), False), (Selection(excluded_tags=("rai",)), True),
        (Selection(tags=("rain",), excluded_tags=("strasse",)), False),
        (Selection(excluded_users=("x", "ANNA")), False), (Selection(excluded_users=("ann",)), True),
        (Selection(users=("anna",), excluded_users=("anna",)), False),
        (Selection(gen_ai_wishes=("unknown", "no-gen-ai")), True),
        (Selection(gen_ai_wishes=("unknown", "no-additional-preferences")), False),
        (Selection(users=("anna",), tags=("wind",)), False), (Selection(licenses=("BY",), users=("x",)), False),
    ],
)  # fmt: skip
def test_a_sound_meets_every_condition(selection: Selection, matches: bool) -> None:
    assert selection.matches(1, SOUND) is matches


@pytest.mark.parametrize(
    "selection",
    [
        Selection(licenses=("BY",)), Selection(categories=("music",)), Selection(users=("anna",)),
        Selection(tags=("rain",)), Selection(min_duration_s=0), Selection(max_duration_s=9),
        Selection(min_downloads=0), Selection(created=read_created_range("1990..")), Selection(words=("rain",)),
        Selection(gen_ai_wishes=GEN_AI_WISHES),
    ],
)  # fmt: skip
def test_a_sound_without_a_record_meets_no_condition_on_it(selection: Selection) -> None:
    assert not selection.matches(1, BARE)
    assert Selection().matches(1, BARE)
    assert Selection(licenses=("none",)).matches(1, BARE), "its license is none"
    assert Selection(gen_ai_wishes=("unknown",)).matches(1, BARE), "its wish is unknown"
    assert Selection(excluded_tags=("rain",), excluded_users=("anna",)).matches(1, BARE), "nothing excludes it"
    assert Selection(ids=frozenset({1}), words=("1",)).matches(1, BARE), "its id is known"


def test_a_wish_that_is_none_of_the_fields_values_is_unknown() -> None:
    for value in (None, "new value", 5, "unknown"):
        sound = SOUND | {"gen_ai_preference": value}
        assert Selection(gen_ai_wishes=("unknown",)).matches(1, sound)
        assert not Selection(gen_ai_wishes=GEN_AI_WISHES).matches(1, sound)


def test_without_a_least_duration_the_shortest_sound_is_selected() -> None:
    assert Selection(max_duration_s=9).matches(1, SOUND | {"duration": 0.0})


def test_the_family_of_a_license_ends_at_a_blank_and_at_nothing_else() -> None:
    assert Selection(licenses=("my",)).matches(1, SOUND | {"license": "my terms"})
    assert not Selection(licenses=("my",)).matches(1, SOUND | {"license": "my\tterms"})


def test_a_sound_without_a_category_is_in_none() -> None:
    assert not Selection(categories=("none",)).matches(1, SOUND | {"category": None, "subcategory": None})
    assert Selection(categories=("",)).matches(1, SOUND | {"category": None})
    assert Selection(users=("",)).matches(1, SOUND | {"username": None})


def graph_of(*links: tuple[int, tuple[tuple[int, float], ...]]) -> SoundGraph:
    """A state with these similar lists, and a record of each sound in them."""
    state = SoundGraph()
    for sound_id in sorted({one for source, pairs in links for one in (source, *(other for other, _ in pairs))}):
        state.apply(Seen(sound_id, {"id": sound_id}, 5))
    for source, pairs in links:
        state.apply(Linked(source, SimilarList(pairs, 5, 25)))
    return state


def test_what_is_gone_or_withdrawn_is_never_selected_and_samples_only_where_asked() -> None:
    state = graph_of((1, ((2, 0.5), (3, 0.5), (4, 0.5))))
    state.apply(Gone(3, 9))
    state.apply(Withdrawn(4, 9))
    state.apply(Known(7, 1))
    assert select(state).sound_ids == [1, 2, 7]
    assert select(state, Selection(processed_only=True)).sound_ids == sorted(state.processed - {3, 4})


def test_edges_come_best_first_then_by_id_and_those_without_a_score_last() -> None:
    state = graph_of((2, ((9, 0.75), (5, 0.5), (7, 0.5), (3, 0.0))), (1, ((2, 1.0),)))
    state.apply(Related(2, 4, "remix", 5))
    state.apply(Related(2, 1, "tags", 5, 0.25))
    state.apply(Related(2, 1, "user", 5))
    state.apply(Related(2, 9, "pack", 5))
    for sound_id in (4, 1):
        state.apply(Seen(sound_id, {"id": sound_id}, 5))
    selected = select(state)
    assert selected.edges_of(2) == [
        Edge(2, 9, 0.75, '["pack"]'),
        Edge(2, 5, 0.5, None),
        Edge(2, 7, 0.5, None),
        Edge(2, 3, 0.0, None),
        Edge(2, 1, None, '["tags","user"]', '{"tags":0.25}'),
        Edge(2, 4, None, '["remix"]'),
    ]
    assert [(edge.source, edge.target) for edge in selected.edges()][:2] == [(1, 2), (2, 9)]
    assert selected.edge_count == 7
    assert [edge.target for edge in Selected(state, [2, 7]).edges_of(2)] == [7]


def test_a_selection_is_its_sounds_by_id() -> None:
    selected = Selected(graph_of((1, ((2, 0.5),))), {2, 1})
    assert (len(selected), selected.sound_ids) == (2, [1, 2])
    assert [sound.id for sound in selected.sounds()] == [1, 2]
    assert 1 in selected
    assert 3 not in selected


def measures(community: int) -> Measures:
    return Measures(community, 1, 1, 0.1, None, 0.0, 1, 1)


def test_a_selection_of_communities_has_the_analysed_sounds_of_any_of_them() -> None:
    state = graph_of((1, ((2, 0.5), (3, 0.5), (4, 0.5))))
    state.measures = {2: measures(1), 3: measures(7), 4: measures(2)}
    assert select(state, Selection(communities=(1, 2))).sound_ids == [2, 4]
    assert select(state, Selection(communities=(7,))).sound_ids == [3]
    assert select(state, Selection(communities=(7,), ids=frozenset({2}))).sound_ids == []
    assert select(state, Selection(ids=frozenset({1, 2}))).sound_ids == [1, 2]


def test_only_a_selection_without_a_condition_is_the_whole_library() -> None:
    state = graph_of((1, ((2, 0.5), (3, 0.5))))
    state.apply(Gone(3, 9))
    assert select(state).is_whole is True
    assert select(state, Selection(notices=("x",))).is_whole is True
    assert select(state, Selection(ids=frozenset({1, 2}))).is_whole is False
    assert select(state, Selection(largest_component=True)).is_whole is False
    assert Selected(state, [1, 2]).is_whole is False
    whole = select(state)
    assert narrow(whole, Selection()) is whole
    narrowed = narrow(whole, Selection(ids=frozenset({1, 2, 3})))
    assert (narrowed.is_whole, narrowed.sound_ids) == (False, [1, 2])


def test_to_narrow_keeps_sounds_and_edges_that_both_have() -> None:
    state = graph_of((1, ((2, 0.9), (3, 0.6), (4, 0.3))), (5, ((1, 0.9),)))
    first = select(state, Selection(ids=frozenset({1, 2, 3, 4}), min_score=0.5))
    narrowed = narrow(first, Selection(ids=frozenset({1, 3, 4, 5}), min_score=0.2))
    assert narrowed.state is state
    assert narrowed.sound_ids == [1, 3, 4]
    assert [(edge.source, edge.target) for edge in narrowed.edges()] == [(1, 3)]
    assert narrowed.edge_rule.min_score == 0.5
    assert narrow(first, Selection(min_score=0.7)).edge_rule.min_score == 0.7


def test_edges_to_a_sound_come_best_first_then_by_id_and_those_without_a_score_last() -> None:
    state = graph_of((9, ((1, 0.5),)), (3, ((1, 0.5),)), (5, ((1, 0.75),)), (4, ((1, 0.0),)), (2, ((1, 1.0),)))
    state.apply(Related(7, 1, "pack", 5))
    state.apply(Related(6, 1, "pack", 5))
    for sound_id in (6, 7):
        state.apply(Seen(sound_id, {"id": sound_id}, 5))
    assert [edge.source for edge in select(state).edges_to(1)] == [2, 5, 3, 9, 4, 6, 7]
    assert Selected(state, [1, 4, 7]).edges_to(1) == [Edge(4, 1, 0.0, None), Edge(7, 1, None, '["pack"]')]


def test_edges_are_counted_once_and_their_kinds_each() -> None:
    state = graph_of((1, ((2, 0.9), (3, 0.4))), (4, ((1, 0.4),)))
    for kind in ("a", "b"):
        for target in (2, 3, 4, 5):
            state.apply(Related(1, target, kind, 5))
    state.apply(Related(2, 3, "c", 5))
    state.apply(Seen(5, {"id": 5}, 5))
    selected = select(state, Selection(min_score=0.5))
    assert selected.edge_count == 5
    assert list(selected.edge_kinds.items()) == [
        ("similar", 1),
        ("relation:a", 4),
        ("relation:b", 4),
        ("relation:c", 1),
    ]
    assert (Selected(state, [4, 1]).edge_count, Selected(state, []).edge_kinds) == (2, {})


TWO_PARTS = graph_of((4, ((2, 0.9),)), (6, ((4, 0.3),)), (1, ((5, 0.9),)), (5, ((3, 0.9),)), (7, ((7 + 1, 0.9),)))


def test_components_are_ordered_by_their_smallest_id_and_the_first_largest_is_kept() -> None:
    assert components(select(TWO_PARTS)) == [[1, 3, 5], [2, 4, 6], [7, 8]]
    assert select(TWO_PARTS, Selection(largest_component=True)).sound_ids == [1, 3, 5]
    loose = Selection(largest_component=True, min_score=0.5)
    assert components(select(TWO_PARTS, Selection(min_score=0.5))) == [[1, 3, 5], [2, 4], [6], [7, 8]]
    assert select(TWO_PARTS, loose).edge_rule.min_score == 0.5
    assert select(TWO_PARTS, loose).state is TWO_PARTS
    assert select(TWO_PARTS, Selection(users=("nobody",), largest_component=True)).sound_ids == []


def test_a_long_chain_written_backwards_is_one_component() -> None:
    chain = graph_of(*((number, ((number - 1, 0.5),)) for number in range(30, 1, -1)), (40, ((41, 0.5),)))
    assert components(select(chain)) == [list(range(1, 31)), [40, 41]]


@pytest.mark.parametrize(
    ("depth", "reached"),
    [(0, [4]), (1, [3, 4, 5]), (2, [2, 3, 4, 5, 6]), (3, [1, 2, 3, 4, 5, 6, 7]), (99, list(range(1, 8)))],
)
def test_surroundings_grow_by_one_edge_in_both_directions(depth: int, reached: list[int]) -> None:
    chain = select(graph_of(*((number, ((number + 1, 0.5),)) for number in range(1, 7)), (8, ((9, 0.5),))))
    near = around(chain, 4, depth)
    assert near.sound_ids == reached
    assert [edge.source for edge in near.edges()] == reached[:-1]


def test_surroundings_follow_selected_edges_only() -> None:
    state = graph_of((1, ((2, 0.9), (3, 0.4))), (4, ((1, 0.4),)), (5, ((1, 0.9),)), (6, ((1, 0.9),)))
    state.apply(Gone(6, 9))
    near = around(select(state, Selection(min_score=0.5)), 1, 1)
    assert near.sound_ids == [1, 2, 5]
    assert near.edge_rule.min_score == 0.5
    assert near.state is state
