"""What comes out of a checkpoint is checked, and no container of it belongs to two."""

from __future__ import annotations

import tracemalloc
from copy import deepcopy
from typing import Any

import pytest

from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.format import decode_checkpoint, digest_of, encode_checkpoint
from harvester.errors import LibraryCorrupt
from harvester.model import Linked, Related, Seen, SimilarList
from tests.chaos.test_files_hostile import forged
from tests.support.samples import NOW_US, content_of, make_events, make_record, make_state


def _linked(sound_id: int) -> dict[str, Any]:
    link = {"link_origin": "server", "link_space": "laion_clap", "link_limit": 25, "link_filter": ""}
    record = make_record(sound_id) | {"added_at": NOW_US, "fetched_at": NOW_US, "linked_at": NOW_US}
    return record | link


def test_a_nested_field_and_a_relation_among_plain_sounds_are_kept() -> None:
    odd = Seen(3, make_record(3, analysis={"bpm": [120, {"sure": 0.5}]}), NOW_US)
    state = make_state([*make_events(5), odd, Related(1, 4, "remix", NOW_US)])
    read = decode_checkpoint(b"".join(encode_checkpoint(state))).state
    assert read.attributes(3)["analysis"] == {"bpm": [120, {"sure": 0.5}]}
    assert read.graph[1][4] == {"relation": ["remix"]}
    assert content_of(read) == content_of(state)


def test_weights_are_kept_in_a_format_that_older_versions_do_not_take_for_their_own() -> None:
    plain = make_state([*make_events(3), Related(1, 2, "tag", NOW_US)])
    weighted = make_state([*make_events(3), Related(1, 2, "tag", NOW_US), Related(1, 2, "pack", NOW_US, 0.5)])
    for state, version in ((plain, 1), (weighted, 2)):
        decoded = decode_checkpoint(b"".join(encode_checkpoint(state)))
        assert decoded.metadata["format_version"] == version
        assert content_of(decoded.state) == content_of(state)
    # One joins an edge that it knows, the other sounds that are new to it.
    for state in (plain, make_state([])):
        state.join(weighted)
        assert digest_of(state) == digest_of(weighted)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({}, "not those of its relations"), ([0.5], "not those of its relations"),
        ({"remix": 0.5, "pack": 0.5}, "not those of its relations"),
        ({"remix": 1}, "not a finite number"), ({"remix": True}, "not a finite number"),
        ({"remix": float("nan")}, "not a finite number"), ({"remix": None}, "not a finite number"),
    ],
)  # fmt: skip
def test_a_file_with_weights_that_are_none_is_refused(weights: Any, says: str) -> None:
    state = make_state([*make_events(2), Related(1, 2, "remix", NOW_US, 0.5)])
    state.graph.adj[1][2]["weights"] = weights
    with pytest.raises(LibraryCorrupt, match=says):
        decode_checkpoint(b"".join(encode_checkpoint(state)))


def test_weights_in_a_format_that_has_none_are_refused() -> None:
    state = make_state([*make_events(2), Related(1, 2, "remix", NOW_US, 0.5)])
    state.has_weights = False
    with pytest.raises(LibraryCorrupt, match="format_version has no weights"):
        decode_checkpoint(b"".join(encode_checkpoint(state)))


def test_edges_that_one_dict_stands_for_come_out_as_two() -> None:
    edge, table = {"score": 0.5}, {3: {"score": 0.25}}
    nodes = {sound_id: _linked(sound_id) for sound_id in (1, 2, 3, 4)}
    packed = forged(nodes, {1: {2: edge, 3: edge}, 2: {1: edge}, 3: table, 4: table}, processed=set(nodes))
    graph = decode_checkpoint(packed).state.graph
    assert graph[1][2] == graph[1][3] == graph[2][1] == {"score": 0.5}
    edges = [graph[1][2], graph[1][3], graph[2][1], graph[3][3], graph[4][3]]
    assert len(set(map(id, edges))) == 5
    assert graph._adj[3] is not graph._adj[4]


def test_two_sounds_never_share_a_record() -> None:
    nodes = {1: _linked(1), 2: _linked(2)}
    nodes[3] = nodes[2]
    with pytest.raises(LibraryCorrupt, match="share"):
        decode_checkpoint(forged(nodes))


def test_a_text_of_nothing_but_brackets_is_a_text() -> None:
    state = make_state([*make_events(3), Seen(2, make_record(2, description="(}]" * 40_000), NOW_US + 1)])
    short = Seen(3, make_record(3, tags=["({[" * 60 + str(place) for place in range(400)]), NOW_US + 1)
    state.apply(short)
    assert content_of(decode_checkpoint(b"".join(encode_checkpoint(state))).state) == content_of(state)


def test_a_sounds_old_edges_are_freed_before_the_next_sounds_are_made() -> None:
    lists = [Linked(i, SimilarList(tuple((i + k, 0.5) for k in range(1, 41)), NOW_US, 40)) for i in range(1, 300)]
    packed = b"".join(encode_checkpoint(make_state([*make_events(5), *lists])))
    tracemalloc.start()
    try:
        decoded = decode_checkpoint(packed)
        kept_bytes, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoded.state.edge_count >= 299 * 40
    assert peak_bytes < 1.65 * kept_bytes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"added_at": -1}, "invalid added_at"),
        ({"link_limit": True}, "invalid link_limit"),
        ({"id": 1}, "the id of another sound"),
        ({"id": 2.0}, "the id of another sound"),
        ({"previews": {"a": (1,)}}, "a value that JSON does not have"),
        ({"name": {"a": {1: 2}}}, "a nested name that is not a text"),
    ],
)
def test_a_rule_holds_for_a_record_like_the_one_before(changes: dict[str, Any], reason: str) -> None:
    reader, first = ContentReader(10_000), deepcopy(_linked(1))  # records are told apart while both are there
    reader.attributes(1, first)
    with pytest.raises(LibraryCorrupt, match=f"sound 2: .*{reason}"):
        reader.attributes(2, deepcopy(_linked(2)) | changes)


def test_records_that_share_a_container_are_refused() -> None:
    reader = ContentReader(10_000)
    first = deepcopy(_linked(1))
    reader.attributes(1, first)
    with pytest.raises(LibraryCorrupt, match="sound 2: its record shares a container"):
        reader.attributes(2, deepcopy(_linked(2)) | {"tags": first["tags"]})
