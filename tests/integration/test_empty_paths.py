"""An empty variable in a script (`--library "$DIR"`) never makes a command work on the default library instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.samples import grow, make_events, open_store

FOLDER = "freesound_library"


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("forget", 1, "--library", ""), ("forget", 1, "--library", " "), ("check", "--repair", "--library", ""),
        ("status", "--library", ""), ("backups", "prune", "--library="), ("restore", ""), ("restore", "--library="),
        ("merge", ""), ("merge", FOLDER, "-o", ""), ("harvest", "--sandbox", "--library", ""),
    ],
)  # fmt: skip
def test_an_empty_path_is_refused_and_changes_nothing(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    with open_store(tmp_path / FOLDER) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    before = _contents(tmp_path)
    ended = call(*arguments, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "harvester: a path is empty: name a folder or a file, or leave the option out\n"
    assert _contents(tmp_path) == before
