"""The default folders of libraries: in the working folder, or in its `data/` where that holds a library already."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harvester.default_folders import real_library, sandbox_library
from tests.support.command import call
from tests.support.samples import grow, make_events, open_store


@pytest.mark.parametrize(
    ("there", "parent"),
    [
        ([], "."),
        (["data"], "."),
        (["data/pictures"], "."),
        (["data/freesound_library"], "data"),
        (["data/sandbox_library"], "data"),
        (["freesound_library"], "."),
    ],
)
def test_the_folder_data_counts_only_with_a_library_in_it(
    there: list[str], parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in there:
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert real_library() == Path(parent) / "freesound_library"
    assert sandbox_library() == Path(parent) / "sandbox_library"


@pytest.mark.parametrize(
    ("here", "found"),
    [
        ("repository", "freesound_library"),
        ("repository/freesound_library", "../freesound_library"),
        ("repository/notes/of/mine", "../../../freesound_library"),
        ("repository/inner", "freesound_library"),
        (".", "freesound_library"),
    ],
)
def test_within_a_repository_the_folders_above_count_too(
    here: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "repository/.git", "repository/freesound_library", "repository/notes/of/mine", "repository/inner/.git",
        "sandbox_library",
    ):  # fmt: skip
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    assert real_library() == Path(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_beyond_a_folder_of_another_user_nothing_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("repository/.git", "repository/freesound_library", "repository/mine"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository" / "mine")
    assert real_library() == Path("../freesound_library")
    os.chown(tmp_path / "repository", 1234, -1)
    assert real_library() == Path("freesound_library")


def test_outside_a_repository_no_folder_above_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freesound_library").mkdir()
    (tmp_path / "notes").mkdir()
    monkeypatch.chdir(tmp_path / "notes")
    assert real_library() == Path("freesound_library")
    (tmp_path / "notes").rmdir()
    assert real_library() == Path("freesound_library")


def test_a_file_called_like_a_library_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "freesound_library").write_text("")
    monkeypatch.chdir(tmp_path)
    assert real_library() == Path("freesound_library")


@pytest.mark.parametrize("folder", ["freesound_library", "sandbox_library", "data/sandbox_library"])
def test_a_command_finds_the_only_library(folder: str, tmp_path: Path) -> None:
    with open_store(tmp_path / folder) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    ended = call("find", "sound", cwd=tmp_path)
    assert f" sounds in {folder}" in ended.err


def test_a_sandbox_harvest_never_grows_the_library_of_real_sounds(tmp_path: Path) -> None:
    with open_store(tmp_path / "freesound_library") as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    before = (tmp_path / "freesound_library" / "freesound_library.pkl").read_bytes()
    assert call("harvest", "--sandbox", "--samples", 1, cwd=tmp_path).code == 0
    assert (tmp_path / "sandbox_library" / "freesound_library.pkl").exists()
    assert (tmp_path / "freesound_library" / "freesound_library.pkl").read_bytes() == before
