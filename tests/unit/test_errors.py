"""Exit codes: one table, unique codes, told in `--help` and in the guide."""

from __future__ import annotations

from pathlib import Path

from harvester.errors import HarvesterError, exit_code_table

GUIDE = Path(__file__).resolve().parents[2] / "harvester" / "guide"


def test_every_error_has_an_exit_code_of_its_own_and_a_meaning() -> None:
    kinds = HarvesterError.__subclasses__()
    assert len({kind.exit_code for kind in kinds}) == len(kinds) > 10
    assert len({kind.meaning for kind in kinds}) == len(kinds)


def test_the_guide_tells_the_same_table() -> None:
    text = (GUIDE / "exit-codes.md").read_text(encoding="utf-8")
    for code, meaning in exit_code_table():
        assert f"| {code} | {meaning} |" in text
