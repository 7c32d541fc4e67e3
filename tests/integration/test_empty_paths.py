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
    ("arguments", "place"),
    [
        (("forget", 1, "--library", ""), "--library"), (("forget", 1, "--library", " "), "--library"),
        (("check", "--repair", "--library", ""), "--library"), (("status", "--library", ""), "--library"),
        (("backups", "prune", "--library="), "--library"), (("restore", ""), "BACKUP"),
        (("restore", "--library="), "--library"), (("merge", ""), "A [B…]"),
        (("merge", FOLDER, "-o", ""), "--output"), (("harvest", "--sandbox", "--library", ""), "--library"),
        (("--config", "", "status"), "--config"),
    ],
)  # fmt: skip
def test_an_empty_path_is_refused_and_changes_nothing(
    tmp_path: Path, arguments: tuple[object, ...], place: str
) -> None:
    with open_store(tmp_path / FOLDER) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    before = _contents(tmp_path)
    ended = call(*arguments, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"harvester: {place}: a path is empty: name a folder or a file, or leave the option out\n"
    assert _contents(tmp_path) == before
