"""`harvester export` as users run it, and what the guide shows with its files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harvester.cli.commands.export import export
from harvester.errors import LibraryNotFound, SettingsError
from tests.support.processes import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small library in `lib/`, grown offline."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "parts").mkdir()
    assert run("harvest", "--samples", 30, "--library", "library", cwd=folder, key=None).code == 0
    return folder


def test_text_goes_to_stdout_and_everything_else_to_stderr(folder: Path) -> None:
    ended = run("export", "jsonl", "--licence", "cc0", "--max-duration", "30s", "--library", "library", cwd=folder)
    assert ended.code == 0, ended.err
    sounds = [json.loads(line) for line in ended.out.splitlines()]
    assert sounds
    assert all("zero" in sound["license"] and sound["duration"] <= 30 for sound in sounds)


@pytest.mark.parametrize("command", [("export", "jsonl"), ("export", "credits"), ("map", "-o", "none.html")])
def test_a_selection_that_no_sound_meets_is_explained(folder: Path, command: tuple[str, ...]) -> None:
    ended = run("--quiet", *command, "--license", "BY 9.9", "--library", "library", cwd=folder)
    assert ended.code == 0
    [line] = ended.err.splitlines()
    assert line.startswith("no sound matches: no sound has the license 'BY 9.9'; did you mean 'BY ")
    assert (
        "no sound matches" not in run("--quiet", *command, "--license", "CC0", "--library", "library", cwd=folder).err
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "exports"}, "'exports' is not a format; use graphml"),
        ({"format": "csv"}, "name the first with -o OUT"),
        ({"format": "gexf", "out": Path("nowhere/out.gexf")}, "is not a folder"),
        ({"format": "gexf", "out": Path("library/freesound_library.pkl")}, "choose another"),
        ({"format": "jsonl", "max_duration": "ten"}, "is not a duration"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=re.escape(says)) as raised:
        export(**options)
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="elsewhere: there is no library here"):
        export("jsonl", library=str(tmp_path / "elsewhere"))
