"""Two people harvest the same catalogue in clones of their own: real harvests, real git, one library in the end."""

from __future__ import annotations

from pathlib import Path

import joblib
import pytest

from harvester.cli.committing import commit_after
from harvester.gitsync import grown_message
from harvester.library import load_history
from tests.support.clones import LIBRARY, Clone, environment, harvester, make_clones, needs_git
from tests.support.processes import KEY, sandbox_process
from tests.support.samples import SOURCE, grow, make_events, open_store

pytestmark = needs_git


def processed(clone: Clone) -> set[int]:
    found: set[int] = joblib.load(clone.checkpoint)["processed_ids"]
    return found


@pytest.mark.parametrize("first_to_pull", [0, 1])
def test_two_clones_that_grew_fifty_samples_each_end_with_one_file_in_either_order(
    tmp_path: Path, first_to_pull: int
) -> None:
    clones = make_clones(tmp_path, 2, forked=False)
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 1000) as sandbox:
        for clone, query in zip(clones, ("rain", "drum"), strict=True):
            ended = harvester(
                clone, "harvest", "--api-url", sandbox.url, "--level", 99, "--samples", 50, "--query", query,
                "--library", LIBRARY, key=KEY,
            )  # fmt: skip
            assert ended.code == 0, ended.err
            assert "\ncommitted " in ended.err
            assert clone.git("status", "--porcelain") == ""
    sides = [processed(clone) for clone in clones]
    assert sides[0] != sides[1]
    one, other = clones[first_to_pull], clones[1 - first_to_pull]
    one.git("pull", "--quiet", "--no-edit", "--no-rebase", str(other.root), "HEAD")
    other.git("pull", "--quiet", "--no-edit", "--no-rebase", str(one.root), "HEAD")
    assert one.checkpoint.read_bytes() == other.checkpoint.read_bytes()
    assert processed(one) == sides[0] | sides[1]
    runs = load_history(one.folder).runs
    assert [run.processed for run in runs] == [50, 50]
    assert load_history(other.folder).runs == runs


def test_a_sandbox_library_is_committed_only_where_git_was_set_up_for_it(tmp_path: Path) -> None:
    [clone] = make_clones(tmp_path, 1, ready=False)
    ended = harvester(clone, "harvest", "--samples", 2, "--library", LIBRARY, "--commit")
    assert ended.code == 0, ended.err
    assert "these sounds are made up" in ended.err
    assert clone.git("rev-list", "--count", "HEAD").strip() == "1"


def test_the_commit_after_a_harvest_is_on_after_git_setup_and_off_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    [clone] = make_clones(tmp_path, 1)
    for place, (wanted, commits) in enumerate([(False, 1), (None, 2), (True, 3)]):
        with open_store(clone.folder) as store:
            store.set_source(SOURCE)
            grow(store, make_events(3, first=1 + 3 * place))
            store.checkpoint()
        commit_after(clone.folder, SOURCE, grown_message(50, 100, 812, 37), wanted, with_backups=False)
        assert clone.git("rev-list", "--count", "HEAD").strip() == str(commits)
    assert "library: +50 processed (100), +812 edges, 37 requests" in capsys.readouterr().err
    clone.git("config", "--remove-section", "merge.freesound-library")
    commit_after(clone.folder, SOURCE, grown_message(1, 1, 1, 1), None, with_backups=False)
    assert "git-setup" in capsys.readouterr().err
