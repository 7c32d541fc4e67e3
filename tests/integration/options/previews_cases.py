"""What the options of `previews` are for: which previews come, from where, how many and how fast."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.integration.options.analyse_cases import _analysed
from tests.integration.options.export_cases import LISTED, SELECTED
from tests.integration.options.place import Place
from tests.integration.options.table import proves
from tests.support.command import call


def _planned(place: Place, *arguments: object, given: Any = None) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        place.run("--library", "shelf", "--dry-run", "--json", *arguments, given=given).out
    )
    return report


def _fetched(place: Place, *arguments: object, given: Any = None) -> dict[str, Any]:
    """Fetch a few previews of the grown library from the sandbox, and return the report."""
    few = ("--library", "grown", "--api-url", place.sandbox.url, "--max-duration", "3s", "--per-minute", 60_000)
    report: dict[str, Any] = json.loads(place.run(*few, "--json", *arguments, given=given).out)
    return report


def _files(place: Place) -> list[str]:
    return sorted(path.name for path in (place.folder / "grown" / "previews").glob("[0-9]*"))


@proves("previews", *SELECTED)
def _only_these_previews_are_wanted(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    assert _planned(place, given=value)["selected"] == len(expected)


@proves("previews", "--column")
def _the_previews_of_this_column_are_wanted(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    assert _planned(place, "--ids", "listed.csv", given="fname")["selected"] == 3


@proves("previews", "--community")
def _only_the_previews_of_these_communities_are_wanted(place: Place) -> None:
    first, second = _analysed(place)
    assert _planned(place, given=[1])["selected"] == len(first)
    assert _planned(place, given=[1, 2])["selected"] == len(first) + len(second)


@proves("previews", "--edges", "--min-score")
def _the_largest_component_is_one_by_these_edges(place: Place) -> None:
    value = "relation" if place.option == "--edges" else 1.0
    assert _planned(place, "--largest-component")["selected"] == 6
    assert _planned(place, "--largest-component", given=value)["selected"] == 1
    refused = place.run("--library", "shelf", given=value, code=2).err
    assert "no sound is selected" in refused, "edges alone select no sound"


@proves("previews", "--all")
def _every_sound_is_taken_only_when_asked(place: Place) -> None:
    refused = place.run("--library", "shelf", code=2).err
    assert "with --all" in refused
    assert not (place.folder / "shelf" / "previews").exists()
    assert _planned(place, given=True)["selected"] == 10


@proves("previews", "--quality")
def _a_higher_quality_replaces_the_file(place: Place) -> None:
    lower = _fetched(place, "--max-files", 2)
    higher = _fetched(place, "--max-files", 2, given="hq")
    assert higher["fetched"] == lower["fetched"] == lower["files"] == higher["files"] == 2
    assert higher["size_bytes"] > lower["size_bytes"]
    assert _fetched(place, "--max-files", 2)["here"] == 2, "a higher quality is as good"


@proves("previews", "--format")
def _this_format_is_requested(place: Place) -> None:
    report = _fetched(place, "--max-files", 2, given="mp3")
    assert (report["lost"], report["fetched"]) == (2, 0), "the sandbox has no MP3"
    assert all(one.path.endswith("-lq.mp3") for one in place.requests())


@proves("previews", "--max-files")
def _so_many_are_requested(place: Place) -> None:
    report = _fetched(place, given=3)
    assert (report["fetched"], len(place.requests()), len(_files(place))) == (3, 3, 3)
    assert "--max-files" in report["end"]


@proves("previews", "--max-size")
def _the_folder_grows_to_this_size(place: Place) -> None:
    report = _fetched(place, given="60kB")
    assert 0 < report["size_bytes"] <= 60_000
    assert "--max-size" in report["end"]
    assert report["left"] > 0
    full = place.run("--library", "grown", "--all", "--api-url", place.sandbox.url, given="60kB")
    assert re.search(r"here before, [0-9]+ left: raise --max-size, in ", full.err)


@proves("previews", "--concurrency")
def _so_many_requests_are_open(place: Place) -> None:
    assert _fetched(place, "--max-files", 2, given=1)["fetched"] == 2
    assert place.run("--all", given=9, code=2).err.count("\n") == 1


@proves("previews", "--per-minute")
def _the_requests_keep_this_pace(place: Place) -> None:
    few = ("--library", "grown", "--api-url", place.sandbox.url, "--max-duration", "3s", "--max-files", 3)
    report = json.loads(place.run(*few, "--json", given=240).out)
    assert report["seconds"] >= 0.5, "two pauses of a quarter of a second"


@proves("previews", "--api-url")
def _made_up_sounds_come_from_this_sandbox(place: Place) -> None:
    few = ("--library", "grown", "--max-duration", "3s", "--max-files", 1, "--per-minute", 60_000)
    place.run(*few, given=place.sandbox.url)
    assert len(place.requests()) == len(_files(place)) == 1


@proves("previews", "--sandbox")
def _made_up_sounds_come_from_the_embedded_sandbox(place: Place) -> None:
    assert call("harvest", "--sandbox", "--samples", 1, "--library", "mine", cwd=place.folder).code == 0
    few = ("--library", "mine", "--max-duration", "3s", "--max-files", 1)
    place.run(*few, "--api-url", "http://127.0.0.1:9/apiv2/", given=True)
    assert place.requests() == []
    assert len(list((place.folder / "mine" / "previews").glob("[0-9]*.ogg"))) == 1
    assert "--api-url" in place.run("--library", "grown", "--all", code=2, given=True).err, "it has other sounds"


@proves("previews", "--dry-run")
def _nothing_is_fetched(place: Place) -> None:
    report = _fetched(place, given=True)
    assert report["left"] > 0
    assert report["expected_bytes"] > 0
    assert place.requests() == []
    assert not (place.folder / "grown" / "previews").exists()


@proves("previews", "--library")
def _the_previews_of_this_library_are_wanted(place: Place) -> None:
    assert "10 sounds: " in place.run("--all", "--dry-run", given="shelf").err


@proves("previews", "--json")
def _the_report_is_json(place: Place) -> None:
    few = ("--library", "shelf", "--all", "--dry-run")
    assert json.loads(place.run(*few, given=True).out)["dry_run"] is True
    assert place.run(*few).out == ""


@proves("map", "--local-previews")
def _the_map_plays_from_files(place: Place) -> None:
    refused = place.run("--library", "grown", given=True, code=2).err
    assert "there is no preview here" in refused
    few = ("--library", "grown", "--api-url", place.sandbox.url, "--max-duration", "3s", "--max-files", 1)
    fetched = call("previews", *few, cwd=place.folder)
    assert fetched.code == 0, fetched.err
    place.run("--library", "grown", given=True)
    assert '"previews":"./grown/previews/"' in (place.folder / "map.html").read_text()
