"""`~` means the same in every option and argument that names a path, in settings files and in variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harvester.cli.parameters import walk
from tests.support.command import build_tree_once, call

OF_A_PATH = {"DIR", "OUT", "FILE", "FILE.jsonl", "BACKUP", "A [B…]", "OLD"}
OF_NO_PATH = {
    None, "BURST/DAY", "CC0", "COMMAND", "FORMAT", "FROM..TO", "ID", "ID…", "J", "KEY", "KIND", "MS", "N",
    "NAME", "RULE", "S", "SHARE", "SOLR", "STATEMENT", "TAG", "TEXT", "TEXT…", "TOPIC", "URL", "VALUE", "WxH",
    "bpm,loudness", "name,type", "tcp://HOST:PORT", "user,pack,tags", "wav",
}  # fmt: skip
NOUSER = "no user 'nouser' with a home folder here; for a folder of this name write ./~nouser/x"


def parameters() -> list[tuple[str, Any]]:
    """Give every parameter of every command that people call, with the command."""
    return [(path, one) for path, command in walk(build_tree_once()) if not command.hidden for one in command.params]


def spelled(path: str, parameter: Any) -> str:
    return f"{path} {parameter.metavar if parameter.param_type_name == 'argument' else parameter.opts[0]}".strip()


PATHS = {spelled(path, one): (path, one) for path, one in parameters() if one.metavar in OF_A_PATH}


def command_line(path: str, parameter: Any, value: str) -> list[str]:
    """Give a command line whose path is `value` and that lacks nothing."""
    needed = {"export": ["jsonl"], "show": ["1"], "find": ["rain"], "forget": ["1"], "merge": ["a"], "import": ["old"]}
    if parameter.param_type_name == "argument":
        return [*path.split(), value]
    given = [parameter.opts[0], value]
    return [*given, "status"] if path == "" else [*path.split(), *needed.get(path, []), *given]


def test_every_option_and_argument_is_known_to_be_a_path_or_none() -> None:
    # Of several words, such as `cron|systemd`: a choice. With a number, such as `30d`: an amount.
    known = OF_A_PATH | OF_NO_PATH
    others = [one for one in parameters() if one[1].metavar not in known]
    assert [spelled(*one) for one in others if not re.search(r"\||^\d", one[1].metavar)] == []
    assert {name.split(" ")[-1] for name in PATHS} >= {
        "--library",
        "--output",
        "--plot",
        "--catalogue",
        "--config",
        "--missing",
        "FILE",
    }


@pytest.mark.parametrize("name", PATHS)
def test_a_user_who_does_not_exist_is_told_with_the_place_and_no_folder_made(name: str, tmp_path: Path) -> None:
    path, parameter = PATHS[name]
    ended = call(*command_line(path, parameter, "~nouser/x"), cwd=tmp_path)
    place = parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0]
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"harvester: {place}: ~nouser/x: {NOUSER}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["library", "output"])
def test_a_variable_and_a_settings_file_have_the_same_rule(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "harvester.toml"
    file.write_text(f"[map]\n{key} = '~nouser/x'\n")
    for words in (("map",), ("--config", file, "map")):
        told = call(*words, cwd=tmp_path).err
        assert (
            told.removeprefix("harvester: ").replace(f"{tmp_path}/", "")
            == f"harvester.toml:2: [map] {key}: ~nouser/x: {NOUSER}\n"
        )
    file.unlink()
    monkeypatch.setenv(f"HARVESTER_MAP_{key.upper()}", "~nouser/x")
    assert call("map", cwd=tmp_path).err == f"harvester: HARVESTER_MAP_{key.upper()}: ~nouser/x: {NOUSER}\n"
    assert not list(tmp_path.iterdir())


def test_the_state_folder_has_the_same_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_STATE", "~nouser/x")
    monkeypatch.setenv("FREESOUND_API_KEY", "abc")
    ended = call("harvest", "--samples", 1, "--api-url", "https://127.0.0.1:9/", cwd=tmp_path)
    assert (ended.code, ended.err) == (2, f"harvester: HARVESTER_STATE: ~nouser/x: {NOUSER}\n")
    assert not list(tmp_path.iterdir())
