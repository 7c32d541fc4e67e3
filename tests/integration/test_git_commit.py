"""The commit after a harvest: the library's own files, by name, or one line that says why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.cli.committing import commit_after
from harvester.cli.console import Console
from harvester.gitsync.commit import Commit, commit_library, grown_message, size_notice
from harvester.gitsync.repository import is_set_up
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
    made = commit(clone)
    assert (made.name, made.problem) == ("", "")
    assert made.reason == "nothing was committed: nothing changed since the last commit"


def test_backups_are_committed_for_who_wants_them(clone: Clone) -> None:
    assert commit(clone, with_backups=True).name
    assert any("_backup_" in name for name in files_of_head(clone))


def test_a_branch_without_a_commit_is_as_good_as_any(clone: Clone, tmp_path: Path) -> None:
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
    assert made.problem == f"nothing was committed: a {what} is not finished; finish it or abort it"
    assert clone.git("rev-parse", "HEAD") == head


Prepare = Callable[[Clone, pytest.MonkeyPatch], None]


def _as_it_is(_clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    pass


def _not_set_up(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    clone.git("config", "--remove-section", "merge.freesound-library")


def _not_set_up_and_ignored(clone: Clone, patch: pytest.MonkeyPatch) -> None:
    _not_set_up(clone, patch)
    (clone.root / ".gitignore").write_text("/data/\n")


def _outside(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(clone.root / ".git")


def _without_git(_clone: Clone, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PATH", "")


def _bare(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    clone.git("config", "core.bare", "true")


def _of_another_user(_clone: Clone, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")


def _detached(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    clone.git("checkout", "--quiet", "--detach")


def _merging(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    (clone.root / ".git/MERGE_HEAD").write_text(clone.git("rev-parse", "HEAD"))


def _bisecting(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    clone.git("bisect", "start")


def _locked(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    (clone.root / ".git/index.lock").touch()


def _nameless(_clone: Clone, patch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        patch.delenv(name, raising=False)
    for place, value in (("user.useConfigOnly", "true"),):
        patch.setenv("GIT_CONFIG_COUNT", "1")
        patch.setenv("GIT_CONFIG_KEY_0", place)
        patch.setenv("GIT_CONFIG_VALUE_0", value)


def _refused_by_a_hook(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    hook = clone.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho 'not on a Sunday' >&2\nexit 1\n")
    hook.chmod(0o755)


def _in_lfs(clone: Clone) -> None:
    attributes = clone.folder / ".gitattributes"
    attributes.write_text(attributes.read_text().replace("merge=", "filter=lfs merge=", 1))


def _without_lfs(clone: Clone, patch: pytest.MonkeyPatch) -> None:
    _in_lfs(clone)
    git = shutil.which("git")
    assert git is not None
    only = clone.root.parent / "only-git"
    only.mkdir()
    (only / "git").symlink_to(git)
    patch.setenv("PATH", str(only))
    patch.setenv("GIT_EXEC_PATH", clone.git("--exec-path").strip())


def _too_large(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    os.truncate(clone.checkpoint, 100_000_000)


def _a_placeholder(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    clone.checkpoint.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345678\n")


def _committed_before(clone: Clone, _patch: pytest.MonkeyPatch) -> None:
    assert commit(clone).name


REASONS: list[tuple[Prepare, bool | None, str, str, str]] = [
    (_as_it_is, False, SOURCE, "", ""),
    (_committed_before, None, SOURCE, "reason", "nothing changed since the last commit"),
    (_committed_before, True, SOURCE, "reason", "nothing changed since the last commit"),
    (_outside, None, SOURCE, "-v", "{folder} is not in a Git repository"),
    (_outside, True, SOURCE, "problem", "{folder} is not in a Git repository; `harvester init DIR` makes one"),
    (_without_git, None, SOURCE, "-v", "git is not installed"),
    (_without_git, True, SOURCE, "problem", "git is not installed; the library is safe"),
    (_bare, True, SOURCE, "problem", "{folder} is in a bare repository, which has no files"),
    (_of_another_user, True, SOURCE, "problem", "git says: fatal: detected dubious ownership"),
    (_not_set_up, None, SOURCE, "reason", "`harvester git-setup` has not run in this clone"),
    (_not_set_up_and_ignored, None, SOURCE, "-v", "`harvester git-setup` has not run in this clone"),
    (_not_set_up, None, "sandbox:12ab", "-v", "`harvester git-setup` has not run in this clone"),
    (_not_set_up, True, "sandbox:12ab", "problem", "these sounds are made up, and `harvester git-setup` has not run"),
    (_merging, None, SOURCE, "problem", "a merge is not finished; finish it or abort it"),
    (_bisecting, None, SOURCE, "problem", "a bisection is not finished"),
    (_locked, None, SOURCE, "problem", "another git process is at work; if none is, one was killed: delete "),
    (_detached, None, SOURCE, "problem", "no branch is checked out (detached HEAD)"),
    (_nameless, None, SOURCE, "problem", "Git does not know who you are: `git config --global user.name"),
    (_refused_by_a_hook, None, SOURCE, "problem", "git commit says: not on a Sunday; the library is safe"),
    (_without_lfs, None, SOURCE, "problem", "git-lfs is not installed: https://git-lfs.com"),
    (_too_large, None, SOURCE, "problem", "freesound_library.pkl has 100 MB, and GitHub and others refuse"),
    (_a_placeholder, None, SOURCE, "problem", "it is a Git LFS pointer"),
]
"""How the clone is prepared, what `--commit` says, whose sounds, where the line goes, and its beginning."""


@pytest.mark.parametrize(
    ("prepare", "wanted", "source", "where", "line"),
    REASONS,
    ids=[f"{prepare.__name__.strip('_')}-{wanted}-{source[:7]}" for prepare, wanted, source, _, _ in REASONS],
)
def test_one_line_says_why_nothing_was_committed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    prepare: Prepare, wanted: bool | None, source: str, where: str, line: str,
) -> None:  # fmt: skip
    head = clone.git("rev-parse", "HEAD")
    prepare(clone, monkeypatch)
    if prepare is _committed_before:
        head = clone.git("rev-parse", "HEAD")
    shown = {}
    for quiet, verbose in ((True, False), (False, False), (False, True)):
        monkeypatch.setattr(Console, "quiet", quiet)
        monkeypatch.setattr(Console, "verbose", verbose)
        commit_after(clone.folder, source, MESSAGE, wanted, with_backups=False)
        shown["-v" if verbose else "reason" if not quiet else "problem"] = capsys.readouterr().err
    began = line.format(folder=clone.folder)
    for how in ("problem", "reason", "-v"):
        told = shown[how]
        seen = bool(where) and ["problem", "reason", "-v"].index(how) >= ["problem", "reason", "-v"].index(where)
        assert told.startswith("nothing was committed: ") == seen, shown
        assert (began in told) == seen or not where, shown
        assert told.count("\n") == seen
    monkeypatch.undo()
    if prepare is not _outside:
        clone.git("config", "core.bare", "false")
        assert clone.git("rev-parse", "HEAD") == head
        assert clone.git("diff", "--cached", "--name-only") == ""


@needs_lfs
def test_a_clone_without_the_filter_of_lfs_commits_no_whole_library(clone: Clone) -> None:
    _in_lfs(clone)
    made = commit(clone)
    assert made.problem == ("nothing was committed: Git LFS is not set up in this clone: run `harvester git-setup`")
    assert clone.git("rev-list", "--count", "HEAD").strip() == "1"


def test_a_sandbox_library_is_committed_where_its_owner_set_git_up(clone: Clone) -> None:
    assert commit_library(clone.folder, MESSAGE, source="sandbox:12ab", wanted=None).name


def test_the_history_is_committed_with_the_library(clone: Clone) -> None:
    (clone.folder / "history.jsonl").write_text("{}\n")
    assert commit(clone).name
    assert files_of_head(clone) == {f"{LIBRARY}/{name}" for name in ("freesound_library.pkl", "history.jsonl")}


def test_a_clone_is_set_up_only_by_its_owner(clone: Clone, tmp_path: Path) -> None:
    assert is_set_up(clone.folder)
    clone.git("config", "--remove-section", "merge.freesound-library")
    assert not is_set_up(clone.folder)
    assert not is_set_up(tmp_path / "home")


def test_from_50_mb_on_the_size_is_told() -> None:
    assert size_notice(49_999_999) == ""
    assert "git-setup --lfs" in size_notice(50_000_000)


@needs_lfs
def test_from_100_mb_on_a_commit_with_lfs_is_made(clone: Clone) -> None:
    from harvester.gitsync.setup import set_up_git

    set_up_git(clone.folder, lfs=True)
    os.truncate(clone.checkpoint, 100_000_000)
    assert commit(clone).name
    assert len(clone.git("cat-file", "blob", f"HEAD:{LIBRARY}/freesound_library.pkl")) < 200
