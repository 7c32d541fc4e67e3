"""`analyse` and what uses it: exports, the map, selections, imports. What a signal leaves, and what is refused."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow.parquet as pq
import pytest
from lxml import html

import harvester
from harvester.checkpoint import digest_of
from harvester.graph import MEASURES
from harvester.library import load_view
from harvester.model import Event, Known, Linked, Seen, SimilarList
from harvester.storage import ANALYSIS
from tests.support.command import call
from tests.support.processes import run, start
from tests.support.samples import NOW_US, SOURCE, grow, open_store
from tests.support.view_samples import make_record

RAIN, WIND, ALONE = range(100, 112), range(200, 208), 300


def _sound(sound_id: int) -> Event:
    tags = ["rain", "wet"] if sound_id in RAIN else ["wind"]
    return Seen(sound_id, make_record(sound_id, tags=tags), NOW_US)


def _list(sound_id: int, among: range) -> Event:
    others = [among[(among.index(sound_id) + step) % len(among)] for step in (1, 2, 3)]
    return Linked(sound_id, SimilarList(tuple((one, 0.9 - step / 10) for step, one in enumerate(others)), NOW_US, 25))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a library of two groups and a sound apart."""
    with open_store(tmp_path / "lib") as store:
        store.set_source(SOURCE)
        grow(store, [_sound(one) for one in (*RAIN, *WIND, ALONE)])
        grow(store, [_list(one, among) for among in (RAIN, WIND) for one in among])
        grow(store, [Linked(ALONE, SimilarList((), NOW_US, 25))])
        store.checkpoint()
    return tmp_path


def analysed(place: Path, *arguments: object) -> dict[str, Any]:
    ended = call("analyse", "--library", "lib", "--json", *arguments, cwd=place)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def grown(place: Path, *events: Event) -> None:
    with open_store(place / "lib") as store:
        grow(store, list(events))
        store.checkpoint()


def columns(place: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads((place / "lib" / ANALYSIS).read_text())["sounds"]
    return found


def rows_of(place: Path, format: str) -> dict[int, dict[str, Any]]:
    """Return the sounds of an export by id, as a reader that is not ours has them."""
    out = place / f"out.{format}"
    assert call("export", format, "--library", "lib", "-o", out, cwd=place).code == 0
    if format == "csv":
        with out.open(newline="") as file:
            return {int(row["id"]): dict(row) for row in csv.DictReader(file)}
    if format == "parquet":
        return {row["id"]: row for row in pq.read_table(out).to_pylist()}
    if format == "jsonl":
        return {row["id"]: row for row in map(json.loads, out.read_text().splitlines())}
    if format == "node-link":
        return {row["id"]: row for row in json.loads(out.read_text())["nodes"]}
    graph = (nx.read_graphml if format == "graphml" else nx.read_gexf)(out)
    return {int(node): dict(values) for node, values in graph.nodes(data=True)}


def test_the_report_names_groups_and_leaders(place: Path) -> None:
    found = analysed(place)
    assert (found["sounds"], found["edges"], found["communities"], found["components"]) == (21, 60, 3, 3)
    assert [(one["community"], one["sounds"]) for one in found["largest_communities"]] == [(1, 12), (2, 8), (3, 1)]
    assert found["largest_communities"][0]["tags"] == ["rain", "wet"]
    assert found["in_degree"]["median"] == 3
    assert len(found["top_pagerank"]) == 10
    assert found["top_betweenness"][0].keys() == {"id", "name", "username", "value"}
    assert found["versions"].keys() == {"harvester", "igraph", "python"}
    report = call("analyse", "--library", "lib", cwd=place)
    assert max(map(len, report.out.splitlines())) <= 80
    assert "sampled" not in report.out.split("betweenness")[1]  # 21 sounds are fewer than 256
    assert "components    3, the largest has 57.1 % of the sounds" in report.out


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl", "node-link", "graphml", "gexf"])
def test_each_export_has_the_measures_as_columns_and_none_without_an_analysis(place: Path, format: str) -> None:
    before = rows_of(place, format)
    assert not any(row.keys() & MEASURES.keys() for row in before.values())
    analysed(place)
    after, kept = rows_of(place, format), columns(place)
    for at, sound_id in enumerate(kept["id"]):
        assert {name: float(after[sound_id].pop(name)) for name in MEASURES} == {
            name: pytest.approx(kept[name][at]) for name in MEASURES
        }
    assert after == before


def test_a_field_of_a_record_is_not_replaced_by_a_measure_of_its_name(place: Path) -> None:
    record = make_record(RAIN[0], community="own", core={"a": 1})
    grown(place, Seen(RAIN[0], record, NOW_US + 1))
    analysed(place)
    found = rows_of(place, "parquet")
    assert [found[one]["community"] for one in RAIN[:2]] == ["own", None]
    assert found[RAIN[0]]["pagerank"] > 0
    assert rows_of(place, "jsonl")[RAIN[0]]["community"] == "own"


@pytest.mark.parametrize("format", ["jsonl", "node-link", "parquet", "sqlite"])
def test_an_export_with_measures_reads_back_as_the_same_library(place: Path, format: str) -> None:
    analysed(place)
    assert call("export", format, "--library", "lib", "-o", f"out.{format}", cwd=place).code == 0
    harvester.import_library(place / f"out.{format}", library=place / "again")
    assert digest_of(load_view(place / "again").state) == digest_of(load_view(place / "lib").state)


def test_a_dataset_has_the_measures_that_are_asked_for(place: Path) -> None:
    names = []
    for folder, options in (("plain", ()), ("again", ()), ("asked", ("--fields", "community"))):
        assert call("export", "dataset", "--library", "lib", "-o", folder, *options, cwd=place).code == 0
        names.append(pq.read_schema(next((place / folder / "data").glob("train*"))).names)
        analysed(place)
    assert names[0] == names[1]
    assert "community" in names[2]


def test_a_table_with_measures_brings_no_field(place: Path) -> None:
    analysed(place)
    rows_of(place, "csv")
    harvester.import_library(place / "out.csv", library=place / "again")
    again = load_view(place / "again").state
    assert len(again) == 21
    assert not any(again.attributes(one).keys() & MEASURES.keys() for one in again.graph)


def test_the_map_has_the_communities_and_numbers_of_the_analysis(place: Path) -> None:
    def labels() -> list[str]:
        assert call("map", "--library", "lib", cwd=place).code == 0
        page = html.fromstring((place / "map.html").read_text(encoding="utf-8"))
        head = json.loads(page.xpath("string(//script[@id='head'])"))
        return [label for mode in head["modes"] if mode["key"] == "community" for _, label, _ in mode["labels"]]

    assert labels() == ["rain, wet", "wind", "single sounds"]
    analysed(place)
    assert labels() == ["rain, wet (1)", "wind (2)", "single sounds"]
    grown(place, Known(400, NOW_US))
    assert labels() == ["rain, wet (1)", "wind (2)", "single sounds", "not analysed"]


def test_a_library_that_grew_says_so_in_one_line_and_keeps_what_is_known(place: Path) -> None:
    analysed(place)
    grown(place, _sound(301))
    for command in (("export", "csv", "-o", "out.csv"), ("map",)):
        told = call(*command, "--library", "lib", cwd=place).err.splitlines()
        stale = "lib/analysis.json: the library has changed since it was analysed, 1 sound has no measures; "
        assert [line for line in told if ANALYSIS in line] == [f"{stale}`harvester analyse` makes a new one"]
    found = rows_of(place, "csv")
    assert (found[301]["community"], found[RAIN[0]]["community"]) == ("", "1")
    library = harvester.Library.open(place / "lib")
    chosen = library.select(community=[1, 3], tag="wind")
    assert chosen.ids == (ALONE,)
    assert len(chosen.export("csv", place / "some.csv").notices) == 1
    assert library.sounds().schema.names[-len(MEASURES) :] == list(MEASURES)
    analysed(place)
    assert ANALYSIS not in call("export", "csv", "-o", "out.csv", "--library", "lib", cwd=place).err


def test_what_it_needs_is_refused_in_one_line(place: Path) -> None:
    def refused(*arguments: object, **options: Any) -> str:
        ended = run(*arguments, "--library", "lib", cwd=place, **options)
        assert (ended.code, ended.out) == (2, "")
        return ended.err.splitlines()[-1]

    without = "import sys; sys.modules |= dict.fromkeys(['igraph', 'harvester.analysis.measure'])"
    bare = refused("analyse", first=without)
    assert bare.startswith("harvester: analyse needs igraph and numpy: ")
    assert not (place / "lib" / ANALYSIS).exists()
    assert refused("export", "jsonl", "--community", 1) == (
        "harvester: --community needs an analysis of the library: run `harvester analyse` first"
    )
    analysed(place)
    assert "there is no community 9; the analysis has communities 1 to 3" in refused("map", "--community", 9)
    assert "at least 1" in refused("export", "jsonl", "--community", 0)
    (place / "lib" / ANALYSIS).write_text("{}")
    ended = run("export", "jsonl", "--library", "lib", "--community", 1, cwd=place)
    assert "it is not an analysis of harvester; it is not used" in ended.err


def test_a_library_without_a_sound_has_a_report(tmp_path: Path) -> None:
    harvester.Library.open(tmp_path / "lib", create=True)
    ended = call("analyse", "--library", "lib", cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith("sounds        0\nedges         0; density -, reciprocity -\n")
    assert columns(tmp_path)["id"] == []


def test_two_processes_print_and_write_the_same_bytes(place: Path) -> None:
    found = set()
    for hash_seed in ("1", "2"):
        first = f"import os; os.environ['PYTHONHASHSEED'] = '{hash_seed}'"
        ended = run("analyse", "--library", "lib", "--json", "--seed", 5, cwd=place, first=first)
        found.add((ended.out, (place / "lib" / ANALYSIS).read_bytes()))
    assert len(found) == 1
    assert analysed(place, "--no-save", "--seed", 6)["random_seed"] == 6
    assert json.loads((place / "lib" / ANALYSIS).read_text())["random_seed"] == 5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_signal_while_it_computes_leaves_the_old_analysis(tmp_path: Path, number: signal.Signals, code: int) -> None:
    ids = range(1, 2_001)
    with open_store(tmp_path / "lib") as store:
        store.set_source(SOURCE)
        grow(store, [Linked(one, SimilarList(tuple(_near(one)), NOW_US, 25)) for one in ids])
        store.checkpoint()
    analysed(tmp_path, "--betweenness-sources", 1)
    old = (tmp_path / "lib" / ANALYSIS).read_bytes()
    # From all sounds it would take ten seconds.
    with start("analyse", "--library", "lib", "--betweenness-sources", 2_000, cwd=tmp_path) as process:
        assert "analysing 2,000 sounds" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(timeout=60) == code
    assert [path.name for path in (tmp_path / "lib").iterdir() if "analysis" in path.name] == [ANALYSIS]
    assert (tmp_path / "lib" / ANALYSIS).read_bytes() == old


def _near(sound_id: int) -> list[tuple[int, float]]:
    return [((sound_id * step * 7 + step) % 2_000 + 1, 0.9 - step / 100) for step in range(1, 15)]
