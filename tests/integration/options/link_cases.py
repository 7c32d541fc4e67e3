"""What the options of `link` are for: which lists it computes, and how it compares them with the server's."""

from __future__ import annotations

import json

from harvester.similarity import knn
from tests.integration.options.place import Place, jobs_asked, tasks_sent
from tests.integration.options.table import proves
from tests.support.dask_cluster import shared_cluster
from tests.support.processes import sandbox_process


def _lists(place: Place) -> dict[int, list[float]]:
    state = place.state("swept")
    return {sound_id: [score for _, score in state.similar(sound_id).neighbours] for sound_id in state.processed}


@proves("link", "--library")
def _this_library_is_linked(place: Place) -> None:
    place.run(given=place.swept())
    assert len(_lists(place)) > 290


@proves("link", "--neighbours")
def _a_computed_list_is_so_long(place: Place) -> None:
    place.run("--library", place.swept(), given=3)
    assert max(map(len, _lists(place).values())) == 3


@proves("link", "--min-score")
def _no_neighbour_scores_less(place: Place) -> None:
    place.run("--library", place.swept(), given=0.95)
    strict = [score for scores in _lists(place).values() for score in scores]
    assert strict
    assert min(strict) >= 0.95
    place.run("--library", "swept", "--min-score", 0.8)
    assert min(score for scores in _lists(place).values() for score in scores) < 0.95


@proves("link", "--verify")
def _so_many_lists_of_the_server_are_compared(place: Place) -> None:
    assert "3 lists compared" in place.ask("--library", place.swept(), given=3).err
    assert len(place.lists()) == 3


@proves("link", "--random-seed")
def _the_seed_chooses_the_sounds_to_compare(place: Place) -> None:
    place.swept()
    chosen = []
    for seed in (1, 1, 2):
        place.ask("--library", "swept", "--verify", 4, given=seed)
        chosen.append(place.lists())
    assert chosen[0] == chosen[1] != chosen[2]


@proves("link", "--jobs")
def _so_many_threads_compare(place: Place) -> None:
    # Threads share blocks of sounds: so that there are several, a block is made small.
    place.patch.setattr(knn, "QUERIES", 64)
    with jobs_asked() as asked:
        place.run("--library", place.swept(), given=2)
    assert set(asked) == {2}


@proves("link", "--scheduler")
def _a_cluster_compares(place: Place) -> None:
    with tasks_sent() as sent:
        place.run("--library", place.swept(), given=shared_cluster())
    assert len(_lists(place)) > 290
    assert sent


@proves("link", "--level", "--limits")
def _the_comparison_counts_against_these_limits(place: Place) -> None:
    with sandbox_process(place.folder, "--no-throttle", "--sounds", 300) as own:
        base = ("--api-url", own.url, "--library", place.swept(), "--verify", 3)
        if place.option == "--limits":
            ended = place.run(*base, given="600/2")
            assert "1 of 3 lists not compared" in ended.err
        else:
            # Three requests of level 1 take two seconds.
            place.run(*base, given=99)
            stamps = [one["t"] for one in own.requests() if one["status"] == 200]
            assert len(stamps) == 3
            assert max(stamps) - min(stamps) < 2


@proves("link", "--api-url")
def _the_comparison_asks_there(place: Place) -> None:
    place.run("--library", place.swept(), "--level", 99, "--verify", 1, given=place.sandbox.url)
    assert len(place.lists()) == 1


@proves("link", "--sandbox")
def _the_comparison_asks_the_embedded_sandbox(place: Place) -> None:
    ended = place.run("--library", place.swept(), "--verify", 1, given=True, code=23)
    assert "using the embedded sandbox" in ended.err
    assert place.requests() == []


@proves("link", "--json")
def _the_outcome_is_json(place: Place) -> None:
    assert json.loads(place.run("--library", place.swept(), given=True).out)["new"] > 290
