"""`--license` and its alias `--licence`: on the command line, in `harvester.toml` and in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from harvester.cli import app
from tests.support.command import call
from tests.support.processes import run

SPELLINGS = ("license", "licence")
COMMANDS = {
    "export": ["jsonl", "-o", "out"], "map": ["-o", "out"],
    "sql": ["SELECT id FROM sounds", "-o", "out", "--format", "csv"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small library in `library/`, grown offline."""
    folder = tmp_path_factory.mktemp("license")
    assert run("harvest", "--samples", 10, "--library", "library", cwd=folder, key=None).code == 0
    return folder


@pytest.fixture(scope="module", params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def _written(folder: Path, command: str, *options: str) -> bytes:
    ended = call(command, *COMMANDS[command], "--library", "library", *options, cwd=folder)
    assert ended.code == 0, ended.err
    return (folder / "out").read_bytes()


@pytest.fixture(scope="module")
def selected(folder: Path, command: str) -> bytes:
    """What the command writes of the sounds under CC0."""
    selected = _written(folder, command, "--license", "CC0")
    assert selected != _written(folder, command)
    return selected


def test_the_commands_with_this_option_are_all_here() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    opts = {name: {opt for one in command.params for opt in one.opts} for name, command in commands.items()}
    # These write into the library or serve a page: their cases are among those of the options.
    expected = COMMANDS.keys() | {"analyse", "browse", "previews", "relate"}
    assert {name for name, those in opts.items() if "--license" in those} == expected
    assert {name for name, those in opts.items() if "--licence" in those} == expected


def test_the_alias_means_the_option_on_the_command_line(folder: Path, command: str, selected: bytes) -> None:
    assert _written(folder, command, "--licence", "CC0") == selected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_both_are_settings_of_harvester_toml(folder: Path, command: str, selected: bytes, spelling: str) -> None:
    settings = folder / "harvester.toml"
    settings.write_text(f"[{command}]\n{spelling} = ['CC0']\n")
    try:
        assert _written(folder, command) == selected
    finally:
        settings.unlink()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_both_are_environment_variables(
    folder: Path, command: str, selected: bytes, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"HARVESTER_{command}_{spelling}".upper(), "CC0")
    assert _written(folder, command) == selected
