"""What the options of `relate` are for: which sounds of which library it relates, by what, and how many."""

from __future__ import annotations

import json
from typing import Any

from harvester.library.reader import load_view
from tests.integration.options.export_cases import LISTED, SELECTED
from tests.integration.options.place import Place
from tests.integration.options.table import proves
from tests.support.command import call

WITH_RECORD = set(range(1, 10))


def _related(place: Place, *arguments: object, given: Any = None) -> set[tuple[int, int]]:
    """Relate sounds of a new copy of the shelf; return the edges that are relations."""
    copy = f"copy{sum(path.name.startswith('copy') for path in place.folder.iterdir())}"
    assert call("merge", "shelf", "-o", copy, cwd=place.folder).code == 0
    place.run("--library", copy, *arguments, given=given)
    edges = load_view(place.folder / copy).state.graph.edges(data=True)
    return {(source, target) for source, target, attributes in edges if attributes.get("relation")}


@proves("relate", *SELECTED)
def _only_these_sounds_are_related(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    found = _related(place, "--by", "tags", given=value)
    assert {one for pair in found for one in pair} == WITH_RECORD & set(expected)


@proves("relate", "--column")
def _the_sounds_of_this_column_are_related(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    assert {one for pair in _related(place, "--ids", "listed.csv", given="fname") for one in pair} == {3, 4, 5}


@proves("relate", "--edges", "--min-score")
def _the_largest_component_is_one_by_these_edges(place: Place) -> None:
    value = "relation" if place.option == "--edges" else 1.0
    options = ("--by", "tags", "--largest-component")
    assert {one for pair in _related(place, *options) for one in pair} == {1, 2, 3, 4, 5, 6}
    assert _related(place, *options, given=value) == set(), "without these edges each sound is alone"


@proves("relate", "--by")
def _they_are_related_by_this(place: Place) -> None:
    by_user = _related(place, given="user")
    assert by_user
    assert all(source % 3 == target % 3 for source, target in by_user)
    assert by_user < _related(place, given="user,tags")
    assert _related(place, given="pack") == set()


@proves("relate", "--min-jaccard")
def _they_share_at_least_this_part_of_their_tags(place: Place) -> None:
    alike = _related(place, "--by", "tags", given=0.9)
    assert all(source % 3 == target % 3 for source, target in alike)
    assert alike < _related(place, "--by", "tags", given=0.3)


@proves("relate", "--max")
def _a_sound_has_at_most_so_many_relations_of_a_kind(place: Place) -> None:
    sizes = [len(_related(place, "--by", "tags", given=most)) for most in (1, 2, 25)]
    assert sizes[0] < sizes[1] < sizes[2]


@proves("relate", "--dry-run")
def _nothing_is_changed(place: Place) -> None:
    assert _related(place)
    assert _related(place, given=True) == set()


@proves("relate", "--library")
def _sounds_of_this_library_are_related(place: Place) -> None:
    assert "shelf: 10 sounds compared, " in place.run("--by", "user", given="shelf").err


@proves("relate", "--json")
def _the_report_is_json(place: Place) -> None:
    report = json.loads(place.run("--library", "shelf", "--by", "user", given=True).out)
    assert list(report["kinds"]) == ["user"]
    assert place.run("--library", "shelf", "--by", "user").out == ""
