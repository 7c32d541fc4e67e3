"""A file that a person names for the output: a device and a library's file are never replaced, a link is followed."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.integration.test_values_that_match_nothing import write_library
from tests.support.command import call
from tests.support.samples import files_of

WRITING = {
    "export jsonl -o": "jsonl", "export csv -o": "csv", "export sqlite -o": "sqlite", "export parquet -o": "parquet",
    "export credits -o": "md", "map -o": "html", "map --static": "svg", "sql SELECT\xa01 -o": "csv",
    "export dataset --split 100 -o": "", "export parquet --partition-rows 3 -o": "",
    "harvest --ids ids.txt --missing": "csv",
}  # fmt: skip
FOLDERS = [command for command, ending in WRITING.items() if not ending]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library of a few sounds, whose list names one that is missing."""
    folder = tmp_path_factory.mktemp("place")
    write_library(folder / "lib", range(1, 5), "sandbox:3d4f85ba82c8d1ff")
    (folder / "ids.txt").write_text("1\n")
    return folder


def written_to(place: Path, command: str, out: str) -> tuple[int, str]:
    ended = call(*command.split(" "), out, "--library", "lib", cwd=place)
    return ended.code, ended.err


@pytest.mark.parametrize("command", WRITING)
def test_what_is_no_file_is_never_replaced_by_one(command: str, place: Path) -> None:
    # `-o /dev/null`, as root, would replace the device of the whole machine.
    name = f"fifo.{WRITING[command]}".removesuffix(".")
    os.mkfifo(place / name)
    (place / f"link_{name}").symlink_to(name)
    for out in (name, f"link_{name}"):
        code, told = written_to(place, command, out)
        assert code == 2, told
        assert "not a regular file" in told
    assert stat.S_ISFIFO((place / name).lstat().st_mode)
    assert (place / f"link_{name}").readlink() == Path(name)
    (place / name).unlink()
    (place / f"link_{name}").unlink()


@pytest.mark.parametrize("command", WRITING)
def test_a_file_of_a_library_is_never_replaced_not_even_through_a_link(command: str, place: Path) -> None:
    before = files_of(place)
    link = place / f"link.{WRITING[command] or 'folder'}"
    link.symlink_to("lib/freesound_library.pkl")
    for out in ("lib/freesound_library.pkl", "lib/freesound_library.journal", link.name):
        code, told = written_to(place, command, out)
        assert code == 2, told
    link.unlink()
    assert files_of(place) == before


@pytest.mark.parametrize("command", [command for command in WRITING if "--missing" not in command])
def test_a_link_stays_and_leads_to_the_new_file(command: str, place: Path) -> None:
    name, below = f"link.{WRITING[command]}".removesuffix("."), place / "below"
    below.mkdir()
    (place / name).symlink_to(f"below/{name}")
    code, told = written_to(place, command, name)
    assert code == 0, told
    assert (place / name).readlink() == Path("below") / name
    assert (below / name).is_dir() is (command in FOLDERS)
    assert (below / name).exists()
    (place / name).unlink()
    shutil.rmtree(below)
    (place / name).symlink_to(f"nowhere/{name}")
    code, told = written_to(place, command, name)
    assert (code, "nowhere is not a folder; create it first" in told) == (2, True), told
    (place / name).unlink()
