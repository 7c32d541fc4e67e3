"""`harvester harvest --sweep` and `harvester refresh` as users run them, on real sockets."""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.integration.test_harvest_command import LIBRARY, load, one_line
from tests.support.processes import SandboxProcess, run, sandbox_process, start, wait_until


def searches(sandbox: SandboxProcess) -> list[tuple[str, int]]:
    """Return the pages of searches that were answered: filter and page."""
    asked = []
    for request in sandbox.requests():
        parts = urlsplit(request["path"])
        query = parse_qs(parts.query)
        if parts.path.endswith("/search/") and "query" in query | parse_qs(parts.query, keep_blank_values=True):
            asked.append((query.get("filter", [""])[0], int(query.get("page", ["1"])[0])))
    return asked


def test_a_sweep_brings_every_hit_in_windows_and_links_them(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 2600) as sandbox:
        base = ("harvest", "--api-url", sandbox.url, "--level", 99, "--sweep", "--filter", "duration:[0 TO 60]")
        ended = run(*base, "--samples", 0, cwd=tmp_path)
        assert ended.code == 0, ended.err
        swept = load(tmp_path / LIBRARY)
        hits = len(swept["graph"])
        assert hits > 1500
        assert all(record["duration"] <= 60 for record in swept["sound_cache"].values())
        pages = searches(sandbox)
        assert len(pages) == -(-(hits + 1) // 150)
        assert max(page for _, page in pages) <= 10
        assert len({filter for filter, _ in pages}) == 2
        assert run(*base, "--samples", 30, "--max-requests", 20, cwd=tmp_path).code == 0
        assert run(*base, "--samples", 10, cwd=tmp_path).code == 0
        assert len(searches(sandbox)) == len(pages)
        assert len(load(tmp_path / LIBRARY)["processed_ids"]) == 30


def test_a_sweep_killed_anywhere_resumes_at_the_page(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 3000, "--latency-ms", 30) as sandbox:
        base = ("harvest", "--api-url", sandbox.url, "--level", 99, "--sweep", "--filter", "duration:[0 TO 3600]",
                "--samples", 0, "--concurrency", 2)  # fmt: skip
        for killed_at in (4, 12):
            process = start(*base, cwd=tmp_path)
            wait_until(lambda at=killed_at: len(searches(sandbox)) >= at, what=f"page {killed_at}")
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert run(*base, cwd=tmp_path).code == 0
        asked = searches(sandbox)
    assert len(load(tmp_path / LIBRARY)["graph"]) >= 2990
    # What was on the wire at a kill, or answered and not yet written, is asked again: never more.
    assert len(asked) - len(set(asked)) <= 2 * 2 * 2


def test_a_sweep_of_everything_is_refused_in_one_line(tmp_path: Path) -> None:
    one_line(run("harvest", "--sweep", cwd=tmp_path, key=None), 2, "--query or --filter")
    one_line(run("harvest", "--samples", 0, cwd=tmp_path, key=None), 2, "--sweep")


def test_refresh_reads_150_a_request_and_leaves_what_is_fresh(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 400) as sandbox:
        options = ("--api-url", sandbox.url, "--level", 99)
        assert run("harvest", *options, "--samples", 30, cwd=tmp_path).code == 0
        before = load(tmp_path / LIBRARY)["graph"]
        asked = sandbox.counted()
        fresh = run("refresh", *options, "--older-than", "1d", cwd=tmp_path)
        assert "nothing was stale" in fresh.err
        assert sandbox.counted() == asked
        ended = run("refresh", *options, "--older-than", "0s", "--extra-fields", "bpm", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert sandbox.counted() - asked == -(-len(before) // 150)
    after = load(tmp_path / LIBRARY)["graph"]
    assert set(after) == set(before)
    assert all(after.nodes[i]["fetched_at"] > before.nodes[i]["fetched_at"] for i in after)
    assert all("bpm" in after.nodes[i] for i in after)
