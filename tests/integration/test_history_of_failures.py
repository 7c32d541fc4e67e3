"""A run that fails is in the history too, with its exit code and what the server refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harvester.library import KILLED
from harvester.storage import HISTORY
from tests.support.processes import run, sandbox_process


@pytest.mark.parametrize(
    ("fault", "code", "end", "refusals"),
    [("401@from=3", 10, "the API refuses the key", (0, 1)), ("429-day@from=3", 0, "quota used up", (1, 0))],
)
def test_the_line_of_a_run_that_was_refused(
    fault: str, code: int, end: str, refusals: tuple[int, int], tmp_path: Path
) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--fault", f"{fault}@path=/similar/") as sandbox:
        options = ("--api-url", sandbox.url, "--level", 99, "--concurrency", 1, "--library", "new")
        ended = run("harvest", *options, cwd=tmp_path)
        assert ended.code == code, ended.err
    [row] = json.loads(run("history", "--json", "--library", "new", cwd=tmp_path).out)
    assert row["end"].startswith(end)
    assert (row["exit_code"], row["refused"], row["denied"], row["processed"]) == (code, *refusals, 2)


def test_only_a_run_that_recorded_no_end_was_killed(tmp_path: Path) -> None:
    def harvest() -> list[str]:
        ended = run("harvest", "--sandbox", "--library", "new", "--samples", 1, cwd=tmp_path)
        assert ended.code == 0, ended.err
        return [row["end"] for row in json.loads(run("history", "--json", "--library", "new", cwd=tmp_path).out)]

    history, status = (tmp_path / "new" / name for name in (HISTORY, "status.json"))
    assert harvest() == ["target reached"]
    history.unlink()  # it is on another branch
    assert harvest() == ["target reached"]
    figures = json.loads(status.read_text())
    assert figures.pop("end") == "target reached"
    history.unlink()
    status.write_text(json.dumps(figures))  # as a kill leaves it
    assert harvest() == [KILLED, "target reached"]
