"""`harvester harvest --sweep --vectors` and `harvester link` as users run them: real processes, sockets, kills."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from harvester import Library
from harvester.library.reader import load_view
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.storage.paths import VECTORS
from harvester.vectors.store import load_vectors
from tests.integration.test_harvest_command import LIBRARY, one_line
from tests.support.processes import Ended, SandboxProcess, run, sandbox_process, start, start_interpreter, wait_until

SOUNDS, SPACE = 1000, "laion_clap"
SWEEP = ("harvest", "--level", 99, "--sweep", "--filter", "duration:[0 TO *]", "--vectors", SPACE)


def pages(sandbox: SandboxProcess) -> list[tuple[str, str, str]]:
    """Return the pages of the sweep that were asked for: window, page, size."""
    queries = [parse_qs(urlsplit(request["path"]).query) for request in sandbox.requests()]
    return [
        (query["filter"][0], query.get("page", ["1"])[0], query["page_size"][0])
        for query in queries
        if "filter" in query
    ]


def test_a_sweep_and_a_link_give_the_server_s_own_lists_for_a_page_each_150_sounds(tmp_path: Path) -> None:
    catalogue = GeneratedCatalogue(SOUNDS, 7)
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", SOUNDS) as sandbox:
        ask = ("--api-url", sandbox.url)
        swept = run(*SWEEP, *ask, cwd=tmp_path)
        assert swept.code == 0, swept.err
        assert "harvester link" in swept.err
        assert len(pages(sandbox)) == 7 == sandbox.counted()
        linked = run("link", "--json", cwd=tmp_path)
        assert linked.code == 0, linked.err
        assert sandbox.counted() == 7
        state = load_view(tmp_path / LIBRARY).state
        found = expected = 0
        for sound_id in state.graph:
            theirs = dict(catalogue.neighbours(sound_id, SPACE)[:25])
            similar = state.similar(sound_id)
            ours = dict(similar.neighbours) if similar else {}
            expected, found = expected + len(theirs), found + len(theirs.keys() & ours.keys())
            assert all(abs(ours[other] - score) < 1e-3 for other, score in theirs.items() if other in ours)
        assert found / expected >= 0.99
        assert json.loads(linked.out)["new"] == 990 == len(state.processed)
        verified = run("link", "--verify", 20, "--level", 99, *ask, cwd=tmp_path)
        assert "verifying takes 20 requests" in verified.err
        assert re.search(r"20 lists compared: .* \((99|100)\.\d %\)", verified.err), verified.err
        assert sandbox.counted() == 27
        shown = run("show", min(state.processed), cwd=tmp_path)
        assert re.search(r"25 neighbours \(computed here on \d{4}-", shown.out)
        status = json.loads(run("status", "--json", cwd=tmp_path).out)
        assert (status["lists"], status["computed_lists"], status["vectors"]) == (990, 990, 990)
        assert run("check", cwd=tmp_path).out == ""
        # What waits now are the sounds that are not analysed yet: an ordinary harvest's business.
        assert status["frontier"] == 10
        assert run(*SWEEP, *ask, cwd=tmp_path).code == 0
        assert sandbox.counted() == 34  # all is linked: looks for what is new


def test_pages_that_are_cut_short_are_read_in_parts(tmp_path: Path) -> None:
    fault = ("--fault", "truncate@path=page_size=150")
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 400, *fault) as sandbox:
        ended = run(*SWEEP, "--api-url", sandbox.url, "--concurrency", 1, cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert "retrying with smaller pages" in ended.err
        sizes = [size for _, _, size in pages(sandbox)]
    assert sizes == ["150", *["75"] * 6]
    assert len(load_vectors(tmp_path / LIBRARY).places) == 396


def test_a_sweep_killed_anywhere_pays_no_page_twice_but_those_in_flight(tmp_path: Path) -> None:
    concurrency = 2
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 1500, "--latency-ms", 30) as sandbox:
        base = (*SWEEP, "--api-url", sandbox.url, "--concurrency", concurrency)
        for killed_at in (3, 7):
            process = start(*base, cwd=tmp_path)
            wait_until(lambda at=killed_at: len(pages(sandbox)) >= at, what=f"page {killed_at}")
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert run(*base, cwd=tmp_path).code == 0
        asked = pages(sandbox)
    assert len(asked) - len(set(asked)) <= 2 * concurrency
    assert len(load_view(tmp_path / LIBRARY).state) == 1500
    assert len(load_vectors(tmp_path / LIBRARY).places) == 1485


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 1,500 sounds with their vectors, not linked yet."""
    folder = tmp_path_factory.mktemp("swept")
    with sandbox_process(folder, "--no-throttle", "--sounds", 1500) as sandbox:
        assert run(*SWEEP, "--api-url", sandbox.url, cwd=folder).code == 0
    return folder / LIBRARY


def kill_and_link_again(swept: Path, folder: Path, delay_s: float) -> int:
    """Kill a link after some time, look at what is left, link again; return how many lists there were."""
    folder.mkdir(exist_ok=True)
    library = shutil.copytree(swept, folder / "library")
    vectors = (library / VECTORS).read_bytes()
    with start_interpreter("link", "--library", library, cwd=folder) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=delay_s)
        process.send_signal(signal.SIGKILL)
    after = load_view(library).state.list_count
    assert after in (0, 1485)
    assert (library / VECTORS).read_bytes() == vectors
    assert run("link", "--library", library, cwd=folder).code == 0
    assert load_view(library).state.list_count == 1485
    assert run("check", "--library", library, cwd=folder).code == 0
    return after


def test_a_link_that_was_killed_can_be_run_again(swept: Path, tmp_path: Path) -> None:
    kill_and_link_again(swept, tmp_path, 0.5)


def test_verifying_spends_what_it_says_even_where_every_other_answer_fails(swept: Path, tmp_path: Path) -> None:
    library = shutil.copytree(swept, tmp_path / "library")
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 1500, "--fault", "500@every=2@path=similar") as sandbox:
        ask = ("--level", 99, "--api-url", sandbox.url)
        ended = run("link", "--library", library, "--verify", 4, *ask, cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert sandbox.counted() == 4
    assert "2 of 4 lists not compared: 4 requests sent, the limit of this run" in ended.err
    assert "2 lists compared" in ended.err


@pytest.mark.chaos
def test_a_link_killed_anywhere_has_not_happened_or_is_whole(swept: Path, tmp_path: Path) -> None:
    started_s = time.monotonic()
    assert kill_and_link_again(swept, tmp_path / "whole", 600.0) == 1485
    whole_s = (time.monotonic() - started_s) / 3  # the link, the second one, check
    left = [kill_and_link_again(swept, tmp_path / str(step), whole_s * step / 25) for step in range(30)]
    print(f"30 kills of a link: {left.count(0)} times it had not happened, {left.count(1485)} times it was whole")


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    one_line(run("link", cwd=tmp_path, key=None), 28, "no library")
    Library.open(tmp_path / "sandbox_library", create=True)
    one_line(run("link", "--library", "sandbox_library", cwd=tmp_path, key=None), 2, "no vectors")
    # Where numpy is not installed, one line says what installs it.
    bare = "import sys; sys.modules['numpy'] = None; sys.argv[1:] = ['link']; from harvester.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", bare], cwd=tmp_path, capture_output=True, text=True)
    one_line(Ended(ended.returncode, ended.stdout, ended.stderr), 2, "link needs numpy: ")
    one_line(run("harvest", "--vectors", SPACE, cwd=tmp_path, key=None), 2, "--sweep")
    one_line(run("harvest", "--sweep", "--query", "a", "--vectors", "x", cwd=tmp_path, key=None), 2, "laion_clap")
