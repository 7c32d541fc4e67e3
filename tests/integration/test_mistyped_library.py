"""A mistyped `--library` is named by each command that needs one, and nothing is made or changed there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import call

NEEDS_ONE: tuple[tuple[object, ...], ...] = (
    ("refresh", "--sandbox"), ("check",), ("check", "--repair"), ("restore",), ("forget", 1), ("export", "jsonl"),
    ("map",), ("backups", "prune"),
)  # fmt: skip
NEEDS_CONTENT: tuple[tuple[object, ...], ...] = (
    ("link",), ("show", 1), ("merge", "mistyped", "--library", "new"),
)  # fmt: skip
READS: tuple[tuple[object, ...], ...] = (
    ("status",), ("find", "rain"), ("backups", "list"), ("plan", "--sandbox"),
)  # fmt: skip


@pytest.mark.parametrize("place", ["missing", "empty", "of other files"])
@pytest.mark.parametrize("command", NEEDS_ONE + NEEDS_CONTENT + READS, ids=lambda command: " ".join(map(str, command)))
def test_a_mistyped_library_is_not_made(command: tuple[object, ...], place: str, tmp_path: Path) -> None:
    folder = tmp_path / "mistyped"
    if place != "missing":
        folder.mkdir()
    if place == "of other files":
        (folder / "odd.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    named = () if "--library" in command else ("--library", "mistyped")
    ended = call(*command, *named, cwd=tmp_path)
    assert ended.code == (28 if command in NEEDS_ONE else 2 if command in NEEDS_CONTENT else 0), ended.err
    if command not in READS:
        lines = [line for line in ended.err.splitlines() if "sandbox" not in line]
        assert len(lines) == 1
        assert lines[0].startswith("harvester: ")
        assert "mistyped" in lines[0]
        assert ended.out == ""
    assert sorted(tmp_path.rglob("*")) == before
