"""Orders of other packages: how they rank, and what their failures may do to a harvest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harvester.errors import PluginFailed, SettingsError
from harvester.graph import GraphView
from harvester.pipeline.order import Ranking
from harvester.pipeline.plan import Plan
from tests.support.plugins import write_metadata
from tests.support.view_samples import make_record, make_state

DOWNLOADS = {1: 10, 2: 20, 3: 30, 4: 40, 5: 50}


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("example", "broken"):
        monkeypatch.syspath_prepend(write_metadata(name, tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


def ranked(order: str) -> tuple[list[int], list[str]]:
    """Return the ids 1 to 5 as the order ranks them, and the lines that were said."""
    state = make_state([make_record(sound_id, num_downloads=count) for sound_id, count in DOWNLOADS.items()])
    said: list[str] = []
    ranking = Ranking(order, state, 0, said.append)
    return sorted(DOWNLOADS, key=lambda sound_id: (ranking(sound_id), sound_id)), said


def test_an_order_of_another_package_ranks_waiting_sounds() -> None:
    assert ranked("popular") == ([5, 4, 3, 2, 1], [])
    assert ranked("shortest") == ([1, 2, 3, 4, 5], [])


def test_sounds_that_an_order_cannot_rank_come_after_the_others_and_it_is_said_once() -> None:
    order, said = ranked("half")
    assert order == [4, 2, 5, 3, 1]
    assert said == [
        "the order 'half' of harvester-broken 2.0 failed for sound 1 (odd, harvester_broken/__init__.py:69); the run "
        "goes on: sounds that it cannot rank come last, the most downloaded first"
    ]


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ("nan", "failed for sound 1 (its rank is NaN)"),
        ("texts", "failed for sound 1 (its rank is of type str, not a number)"),
        ("leaving", "failed for sound 1 (an order ends the process, harvester_broken/__init__.py:57)"),
        ("huge", "failed for sound 1 (a number is too large)"),
        ("failing-start", "failed at the start (no seed among 0, harvester_broken/__init__.py:41)"),
        ("no-function", "failed at the start (it returned int, not a function)"),
    ],
)
def test_an_order_that_fails_is_named_once_and_the_most_downloaded_come_first(order: str, problem: str) -> None:
    ids, said = ranked(order)
    assert ids == [5, 4, 3, 2, 1]
    assert len(said) == 1
    assert said[0].startswith(f"the order '{order}' of harvester-broken 2.0 {problem}; the run goes on: ")


def test_a_plan_refuses_an_order_that_cannot_be_used() -> None:
    with pytest.raises(
        PluginFailed,
        match=r"'unimportable' of .+ 2.0 cannot be imported: the package .+ is not installed",
    ):
        Plan(order="unimportable")
    with pytest.raises(PluginFailed, match=r"'not-an-order' of .+ cannot be used: it is of type dict, not a function"):
        Plan(order="not-an-order")
    with pytest.raises(SettingsError, match="'bee' is not an order; use popular, breadth, random, failing-start"):
        Plan(order="bee")


def test_a_graph_view_shows_the_graph_and_lets_it_not_be_changed() -> None:
    state = make_state([make_record(1, tags=["a"]), make_record(2), make_record(3)], {1: [(3, 0.5), (2, 0.9)]})
    graph = GraphView(state)
    assert (len(graph), 1 in graph, 9 in graph) == (3, True, False)
    assert graph.neighbours(1) == ((2, 0.9), (3, 0.5))
    assert graph.neighbours(2) == ()
    assert sorted(graph.targets(1)) == [2, 3]
    assert (graph.is_processed(1), graph.is_processed(2)) == (True, False)
    assert graph.value(1, "num_downloads") == 10
    assert graph.value(1, "no_such_field") is None
    assert graph.value(1, "tags") == ("a",)
    previews: Any = graph.value(1, "previews")
    with pytest.raises(TypeError):
        previews["preview-hq-mp3"] = "changed"
    for ask in (graph.neighbours, graph.targets, lambda sound_id: graph.value(sound_id, "name")):
        with pytest.raises(KeyError):
            ask(9)
