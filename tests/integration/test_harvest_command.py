"""`harvester harvest` as users run it: real processes, real sockets, real files."""

from __future__ import annotations

import json
import math
import signal
import subprocess
from pathlib import Path
from typing import Any

import joblib
import networkx as nx
import pytest

from harvester import Library
from harvester.model import RECORD_FIELDS
from tests.support.processes import run, sandbox_process, start, start_interpreter, wait_until
from tests.support.quick_clock import QUICK

LIBRARY = Path("sandbox_library")


def load(folder: Path) -> dict[str, Any]:
    library: dict[str, Any] = joblib.load(folder / "freesound_library.pkl")
    return library


def test_two_runs_without_a_key_give_a_library_of_fifty_and_then_a_hundred_samples(tmp_path: Path) -> None:
    first = run("harvest", cwd=tmp_path, key=None)
    assert (first.code, first.out) == (0, "")
    assert "FREESOUND_API_KEY" in first.err
    assert "sandbox" in first.err

    library = load(tmp_path / LIBRARY)
    graph = library["graph"]
    assert set(library) == {"graph", "processed_ids", "sound_cache", "metadata"}
    assert type(graph) is nx.DiGraph
    assert len(library["processed_ids"]) == 50
    assert set(library["sound_cache"]) == set(graph.nodes)
    assert all(library["sound_cache"][sound_id] is graph.nodes[sound_id] for sound_id in graph)
    for sound_id in library["processed_ids"]:
        scores = [edge["score"] for _, _, edge in graph.out_edges(sound_id, data=True)]
        assert scores
        assert all(0.7 <= score <= 1 for score in scores)
    assert library["metadata"]["nodes"] == len(graph)
    assert library["metadata"]["edges"] == graph.number_of_edges()

    assert run("harvest", cwd=tmp_path, key=None).code == 0
    grown = load(tmp_path / LIBRARY)
    assert len(grown["processed_ids"]) == 100
    assert library["processed_ids"] < grown["processed_ids"]


def test_every_real_record_arrives_unchanged_in_the_fields_that_were_asked_for(
    tmp_path: Path, real_records: Path
) -> None:
    files = [real_records / "real_sounds_300.jsonl", real_records / "edge_cases.jsonl"]
    given: dict[int, dict[str, Any]] = {}
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            sound = row.get("sound", row)
            given.setdefault(sound["id"], sound)
    catalogue = [part for path in files for part in ("--catalogue", path)]
    with sandbox_process(tmp_path, "--no-throttle", *catalogue) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 1000, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "exhausted" in ended.err
    library = load(tmp_path / LIBRARY)
    assert library["processed_ids"] == set(given)
    for sound_id, sound in given.items():
        asked = {name: sound[name] for name in RECORD_FIELDS if name in sound}
        kept = library["sound_cache"][sound_id]
        assert {name: kept[name] for name in asked} == asked
        assert all(type(kept[name]) is type(asked[name]) for name in asked)


@pytest.mark.parametrize("neighbours", [5, 25, 150])
def test_a_sample_costs_one_request_and_seeds_one_per_150(tmp_path: Path, neighbours: int) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 1000) as sandbox:
        arguments = ("harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 60, "--neighbours", neighbours)
        assert run(*arguments, cwd=tmp_path).code == 0
        assert sandbox.counted() == 60 + 1
        assert run(*arguments, cwd=tmp_path).code == 0
        assert sandbox.counted() == 120 + 1
        assert max(sandbox.lists_asked().values()) == 1


def test_seeds_that_are_new_cost_one_request_for_all_their_records(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 1000) as sandbox:
        hits = run("harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 1, cwd=tmp_path)
        assert hits.code == 0
        seeds = sorted(load(tmp_path / LIBRARY)["processed_ids"] | set(load(tmp_path / LIBRARY)["graph"]))[:20]
        options = [part for seed in seeds for part in ("--seed", seed)]
        other = tmp_path / "other"
        before = sandbox.counted()
        ended = run(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 20, "--library", other, *options,
            cwd=tmp_path,
        )  # fmt: skip
        assert ended.code == 0, ended.err
        assert load(other)["processed_ids"] == set(seeds)
        assert sandbox.counted() - before == 20 + 1


def test_a_killed_harvest_resumes_with_every_counted_sample_and_asks_no_list_twice(tmp_path: Path) -> None:
    concurrency = 4
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 400, "--latency-ms", 5) as sandbox:
        arguments = (
            "harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 5000, "--concurrency", concurrency,
        )  # fmt: skip
        for kills, killed_at in enumerate((40, 120, 250), start=1):
            process = start(*arguments, cwd=tmp_path)
            wait_until(lambda at=killed_at: sum(sandbox.lists_asked().values()) >= at, what=f"request {killed_at}")
            counted = json.loads(run("status", "--json", cwd=tmp_path).out)["processed"]
            process.kill()
            process.communicate()
            after = json.loads(run("status", "--json", cwd=tmp_path).out)
            assert after["processed"] >= counted > 0
            assert after["running"] is None
            assert 0 <= sum(sandbox.lists_asked().values()) - after["processed"] <= concurrency * kills
        ended = run(*arguments, cwd=tmp_path, timeout_s=120)
        assert ended.code == 0, ended.err
        asked = sandbox.lists_asked()
    library = load(tmp_path / LIBRARY)
    assert len(library["processed_ids"]) >= 390
    assert set(library["sound_cache"]) == set(library["graph"].nodes)
    again = [sound_id for sound_id, times in asked.items() if times > 1]
    assert len(again) <= concurrency * 3


def test_the_first_ctrl_c_ends_in_order_and_keeps_everything(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 20) as sandbox:
        process = start_interpreter("harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 5000, cwd=tmp_path)
        wait_until(lambda: len(sandbox.requests()) > 30, what="some requests")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        library = load(tmp_path / LIBRARY)
        assert library["processed_ids"] == set(sandbox.lists_asked())


@pytest.mark.parametrize("how", ["SIGINT", "--time-limit"])
def test_a_run_whose_server_never_answers_ends_in_order_when_it_is_asked_to(tmp_path: Path, how: str) -> None:
    limit = ("--time-limit", "1s") if how == "--time-limit" else ()
    with sandbox_process(tmp_path, "--fault", "no-answer") as sandbox:
        process = start("harvest", "--api-url", sandbox.url, *limit, cwd=tmp_path)
        if not limit:
            wait_until(lambda: sandbox.requests(), what="the first request")
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert ": no library was begun in" in err
    assert not (tmp_path / LIBRARY).exists()
    assert ("time limit reached" if limit else "asked to stop (SIGINT)") in err
    assert "Traceback" not in err


def test_the_log_tells_the_run_and_a_hang_up_reopens_it(tmp_path: Path) -> None:
    log = tmp_path / LIBRARY / "harvest.log"
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 20) as sandbox:
        arguments = ("--api-url", sandbox.url, "--level", 99, "--samples", 5000, "--backup-every", 5)
        process = start("harvest", *arguments, cwd=tmp_path)
        wait_until(lambda: log.exists() and "checkpoint" in log.read_text(), what="a line about a checkpoint")
        log.rename(tmp_path / "moved")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "end: asked to stop (SIGTERM)" in log.read_text()
    assert "start: 0 processed sounds so far" in (tmp_path / "moved").read_text()


def test_an_extra_field_that_the_api_does_not_know_is_told(tmp_path: Path) -> None:
    ended = run("harvest", "--samples", 2, "--extra-fields", "bpm,loudnes", cwd=tmp_path, key=None)
    assert ended.code == 0, ended.err
    assert "no record has the extra field 'loudnes'" in ended.err
    assert "bpm" not in ended.err
    assert any("bpm" in attributes for _, attributes in load(tmp_path / LIBRARY)["graph"].nodes.items())


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--fault", "no-answer@path=/similar/@from=20") as sandbox:
        process = start("harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 5000, cwd=tmp_path)
        wait_until(lambda: len(sandbox.requests()) > 23, what="requests without an answer")
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.7)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=15)
        assert process.returncode == 143, err
        assert json.loads(run("status", "--json", cwd=tmp_path).out)["processed"] > 0


def one_line(ended: Any, code: int, *words: str) -> None:
    assert ended.code == code, ended.err
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("harvester: ")
    assert "Traceback" not in ended.err
    for word in words:
        assert word in last, last


def test_an_unreachable_address_is_one_line_and_exit_11(tmp_path: Path) -> None:
    # Its waits are drawn at random: 8 to 19 s as a rule, by its own clock.
    ended = run("harvest", "--api-url", "http://127.0.0.1:9/apiv2/", cwd=tmp_path, first=QUICK)
    one_line(ended, 11, "127.0.0.1:9")


def test_a_wrong_key_is_one_line_and_exit_10_and_never_shown(tmp_path: Path) -> None:
    with sandbox_process(tmp_path) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, cwd=tmp_path, key="notAKeyAtAll123")
        one_line(ended, 10, "Invalid token")
        assert "notAKeyAtAll123" not in ended.err


def test_a_key_without_quota_ends_with_what_it_got_and_says_until_when(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--burst", 10000, "--daily", 12) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, "--limits", "10000/12", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert "quota" in ended.err
        assert len(load(tmp_path / LIBRARY)["processed_ids"]) == 11
        again = run("harvest", "--api-url", sandbox.url, "--limits", "10000/12", cwd=tmp_path)
        assert again.code == 0
        assert "quota" in again.err
        assert sandbox.counted() == 12
        assert not [request for request in sandbox.requests() if request["status"] == 429]


def test_an_exhausted_frontier_is_said_and_exit_0(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 20) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, "--level", 99, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "exhausted" in ended.err


def test_a_file_in_place_of_the_folder_is_one_line_and_exit_28(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    one_line(run("harvest", "--library", "file", cwd=tmp_path, key=None), 28, "file: it is not a folder")


def test_a_filter_that_freesound_cannot_read_is_one_line_and_exit_2(tmp_path: Path) -> None:
    one_line(run("harvest", "--filter", "tag:(rain", cwd=tmp_path, key=None), 2, "a bracket '(' is not closed")


def test_a_search_without_hits_asks_for_nothing_else(tmp_path: Path) -> None:
    assert run("harvest", "--samples", 3, cwd=tmp_path, key=None).code == 0
    ended = run("harvest", "--query", "zzzznothing", cwd=tmp_path, key=None)
    assert ended.code == 0
    assert "the search found nothing: +0 processed" in ended.err


def test_a_filter_restricts_the_whole_walk_and_a_later_run_goes_on_inside_it(tmp_path: Path) -> None:
    for samples in (10, 20):
        assert run("harvest", "--cc0", "--samples", 10, "--neighbours", 5, cwd=tmp_path, key=None).code == 0
        library = load(tmp_path / LIBRARY)
        assert len(library["processed_ids"]) == samples
        assert all("publicdomain/zero" in record["license"] for record in library["sound_cache"].values())


def test_a_library_of_another_source_is_refused_untouched_with_exit_23(tmp_path: Path) -> None:
    assert run("harvest", cwd=tmp_path, key=None).code == 0
    before = (tmp_path / LIBRARY / "freesound_library.pkl").read_bytes()
    with sandbox_process(tmp_path, "--sounds", 77) as sandbox:
        ended = run("harvest", "--api-url", sandbox.url, cwd=tmp_path)
    one_line(ended, 23, "sandbox:")
    assert (tmp_path / LIBRARY / "freesound_library.pkl").read_bytes() == before


def test_a_second_harvest_of_the_same_library_is_refused_with_exit_20_and_the_pid(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 20) as sandbox:
        process = start("harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 5000, cwd=tmp_path)
        wait_until(lambda: len(sandbox.requests()) > 5, what="a running harvest")
        assert json.loads(run("status", "--json", cwd=tmp_path).out)["running"] == process.pid
        one_line(run("harvest", "--api-url", sandbox.url, cwd=tmp_path), 20, str(process.pid))
        process.terminate()
        process.communicate(timeout=20)


def test_a_shortened_run_at_a_keys_own_limits_sees_not_one_429(tmp_path: Path) -> None:
    # A real key's 60 a minute would need minutes; 2,400 a minute shows the same law in two seconds.
    with sandbox_process(tmp_path, "--burst", 2400, "--daily", 2000) as sandbox:
        ended = run(
            "harvest", "--api-url", sandbox.url, "--limits", "2400/2000", "--samples", 70, "--concurrency", 8,
            cwd=tmp_path,
        )  # fmt: skip
        assert ended.code == 0, ended.err
        assert not [request for request in sandbox.requests() if request["status"] == 429]
        assert math.isclose(sandbox.counted(), 71, abs_tol=1)
        sent_s = [request["t"] for request in sandbox.requests() if request["status"] == 200]
        assert sent_s[-1] - sent_s[0] >= 0.98 * 60 / 2400 * (len(sent_s) - 1)


def test_status_of_an_empty_library_prints_zeros_and_exits_0(tmp_path: Path) -> None:
    Library.open(tmp_path / "empty", create=True)
    ended = run("status", "--json", "--library", "empty", cwd=tmp_path)
    assert ended.code == 0
    facts = json.loads(ended.out)
    keys = ("nodes", "edges", "processed", "frontier", "gone", "deferred", "requests_24h")
    assert [facts[key] for key in keys] == [0] * len(keys)
    assert facts["running"] is None
    assert {"quota_left", "source"} <= set(facts)


def test_show_prints_a_sound_and_refuses_an_unknown_one_in_one_line(tmp_path: Path) -> None:
    assert run("harvest", "--samples", 3, cwd=tmp_path, key=None).code == 0
    sample = min(load(tmp_path / LIBRARY)["processed_ids"])
    shown = json.loads(run("show", sample, "--json", cwd=tmp_path, key=None).out)
    assert shown["processed"] is True
    assert shown["record"]["id"] == sample
    assert len(shown["neighbours"]) == load(tmp_path / LIBRARY)["graph"].out_degree(sample)
    assert str(sample) in run("show", sample, cwd=tmp_path, key=None).out
    one_line(run("show", 999999999, cwd=tmp_path, key=None), 2, "999999999")
