"""The help: every page fits 80 columns, shows whole sentences and has no types of Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command import build_tree_once, call

_COMMANDS = build_tree_once().commands
PAGES = [(), *((name,) for name in _COMMANDS), *(("backups", name) for name in _COMMANDS["backups"].commands)]


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_a_page_of_the_help_fits_80_columns_and_cuts_nothing(
    page: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = call(*page, "--help", cwd=tmp_path)
    assert shown.code == 0, shown.err
    lines = [line for line in shown.out.splitlines() if not line.startswith("Usage: ")]
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...")]
    # The metavar says what a value looks like.
    assert not re.search(r"<[a-z]+(\[\w+\])?( range)?>|[{}]|\.{4}", shown.out), shown.out
