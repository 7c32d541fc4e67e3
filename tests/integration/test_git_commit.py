"""The commit after a harvest: the library's own files, by name, and never when it would surprise anybody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harvester.gitsync.commit import Commit, commit_library, grown_message, is_set_up, size_notice
from harvester.library import add_run
from harvester.model import Event
from tests.support.clones import LIBRARY, Clone, environment, make_clones, needs_git, needs_lfs
from tests.support.past_runs import past_run
from tests.support.samples import SOURCE, FixedClock, grow, make_events, open_store

pytestmark = needs_git
MESSAGE = grown_message(50, 100, 812, 37)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    [clone] = make_clones(tmp_path, 1)
    grow_clone(clone, make_events(3))
    return clone


def grow_clone(clone: Clone, events: list[Event]) -> None:
    with open_store(clone.folder, FixedClock()) as store:
        if not store.state.source:
            store.set_source(SOURCE)
        grow(store, events)
        store.checkpoint(backup=True)


def commit(clone: Clone, **options: bool) -> Commit:
    return commit_library(clone.folder, MESSAGE, source=SOURCE, **options)


def files_of_head(clone: Clone) -> set[str]:
    return set(clone.git("show", "--format=", "--name-only", "HEAD").split())


def test_the_message_says_what_grew() -> None:
    assert MESSAGE == "library: +50 processed (100), +812 edges, 37 requests"


def test_a_commit_holds_the_librarys_own_files_and_leaves_what_others_staged(clone: Clone) -> None:
    (clone.root / "README").write_text("changed\n")
    (clone.root / "new").write_text("new\n")
    clone.git("add", "README")
    (clone.folder / "notes.txt").write_text("mine\n")
    add_run(clone.folder, past_run(1))
    made = commit(clone)
    assert made.name
    assert not made.problem
    assert files_of_head(clone) == {f"{LIBRARY}/freesound_library.pkl", f"{LIBRARY}/history.jsonl"}
    assert clone.git("log", "-1", "--format=%s").strip() == MESSAGE
    assert clone.git("status", "--porcelain").splitlines() == ["M  README", f"?? {LIBRARY}/notes.txt", "?? new"]
    assert clone.git("rev-list", "--count", "origin/main").strip() == "1"
    grow_clone(clone, make_events(3, first=5))
    assert commit(clone).name
    assert files_of_head(clone) == {f"{LIBRARY}/freesound_library.pkl"}


def test_an_unchanged_library_makes_no_commit(clone: Clone) -> None:
    assert commit(clone).name
    grow_clone(clone, make_events(3))
    assert commit(clone) == Commit()


def test_backups_are_committed_for_who_wants_them(clone: Clone) -> None:
    assert commit(clone, with_backups=True).name
    assert any("_backup_" in name for name in files_of_head(clone))


def test_a_first_commit_and_a_detached_head_are_as_good_as_any(clone: Clone, tmp_path: Path) -> None:
    clone.git("checkout", "--quiet", "--detach")
    assert commit(clone).name
    fresh = Clone(tmp_path / "fresh")
    fresh.folder.mkdir(parents=True)
    fresh.git("init", "--quiet")
    grow_clone(fresh, make_events(2))
    assert commit(fresh).name


@pytest.mark.parametrize("what", ["merge", "rebase", "cherry-pick"])
def test_nothing_is_committed_in_the_middle_of_something(clone: Clone, what: str) -> None:
    clone.git("add", "README")
    for branch, text in (("side", "a"), ("main", "b")):
        clone.git("checkout", "--quiet", *(["-b"] if branch == "side" else []), branch)
        (clone.root / "README").write_text(text)
        clone.git("commit", "--quiet", "-am", text)
    assert clone.try_git(what, "side").returncode
    head = clone.git("rev-parse", "HEAD")
    made = commit(clone)
    assert made.problem == f"nothing was committed: a {what} is not finished"
    assert clone.git("rev-parse", "HEAD") == head


def test_a_sandbox_library_is_never_committed(clone: Clone) -> None:
    assert "sandbox" in commit_library(clone.folder, MESSAGE, source="sandbox:12ab").problem
    assert clone.git("rev-list", "--count", "HEAD").strip() == "1"


def test_a_refused_commit_is_told_and_stages_nothing(clone: Clone) -> None:
    hook = clone.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho 'not on a Sunday' >&2\nexit 1\n")
    hook.chmod(0o755)
    made = commit(clone)
    assert made.name == ""
    assert "not on a Sunday" in made.problem
    assert "the library is safe" in made.problem
    assert clone.git("diff", "--cached", "--name-only") == ""
    hook.unlink()
    (clone.root / ".git/index.lock").touch()
    assert "index.lock" in commit(clone).problem


def test_outside_a_work_tree_or_without_git_one_line_says_so(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not in a Git work tree" in commit_library(tmp_path / "home", MESSAGE, source=SOURCE).problem
    assert "not in a Git work tree" in commit_library(tmp_path / "nowhere", MESSAGE, source=SOURCE).problem
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in commit(clone).problem
    assert not is_set_up(clone.folder)


def test_a_clone_is_set_up_only_by_its_owner(clone: Clone, tmp_path: Path) -> None:
    assert is_set_up(clone.folder)
    clone.git("config", "--remove-section", "merge.freesound-library")
    assert not is_set_up(clone.folder)
    assert not is_set_up(tmp_path / "home")


def test_from_50_mb_on_the_size_is_told() -> None:
    assert size_notice(49_999_999) == ""
    assert "git-setup --lfs" in size_notice(50_000_000)


def test_from_100_mb_on_a_commit_without_lfs_is_refused_with_what_helps(clone: Clone) -> None:
    os.truncate(clone.checkpoint, 100_000_000)
    made = commit(clone)
    assert "git-setup --lfs" in made.problem
    assert "git lfs migrate" in made.problem
    assert clone.git("rev-list", "--count", "HEAD").strip() == "1"


@needs_lfs
def test_from_100_mb_on_a_commit_with_lfs_is_made(clone: Clone) -> None:
    from harvester.gitsync.setup import set_up_git

    set_up_git(clone.folder, lfs=True)
    os.truncate(clone.checkpoint, 100_000_000)
    assert commit(clone).name
    assert len(clone.git("cat-file", "blob", f"HEAD:{LIBRARY}/freesound_library.pkl")) < 200
