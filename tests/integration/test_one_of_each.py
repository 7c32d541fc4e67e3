"""What commands say of a library that has one of each: no plural for a single one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harvester.model import Linked, Seen, SimilarList
from tests.support.command import call
from tests.support.samples import NOW_US, make_record, open_store

_NOUNS = "sounds|edges|lists|requests|files|backups|authors|neighbours|records|rows"
_WRONG = re.compile(rf"(?<![\d,.])1 (?:(?!of\b)\w+ ){{0,2}}?(?:{_NOUNS})\b")
_COMMANDS = (
    "status",
    "check",
    "show 1",
    "plan --samples 1 --sandbox",
    "backups list",
    "export csv -o table.csv",
    "export credits -o CREDITS.md",
    "export dataset -o dataset",
    "map -o map.html",
    "analyse",
    "find rain",
    "relate",
    "harvest --sandbox --samples 1",
    "history",
    "sql SELECT/**/1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    with open_store(folder / "one") as store:
        store.state.apply(Seen(1, make_record(1), NOW_US))
        store.rewrite()
    with open_store(folder / "pair") as store:
        for sound_id in (1, 2):
            store.state.apply(Seen(sound_id, make_record(sound_id), NOW_US))
        store.state.apply(Linked(1, SimilarList(((2, 0.5),), NOW_US, 25)))
        store.rewrite()
    return folder


@pytest.mark.parametrize("library", ["one", "pair"])
@pytest.mark.parametrize("line", _COMMANDS)
def test_a_single_one_has_no_plural(line: str, library: str, folder: Path) -> None:
    ended = call(*line.split(), "--library", library, cwd=folder)
    assert ended.code == 0, ended.err
    assert _WRONG.search(ended.out + ended.err) is None


def test_a_merge_counts_a_single_one_without_a_plural(folder: Path) -> None:
    ended = call("merge", "one", "pair", "-o", "both", cwd=folder)
    assert ended.code == 0, ended.err
    assert _WRONG.search(ended.out + ended.err) is None
