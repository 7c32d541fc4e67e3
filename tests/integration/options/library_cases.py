"""What the options of the commands that keep, repair, join and share a library are for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from unittest import mock

from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.integration.options.place import Place, jobs_asked, tasks_sent
from tests.integration.options.table import proves
from tests.support.clones import environment
from tests.support.dask_cluster import shared_cluster
from tests.support.samples import files_of, make_events, open_store
from tests.support.samples import grow as grow_store


@proves("check", "--repair")
def _a_corrupt_file_is_repaired(place: Place) -> None:
    (place.folder / "shelf" / CHECKPOINT).write_bytes(b"rubbish")
    place.run("--library", "shelf", code=1)
    assert (place.folder / "shelf" / CHECKPOINT).read_bytes() == b"rubbish"
    assert "after the repair the library holds" in place.run("--library", "shelf", given=True).err
    assert len(place.load("shelf")["graph"]) == 10


@proves("check", "--jobs")
def _so_many_processes_check(place: Place) -> None:
    with jobs_asked() as asked:
        place.run("--library", "shelf", given=2)
    assert asked == [2]


@proves("check", "--scheduler")
def _a_cluster_checks(place: Place) -> None:
    with tasks_sent() as sent:
        place.run("--library", "shelf", given=shared_cluster())
    assert sent


@proves("backups prune", "--library", "--keep-backups")
def _older_backups_of_this_library_go(place: Place) -> None:
    other = place.backups("shelf")
    newest = place.backups("grown")[-1]
    if place.option == "--library":
        place.run("--keep-backups", 1, "--yes", given="grown")
    else:
        place.run("--library", "grown", "--yes")
        assert len(place.backups("grown")) == 2
        place.run("--library", "grown", "--yes", given=1)
    assert place.backups("grown") == [newest]
    assert place.backups("shelf") == other


def _two_backups(place: Place) -> tuple[Path, Path]:
    """Return the older and the newer of two backups, of which the newer holds more."""
    older, newer = place.backups("grown")
    return place.folder / "grown" / older, place.folder / "grown" / newer


@proves("restore", "backup")
def _the_named_backup_is_restored_and_no_other(place: Place) -> None:
    older, newer = _two_backups(place)
    # Neither the newest nor the largest may stand in for the one that is named.
    for backup in (older, newer, older):
        content = place.load(f"grown/{backup.name}")
        ended = place.run("--library", "grown", backup.name)
        assert f"restored {backup.name}: " in ended.err
        restored = place.load("grown")
        assert set(restored["graph"]) == set(content["graph"])
        assert restored["processed_ids"] == content["processed_ids"]
    assert set(place.load(f"grown/{older.name}")["graph"]) != set(place.load(f"grown/{newer.name}")["graph"])
    place.run("--library", "grown", f"grown/{newer.name}")
    assert len(place.load("grown")["graph"]) == 178
    assert "there is no such backup" in place.run("--library", "grown", "none.pkl", code=2).err


@proves("restore", "--library")
def _this_library_is_restored(place: Place) -> None:
    (place.folder / "shelf" / CHECKPOINT).unlink()
    (place.folder / "shelf" / JOURNAL).unlink()
    place.run(given="shelf")
    assert len(place.load("shelf")["graph"]) == 10


def _other(place: Place) -> str:
    """Write a library of other sounds from the shelf's source, and return its name."""
    with open_store(place.folder / "other") as store:
        store.set_source("https://freesound.org/apiv2/")
        grow_store(store, make_events(3, first=21))
        store.checkpoint()
    return "other"


@proves("merge", "inputs")
def _these_libraries_are_merged(place: Place) -> None:
    place.run(_other(place), "shelf", "--library", "new")
    assert set(place.load("new")["graph"]) == {*range(1, 11), 21, 22, 23}


@proves("merge", "--output", "-o")
def _the_union_is_written_there(place: Place) -> None:
    before = (place.folder / "shelf" / CHECKPOINT).read_bytes()
    place.run(_other(place), "shelf", "--library", "shelf", given="union.pkl")
    assert len(place.load("union.pkl")["graph"]) == 13
    assert (place.folder / "shelf" / CHECKPOINT).read_bytes() == before


@proves("merge", "--library")
def _the_union_goes_into_this_library(place: Place) -> None:
    place.run(_other(place), given="shelf")
    assert len(place.load("shelf")["graph"]) == 13


@proves("import", "old", "--library", "--source")
def _the_old_file_is_imported(place: Place) -> None:
    old = place.stock.old_file()
    if place.option == "--library":
        place.run(old, given="new")
    elif place.option == "--source":
        place.run(old, "--library", "new", given="https://team.example/apiv2/")
    else:
        place.run(old, "--library", "new")
    content = place.load("new")
    assert set(content["graph"]) == {1, 2, 3, 4, 999999}
    source = "https://team.example/apiv2/" if place.option == "--source" else "https://freesound.org/apiv2/"
    assert content["metadata"]["source"] == source


@proves("import", "--relation")
def _edges_without_a_kind_get_this_one(place: Place) -> None:
    (place.folder / "edges.csv").write_text("source,target,kind\n1,2,\n2,3,pack\n")
    place.run("edges.csv", "--library", "new", given="same place")
    edges = place.load("new")["graph"].edges
    assert [edges[ends]["relation"] for ends in ((1, 2), (2, 3))] == [["same place"], ["pack"]]


@proves("forget", "sound_ids", "--user", "--library")
def _these_sounds_are_withdrawn(place: Place) -> None:
    if place.option == "sound_ids":
        place.run(2, 5, "--library", "shelf", "--yes")
    elif place.option == "--user":
        place.run("--library", "shelf", "--yes", given="user2")
    else:
        place.run(2, 5, "--yes", given="shelf")
    names = {sound_id: record.get("name") for sound_id, record in place.load("shelf")["sound_cache"].items()}
    withdrawn = {sound_id for sound_id, name in names.items() if name is None} - {10}
    assert withdrawn == ({2, 5, 8} if place.option == "--user" else {2, 5})


CAREFUL = {
    "forget": (2, "--library", "shelf"),
    "backups prune": ("--library", "grown", "--keep-backups", 1),
    "restore": ("--library", "shelf"),
    "check": ("--library", "shelf", "--repair"),
    "merge": ("grown.pkl", "--library", "grown"),
}
"""The commands that ask, and what each is asked for."""


@proves(", ".join(CAREFUL), "--dry-run")
def _nothing_is_changed(place: Place) -> None:
    (place.folder / "shelf" / "freesound_library.vectors").write_text("a vector file that needs a repair")
    shutil.copy(place.folder / "grown" / CHECKPOINT, place.folder / "grown.pkl")
    before = files_of(place.folder)
    told = place.run(*CAREFUL[place.command], given=True)
    assert told.err.startswith("dry run: this is what would be done, and nothing is changed\n")
    assert files_of(place.folder) == before
    done = place.run(*CAREFUL[place.command], "--yes")
    assert files_of(place.folder) != before
    assert _without_times(done.err) == _without_times(told.err.split("\n", 1)[1])
    assert done.out == told.out


def _without_times(text: str) -> str:
    return re.sub(r"\d{8}_\d{6}", "TIME", text)


@proves(", ".join(CAREFUL), "--yes", "-y")
def _no_question_is_asked(place: Place) -> None:
    shutil.copy(place.folder / "grown" / CHECKPOINT, place.folder / "grown.pkl")
    with mock.patch("harvester.cli.consent.has_terminal", return_value=True):
        place.run(*CAREFUL[place.command], given=True)


def _tree(place: Place) -> Path:
    for variable, value in environment(place.folder).items():
        place.patch.setenv(variable, value)
    subprocess.run(["git", "init", "--quiet"], cwd=place.folder, check=True)
    return place.folder / "shelf"


@proves("git-setup", "--library", "--lfs", "--undo")
def _the_clone_is_set_up(place: Place) -> None:
    shelf = _tree(place)
    if place.option == "--library":
        place.run(given="shelf")
        assert "freesound-library" in (shelf / ".gitattributes").read_text()
    elif place.option == "--lfs":
        place.run("--library", "shelf")
        assert "filter=lfs" not in (shelf / ".gitattributes").read_text()
        if shutil.which("git-lfs"):
            place.run("--library", "shelf", given=True)
            assert "filter=lfs" in (shelf / ".gitattributes").read_text()
        else:
            assert "git-lfs" in place.run("--library", "shelf", given=True, code=2).err
    else:
        place.run("--library", "shelf")
        place.run("--library", "shelf", given=True)
        assert not (shelf / ".gitattributes").exists()
        sections = (place.folder / ".git" / "config").read_text()
        assert "freesound" not in sections


@proves("init", "folder", "--sandbox", "--lfs", "--dry-run")
def _the_repository_is_begun(place: Place) -> None:
    _tree(place)
    shutil.rmtree(place.folder / ".git")
    team = place.folder / "team"
    if place.option == "--lfs" and not shutil.which("git-lfs"):
        assert "git-lfs" in place.run("team", given=True, code=2).err
    elif place.option == "--lfs":
        place.run("team", given=True)
        assert "filter=lfs" in (team / "freesound_library" / ".gitattributes").read_text()
    elif place.option == "--dry-run":
        assert "would make team a Git repository" in place.run("team", given=True).err
    elif place.option == "--sandbox":
        place.run("team", given=True)
        assert place.load("team/sandbox_library")["metadata"]["source"] == "sandbox:"
    else:
        place.run("team")
        assert place.load("team/freesound_library")["metadata"]["nodes"] == 0
    assert (team / ".git").exists() == ((team / "README.md").exists())


@proves("git-merge", "ours", "theirs", "path")
def _git_merges_two_checkpoints_into_ours(place: Place) -> None:
    ours, theirs = (place.folder / name / CHECKPOINT for name in ("shelf", _other(place)))
    before = theirs.read_bytes()
    ended = place.run(ours, theirs, "data/library.pkl")
    assert ended.err.startswith("data/library.pkl: ")
    assert len(place.load(f"shelf/{CHECKPOINT}")["graph"]) == 13
    assert theirs.read_bytes() == before


@proves("git-textconv", "file")
def _git_shows_a_checkpoint_as_text(place: Place) -> None:
    told = place.run(place.folder / "shelf" / CHECKPOINT).out
    assert re.search(r"^sounds +10$", told, re.MULTILINE), told[:300]


@proves("service", "--print", "--library")
def _the_unit_is_told(place: Place) -> None:
    if place.option == "--print":
        assert place.run(given="systemd").out.count("ExecStart=") == 1
        assert place.run(given="cron").out.count("17 * * * * cd ") == 1
        assert place.run(given="launchd").out.count("<key>ProgramArguments</key>") == 1
    else:
        told = place.run("--print", "systemd", given="my/library").out
        assert f"--library {place.folder}/my/library\n" in told
