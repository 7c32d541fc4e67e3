"""What the options of `export` and `map` are for: which part of a library, in which form, into which file."""

from __future__ import annotations

import csv
import json
import re
from importlib import import_module
from typing import Any

import pyarrow.parquet as pq
from lxml import html
from PIL import Image

from harvester.counts import counted
from harvester.library.reader import load_view
from harvester.map.picture import CONTEXT
from harvester.similarity import knn
from harvester.vectors import load_vectors
from tests.integration.options.place import Place, jobs_asked, tasks_sent
from tests.integration.options.table import proves
from tests.support.command import call
from tests.support.dask_cluster import shared_cluster

SELECTED: dict[str, tuple[Any, list[int]]] = {
    "--license": (["cc0", "BY-NC"], [2, 4, 6, 8]),
    "--licence": (["cc0", "BY-NC"], [2, 4, 6, 8]),
    "--category": (["music"], [2, 4, 6, 8]),
    "--tag": (["rain", "tag1"], [1, 4, 7]),
    "--user": (["user2", "user0"], [2, 3, 5, 6, 8, 9]),
    "--exclude-tag": (["tag1", "tag2"], [3, 6, 9, 10]),
    "--exclude-user": (["User0"], [1, 2, 4, 5, 7, 8, 10]),
    "--query": ("TAG1 sound", [1, 4, 7]),
    "--ids": ("listed.csv", [2, 7]),
    "--created": ("2012-10..2013", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    "--min-downloads": (50, [5, 6, 7, 8, 9]),
    "--gen-ai": (["no-gen-ai", "unknown"], [2, 4, 6, 8, 10]),
    "--min-duration": ("1s", [7, 8, 9]),
    "--max-duration": ("0.5s", [1, 2, 3]),
    "--processed-only": (True, [1, 2, 3, 4, 5, 6, 7, 8]),
    "--largest-component": (True, [1, 2, 3, 4, 5, 6]),
}


LISTED = "fname,freesound_id\n3,2\n4,7\n5,4711\n"
"""A table whose two columns could both be ids."""


def _rows(place: Place, *arguments: object, given: Any = None) -> list[dict[str, Any]]:
    told = place.run("jsonl", "--library", "shelf", *arguments, given=given).out
    return [json.loads(line) for line in told.splitlines()]


def _names(place: Place, *arguments: object, given: Any = None) -> list[str]:
    place.run("--library", "shelf", "-o", "map.html", *arguments, given=given)
    page = html.fromstring((place.folder / "map.html").read_text(encoding="utf-8"))
    names: list[str] = json.loads(page.xpath("string(//script[@id='sounds'])"))["names"]
    return names


@proves("export", *SELECTED)
def _only_these_sounds_are_exported(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    assert [row["id"] for row in _rows(place)] == list(range(1, 11))
    assert [row["id"] for row in _rows(place, given=value)] == expected


@proves("map", *SELECTED)
def _only_these_sounds_are_drawn(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    assert _names(place, given=value) == ["" if one == 10 else f"sound {one}" for one in expected]


@proves("export", "--column")
def _the_sounds_of_this_column_are_exported(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    assert [row["id"] for row in _rows(place, "--ids", "listed.csv", given="fname")] == [3, 4, 5]


@proves("map", "--column")
def _the_sounds_of_this_column_are_drawn(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    assert _names(place, "--ids", "listed.csv", given="fname") == ["sound 3", "sound 4", "sound 5"]


@proves("export", "--min-score")
def _only_these_edges_are_exported(place: Place) -> None:
    counts = [sum(len(row["neighbours"]) for row in _rows(place, given=score)) for score in (0.5, 0.6, 0.95)]
    assert counts == [13, 7, 0]


@proves("map", "--min-score")
def _only_these_edges_are_drawn(place: Place) -> None:
    assert "10 sounds and 7 edges" in place.run("--library", "shelf", given=0.6).err


@proves("export", "--library")
def _this_library_is_exported(place: Place) -> None:
    assert len(place.run("jsonl", given="shelf").out.splitlines()) == 10


@proves("map", "--library")
def _this_library_is_drawn(place: Place) -> None:
    assert "10 sounds and 13 edges" in place.run(given="shelf").err


@proves("export", "format")
def _the_form_is_as_named(place: Place) -> None:
    begins = {
        "graphml": '<?xml version="1.0" encoding="UTF-8"?>\n<graphml ',
        "gexf": '<?xml version="1.0" encoding="UTF-8"?>\n<gexf ',
        "jsonl": '{"id":1,',
        "node-link": '{"directed":true,',
        "credits": "# Credits",
    }
    for format, begin in begins.items():
        told = place.run(format, "--library", "shelf").out
        assert told.startswith(begin), (format, told[:80])
    assert "name the first with -o" in place.run("csv", "--library", "shelf", code=2).err


@proves("export", "--output", "-o")
def _the_export_is_written_there(place: Place) -> None:
    ended = place.run("csv", "--library", "shelf", given="out.csv")
    assert ended.out == ""
    assert len((place.folder / "out.csv").read_text().splitlines()) == 11
    assert len((place.folder / "out.edges.csv").read_text().splitlines()) == 14


@proves("map", "--output", "-o")
def _the_map_is_written_there(place: Place) -> None:
    place.run("--library", "shelf", given="picture.html")
    assert (place.folder / "picture.html").read_text().startswith("<!doctype html>")
    assert not (place.folder / "map.html").exists()


@proves("export", "--partition-rows")
def _a_part_has_so_many_rows(place: Place) -> None:
    place.run("parquet", "--library", "shelf", "-o", "parts", given=4)
    parts = sorted((place.folder / "parts" / "sounds").iterdir())
    assert [pq.read_metadata(part).num_rows for part in parts] == [4, 4, 2]


@proves("export", "--jobs")
def _so_many_processes_write_parts(place: Place) -> None:
    with jobs_asked() as asked:
        place.run("parquet", "--library", "shelf", "-o", "parts", "--partition-rows", 4, given=2)
    assert asked == [2]
    place.run("csv", "--library", "shelf", "-o", "table.csv", given=2, code=2)


@proves("export", "--scheduler")
def _a_cluster_writes_parts(place: Place) -> None:
    with tasks_sent() as sent:
        place.run("parquet", "--library", "shelf", "-o", "parts", "--partition-rows", 4, given=shared_cluster())
    assert len(sent) > 3
    place.run("dataset", "--library", "shelf", "-o", "folder", given=shared_cluster(), code=2)


@proves("export", "--format")
def _the_credits_have_this_format(place: Place) -> None:
    begins = {"md": "# Credits", "txt": "CREDITS", "csv": "id,title,author,", "html": "<!doctype html>"}
    for format, begin in begins.items():
        told = place.run("credits", "--library", "shelf", given=format).out
        assert told.startswith(begin), told[:80]


@proves("export", "--faithful")
def _a_formula_stays_as_it_is(place: Place) -> None:
    _library_with_a_formula(place)
    names = []
    for name, given in (("safe.csv", None), ("faithful.csv", True)):
        place.run("csv", "--library", "formula", "-o", name, given=given)
        with (place.folder / name).open(encoding="utf-8", newline="") as file:
            names += [row["name"] for row in csv.DictReader(file)]
    assert names == ["'=1+1", "=1+1"]


def _library_with_a_formula(place: Place) -> None:
    from harvester.model import Seen
    from tests.support.samples import NOW_US, SOURCE, grow, make_record, open_store

    with open_store(place.folder / "formula") as store:
        store.set_source(SOURCE)
        grow(store, [Seen(5, make_record(5, name="=1+1"), NOW_US)])


DATASET_FILES: dict[str, tuple[Any, dict[str, int]]] = {
    "--split": ("50/50", {"train": 3, "test": 2}),
    "--split-method": ("hash", {"train": 2, "test": 3}),
    "--splits": ("earlier", {"test": 5}),
}
"""The sizes of the parts with each option; the shelf has five sounds under CC0 or BY, of three authors."""


@proves("export", *DATASET_FILES)
def _the_parts_are_made_like_this(place: Place) -> None:
    value, expected = DATASET_FILES[place.option]
    place.run("dataset", "--library", "shelf", "-o", "earlier", "--split", "100")
    splits = place.folder / "earlier" / "splits.json"
    splits.write_text(splits.read_text().replace('"train"', '"test"'))
    place.run("dataset", "--library", "shelf", "-o", "out", given=value)
    parts = {path.name.split("-")[0]: pq.read_metadata(path).num_rows for path in (place.folder / "out/data").iterdir()}
    assert parts == expected


@proves("export", "--group-by")
def _the_parts_keep_these_groups(place: Place) -> None:
    place.run("dataset", "--library", "shelf", "-o", "out", given="pack")
    assert json.loads((place.folder / "out" / "splits.json").read_text())["group_by"] == "pack"


@proves("export", "--fields")
def _only_these_fields_are_written(place: Place) -> None:
    place.run("dataset", "--library", "shelf", "-o", "out", given="name,tags")
    [first, *_] = (place.folder / "out" / "data").iterdir()
    assert pq.read_schema(first).names == ["id", "name", "license", "license_spdx", "tags"]


@proves("export", "--table")
def _the_tables_have_this_format(place: Place) -> None:
    place.run("dataset", "--library", "shelf", "-o", "out", given="csv")
    assert {path.suffix for path in (place.folder / "out" / "data").iterdir()} == {".csv"}


@proves("export", "--title")
def _the_card_has_this_heading(place: Place) -> None:
    place.run("dataset", "--library", "shelf", "-o", "out", given="Rain & tents")
    assert "\n# Rain \\& tents\n" in (place.folder / "out" / "README.md").read_text()


@proves("map", "--ego")
def _only_the_neighbourhood_of_a_sound_is_drawn(place: Place) -> None:
    assert sorted(_names(place, given=7)) == ["sound 7", "sound 8"]


@proves("map", "--depth")
def _the_neighbourhood_is_so_deep(place: Place) -> None:
    # From 1, the circle of six is reached in two steps along its edges.
    assert sorted(_names(place, "--ego", 1, "--min-score", 0.6, given=1)) == ["sound 1", "sound 2", "sound 6"]
    assert len(_names(place, "--ego", 1, "--min-score", 0.6, given=3)) == 6


@proves("map", "--context")
def _the_sounds_around_the_selected_ones_are_drawn_too(place: Place) -> None:
    place.run("--library", "shelf", "-o", "map.html", "--max-duration", "0.2s", given=True)
    page = html.fromstring((place.folder / "map.html").read_text(encoding="utf-8"))
    # 2 and 3 are in the list of 1, 5 and 6 have it in theirs.
    assert page.xpath("string(//p[@id='counts'])") == "1 sound, 0 similarity edges; 4 sounds around"
    sounds = json.loads(page.xpath("string(//script[@id='sounds'])"))
    assert sounds["ids"] == [1]
    assert [name for name, _ in sounds["context"]] == ["sound 2", "sound 3", "sound 5", "sound 6"]
    place.run("--library", "shelf", "--static", "map.svg", "--max-duration", "0.2s", given=True)
    assert CONTEXT in (place.folder / "map.svg").read_text(encoding="utf-8")


@proves("map", "--layout")
def _the_places_come_from_edges_or_vectors(place: Place) -> None:
    assert _names(place, given="graph") == _names(place, given="auto")
    told = place.run("--library", place.swept(), given="vectors")
    lacking = len(place.state("swept").graph) - len(load_vectors(place.folder / "swept").places)
    assert lacking > 0
    assert f"in rows below the others: {counted(lacking, 'sound')} without a vector\n" in told.err
    refused = place.run("--library", "shelf", given="vectors", code=2)
    assert "fetch them with `harvester harvest --sweep --query TEXT --vectors" in refused.err
    assert (
        "--layout must be auto, graph or vectors, not 'star'"
        in place.run("--library", "shelf", given="star", code=2).err
    )


@proves("map", "--jobs")
def _so_many_threads_look_for_the_nearest_vectors(place: Place) -> None:
    place.patch.setattr(knn, "QUERIES", 64)
    import_module("openTSNE")  # its sklearn derives a class from what `jobs_asked` replaces
    with jobs_asked() as asked:
        place.run("--library", place.swept(), "--layout", "vectors", given=2)
        assert asked == [2]
        place.run("--library", "shelf", given=2)
    assert asked == [2]  # edges need nobody


@proves("map", "--scheduler")
def _a_cluster_looks_for_the_nearest_vectors(place: Place) -> None:
    line = "--library", place.swept(), "--layout", "vectors"
    place.run(*line)
    alone = (place.folder / "map.html").read_bytes()
    with tasks_sent() as sent:
        place.run(*line, given=shared_cluster())
    assert sent
    assert (place.folder / "map.html").read_bytes() == alone
    # Edges need no cluster: none is looked for.
    place.run("--library", "shelf", given="tcp://127.0.0.1:1")


@proves("map", "--title")
def _the_heading_is_this(place: Place) -> None:
    place.run("--library", "shelf", given="Rain & tents")
    page = html.fromstring((place.folder / "map.html").read_text(encoding="utf-8"))
    assert page.xpath("string(//title)") == "Rain & tents"
    assert re.search(r"Rain &amp; tents", (place.folder / "map.html").read_text())


def _pixels(place: Place, *arguments: object, given: Any = None) -> tuple[tuple[int, int], bytes]:
    place.run("--static", "map.png", "--library", "shelf", *arguments, given=given)
    with Image.open(place.folder / "map.png") as picture:
        return picture.size, picture.tobytes()


@proves("map", "--static")
def _the_picture_is_written_there_in_the_form_of_its_ending(place: Place) -> None:
    for name, start in (("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.PNG", b"\x89PNG")):
        place.run("--library", "shelf", given=name)
        assert (place.folder / name).read_bytes().startswith(start)
    assert not (place.folder / "map.html").exists()
    assert "ends in .svg, .pdf or .png" in place.run("--library", "shelf", given="a.jpg", code=2).err


@proves("map", "--size-mm")
def _the_picture_has_this_size(place: Place) -> None:
    assert _pixels(place, "--dpi", 127, given="100x60")[0] == (500, 300)
    assert "such as 180x120" in place.run("--static", "map.png", "--library", "shelf", given="wide", code=2).err


@proves("map", "--dpi")
def _the_picture_has_so_many_dots_an_inch(place: Place) -> None:
    assert _pixels(place, "--size-mm", "100x60", given=254)[0] == (1000, 600)


@proves("map", "--color-by", "--colour-by")
def _the_picture_is_coloured_by_this(place: Place) -> None:
    small = ("--size-mm", "60x60", "--dpi", 60)
    pictures = {_pixels(place, *small, given=by)[1] for by in ("category", "community", "license", "user")}
    assert len(pictures) == 4
    wrong = place.run("--static", "map.png", "--library", "shelf", given="mood", code=2)
    assert "--color-by must be category, community, license or user, not 'mood'" in wrong.err


@proves("export", "--edges")
def _only_edges_of_these_kinds_are_exported(place: Place) -> None:
    assert call("relate", "--by", "user", "--library", "shelf", cwd=place.folder).code == 0
    counts = [place.run("csv", "-o", "out.csv", "--library", "shelf", given=kind).err for kind in KINDS]
    assert [int(re.search(r"(\d+) edges", told)[1]) for told in counts] == kinds_of(place)  # type: ignore[index]


@proves("map", "--edges")
def _only_edges_of_these_kinds_are_drawn(place: Place) -> None:
    assert call("relate", "--by", "user", "--library", "shelf", cwd=place.folder).code == 0
    counts = [place.run("--library", "shelf", "-o", "map.html", given=kind).err for kind in KINDS]
    assert [int(re.search(r"(\d+) edges", told)[1]) for told in counts] == kinds_of(place)  # type: ignore[index]


KINDS = ("similar", "relation:user", "all")


def kinds_of(place: Place) -> list[int]:
    """Return how many edges of the shelf are of these kinds."""
    edges = [edge for *_, edge in load_view(place.folder / "shelf").state.graph.edges(data=True)]
    return [sum("score" in edge for edge in edges), sum("relation" in edge for edge in edges), len(edges)]
