"""What `-v`, `-vv` and `--log-json` tell, before and after the command's name, beside a panel and in the log."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harvester.cli.console import Console
from tests.support.command import call
from tests.support.processes import SandboxProcess, run, sandbox_process
from tests.support.quick_clock import QUICK

FIRST, SECOND = {"request", "next", "due"}, {"claim", "commit", "attempt"}
"""The kinds that one and two `-v` add."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Any:
    # The second request for a similar list fails once.
    with sandbox_process(tmp_path, "--no-throttle", "--fault", "500@path=/similar/@from=2@to=2") as running:
        yield running


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("before", "after", "kinds"), [((), (), set()), (("-v",), (), FIRST), ((), ("-vv",), FIRST | SECOND)]
)
def test_each_line_says_its_kind_on_stderr_and_in_the_log(
    before: tuple[str, ...], after: tuple[str, ...], kinds: set[str], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    options = ("--api-url", sandbox.url, "--level", 99, "--samples", 3, "--library", "new", "--log-json")
    ended = run(*before, "harvest", *options, *after, cwd=tmp_path, first=QUICK)
    assert ended.code == 0, ended.err
    told, logged = objects(ended.err), objects((tmp_path / "new" / "harvest.log").read_text())
    assert {one["kind"] for one in told} == {"message", "retry", "written"} | kinds
    assert {one["kind"] for one in logged} - {"start", "end"} <= {one["kind"] for one in told}
    assert kinds <= {one["kind"] for one in logged}
    for one in (*told, *logged):
        assert {*one} == {"time", "level", "kind", "text", "fields"}
        assert datetime.fromisoformat(one["time"]).utcoffset() is not None
        assert "\n" not in one["text"]
    [retry] = [one for one in told if one["kind"] == "retry"]
    assert retry["text"].startswith("retrying after HTTP 500: ")
    assert retry["fields"]["attempt"] == 2
    if kinds:
        reasons = [one["fields"]["reason"] for one in told if one["kind"] == "next"]
        assert reasons[:2] == ["the search gives the first sounds", "seed 1 of this run"]
        statuses = [one["fields"]["status"] for one in told if one["kind"] == "request"]
        assert sorted(statuses) == [200] * 4 + [401, 500]


@pytest.mark.parametrize(("given", "told"), [("0", 0), ("no", 0), ("true", 1), ("1", 1), ("2", 2), ("7", 2)])
def test_a_variable_gives_the_verbosity_as_a_number_or_a_flag(
    given: str, told: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARVESTER_VERBOSE", given)
    ask, seen = Console.ask, list[int]()

    def hear(**asked: Any) -> None:
        ask(**asked)
        seen.append(Console.verbose)

    monkeypatch.setattr(Console, "ask", hear)
    assert call("plugins", cwd=tmp_path).code == 0
    assert seen[-1] == told


def test_beside_a_panel_each_line_is_above_it(sandbox: SandboxProcess, tmp_path: Path) -> None:
    options = ("--api-url", sandbox.url, "--level", 99, "--samples", 2, "--library", "new", "--progress")
    quiet, verbose = (run(*way, "harvest", *options, cwd=tmp_path).err for way in ((), ("-v",)))
    assert "processed this run" in verbose
    assert "next: similar list of sound" not in quiet
    assert "next: similar list of sound" in verbose


def test_an_error_is_a_json_object_too(tmp_path: Path) -> None:
    ended = run("--log-json", "show", 5, "--library", "none", cwd=tmp_path)
    [told] = objects(ended.err)
    assert ended.code == 28
    assert (told["level"], told["kind"]) == ("error", "message")
    assert told["text"].startswith("harvester: none: there is no library here")
