"""Files and settings that come from others, through the real command line: named in one line, nothing changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harvester.library.layout import CHECKPOINT, JOURNAL
from tests.support.clones import needs_git
from tests.support.processes import Ended, run
from tests.unit.library.samples import SOURCE, grow, make_events, open_store

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345678\n"
)

COMMANDS = (
    ("harvest", "--sandbox", "--samples", 1), ("refresh", "--sandbox"), ("link",), ("status",), ("show", 1),
    ("find", "rain"), ("export", "jsonl"), ("export", "credits"), ("map",), ("check",), ("check", "--repair"),
    ("restore",), ("forget", 1), ("plan",),
)  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def one_line(ended: Ended) -> str:
    """Return the error's line, which is the last one, after making sure that no traceback came."""
    assert "Traceback" not in ended.err, ended.err
    return ended.err.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(map(str, command)))
@pytest.mark.parametrize("place", ["alone", "beside a journal and a backup"])
def test_a_pointer_of_git_lfs_is_named_by_every_command_and_stays(
    command: tuple[object, ...], place: str, tmp_path: Path
) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    if place != "alone":
        with open_store(folder) as store:
            store.set_source(SOURCE)
            grow(store, make_events(4))
            store.checkpoint(backup=True)
    (folder / CHECKPOINT).write_bytes(POINTER)
    before = contents(folder)
    ended = run(*command, "--library", "lib", cwd=tmp_path)
    assert f"lib/{CHECKPOINT} is a Git LFS pointer, not the library: run `git lfs pull`" in ended.err + ended.out
    assert ended.code == (1 if command == ("check",) else 27)
    one_line(ended)
    assert contents(folder) == before
    if command == ("check",):
        assert "--repair" not in ended.err


def test_backups_that_are_pointers_are_listed_kept_and_never_repaired(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, make_events(4))
        store.checkpoint(backup=True)
    (backup,) = folder.glob("*_backup_*")
    pointer = folder / "freesound_library_backup_9nodes_20990101_000000.pkl"
    pointer.write_bytes(POINTER)
    assert "is a Git LFS pointer" in run("backups", "list", "--library", "lib", cwd=tmp_path).out
    repaired = run("check", "--repair", "--library", "lib", cwd=tmp_path)
    assert repaired.code == 1
    assert "is a Git LFS pointer" in repaired.out
    assert "mended" not in repaired.out
    assert run("backups", "prune", "--keep-backups", 1, "--library", "lib", cwd=tmp_path).code == 0
    assert pointer.read_bytes() == POINTER
    assert run("status", "--library", "lib", cwd=tmp_path).code == 0
    # The checkpoint is lost, and only a backup that can be fetched would stand in: nothing is begun in its place.
    for path in (folder / CHECKPOINT, folder / JOURNAL, backup, *folder.glob("*_backup_4*")):
        path.unlink(missing_ok=True)
    ended = run("harvest", "--sandbox", "--samples", 1, "--library", "lib", cwd=tmp_path)
    assert ended.code == 27
    assert "is a Git LFS pointer" in one_line(ended)
    assert not (folder / CHECKPOINT).exists()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"/annex/objects/SHA256E-s1--0.pkl\n", "git annex get"),
        (b"\0GITCRYPT\0" + bytes(90), "git-crypt unlock"),
        (None, "git annex get"),
    ],
)
def test_placeholders_of_other_tools_are_named_too(content: bytes | None, hint: str, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    if content is None:
        (folder / CHECKPOINT).symlink_to("../.git/annex/objects/x")
    else:
        (folder / CHECKPOINT).write_bytes(content)
    for command in (("status",), ("check", "--repair"), ("harvest", "--sandbox", "--samples", 1)):
        ended = run(*command, "--library", "lib", cwd=tmp_path)
        assert ended.code == 27
        assert hint in one_line(ended)
    assert [path.name for path in folder.iterdir()] == [CHECKPOINT]


def test_a_pointer_given_to_merge_or_import_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(POINTER)
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / CHECKPOINT).write_bytes(POINTER)
    for command in (
        ("merge", "other.pkl", "--library", "new"),
        ("merge", "team", "-o", "joined.pkl"),
        ("import", "other.pkl", "--library", "new"),
        ("git-merge", "other.pkl", "other.pkl", "x"),
    ):
        ended = run(*command, cwd=tmp_path)
        assert "is a Git LFS pointer" in one_line(ended)
        assert ended.code == (1 if command[0] == "git-merge" else 27)
    assert "is a Git LFS pointer" in run("git-textconv", "other.pkl", cwd=tmp_path).out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.pkl", "team"]
    assert (tmp_path / "other.pkl").read_bytes() == POINTER


@needs_git
def test_a_pointer_is_never_committed(tmp_path: Path) -> None:
    from harvester.library.git import commit_library

    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / CHECKPOINT).write_bytes(POINTER)
    assert "is a Git LFS pointer" in commit_library(tmp_path, "library", source=SOURCE).problem
    tracked = subprocess.run(["git", "-C", str(tmp_path), "ls-files"], capture_output=True, check=True)
    assert tracked.stdout == b""
