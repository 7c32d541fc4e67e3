"""Packed attributes are read as the dicts they were, whatever JSON a record holds."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvester.actions import Library
from harvester.checkpoint import encode_checkpoint
from harvester.checkpoint.container import PackedBytes
from harvester.checkpoint.loading import load_by_blocks
from harvester.graph import SoundGraph
from harvester.graph.packed_records import PackedRecords
from harvester.library.store import Store
from harvester.model import Event, Seen
from harvester.storage import CHECKPOINT
from tests.bench.beside.libraries import record_of
from tests.support.histories import histories, quick, values
from tests.support.samples import NOW_US, FixedClock, content_of, make_events, make_record, make_state


def encode(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


def reloaded(state: SoundGraph) -> SoundGraph:
    loaded = load_by_blocks(PackedBytes(encode(state)))
    assert loaded is not None
    found: SoundGraph = loaded.state
    return found


def exactly(value: Any) -> str:
    return repr(value)  # the order of keys, 1 and 1.0, surrogates: all differ


def packed_one(sound_id: int, attributes: dict[str, Any]) -> PackedRecords:
    records = PackedRecords()
    records.pack(sound_id, dict(attributes))
    return records


pieces = st.sampled_from(["/0/7_9", "/0/7_", "9", "0", "_09", "\0", "\n", "/u/sounds/7/", "https://a", "\ud800", "٣"])
texts = st.lists(pieces, max_size=5).map("".join)
addresses = st.dictionaries(texts, texts | values, max_size=4) | texts | values
attributes = st.fixed_dictionaries(
    {"added_at": st.integers(0, 9)},
    optional={
        "id": st.just(7), "previews": addresses, "images": addresses, "url": addresses, "username": texts | values,
        "name": values, "extra": values,
    },
)  # fmt: skip


@quick
@given(attributes)
@example({"added_at": 0, "id": 7, "previews": {"a": "/0/7_9\0"}, "images": {"a": "/0/7_9\n"}})
@example({"added_at": 0, "id": 7, "url": "/u/sounds/7/\0", "username": "u", "images": {"a": "/0/7_09"}})
@example({"added_at": 0, "id": 7, "url": "/None/sounds/7/"})
def test_whatever_is_packed_comes_back_exactly(given: dict[str, Any]) -> None:
    records = packed_one(7, given)
    assert exactly(records[7]) == exactly(given)
    for name in (*given, "absent"):
        assert exactly(records.value(7, name, "none")) == exactly(given.get(name, "none"))
    owned = records.own(7)
    assert exactly(owned) == exactly(given)
    assert records[7] is records.own(7) is owned


usual = {
    "added_at": 0, "id": 7, "previews": {"a": "https://a/0/7_9-hq", "b": "/0/7_9"}, "images": {"m": "/0/7_9.png"},
    "url": "https://a/u/sounds/7/", "username": "u",
}  # fmt: skip
lines = st.lists(pieces | st.sampled_from(["https://a/0/7_9-hq", "/0/7_9.png"]), max_size=3).map("".join)
groups = st.fixed_dictionaries({"a": lines | values, "b": lines | st.just("/0/7_12")}) | addresses
like_the_usual = st.fixed_dictionaries(
    {
        "added_at": st.integers(0, 9),
        "id": st.just(7) | st.just(7) | values,
        "previews": st.just(usual["previews"]) | groups,
        "images": st.just(usual["images"]) | st.fixed_dictionaries({"m": lines}),
        "url": st.just(usual["url"]) | lines | values,
        "username": st.just("u") | texts | values,
    }
)


@quick
@given(st.lists(like_the_usual, min_size=1, max_size=4))
@example([{**usual, "previews": {"a": "https://a/0/7_12-hq", "b": "/0/7_12"}}])
@example([{**usual, "previews": {"a": "https://a/0/7_9-hq\n/0/7_9", "b": ""}}])
@example([{**usual, "previews": {"a": "https://a/0/7_9-hq", "b": "/0/7_12"}}])
@example([{**usual, "previews": {"a": "https://a/0/7_09-hq", "b": "/0/7_09"}}])
@example([{**usual, "id": True}, {**usual, "id": 7.0}, {**usual, "id": "7"}])
@example([{**usual, "username": 5, "url": "https://a/5/sounds/7/"}, {**usual, "username": "\0"}])
def test_whatever_is_packed_after_a_usual_sound_comes_back_exactly(given: list[dict[str, Any]]) -> None:
    records = packed_one(1, usual)
    for place, one in enumerate(given, 2):
        records.pack(place, dict(one))
    for place, one in enumerate([usual, *given], 1):
        assert exactly(records[place]) == exactly(one)


def test_an_unusual_sound_leaves_the_shape_of_the_next_one_as_it_was() -> None:
    records = packed_one(1, usual)
    records.pack(2, {**usual, "url": "elsewhere"})
    records.pack(3, dict(usual))
    shapes = [records._kept[sound_id][0] for sound_id in (1, 2, 3)]
    assert shapes[0] is shapes[2]
    assert shapes[1] is not shapes[0]


def test_the_addresses_of_a_record_are_kept_as_one_number() -> None:
    record = record_of(6_000)
    records = packed_one(record["id"], record)
    kept = records._kept[record["id"]]
    assert type(kept) is tuple
    assert [type(kept[kept[0].places[name]]) for name in ("previews", "images", "url")] == [int, int, type(None)]
    assert exactly(records[record["id"]]) == exactly(record)


def test_a_sound_that_was_changed_is_packed_again() -> None:
    records = packed_one(7, usual)
    records.own(7)["username"] = "v"
    records.repack(7)
    assert type(records._kept[7]) is tuple
    assert exactly(records[7]) == exactly({**usual, "username": "v"})
    known = records._kept[7]
    records.repack(7)
    assert records._kept[7] is known


def test_sounds_of_a_run_are_packed_once_the_file_before_has_them(tmp_path: Path) -> None:
    with Store.open(tmp_path, clock=FixedClock()) as store:
        for event in make_events(20):
            store.append([event])
            store.state.apply(event)
        store.checkpoint()
    with Store.open(tmp_path, clock=FixedClock()) as store:
        nodes = store.state.graph._node

        def packed(sound_id: int) -> bool:
            return type(nodes._kept[sound_id]) is tuple

        for new in (1_001, 1_002, 1_003):
            store.append([Seen(new, make_record(new), NOW_US + 10 * new)])
            store.state.apply(Seen(new, make_record(new), NOW_US + 10 * new))
            expected = content_of(store.state)
            store.checkpoint(backup=new == 1_002)
            assert content_of(store.state) == expected
        assert [packed(new) for new in (1_001, 1_002, 1_003)] == [True, True, False]
        newer = Seen(1_001, make_record(1_001, name="new"), NOW_US + 90_000_000_000)
        store.append([newer])
        store.state.apply(newer)
        assert not packed(1_001)
        assert (tmp_path / CHECKPOINT).read_bytes() != encode(store.state)
        store.checkpoint()
        assert (tmp_path / CHECKPOINT).read_bytes() == encode(store.state)


def test_shapes_without_end_are_kept_as_dicts() -> None:
    records = PackedRecords()
    for sound_id in range(1, 5_000):
        records.pack(sound_id, {f"field {sound_id}": sound_id})
    assert [records[one] for one in (1, 4_999)] == [{"field 1": 1}, {"field 4999": 4_999}]
    assert len(records._shapes) < 4_999 == len(records)
    for one in (1, 4_999):
        records.extend(one, {"linked_at": 5})
        assert records[one] == {f"field {one}": one, "linked_at": 5}
        assert records.value(one, "absent", "none") == "none"
    assert list(records.stamps("linked_at"))[-2:] == [(4_998, None), (4_999, 5)]


def test_a_change_of_what_was_read_changes_nothing() -> None:
    records = packed_one(7, {"id": 7, "name": "a"})
    records[7]["name"] = "b"
    assert records[7]["name"] == "a"
    records.own(7)["name"] = "b"
    assert records[7]["name"] == "b"


@quick
@given(histories, histories)
def test_a_packed_state_goes_the_way_of_a_plain_one(before: list[Event], after: list[Event]) -> None:
    plain = make_state(before)
    packed = reloaded(plain)
    assert content_of(packed) == content_of(plain)
    for event in after:
        plain.apply(event)
        packed.apply(event)
    assert content_of(packed) == content_of(plain)
    assert encode(packed) == encode(plain)
    counts = ("edge_count", "list_count", "record_count", "gone_count", "has_weights", "processed", "seeds")
    assert [getattr(packed, name) for name in counts] == [getattr(plain, name) for name in counts]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    (folder / CHECKPOINT).write_bytes(encode(make_state(make_events(40))))
    return Library.open(folder)


def test_a_library_gives_a_graph_of_plain_dicts(library: Library) -> None:
    assert type(library._state.graph._node) is PackedRecords
    before = dict(library._state.graph.nodes.items())
    graph = library.graph
    assert type(graph._node) is dict
    assert set(map(type, graph._node.values())) == {dict}
    assert dict(graph.nodes(data=True)) == before
    assert graph.nodes[1] is graph.nodes[1]


def test_networkx_does_with_a_packed_graph_what_it_does_with_a_plain_one(library: Library) -> None:
    def results(graph: Any) -> list[Any]:
        return [
            sorted(graph.edges(data="score")), dict(graph.degree()), dict(graph.in_degree()), nx.pagerank(graph),
            sorted(map(sorted, nx.weakly_connected_components(graph))), nx.to_dict_of_dicts(graph),
            sorted(map(sorted, nx.strongly_connected_components(graph))), nx.node_link_data(graph, edges="edges"),
            list(nx.bfs_edges(graph, 1)), nx.single_source_dijkstra_path_length(graph, 1, weight="score"),
            sorted(map(sorted, nx.community.louvain_communities(graph, seed=1))), nx.clustering(graph),
            dict(graph.subgraph([1, 2, 3]).nodes(data=True)), dict(graph.copy().nodes(data=True)),
            dict(graph.reverse().nodes(data=True)), dict(graph.to_undirected().nodes(data=True)),
            nx.get_node_attributes(graph, "name"), nx.number_of_edges(graph), nx.density(graph),
            list(nx.generate_edgelist(graph)), nx.is_isomorphic(graph, graph.copy()),
        ]  # fmt: skip

    plain = make_state(make_events(40)).graph
    packed = reloaded(make_state(make_events(40))).graph
    assert type(packed._node) is PackedRecords
    assert list(map(exactly, results(packed))) == list(map(exactly, results(plain)))
    assert type(packed._node) is PackedRecords
    again = pickle.loads(pickle.dumps(packed))
    assert type(again) is nx.DiGraph
    assert type(again._node) is dict
    assert again._node == plain._node


def test_a_loaded_record_takes_less_than_1500_bytes() -> None:
    sounds = 5_000
    packed = PackedBytes(encode(state_of(sounds)))
    tracemalloc.start()
    try:
        loaded = load_by_blocks(packed)
        assert loaded is not None
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(loaded.state) == sounds
    assert kept < 1_500 * sounds
    assert peak < 3_500 * sounds


def state_of(sounds: int) -> SoundGraph:
    state = SoundGraph("sandbox:bench")
    records = {record["id"]: record for record in map(record_of, range(sounds))}
    for one, record in records.items():
        state.take_record(one, {**record, "added_at": NOW_US, "fetched_at": NOW_US})
    return state
