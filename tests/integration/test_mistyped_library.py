"""A library that is not there is named by each command that needs one, and nothing is made or changed there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import harvester
from harvester.clock import SystemClock
from harvester.errors import LibraryNotFound
from harvester.storage.lock import WriterLock
from tests.integration.options.table import declared
from tests.support.command import call
from tests.support.processes import ROOT, environment

NEEDS: dict[str, tuple[str, ...]] = {
    "refresh": ("refresh --sandbox",),
    "link": ("link", "link --sandbox --verify 1"),
    "status": ("status", "status --json", "status --watch", "status --deferred", "status --plot plots"),
    "show": ("show 1", "show 1 --json"),
    "find": ("find rain",),
    "export": ("export jsonl", "export csv -o out.csv", "export credits"),
    "map": ("map", "map --static map.png"),
    "browse": ("browse",),
    "analyse": ("analyse", "analyse --json"),
    "relate": ("relate", "relate --dry-run"),
    "sql": ("sql", "sql SELECT/**/1"),
    "previews": ("previews --all", "previews --all --dry-run"),
    "check": ("check", "check --repair", "check --repair --dry-run"),
    "backups list": ("backups list", "backups list --json"),
    "backups prune": ("backups prune", "backups prune --yes", "backups prune --dry-run"),
    "restore": ("restore", "restore nosuch --yes", "restore --dry-run"),
    "history": ("history", "history --json"),
    "forget": ("forget 1", "forget 1 --yes", "forget 1 --dry-run"),
}
"""The commands that work on a library that is there: the lines of each."""

NEEDS_NONE = {
    "harvest": "it makes one",
    "import": "it makes one",
    "merge": "it makes one, from others",
    "plan": "it tells the cost of the first harvest, and says so",
    "init": "it makes the folder of one",
    "git-setup": "it prepares the folder before the first harvest",
    "git-merge": "it works on two files",
    "git-textconv": "it works on one file",
    "service": "its text is for harvests to come",
    "sandbox": "it has sounds of its own",
    "config": "it is about settings",
    "plugins": "it is about packages",
    "guide": "it is about all of it",
}
"""The other commands, each with its reason."""

LINES = [line for lines in NEEDS.values() for line in lines]


def test_each_command_says_whether_it_needs_a_library() -> None:
    commands = {command for command, _ in declared() if command}
    assert NEEDS.keys() | NEEDS_NONE.keys() == commands
    assert not NEEDS.keys() & NEEDS_NONE.keys()


@pytest.mark.parametrize("place", ["missing", "empty", "of other files", "a file"])
@pytest.mark.parametrize("line", LINES)
def test_a_command_that_needs_a_library_names_the_place_without_one(line: str, place: str, tmp_path: Path) -> None:
    folder = tmp_path / "mistyped"
    if place == "a file":
        folder.write_text("mine")
    elif place != "missing":
        folder.mkdir()
    if place == "of other files":
        (folder / "odd.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    ended = call(*line.split(), "--library", "mistyped", cwd=tmp_path)
    assert (ended.code, ended.out) == (28, ""), ended.err
    told = [one for one in ended.err.splitlines() if "sandbox" not in one]
    how = {
        "missing": "there is no library here (no such folder); `harvester harvest` makes one",
        "a file": "it is not a folder; name the folder of a library",
    }
    assert told == [f"harvester: mistyped: {how.get(place, 'there is no library here; `harvester harvest` makes one')}"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_before_the_first_harvest_says_that_it_is_for_a_new_library(tmp_path: Path) -> None:
    ended = call("plan", "--sandbox", "--library", "new", cwd=tmp_path)
    assert ended.code == 0
    assert ended.err.splitlines()[-1] == "new: there is no library yet, so this is the plan of a new one"
    assert ended.out.startswith("51 requests for 50 processed sounds")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("mine")
    assert call("plan", "--sandbox", "--library", "file", cwd=tmp_path).code == 28


def test_the_status_of_a_first_harvest_that_has_nothing_yet_is_zeros(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    lock = WriterLock(folder)
    lock.acquire(SystemClock().time_us())
    try:
        assert harvester.status(folder).facts["nodes"] == 0
    finally:
        lock.release()
    # The lock's file stays; only a process that holds it is making a library.
    with pytest.raises(LibraryNotFound):
        harvester.status(folder)


def test_the_python_api_raises_what_the_commands_end_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls: tuple[Callable[[str], object], ...] = (
        harvester.status, harvester.list_deferred, harvester.list_backups, harvester.prune_backups, harvester.check,
        harvester.link, harvester.Library.open, lambda path: harvester.StatusWatch(path).look(),
        lambda path: harvester.restore(library=path), lambda path: harvester.forget(1, library=path),
        lambda path: harvester.find("a", library=path), lambda path: harvester.show(1, library=path),
        lambda path: harvester.export("jsonl", library=path), lambda path: harvester.draw_map(library=path),
        lambda path: harvester.draw_plots("plots", library=path), lambda path: harvester.verify_links(1, library=path),
        lambda path: harvester.run_refresh(path, sandbox=True),
    )  # fmt: skip
    told = set()
    for one in calls:
        with pytest.raises(LibraryNotFound) as caught:
            one("typo")
        told.add(str(caught.value))
    assert told == {"typo: there is no library here (no such folder); `harvester harvest` makes one"}
    assert not list(tmp_path.iterdir())


def test_make_status_in_a_fresh_clone_is_one_line_that_says_how_to_make_a_library(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "data" / "freesound_library").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "harvester"
    program.parent.mkdir(parents=True)
    (program.parent / "python").symlink_to("/bin/false")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harvester "$@"\n')
    program.chmod(0o755)
    (tmp_path / ".venv" / ".run").touch()
    kept = environment(tmp_path / "state") | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["make", "status"], cwd=tmp_path, env=kept, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == (
        "harvester: data/freesound_library: there is no library here; `harvester harvest` makes one\n"
    )
    assert ended.stdout == ""
