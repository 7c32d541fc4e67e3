"""Exit codes: one table by value, told in `--help` and in the guide."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import harvester
from harvester import errors
from harvester.errors import HarvesterError, exit_code_table
from tests.support.command import call

GUIDE = Path(__file__).resolve().parents[2] / "harvester" / "guide"

TABLE = {
    0: (None, "done: target reached, exhausted, quota used up, or asked to stop"),
    1: ("Findings", "check found problems, a merge left a conflict, or the library is stale"),
    2: ("SettingsError", "an invalid option or setting"),
    10: ("AccessDenied", "the API refuses the key"),
    11: ("ApiUnreachable", "the API cannot be reached"),
    12: ("AnswerChanged", "the API's answers have changed their shape"),
    20: ("LibraryLocked", "another process is writing this library"),
    21: ("LibraryUnwritable", "the library or the output cannot be written"),
    22: ("LibraryCorrupt", "the library is corrupt and there is no valid backup"),
    23: ("WrongSource", "the library comes from another source"),
    24: ("NewerFormat", "the library was written by a newer version"),
    25: ("DiskFull", "the disk is full"),
    26: ("BackupFailed", "a backup failed"),
    27: ("LibraryNotFetched", "the library's content is not here yet: run `git lfs pull`"),
    28: ("LibraryNotFound", "there is no library in this folder"),
    29: ("PluginFailed", "a plugin failed: an export format or an order of another package"),
    30: ("NotConfirmed", "a question was not answered with yes: nothing was changed"),
    31: ("ClusterFailed", "a Dask cluster cannot be reached or used, or failed"),
    70: ("HarvesterError", "a bug in harvester: please report it"),
    129: (None, "the terminal closed, a SIGHUP (harvest, refresh, link: a second one)"),
    130: (None, "interrupted by Ctrl-C (harvest, refresh, link: by a second one)"),
    141: (None, "the program that reads the output has ended, such as `head`"),
    143: (None, "ended by SIGTERM (harvest, refresh, link: by a second one)"),
}
"""Scripts and systemd units rely on these numbers: a number never changes its meaning."""

RESTART = {
    0: "success", 1: "stop", 2: "stop", 10: "stop", 11: "restart", 12: "stop", 20: "restart", 21: "stop", 22: "stop",
    23: "stop", 24: "stop", 25: "restart", 26: "restart", 27: "stop", 28: "stop", 29: "stop", 30: "stop", 31: "stop",
    70: "restart", 129: "success", 130: "success", 141: "stop", 143: "success",
}  # fmt: skip
"""What a service does after each code. Installed units hold these numbers: a change reaches no machine by itself."""


def test_the_table_is_this_one() -> None:
    assert [one[:2] for one in exit_code_table()] == [(code, meaning) for code, (_, meaning) in TABLE.items()]


def test_a_service_starts_again_only_where_that_helps() -> None:
    told = {
        one.code: "success" if one.is_success else "restart" if one.restart_helps else "stop"
        for one in exit_code_table()
    }
    assert told == RESTART


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, (name, _) in TABLE.items() if name])
def test_each_error_has_its_number(code: int, name: str) -> None:
    assert getattr(errors, name).exit_code == code


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, (name, _) in TABLE.items() if name])
def test_each_error_tells_its_number_in_its_help(code: int, name: str) -> None:
    assert f"Exit code {code}." in (inspect.getdoc(getattr(harvester, name)) or "").splitlines()


def test_an_error_is_in_the_table_or_is_a_bug() -> None:
    named = {name for name, _ in TABLE.values()}
    assert {kind.__name__ for kind in HarvesterError.__subclasses__()} - named == {"EventRefused"}
    assert errors.EventRefused.exit_code == 70


def test_the_help_tells_the_same_table(tmp_path: Path) -> None:
    told = call("--help", cwd=tmp_path).out.split("Exit codes:\n")[1]
    assert [line.split(None, 1) for line in told.splitlines()] == [
        [str(code), meaning] for code, (_, meaning) in TABLE.items()
    ]


def test_the_guide_tells_the_same_table() -> None:
    text = (GUIDE / "exit-codes.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert rows == [
        f"| {code} | {meaning} | {'starts again' if RESTART[code] == 'restart' else 'stops'} |"
        for code, (_, meaning) in TABLE.items()
    ]
