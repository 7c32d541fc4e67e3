"""Check, restore, merge, forget, import, back up, link and keep in Git: called as a program calls them."""

from __future__ import annotations

import json
import os
import sys
from array import array
from pathlib import Path

import pytest

import harvester
from harvester.library import load_view
from harvester.storage import CHECKPOINT, WriterLock
from tests.support.clones import environment, make_clones, needs_git
from tests.support.old_libraries import KEY, make_old_library
from tests.support.samples import SOURCE, grow, make_events, make_record, open_store


def test_a_healthy_library_is_clean_and_a_corrupt_one_is_repaired_on_demand_only(folder: Path) -> None:
    assert harvester.check(folder).clean
    whole = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).write_bytes(whole[:-40])
    report = harvester.check(str(folder))
    assert not report.clean
    assert [finding.path.name for finding in report.findings if finding.severity == "error"] == [CHECKPOINT]
    assert (folder / CHECKPOINT).read_bytes() == whole[:-40]
    report = harvester.check(folder, repair=True, jobs=-1)
    assert (report.clean, report.aside) == (True, True)
    assert report.left == "12 sounds (12 processed), 24 edges"
    assert harvester.check(folder).clean


def test_backups_are_verified_pruned_and_restored(folder: Path) -> None:
    [backup] = harvester.list_backups(folder)
    assert (backup.verified, backup.nodes, backup.edges, backup.processed) == (True, 12, 24, 12)
    with open_store(folder) as store:
        grow(store, make_events(5, first=100))
        store.checkpoint(backup=True)
    assert [one.nodes for one in harvester.list_backups(folder)] == [17, 12]
    restored = harvester.restore(backup.backup.path.name, library=folder)
    assert (restored.target, restored.nodes, restored.processed) == (backup.backup.path, 12, 12)
    assert restored.set_aside is not None
    assert len(load_view(folder).state) == 12
    assert len(load_view(restored.set_aside).state) == 17
    assert harvester.restore(library=folder).nodes == 17
    before = harvester.list_backups(folder)
    removed = harvester.prune_backups(folder, keep_backups=1)
    left = harvester.list_backups(folder)
    assert {one.path for one in removed} == {one.backup.path for one in before} - {one.backup.path for one in left}
    assert removed
    assert max(one.nodes for one in left) == 17
    with pytest.raises(harvester.LibraryNotFound, match="there is no library here"):
        harvester.prune_backups(folder.parent / "nowhere")


def test_a_merge_takes_one_path_or_several_and_the_name_of_a_backup(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with open_store(other) as store:
        store.set_source(SOURCE)
        grow(store, make_events(4, first=50))
        store.checkpoint(backup=True)
    [backup] = harvester.list_backups(folder)
    report = harvester.merge([other, backup.backup.path.name], library=folder, output=tmp_path / "both.pkl")
    assert (report.target, report.nodes, report.processed) == (tmp_path / "both.pkl", 16, 16)
    assert [one.new_nodes for one in report.contributions] == [4, 12]
    assert len(load_view(folder).state) == 12
    report = harvester.merge(str(other), library=folder)
    assert (report.target, report.nodes, report.contributions[-1].new_nodes) == (folder, 16, 4)


def test_forgotten_sounds_are_counted_by_what_was_known_of_them(folder: Path) -> None:
    report = harvester.forget([3, 777], library=folder)
    assert (report.forgotten, report.before, report.unknown, report.in_git) == ((3,), (), (777,), False)
    assert all(path.exists() for path in report.still_in)
    report = harvester.forget(3, user="user0", library=folder)
    assert (report.forgotten, report.before) == ((2, 4, 6, 8, 10, 12), (3,))
    with pytest.raises(harvester.SettingsError, match="no sound given"):
        harvester.forget(library=folder)


def test_an_old_file_is_imported_without_its_key(tmp_path: Path) -> None:
    old = make_old_library(tmp_path, json.dumps([make_record(one) for one in (1, 2)]))
    report = harvester.import_library(old, library=tmp_path / "new")
    assert (report.path, report.target, report.processed) == (old, tmp_path / "new", 0)
    assert report.keys > 0
    assert load_view(tmp_path / "new").state.source == SOURCE
    assert not any(KEY.encode() in path.read_bytes() for path in (tmp_path / "new").iterdir() if path.is_file())
    with pytest.raises(harvester.SettingsError, match="the API address must look like"):
        harvester.import_library(old, library=tmp_path / "new", source="nowhere")


def test_a_link_tells_its_progress_and_stops_when_it_is_asked_to(folder: Path) -> None:
    with open_store(folder) as store:
        store.keep_vectors({one: array("f", [1.0, one / 100] + [0.0] * 510) for one in range(1, 13)})
        store.checkpoint()
    told: list[tuple[int, int]] = []
    result = harvester.link(folder, neighbours=3, on_progress=lambda done, total: told.append((done, total)))
    # Every sound has a list from the server, and those are never changed.
    assert (result.library, result.vectors, result.kept, result.new, result.done) == (folder, 12, 12, 0, True)
    assert told == [(0, 0)]
    with open_store(folder) as store:
        store.keep_vectors({40: array("f", [1.0, 0.4] + [0.0] * 510)})
        grow(store, [event for event in make_events(1, first=40) if not hasattr(event, "similar")])
        store.checkpoint()
    stopped = harvester.link(folder, neighbours=3, asked_to_stop=lambda: True)
    assert (stopped.done, stopped.new) == (False, 0)
    result = harvester.link(folder, neighbours=3, jobs=2)
    assert (result.done, result.new, result.as_dict()["library"]) == (True, 1, str(folder))
    similar = load_view(folder).state.similar(40)
    assert similar is not None
    assert [sound_id for sound_id, _ in similar.neighbours] == [12, 11, 10]


@needs_git
def test_git_is_set_up_used_and_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    [clone] = make_clones(tmp_path, 1, ready=False)
    with open_store(clone.folder) as store:
        store.set_source(SOURCE)
        grow(store, make_events(3))
        store.checkpoint()
    # Without git-setup, a commit happens only if it is asked for.
    unasked = harvester.commit_library(clone.folder, message="grown", source=SOURCE)
    assert unasked == harvester.Commit(reason="nothing was committed: `harvester git-setup` has not run in this clone")
    done = harvester.git_setup(clone.folder)
    assert any("written; commit it" in line for line in done)
    made = harvester.commit_library(clone.folder, message="grown", source=SOURCE)
    assert made.name == clone.git("rev-parse", "--short", "HEAD").strip()
    assert harvester.forget(2, library=clone.folder).in_git
    assert next(harvester.git_textconv(clone.folder / CHECKPOINT)) == f"source    {SOURCE}"
    ours = clone.root / "ours.pkl"
    ours.write_bytes((clone.folder / CHECKPOINT).read_bytes())
    with open_store(tmp_path / "theirs") as store:
        store.set_source(SOURCE)
        grow(store, make_events(2, first=60))
        store.checkpoint()
    monkeypatch.chdir(clone.root)
    report = harvester.git_merge(ours, tmp_path / "theirs" / CHECKPOINT, f"data/library/{CHECKPOINT}")
    assert (report.contribution.new_nodes, report.notices) == (2, ())
    (clone.root / "theirs.pkl").write_bytes(b"no library")
    before = ours.read_bytes()
    with pytest.raises(harvester.Findings, match="left as a conflict"):
        harvester.git_merge(ours, clone.root / "theirs.pkl", f"data/library/{CHECKPOINT}")
    assert ours.read_bytes() == before
    assert any("removed" in line for line in harvester.git_setup(clone.folder, undo=True))
    with pytest.raises(harvester.SettingsError, match="exclude each other"):
        harvester.git_setup(clone.folder, lfs=True, undo=True)


def test_a_writer_beside_another_is_refused_with_its_own_error(folder: Path) -> None:
    lock = WriterLock(folder)
    lock.acquire(1)
    try:
        for act in (
            lambda: harvester.prune_backups(folder),
            lambda: harvester.restore(library=folder),
            lambda: harvester.merge(folder, library=folder),
            lambda: harvester.forget(1, library=folder),
        ):
            with pytest.raises(harvester.LibraryLocked):
                act()
        assert harvester.check(folder).clean
    finally:
        lock.release()


def test_a_program_names_the_command_that_a_service_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = harvester.service_text("systemd", library="mine")
    assert f"ExecStart={sys.executable} -P -m harvester harvest --forever --no-progress" in text
    assert f"--library {tmp_path / 'mine'}\n" in text
    assert "&& /opt/h --quiet harvest" in harvester.service_text("cron", command=["/opt/h"])
    with pytest.raises(harvester.SettingsError, match="upstart is not known; choose from systemd, launchd, cron"):
        harvester.service_text("upstart")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing was written


def test_the_default_folder_is_the_sandbox_s_library_only_where_no_other_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert harvester.find_library(None) == Path("freesound_library")
    with open_store(Path("sandbox_library")) as store:
        grow(store, make_events(1))
        store.checkpoint()
    assert harvester.find_library(None) == Path("sandbox_library")
    assert harvester.find("sound").library == Path("sandbox_library")
    assert harvester.find_library("mine") == Path("mine")
