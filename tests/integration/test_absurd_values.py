"""No option of any command takes an absurd value: exit 2, no traceback, and nothing on disk has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer

from harvester.cli import app
from harvester.cli.commands.plan import plan
from harvester.cli.defaults import read_defaults
from harvester.cli.option_rules import parts_of
from harvester.cli.options import check_duration, check_some_duration
from tests.support.command import call

NOT_COUNTS = ["-5", "x", "1.5", "1e3", "nan", "9" * 30, "9" * 5000, ""]
NOT_IDS = ["0", *NOT_COUNTS]
NOT_NUMBERS = ["-5", "x", "nan", "inf", "1e999", "80000000", ""]
NOT_DURATIONS = ["-5s", "nan", "1e999h", "soon", "99999999999d", "9" * 400 + "h", "5x", " "]
NOT_LIMITS = ["0/0", "-5/3", "60", "nan/1", "9" * 30 + "/1", "9" * 5000 + "/1", "1/2/3", ""]
NEEDED = {"show": [], "forget": [], "find": ["rain"], "export": ["jsonl"], "service": ["--print", "cron"]}


def _parameters() -> Iterator[tuple[str, str, Any, Any]]:
    """Give command, parameter, its type and what was declared of it, for the whole tree of commands."""
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    for prefix, group in groups:
        assert group is not None
        for info in group.registered_commands:
            assert info.callback is not None
            for name, annotation in get_type_hints(info.callback, include_extras=True).items():
                if name != "return":
                    yield f"{prefix}{info.name}", name, *parts_of(annotation)


def _cases() -> Iterator[Any]:
    for command, name, kind, info in _parameters():
        duration = info is not None and info.callback in (check_duration, check_some_duration)
        values = NOT_DURATIONS if duration else {int: NOT_COUNTS, list[int]: NOT_IDS, float: NOT_NUMBERS}.get(kind)
        if info is not None and getattr(info.callback, "__name__", "") == "check_ids":
            values = NOT_IDS
        if name == "limits":
            values = NOT_LIMITS
        if values is not None:
            option = "" if isinstance(info, typer.models.ArgumentInfo) else f"--{name.replace('_', '-')}"
            yield pytest.param(command, option, values, id=f"{command} {option or name}")


CASES = list(_cases())


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_cases_are_all_that_a_person_can_count_or_time() -> None:
    assert len(CASES) > 35
    assert {command for command, *_ in (case.values for case in CASES)} >= {
        "harvest", "plan", "refresh", "link", "show", "find", "export", "map", "forget", "backups prune", "sandbox",
    }  # fmt: skip


@pytest.mark.parametrize(("command", "option", "values"), CASES)
def test_an_absurd_value_ends_with_2_and_changes_nothing(
    tmp_path: Path, command: str, option: str, values: list[str]
) -> None:
    for value in values:
        given = [f"{option}={value}"] if option else ["--", value]
        ended = call(*command.split(), *NEEDED.get(command, []), *given, cwd=tmp_path)
        assert ended.code == 2, (value, ended.err)
        assert "Traceback" not in ended.err
        assert ended.err.count("\n") == 1, ended.err
        assert _contents(tmp_path) == {}, value


@pytest.mark.parametrize(("command", "option", "values"), [case for case in CASES if case.values[1]])
def test_the_environment_is_judged_like_the_command_line(
    tmp_path: Path, command: str, option: str, values: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"HARVESTER_{command} {option[2:]}".upper().replace(" ", "_").replace("-", "_")
    # The same functions judge both: three values tell that they are asked. An empty variable says nothing.
    told = [value for value in values if value.strip()]
    for value in (told[0], told[len(told) // 2], told[-1]):
        monkeypatch.setenv(variable, value)
        ended = call(*command.split(), *NEEDED.get(command, []), cwd=tmp_path)
        assert ended.code == 2, value
        assert "Traceback" not in ended.err
        assert _contents(tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[harvest]\nsamples = 'x'", "[harvest]\nsamples = true", "[harvest]\nsamples = [1]", "[harvest]\nsamples = -1",
        "[harvest]\nsamples = 1.5", "[harvest]\nsamples = 99999999999999999999999", "[harvest]\nseed = 0",
        "[harvest]\nseed = [1, 'a']", "[harvest]\nseed = [1, -5]", "[harvest]\ntime-limit = '1e999h'",
        "[harvest]\ntime-limit = -5", "[harvest]\nmax-duration = 0", "[harvest]\ncc0 = 'yes'", "[harvest]\nquery = 5",
        "[harvest]\ntag = [1]", "[link]\nmin-score = nan", "[link]\nmin-score = 1e999", "[link]\nmin-score = true",
        "[refresh]\nolder-than = '99999999999d'", "[sandbox]\nport = 99999",
        "[export]\nmin-score = '0.5'", "[map]\nego = 0", "[map]\nout = 5",
    ],
)  # fmt: skip
def test_a_settings_file_is_judged_like_the_command_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "harvester.toml").write_text(text + "\n")
    before = _contents(tmp_path)
    ended = call("harvest", "--sandbox", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith(f"harvester: harvester.toml:2: {text.splitlines()[0]} {text.split()[1]}: ")
    assert len(ended.err.splitlines()) == 1
    assert _contents(tmp_path) == before


def test_a_single_value_stands_for_a_list_and_a_number_for_seconds(tmp_path: Path) -> None:
    (tmp_path / "harvester.toml").write_text("[plan]\ntag = 'rain'\nmax-duration = 90\n")
    found = read_defaults(tmp_path, {}, {"plan": plan})
    assert found.by_command == {"plan": {"tag": ["rain"], "max_duration": "90"}}


def test_what_the_parser_refuses_is_one_line_that_says_where_to_look(tmp_path: Path) -> None:
    for line in ("nonsense", "status --nonsense", "show", "show 1 2", "backups", "--nonsense"):
        ended = call(*line.split(), cwd=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("harvester: ")
        assert ended.err.count("\n") == 1
        assert "--help`)" in ended.err
    nothing = call(cwd=tmp_path)
    assert nothing.code == 2
    assert "Exit codes:" in nothing.err + nothing.out
