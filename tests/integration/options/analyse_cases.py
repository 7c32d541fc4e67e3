"""What the options of `analyse` are for, and `--community` of every command that selects."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.options.export_cases import LISTED, SELECTED, _names, _rows
from tests.integration.options.place import Place
from tests.integration.options.table import proves
from tests.support.command import call


def _analysis(place: Place, *arguments: object, given: Any = None) -> dict[str, Any]:
    place.run("--library", "shelf", *arguments, given=given)
    found: dict[str, Any] = json.loads((place.folder / "shelf" / "analysis.json").read_text())
    return found


@proves("analyse", *SELECTED)
def _only_these_sounds_are_analysed(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    found = _analysis(place, given=value)
    assert found["sounds"]["id"] == expected
    assert len(found["selection"]) == 1


@proves("analyse", "--column")
def _the_sounds_of_this_column_are_analysed(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    assert _analysis(place, "--ids", "listed.csv", given="fname")["sounds"]["id"] == [3, 4, 5]


@proves("analyse", "--edges")
def _only_edges_of_these_kinds_are_analysed(place: Place) -> None:
    assert call("relate", "--by", "user", "--library", "shelf", cwd=place.folder).code == 0
    counts = [_analysis(place, given=kind)["figures"]["edges"] for kind in ("similar", "relation", "all")]
    assert counts[0] == 13
    assert 0 < counts[1] < counts[2] <= counts[1] + 13


@proves("analyse", "--min-score")
def _only_these_edges_are_analysed(place: Place) -> None:
    assert _analysis(place, given=0.6)["figures"]["edges"] == 7


@proves("analyse", "--library")
def _this_library_is_analysed(place: Place) -> None:
    assert "shelf/analysis.json: the measures of 10 sounds" in place.run(given="shelf").err


@proves("analyse", "--json")
def _the_report_is_json(place: Place) -> None:
    assert place.run("--library", "shelf").out.startswith("sounds        10\n")
    assert json.loads(place.run("--library", "shelf", given=True).out)["edges"] == 13


@proves("analyse", "--random-seed", "--seed")
def _the_seed_chooses_the_sample(place: Place) -> None:
    found = [_analysis(place, "--betweenness-sources", 2, given=seed) for seed in (1, 2)]
    assert [one["random_seed"] for one in found] == [1, 2]
    assert found[0]["sounds"]["betweenness"] != found[1]["sounds"]["betweenness"]


@proves("analyse", "--betweenness-sources")
def _betweenness_is_estimated_from_so_many_sounds(place: Place) -> None:
    assert set(_analysis(place, given=0)["sounds"]["betweenness"]) == {None}
    assert "betweenness (sampled from 3 sounds)" in place.run("--library", "shelf", given=3).out
    assert "betweenness (exact)" in place.run("--library", "shelf", given=300).out


@proves("analyse", "--save", "--no-save")
def _the_measures_are_kept_or_not(place: Place) -> None:
    place.run("--library", "shelf", given=True)
    assert (place.folder / "shelf" / "analysis.json").exists() is (place.option == "--save")


def _analysed(place: Place) -> list[list[int]]:
    """Analyse the shelf; return the sounds of its first two communities."""
    command, place.command = place.command, "analyse"
    columns = _analysis(place)["sounds"]
    place.command = command
    of = dict(zip(columns["id"], columns["community"], strict=True))
    return [[sound_id for sound_id in of if of[sound_id] == number] for number in (1, 2)]


@proves("export", "--community")
def _only_these_communities_are_exported(place: Place) -> None:
    first, second = _analysed(place)
    assert [row["id"] for row in _rows(place, given=1)] == first
    assert [row["id"] for row in _rows(place, given=[2, 1])] == sorted(first + second)
    assert 0 < len(second) < len(first) < 10


@proves("map", "--community")
def _only_these_communities_are_drawn(place: Place) -> None:
    first, second = _analysed(place)
    assert sorted(_names(place, given=[1])) == [f"sound {sound_id}" for sound_id in first]
    assert sorted(_names(place, given=[2])) == sorted(f"sound {sound_id}" for sound_id in second)


@proves("analyse", "--community")
def _only_these_communities_are_analysed(place: Place) -> None:
    first, _ = _analysed(place)
    assert _analysis(place, given=1)["sounds"]["id"] == first


@proves("relate", "--community")
def _only_sounds_of_these_communities_are_related(place: Place) -> None:
    first, _ = _analysed(place)
    place.run("--by", "user", "--library", "shelf", given=1)
    edges = place.state("shelf").graph.edges(data=True)
    related = {(source, target) for source, target, edge in edges if "relation" in edge}
    assert {sound_id for pair in related for sound_id in pair} == set(first)


@proves("sql", "--community")
def _only_these_communities_are_in_the_tables(place: Place) -> None:
    first, _ = _analysed(place)
    told = place.run("SELECT id, community FROM sounds ORDER BY id", "--format", "json", "--library", "shelf", given=1)
    assert json.loads(told.out) == [{"id": sound_id, "community": 1} for sound_id in first]
