"""What a lossless export says comes back: the whole library to its digest, a selection without harm to the whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from harvester.checkpoint import digest_of
from harvester.exports import save_export
from harvester.graph import SoundGraph, select
from harvester.graph.selection import Selected
from harvester.importing.given import read_given
from harvester.importing.old_library import import_old
from harvester.importing.records import ImportTally
from harvester.model import SPACES, Event, Gone, Known, Linked, Related, Seeded, Seen, SimilarList, Withdrawn
from tests.support.histories import histories, quick
from tests.support.samples import FixedClock, content_of, make_record, make_state
from tests.support.view_samples import load_edge_cases

LOSSLESS = ("jsonl", "node-link", "parquet")
Read = Callable[[Selected, str], SoundGraph]


@pytest.fixture(scope="module")
def brought_back() -> Iterator[Read]:
    """Return a function that exports a selection and reads the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"

        def read(selected: Selected, format: str) -> SoundGraph:
            save_export(selected, format, path)
            found = read_given(path, ImportTally(), "related", 0)
            assert found.notices == ()
            assert not [*found.old.nodes, *found.old.records, *found.old.edges]
            return found.whole.state()

        yield read


@profile(quick, max_examples=20)
@given(histories)
def test_a_whole_library_comes_back_from_every_lossless_export(brought_back: Read, history: list[Event]) -> None:
    state = make_state(history)
    for format in LOSSLESS:
        again = brought_back(select(state), format)
        assert content_of(again) == content_of(state), format
        assert digest_of(again) == digest_of(state), format


@profile(quick, max_examples=20)
@given(histories, st.sets(st.integers(1, 12), min_size=3))
def test_a_selection_that_comes_back_changes_nothing_in_the_library_it_is_of(
    brought_back: Read, history: list[Event], chosen: set[int]
) -> None:
    state = make_state(history)
    before = digest_of(state)
    selected = Selected(state, chosen & set(select(state).sound_ids))
    for format in LOSSLESS if len(selected) else ():
        part = brought_back(selected, format)
        assert set(part.graph) <= set(state.graph)
        state.join(part)
        assert digest_of(state) == before, format


def _everything() -> SoundGraph:
    odd = {
        "neighbours": 1,
        "processed": {"b": 1, "a": 2},
        "library": "x",
        "record": [],
        "attributes": None,
        "huge": 2**70,
    }
    mixed: dict[str, Any] = {
        "mixed": [1, 1.0, True, None, -0.0],
        "half": "\ud800",
        "line": "a\u2028b\x85c\r\nd",
        "deep": [[[[]]]],
    }
    events: list[Event] = [
        Seeded((7, 900)),
        Seen(1, make_record(1, **odd), 100),
        Seen(1, {"id": 1, "bpm": 120}, 300),
        Seen(2, make_record(2, **mixed), 200),
        Seen(3, {"name": "no id"}, 210),
        Seen(4, make_record(4, pack_name=None, empty={}), 0),
        Linked(1, SimilarList(((2, 0.75), (5, 0.7), (6, 0.1 + 0.2)), 400, 25, SPACES[1], "type:wav", "computed")),
        Linked(2, SimilarList((), 410, 0, SPACES[1])),
        Related(1, 2, "pack", 400),
        Related(1, 2, "tag, or [not]", 400, 0.1 + 0.2),
        Related(5, 3, "", 400, -3.0),
        Known(8, 401),
        Gone(5, 500),
        Seen(6, make_record(6), 600),
        Withdrawn(6, 700),
    ]  # fmt: skip
    return make_state(events)


def test_every_kind_of_content_comes_back(brought_back: Read, tmp_path: Path) -> None:
    state = _everything()
    for format in LOSSLESS:
        assert digest_of(brought_back(select(state), format)) == digest_of(state), format
    save_export(select(state), "parquet", tmp_path / "parts", partition_rows=2)
    assert digest_of(read_given(tmp_path / "parts", ImportTally(), "related", 0).whole.state()) == digest_of(state)
    # Views show nothing of these libraries, and their exports still hold them.
    unseen: list[list[Event]] = [[], [Seeded((3,))], [Gone(5, 500)], [Known(5, 1), Withdrawn(5, 2)]]
    for bare in unseen:
        alone = make_state(bare)
        assert not len(select(alone))
        for format in LOSSLESS:
            assert digest_of(brought_back(select(alone), format)) == digest_of(alone), (format, bare)


def test_a_library_without_lists_keeps_its_space_and_the_order_of_keys_in_a_file_says_nothing(tmp_path: Path) -> None:
    state = make_state([Seen(1, make_record(1, odd={"b": [{"z": 1, "y": 2}], "a": 1}), 5)])
    state.space = SPACES[1]
    save_export(select(state), "jsonl", tmp_path / "out.jsonl")
    # A person who edits the file writes the keys in an order of their own.
    shuffled = dict(reversed(orjson.loads((tmp_path / "out.jsonl").read_bytes()).items()))
    shuffled["odd"] = {"b": [{"z": 1, "y": 2}], "a": 1}
    (tmp_path / "out.jsonl").write_bytes(orjson.dumps(shuffled))
    import_old(tmp_path / "out.jsonl", tmp_path / "new", clock=FixedClock())
    assert _digest_of_library(tmp_path / "new") == digest_of(state)


def test_networkx_may_read_and_write_a_node_link_export_and_add_its_own_edges(tmp_path: Path) -> None:
    state = _everything()
    path, out = tmp_path / "out.json", tmp_path / "again.json"
    save_export(select(state), "node-link", path)
    graph = nx.node_link_graph(orjson.loads(path.read_bytes()), edges="edges")
    out.write_bytes(orjson.dumps(nx.node_link_data(graph, edges="edges")))
    assert digest_of(read_given(out, ImportTally(), "related", 0).whole.state()) == digest_of(state)
    graph.add_edge(2, 1, kind="mine", weight=2)
    graph.nodes[2]["community"] = 5
    out.write_bytes(orjson.dumps(nx.node_link_data(graph, edges="edges")))
    report = import_old(out, tmp_path / "new", clock=FixedClock(), source=None)
    assert (report.nodes, report.edges) == (len(state), state.edge_count + 1)
    state.apply(Related(2, 1, "mine", 400, 2.0))
    assert _digest_of_library(tmp_path / "new") == digest_of(state)


def _digest_of_library(folder: Path) -> str:
    from harvester.library import load_view

    return digest_of(load_view(folder).state)


def test_an_import_into_a_library_merges_by_the_rules_of_merge(tmp_path: Path, real_records: Path) -> None:
    ours, theirs = _everything(), load_edge_cases(real_records)
    theirs.source = ours.source
    for sound_id in theirs.graph:
        attributes = theirs.attributes(sound_id)
        attributes["link_space"] = SPACES[1]
    theirs.space = SPACES[1]
    for place, state in enumerate((ours, theirs)):
        save_export(select(state), "jsonl", tmp_path / f"{place}.jsonl")
        import_old(tmp_path / f"{place}.jsonl", tmp_path / "both", clock=FixedClock())
    ours.join(theirs)
    assert _digest_of_library(tmp_path / "both") == digest_of(ours)


def test_an_edge_of_another_kind_is_not_brought_back_from_a_selection_of_edges(brought_back: Read) -> None:
    from harvester.graph import Selection, read_edge_kinds

    state = make_state(
        [Seen(1, make_record(1), 5), Linked(1, SimilarList(((2, 0.9),), 9, 25)), Related(1, 2, "pack", 9, 0.5)]
    )
    similar = replace(Selection(), edges=read_edge_kinds(["similar"]))
    related = replace(Selection(), edges=read_edge_kinds(["relation:pack"]))
    for format in LOSSLESS:
        assert dict(brought_back(select(state, similar), format).graph.succ[1]) == {2: {"score": 0.9}}
        assert dict(brought_back(select(state, related), format).graph.succ[1]) == {
            2: {"relation": ["pack"], "weights": {"pack": 0.5}}
        }
