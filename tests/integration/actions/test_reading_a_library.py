"""Export, draw, find, show and status: called as a program calls them, on a folder and on an opened library."""

from __future__ import annotations

import asyncio
import csv
import json
import urllib.request
from pathlib import Path
from typing import Any, cast

import pytest

import harvester
from harvester.errors import HarvesterError
from harvester.library import LibraryView, load_view
from harvester.model import Deferral, Known, Linked, SimilarList
from harvester.storage import CHECKPOINT, JOURNAL
from tests.support.samples import NOW_US, SOURCE, grow, make_events, open_store


def ids_of(text: harvester.ExportText) -> list[int]:
    return [json.loads(line)["id"] for line in "".join(text).splitlines()]


def test_an_export_without_a_path_is_text_in_pieces_and_with_one_the_same_file(folder: Path, tmp_path: Path) -> None:
    text = harvester.export("jsonl", library=folder)
    assert (text.sounds, text.syntax, text.notices) == (12, "json", ())
    whole = "".join(text)
    written: list[int] = []
    report = harvester.export("jsonl", tmp_path / "out.jsonl", library=folder, on_progress=written.append)
    assert (report.paths, report.sounds, report.edges) == ((tmp_path / "out.jsonl",), 12, 24)
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == whole
    assert written[-1] == len(whole.encode())
    assert written == sorted(written)
    assert harvester.export("graphml", library=folder).syntax == "xml"


def test_an_export_of_two_files_names_both(folder: Path, tmp_path: Path) -> None:
    written: list[int] = []
    report = harvester.export("csv", str(tmp_path / "out.csv"), library=str(folder), on_progress=written.append)
    assert report.paths == (tmp_path / "out.csv", tmp_path / "out.edges.csv")
    assert written[-1] == sum(path.stat().st_size for path in report.paths)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 13


def test_credits_count_the_sounds_that_they_leave_out(folder: Path, tmp_path: Path) -> None:
    with open_store(folder) as store:
        grow(store, [Known(500, NOW_US)])
        store.checkpoint()
    text = harvester.export("credits", library=folder, credits_format="html")
    assert (text.sounds, text.without_record, text.syntax) == (12, 1, "xml")
    report = harvester.export("credits", tmp_path / "credits.md", library=folder)
    assert (report.sounds, report.without_record, report.edges) == (12, 1, 0)
    assert (tmp_path / "credits.md").read_text(encoding="utf-8").count("sound ") >= 12


@pytest.mark.parametrize(
    ("select", "ids"),
    [
        ({"tag": "tag1"}, [1, 4, 7, 10]),
        ({"tag": ["tag1", "RAIN"], "user": "user0"}, [4, 10]),
        ({"user": ["user0", "user1"], "license": ("BY", "CC0")}, list(range(1, 13))),
        ({"license": "CC0"}, []),
        ({"min_duration": 1, "max_duration": "1.2s"}, [7, 8]),
        ({"min_duration": "0"}, list(range(1, 13))),
        ({"processed_only": True, "largest_component": True, "min_score": 0.85}, list(range(1, 13))),
        ({"category": "Music"}, []),
    ],
)
def test_a_selection_takes_one_text_or_several_and_durations_as_text_or_seconds(
    folder: Path, select: dict[str, Any], ids: list[int]
) -> None:
    assert ids_of(harvester.export("jsonl", library=folder, **select)) == ids


def test_what_is_opened_once_serves_every_function(folder: Path, tmp_path: Path) -> None:
    opened = harvester.Library.open(folder)
    (folder / CHECKPOINT).unlink()
    (folder / JOURNAL).unlink()
    assert ids_of(harvester.export("jsonl", library=opened)) == list(range(1, 13))
    assert harvester.find("sound 7", library=opened).sounds[0]["id"] == 7
    assert harvester.show(7, library=opened).processed
    assert harvester.status(opened).facts["nodes"] == 12
    assert harvester.draw_map(tmp_path / "map.html", library=opened, ego=7, depth=1).sounds == 5


def test_a_map_tells_what_it_lays_out_and_holds_it(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    report = harvester.draw_map(
        tmp_path / "m.html",
        library=folder,
        title="Rain & more",
        tag="rain",
        on_layout=lambda sounds, edges: told.append((sounds, edges)),
    )
    assert told == [(12, 24)]
    assert (report.path, report.sounds, report.edges) == (tmp_path / "m.html", 12, 24)
    assert report.size_bytes == (tmp_path / "m.html").stat().st_size
    assert "<title>Rain &amp; more" in (tmp_path / "m.html").read_text(encoding="utf-8")
    with pytest.raises(harvester.SettingsError, match="sound 4711 cannot be shown"):
        harvester.draw_map(tmp_path / "m.html", library=folder, ego=4711)


def test_a_map_has_two_thousand_sounds_around_it_at_most_and_says_how_many_there_are(tmp_path: Path) -> None:
    chosen = range(1, 102)
    with open_store(tmp_path / "lib") as store:
        store.set_source(SOURCE)
        grow(store, [Known(one, NOW_US) for one in chosen])
        near = {one: SimilarList(tuple((1_000 * one + n, 0.5) for n in range(20)), NOW_US, 25) for one in chosen}
        grow(store, [Linked(one, similar) for one, similar in near.items()])
        store.checkpoint(backup=True)
    out = tmp_path / "m.html"
    report = harvester.draw_map(out, library=tmp_path / "lib", ids=chosen, context=True)
    assert (report.sounds, report.context) == (101, 2_000)
    assert report.notices == ("--context: 2,000 of 2,020 sounds around are drawn, those with the most edges",)
    few = harvester.draw_map(out, library=tmp_path / "lib", ids=[1, 2], context=True)
    assert (few.sounds, few.context, few.notices) == (2, 40, ())
    assert harvester.draw_map(out, library=tmp_path / "lib", ids=[1]).context == 0


def test_plots_are_pictures_in_a_folder(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = harvester.draw_plots(tmp_path / "plots", library=folder)
    assert sorted(report.paths) == sorted((tmp_path / "plots").iterdir())
    assert len(report.paths) == 10


def test_a_search_counts_all_and_returns_the_best(folder: Path) -> None:
    report = harvester.find("rain tag1", limit=2, library=folder)
    assert (report.query, report.total, report.searched, report.library) == ("rain tag1", 4, 12, folder)
    assert [sound["id"] for sound in report.sounds] == [10, 7]
    assert len(harvester.find(["rain"], limit=0, library=folder).sounds) == 12


def test_a_sound_has_its_record_its_list_and_those_that_list_it(folder: Path) -> None:
    sound = harvester.show(3, library=folder)
    assert (sound.id, sound.processed, sound.gone) == (3, True, False)
    assert (sound.record or {})["name"] == "sound 3"
    assert [(one["id"], one["score"]) for one in sound.neighbours] == [(4, 0.9), (5, 0.8)]
    assert [one["id"] for one in sound.listed_by] == [2, 1]
    assert (sound.similar_list or {})["origin"] == sound.as_dict()["list"]["origin"] == "server"
    with pytest.raises(harvester.SettingsError, match=r"sound 99 is not in .*library"):
        harvester.show(99, library=folder)


def test_the_status_counts_and_lists_what_waits(folder: Path) -> None:
    with open_store(folder) as store:
        grow(store, [Known(500, NOW_US)])
        store.append((), deferrals=[Deferral(500, "HTTP 503", 2, NOW_US + 10**15)])
    report = harvester.status(folder)
    counted = {name: report.facts[name] for name in ("library", "nodes", "processed", "deferred", "running", "source")}
    assert counted == {
        "library": str(folder), "nodes": 13, "processed": 12, "deferred": 1, "running": None, "source": SOURCE,
    }  # fmt: skip
    [waiting] = harvester.list_deferred(folder).sounds
    assert (waiting["id"], waiting["reason"], waiting["count"], waiting["due"]) == (500, "HTTP 503", 2, False)


def test_a_watch_loads_the_library_after_its_files_have_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = harvester.StatusWatch(folder)
    assert watch.look().facts["nodes"] == 12
    loads: list[Path] = []

    def load(folder: Path, **asked: Any) -> LibraryView:
        loads.append(folder)
        return load_view(folder, **asked)

    monkeypatch.setattr("harvester.actions.default_library.load_view", load)
    assert watch.look().facts["nodes"] == 12
    assert loads == []
    with open_store(folder) as store:
        grow(store, make_events(2, first=100))
        store.checkpoint()
    watch._next_s = 0.0  # the pause after a load is over
    assert watch.look().facts["nodes"] == 14
    assert loads == [folder]


def test_notices_about_files_are_in_the_result_and_on_an_error(folder: Path) -> None:
    (folder / CHECKPOINT).write_bytes(b"broken")
    (folder / JOURNAL).unlink()
    result = harvester.find("rain", library=folder)
    assert result.total == 12
    assert any(CHECKPOINT in line for line in result.notices)
    with pytest.raises(harvester.SettingsError) as raised:
        harvester.show(99, library=folder)
    assert tuple(raised.value.__notes__) == result.notices


def test_a_folder_without_a_library_is_named_by_what_needs_one(tmp_path: Path) -> None:
    for act in (
        lambda: harvester.export("jsonl", library=tmp_path),
        lambda: harvester.draw_map(tmp_path / "m.html", library=tmp_path),
        lambda: harvester.restore(library=tmp_path / "nowhere"),
        lambda: harvester.forget(1, library=tmp_path),
        lambda: harvester.status(tmp_path),
        lambda: harvester.list_backups(tmp_path),
    ):
        with pytest.raises(harvester.LibraryNotFound, match="library here"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_the_guide_has_its_topics() -> None:
    topics = harvester.guide_topics()
    assert list(topics) == sorted(topics)
    assert topics["status"].startswith("# Status")


def test_a_sandbox_serves_while_its_block_lasts() -> None:
    async def look() -> tuple[int, Any]:
        async with harvester.serve_sandbox(sounds=50, token=["mine"], no_throttle=True) as address:
            return 200, await asyncio.to_thread(_fetch, f"{address}search/?query=&token=mine&page_size=1")

    status, answer = asyncio.run(look())
    assert status == 200
    assert answer["count"] == 50


def _fetch(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as response:
        return json.load(response)


@pytest.mark.parametrize(
    ("call", "keyword"),
    [
        (lambda at: harvester.export("jsonl", library=at, min_score=1.5), "min_score"),
        (lambda at: harvester.export("jsonl", library=at, min_score=float("nan")), "min_score"),
        (lambda at: harvester.export("jsonl", library=at, min_duration="ten"), "min_duration"),
        (lambda at: harvester.export("jsonl", library=at, max_duration=0), "max_duration"),
        (lambda at: harvester.export("jsonl", library=at, max_duration=-1), "max_duration"),
        (lambda at: harvester.export("jsonl", library=at, tag=cast(Any, [1])), "tag"),
        (lambda at: harvester.export("parquet", at / "x.parquet", library=at, partition_rows=0), "partition_rows"),
        (lambda at: harvester.export("odt", library=at), "format"),
        (lambda at: harvester.export("credits", library=at, credits_format="pdf"), "format of credits"),
        (lambda at: harvester.export("jsonl", library=at, faithful=True), "faithful"),
        (lambda at: harvester.draw_map(at / "m.html", library=at, depth=0), "depth"),
        (lambda at: harvester.draw_map(at / "m.html", library=at, depth=True), "depth"),
        (lambda at: harvester.draw_map(at / "m.html", library=at, ego=-3), "ego"),
        (lambda at: harvester.find("x", limit=-1, library=at), "limit"),
        (lambda at: harvester.show(0, library=at), "sound_id"),
        (lambda at: harvester.forget(cast(Any, [1, 2.5]), library=at), "sound_ids"),
        (lambda at: harvester.check(at, jobs=0), "jobs"),
        (lambda at: harvester.check(at, jobs=65), "jobs"),
        (lambda at: harvester.link(at, neighbours=151), "neighbours"),
        (lambda at: harvester.link(at, min_score=-0.1), "min_score"),
        (lambda at: harvester.prune_backups(at, keep_backups=0), "keep_backups"),
        (lambda at: harvester.prune_backups(at, keep_backups=cast(Any, "5")), "keep_backups"),
    ],
)
def test_a_wrong_value_is_a_settings_error_that_names_its_keyword(call: Any, keyword: str, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(harvester.SettingsError, match=keyword) as raised:
        call(folder)
    assert isinstance(raised.value, HarvesterError)
    assert raised.value.exit_code == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
