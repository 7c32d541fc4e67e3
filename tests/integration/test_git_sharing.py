"""A library in Git: two people grow it, and Git joins it. Real git; its drivers in processes of their own, forked ones.

`test_git_harvest` and `test_workflows` have the drivers started as `git-setup` writes them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import encode_checkpoint
from harvester.model import Event, Withdrawn
from tests.support.clones import LIBRARY, Clone, harvester, make_clones, needs_git, needs_lfs
from tests.support.samples import NOW_US, content_of, grow, make_events, make_state, open_store, reload_content

pytestmark = needs_git


def grow_clone(clone: Clone, events: list[Event], *, saved: bool = True) -> None:
    with open_store(clone.folder) as store:
        if not store.state.source:
            store.set_source("https://freesound.org/apiv2/")
        grow(store, events)
        if saved:
            store.checkpoint()


def grown(clone: Clone, events: list[Event]) -> Clone:
    grow_clone(clone, events)
    clone.commit()
    return clone


def content(clone: Clone) -> object:
    return content_of(load_checkpoint(clone.checkpoint).state)


OURS, THEIRS = make_events(3), make_events(3, first=3)
BOTH = content_of(make_state(OURS + THEIRS))


@pytest.mark.parametrize("how", ["merge", "rebase", "cherry-pick"])
def test_git_joins_two_grown_libraries_without_a_conflict(tmp_path: Path, how: str) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    grown(ours, OURS).git("push", "--quiet")
    grown(theirs, THEIRS)
    if how == "cherry-pick":
        theirs.git("fetch", "--quiet")
        theirs.git("cherry-pick", "origin/main")
    else:
        theirs.git("pull", "--quiet", "--no-edit", f"--rebase={'true' if how == 'rebase' else 'false'}")
    assert content(theirs) == BOTH
    assert theirs.git("status", "--porcelain") == ""
    if how != "cherry-pick":
        theirs.git("push", "--quiet")
        ours.git("pull", "--quiet", "--ff-only")
        assert ours.checkpoint.read_bytes() == theirs.checkpoint.read_bytes()


def test_a_criss_cross_of_merges_ends_in_one_and_the_same_file(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    grown(ours, OURS)
    grown(theirs, THEIRS)
    for clone, other in ((ours, theirs), (theirs, ours)):
        clone.git("fetch", "--quiet", str(other.root), "main:refs/heads/first")
    # Each merges what the other had before: two merge bases from here on.
    ours.git("merge", "--quiet", "--no-edit", "first")
    theirs.git("merge", "--quiet", "--no-edit", "first")
    assert ours.checkpoint.read_bytes() == theirs.checkpoint.read_bytes()
    grown(ours, make_events(2, first=10))
    grown(theirs, make_events(2, first=20))
    theirs.git("pull", "--quiet", "--no-edit", "--no-rebase", str(ours.root), "main")
    ours.git("pull", "--quiet", "--no-edit", "--no-rebase", str(theirs.root), "main")
    assert ours.checkpoint.read_bytes() == theirs.checkpoint.read_bytes()
    everything = OURS + THEIRS + make_events(2, first=10) + make_events(2, first=20)
    assert content(ours) == content_of(make_state(everything))


def test_a_takedown_survives_every_pull(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    grown(ours, OURS).git("push", "--quiet")
    theirs.git("pull", "--quiet", "--no-rebase")
    grown(theirs, make_events(3, at=NOW_US - 10))
    grown(ours, [Withdrawn(2, NOW_US - 1000)]).git("push", "--quiet")
    theirs.git("pull", "--quiet", "--no-rebase", "--no-edit")
    state = load_checkpoint(theirs.checkpoint).state
    assert state.attributes(2)["name"] is None
    assert b"sound 2" not in b"".join(encode_checkpoint(state))


def test_events_that_no_checkpoint_holds_survive_a_pull(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    grown(ours, OURS).git("push", "--quiet")
    theirs.git("pull", "--quiet", "--no-rebase")
    grow_clone(theirs, make_events(2, first=30), saved=False)  # killed here
    grown(ours, THEIRS).git("push", "--quiet")
    theirs.git("pull", "--quiet", "--no-rebase")
    assert reload_content(theirs.folder) == content_of(make_state(OURS + THEIRS + make_events(2, first=30)))


def test_a_pull_under_a_running_writer_is_joined_and_not_overwritten(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    grown(ours, OURS).git("push", "--quiet")
    theirs.git("pull", "--quiet", "--no-rebase")
    grown(ours, THEIRS).git("push", "--quiet")
    with open_store(theirs.folder) as store:
        grow(store, make_events(2, first=30))
        theirs.git("pull", "--quiet", "--no-rebase")
        store.checkpoint()
        assert any("was merged" in line for line in store.notices)
    assert reload_content(theirs.folder) == content_of(make_state(OURS + THEIRS + make_events(2, first=30)))


@pytest.mark.parametrize("bad", [b"", b"no pickle at all", b"\x78\x5e" + b"\x00" * 40, "cut", "other source"])
def test_a_side_that_cannot_be_joined_leaves_an_ordinary_conflict_and_a_clear_line(
    tmp_path: Path, bad: bytes | str
) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    grown(ours, OURS)
    if bad == "cut":
        bad = ours.checkpoint.read_bytes()[:-2]
    elif bad == "other source":
        state = make_state(THEIRS)
        state.source = "https://example.org/apiv2/"
        bad = b"".join(encode_checkpoint(state))
    assert isinstance(bad, bytes)
    theirs.folder.mkdir(parents=True, exist_ok=True)
    theirs.checkpoint.write_bytes(bad)
    theirs.commit()
    theirs.git("push", "--quiet", "--force")
    before = ours.checkpoint.read_bytes()
    ended = ours.try_git("pull", "--no-edit", "--no-rebase")
    assert ended.returncode == 1
    assert "left as a conflict" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "CONFLICT" in ended.stdout
    assert ours.git("ls-files", "--unmerged").count(LIBRARY) >= 2
    assert ours.checkpoint.read_bytes() == before
    assert sorted(path.name for path in ours.root.glob(".merge_file*")) == []
    ours.git("checkout", "--ours", "--", LIBRARY)
    ours.commit()
    assert content(ours) == content_of(make_state(OURS))


def test_a_clone_that_was_never_set_up_has_an_ordinary_conflict(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    harvester(theirs, "git-setup", "--undo", "--library", LIBRARY)
    grown(ours, OURS).git("push", "--quiet")
    grown(theirs, THEIRS)
    assert theirs.try_git("pull", "--no-edit", "--no-rebase").returncode == 1
    assert content(theirs) == content_of(make_state(THEIRS))


def test_setting_up_twice_changes_nothing_and_undo_takes_everything_back(tmp_path: Path) -> None:
    [clone] = make_clones(tmp_path, 1, ready=False)
    # Before the first harvest the folder is not there.
    assert harvester(clone, "git-setup", "--library", "later/library").code == 0
    assert (clone.root / "later/library/.gitattributes").exists()
    assert harvester(clone, "git-setup", "--undo", "--library", "later/library").code == 0
    own = clone.folder / ".gitignore"
    own.write_text("*.wav")
    config = clone.root / ".git/config"
    before = config.read_text()
    first = harvester(clone, "git-setup", "--library", LIBRARY)
    assert first.code == 0, first.err
    assert "in every clone" in first.err
    written = {path.name: path.read_text() for path in (*clone.folder.iterdir(), config)}
    assert written[".gitignore"].startswith("*.wav\n")
    assert harvester(clone, "git-setup", "--library", LIBRARY).code == 0
    assert {path.name: path.read_text() for path in (*clone.folder.iterdir(), config)} == written
    assert harvester(clone, "git-setup", "--undo", "--library", LIBRARY).code == 0
    assert {path.name: path.read_text() for path in (*clone.folder.iterdir(), config)} == {
        ".gitignore": "*.wav\n", "config": before,
    }  # fmt: skip
    # Who has chosen how to pull keeps the choice.
    clone.git("config", "pull.ff", "only")
    before = config.read_text()
    for arguments in ((), ("--undo",)):
        assert harvester(clone, "git-setup", *arguments, "--library", LIBRARY).code == 0
        assert clone.try_git("config", "pull.rebase").returncode == 1
    assert config.read_text() == before
    outside = harvester(Clone(tmp_path), "git-setup", "--library", "home")
    assert outside.code == 2
    assert outside.err.count("\n") == 1


def test_a_plain_git_pull_joins_what_grew_apart(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2)
    for clone, events in ((ours, OURS), (theirs, THEIRS)):
        grown(clone, events)
    ours.git("push", "--quiet")
    theirs.git("pull", "--quiet")
    assert content(theirs) == BOTH


def test_what_belongs_to_the_machine_is_ignored(tmp_path: Path) -> None:
    [clone] = make_clones(tmp_path, 1)
    with open_store(clone.folder) as store:
        store.set_source("https://freesound.org/apiv2/")
        grow(store, OURS)
        store.checkpoint(backup=True)
        (clone.folder / "quarantine").mkdir()
        (clone.folder / "quarantine/x").touch()
        (clone.folder / ".freesound_library.pkl.7.tmp").touch()
        assert clone.git("status", "--porcelain", "--untracked-files=all").split() == [
            "??", f"{LIBRARY}/freesound_library.pkl",
        ]  # fmt: skip


def test_git_diff_shows_what_changed_as_text(tmp_path: Path) -> None:
    [clone] = make_clones(tmp_path, 1)
    grown(clone, OURS)
    grown(clone, [*make_events(1, first=9), Withdrawn(2, NOW_US)])
    shown = clone.git("log", "-p", "-1")
    assert "-sounds    3" in shown
    assert "+sounds    4" in shown
    assert '+sound 9; "sound 9" by user1' in shown
    assert "+sound 2; withdrawn" in shown
    assert "sound 3" not in [line[1:8] for line in shown.splitlines() if line[:1] in "+-"]
    clone.checkpoint.write_bytes(b"rubbish")
    assert "the library cannot be read" in clone.git("diff")


@needs_lfs
@pytest.mark.parametrize("how", [pytest.param("merge", marks=pytest.mark.chaos), "rebase"])
def test_with_lfs_git_holds_pointers_and_joins_what_they_stand_for(tmp_path: Path, how: str) -> None:
    ours, theirs = make_clones(tmp_path, 2, lfs=True)
    grown(ours, OURS).git("push", "--quiet")
    grown(theirs, THEIRS)
    theirs.git("pull", "--quiet", "--no-edit", f"--rebase={'true' if how == 'rebase' else 'false'}")
    assert content(theirs) == BOTH
    pointer = theirs.git("cat-file", "blob", f"HEAD:{LIBRARY}/freesound_library.pkl")
    assert pointer.startswith("version https://git-lfs.github.com/spec/v1")
    assert theirs.git("status", "--porcelain") == ""
    theirs.git("push", "--quiet")
    ours.git("pull", "--quiet", "--ff-only")
    assert ours.checkpoint.read_bytes() == theirs.checkpoint.read_bytes()
    assert "+sounds    5" in theirs.git("show", "--textconv", "-m", "--first-parent", "HEAD")


@needs_lfs
def test_an_lfs_object_that_cannot_be_had_leaves_a_conflict(tmp_path: Path) -> None:
    ours, theirs = make_clones(tmp_path, 2, lfs=True)
    grown(ours, OURS).git("push", "--quiet")
    grown(theirs, THEIRS)
    for path in (tmp_path / "remote.git/lfs").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.unlink()
    ended = theirs.try_git("pull", "--no-edit", "--no-rebase")
    assert ended.returncode == 1
    assert "left as a conflict" in ended.stderr
    assert content(theirs) == content_of(make_state(THEIRS))


@needs_lfs
def test_an_lfs_join_larger_than_what_lies_in_the_work_tree_is_whole(tmp_path: Path) -> None:
    # `git lfs clean` cuts what it is given to 1,024 bytes where it finds a smaller file, or none, at the path.
    ours, theirs = make_clones(tmp_path, 2, lfs=True)
    grown(ours, make_events(60)).git("push", "--quiet")
    grown(theirs, make_events(1, first=100))
    theirs.git("pull", "--quiet", "--rebase")
    assert content(theirs) == content_of(make_state([*make_events(60), *make_events(1, first=100)]))
    assert [path for path in theirs.root.iterdir() if path.name.startswith(".merge")] == []
