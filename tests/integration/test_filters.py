"""Filters through the real command line and client: what is found, what is told, what is refused before a request."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest

from harvester.filters import build_filter, join_filters
from harvester.freesound.client import FreesoundClient
from tests.integration.test_client_on_sockets import KEY, make_client, transport_to
from tests.integration.test_harvest_command import LIBRARY, load, one_line
from tests.support.processes import run, sandbox_process
from tests.support.recorded import FILTER_CATALOGUE, read_rows, recorded_filters
from tests.support.world import make_record

CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
BY = "http://creativecommons.org/licenses/by/4.0/"
TAGS = [["c++"], ["c"], ["a:b"], ["b"], ["rain"], ["tent"], ["rain", "tent"], ["wind"]]


def catalogue(folder: Path) -> Path:
    """Write 16 sounds: each row of `TAGS` once under either license."""
    path = folder / "catalogue.jsonl"
    rows = [
        make_record(
            number + 1, tags=tags, license=license, type="wav", username="maker", description="", avg_rating=0.0,
            num_ratings=0, duration=1.0, channels=1, previews={}, images={},
        )
        for number, (license, tags) in enumerate((license, tags) for license in (CC0, BY) for tags in TAGS)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("options", "found", "sent"),
    [
        (
            ("--cc0", "--filter", "tag:rain OR tag:tent"),
            {5, 6, 7},
            'tag:(rain OR tent) license:"Creative Commons 0"',
        ),
        (("--tag", "c++"), {1, 9}, r'tag:"c\+\+"'),
        (("--tag", "a:b"), {3, 11}, r'tag:"a\:b"'),
        (("--filter", "NOT tag:rain", "--by"), {9, 10, 11, 12, 14, 16}, '-tag:rain license:"Attribution"'),
    ],
)
def test_a_sweep_collects_what_the_filter_says(
    tmp_path: Path, options: tuple[str, ...], found: set[int], sent: str
) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--catalogue", catalogue(tmp_path)) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, "--sweep", "--samples", 0, *options, cwd=tmp_path)
        asked = [parse_qs(urlsplit(request["path"]).query).get("filter") for request in sandbox.requests()]
    assert ended.code == 0, ended.err
    assert set(load(tmp_path / LIBRARY)["graph"]) == found
    assert [sent] in asked
    assert "has no effect" not in ended.err


def test_a_walk_with_alternatives_and_a_preset_makes_samples_of_both_only(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 1500) as sandbox:
        options = ("--api-url", sandbox.url, "--level", 99, "--samples", 15, "--neighbours", 40)
        walk = ("--cc0", "--filter", "type:wav OR type:flac")
        ended = run("harvest", *options, *walk, cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert "does not match the filter" not in ended.err
        library = load(tmp_path / LIBRARY)
        samples = [library["sound_cache"][sound_id] for sound_id in library["processed_ids"]]
        assert len(samples) == 15
        assert {record["license"].split("/")[-3] for record in samples} == {"zero"}
        assert {record["type"] for record in samples} <= {"wav", "flac"}
        # The filter of the lists is compared with that of the next walk as text: no list is asked for twice.
        again = run("harvest", *options, "--cc0", "--filter", " (type:wav  OR type:flac)", cwd=tmp_path)
        assert again.code == 0, again.err
        assert max(sandbox.lists_asked().values()) == 1
    assert len(load(tmp_path / LIBRARY)["processed_ids"]) == 30


def test_the_client_finds_by_two_recorded_filters_and_a_preset_what_all_three_say(tmp_path: Path) -> None:
    sounds, rows = read_rows(FILTER_CATALOGUE), recorded_filters()
    cc0 = {sound["id"] for sound in sounds if "/zero/" in sound["license"]}
    # Those of which every part is recorded and which find something as they were sent.
    found = {
        row["filter"]: set(row["ids_in_catalogue"]) for row in rows if row.get("count") and "<" not in row["filter"]
    }
    assert len(found) == 40
    pairs = Random(12).sample([(one, other) for one in found for other in found], 60)

    async def ask(url: str) -> None:
        async with transport_to(url) as transport:
            client = make_client(transport)
            for one, other in pairs:
                text = join_filters(one, build_filter(other, cc0=True).text)
                assert await _found(client, text) == found[one] & found[other] & cc0, text

    with sandbox_process(tmp_path, "--no-throttle", "--token", KEY, "--catalogue", FILTER_CATALOGUE) as sandbox:
        asyncio.run(ask(sandbox.url))


async def _found(client: FreesoundClient, text: str) -> set[int]:
    found: set[int] = set()
    page, has_next = 1, True
    while has_next:
        answer = await client.search(filter=text, page=page, page_size=25)
        found |= {record["id"] for record in answer.records}
        page, has_next = page + 1, answer.has_next
    return found


def test_what_has_no_effect_is_told_in_one_line_and_kept_out_of_the_data(tmp_path: Path) -> None:
    ended = run("plan", "--json", "--filter", "tag:rain OR tag:wind type:wav", cwd=tmp_path, key=None)
    assert ended.code == 0, ended.err
    told = [line for line in ended.err.splitlines() if "no effect" in line]
    assert told == [
        "in the filter, `tag:rain OR tag:wind` has no effect beside `type:wav`; write `tag:(rain OR wind) type:wav`"
    ]
    assert json.loads(ended.out)["hits"] > 0


NONSENSE = [
    "tag:(rain",
    'tag:"rain',
    "nosuch:1",
    "rain",
    "tag:rain tent",
    "tag:/ra.n/",
    "tag:a^2",
    "- tag:a",
    "tag:\udcff",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused_before_a_request_and_without_a_library_left_behind(tmp_path: Path, text: str) -> None:
    for command in ("harvest", "plan"):
        ended = run(command, "--filter", text, "--api-url", "http://127.0.0.1:9/apiv2/", cwd=tmp_path)
        one_line(ended, 2, "the filter cannot be used: ")
        assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_filter_from_the_settings_file_is_refused_alike(tmp_path: Path) -> None:
    settings = tmp_path / "harvester.toml"
    settings.write_text("[harvest]\nfilter = 'tags:rain'\n[plan]\nfilter = 'tag:('\n")
    one_line(run("harvest", cwd=tmp_path, key=None), 2, "there is no name 'tags' to filter by; did you mean 'tag'?")
    one_line(run("plan", cwd=tmp_path, key=None), 2, "a bracket '(' is not closed")
    assert list(tmp_path.iterdir()) == [settings]


def test_a_second_run_under_another_filter_or_none_processes_new_sounds_only(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 400) as sandbox:
        command = ("harvest", "--api-url", sandbox.url, "--level", 99)
        first = run(*command, "--samples", 1, "--max-duration", "1h", cwd=tmp_path)
        (sample,) = load(tmp_path / LIBRARY)["processed_ids"]
        again = run(*command, "--samples", 1, "--seed", sample, "--max-duration", "2h", cwd=tmp_path)
        unfiltered = run(*command, "--samples", 2, cwd=tmp_path)
        nothing = run(*command, "--samples", 2, "--filter", f"id:{sample}", cwd=tmp_path)
        assert max(sandbox.lists_asked().values()) == 1
    assert {ended.code for ended in (first, again, unfiltered, nothing)} == {0}
    assert "target reached: +1 processed (1), " in first.err
    assert "target reached: +1 processed (2), " in again.err
    assert "target reached: +2 processed (4), " in unfiltered.err
    assert "exhausted: +0 processed (4), +0 sounds" in nothing.err
    assert "read again" not in again.err + unfiltered.err + nothing.err
    status = json.loads(run("status", "--json", cwd=tmp_path).out)
    assert status["processed"] == 4
