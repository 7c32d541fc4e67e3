"""The workflows that `harvester init` writes: their shell steps run here, in a fresh clone, against the sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import pytest

from harvester.storage import CHECKPOINT
from harvester.version import __version__
from tests.support.clones import environment, needs_git
from tests.support.command import call
from tests.support.processes import KEY, ROOT, sandbox_process
from tests.support.samples import grow, make_events, open_store
from tests.support.workflows import WorkflowRun, load_workflow, make_tools, run_workflow

pytestmark = needs_git
NAMES = ("harvest", "refresh", "verify", "publish")
LIBRARY = "sandbox_library"


class Forge:
    """A repository on a server, begun by `harvester init --sandbox`, and its workflows."""

    def __init__(self, folder: Path, api_url: str = "") -> None:
        self.folder, self.remote, self.last, self._count = folder, folder / "remote.git", folder, 0
        self._environ = {
            **environment(folder), "HARVESTER_STATE": str(folder / "state"), "NO_COLOR": "1",
            "HARVESTER_HARVEST_API_URL": api_url, "HARVESTER_REFRESH_API_URL": api_url,
            "HARVESTER_HARVEST_LEVEL": "99", "HARVESTER_REFRESH_LEVEL": "99", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        for name in list(self._environ):
            if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER")):
                del self._environ[name]  # the workflow says who commits

    def begin(self) -> None:
        first = self.folder / "first"
        ended = call("init", "--sandbox", "first", cwd=self.folder)
        assert ended.code == 0, ended.err
        self.git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        self.git(first, "push", "--quiet", str(self.remote), "HEAD:main")

    def git(self, folder: Path, *arguments: str) -> str:
        ended = subprocess.run(["git", *arguments], cwd=folder, env=self._environ, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def machine(self) -> Path:
        """Return a fresh clone, as a new machine has it."""
        self._count += 1
        self.last = self.folder / f"machine{self._count}"
        self.git(self.folder, "clone", "--quiet", str(self.remote), str(self.last))
        return self.last

    def unserved(self) -> None:
        """Forget the address of the sandbox."""
        for name in ("HARVESTER_HARVEST_API_URL", "HARVESTER_REFRESH_API_URL"):
            del self._environ[name]

    def bash(self, clone: Path, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in a clone, with the tested harvester on the path."""
        tools = make_tools(self.folder / "tools")
        environ = self._environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            ["bash", "-c", f"git config user.name A; git config user.email a@example.invalid; {line}"],
            cwd=clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, name: str, *, key: str = KEY, **environ: str) -> WorkflowRun:
        """Run a workflow in a fresh clone."""
        clone = self.machine()
        return run_workflow(
            clone / ".github" / "workflows" / f"{name}.yml",
            clone,
            tools=make_tools(self.folder / "tools"),
            secrets={"FREESOUND_API_KEY": key},
            environ=self._environ | environ,
        )

    def messages(self) -> list[str]:
        return self.git(self.remote, "log", "--format=%s", "main").splitlines()

    def processed(self) -> int:
        path = self.folder / "now.pkl"
        shown = subprocess.run(
            ["git", "show", f"main:{LIBRARY}/{CHECKPOINT}"], cwd=self.remote, capture_output=True, check=True
        )
        path.write_bytes(shown.stdout)
        return len(joblib.load(path)["processed_ids"])


@contextmanager
def serving_forge(folder: Path, patch: pytest.MonkeyPatch, *options: object) -> Iterator[Forge]:
    for name, value in environment(folder).items():
        patch.setenv(name, value)
    with sandbox_process(folder, "--no-throttle", "--sounds", 40, *options) as sandbox:
        made = Forge(folder, sandbox.url)
        made.begin()
        yield made


@pytest.fixture(scope="module")
def workflows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("workflows")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            patch.setenv(name, value)
        assert call("init", "sounds", cwd=folder).code == 0
    return {name: load_workflow(folder / "sounds" / ".github" / "workflows" / f"{name}.yml") for name in NAMES}


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_is_scheduled_limited_and_pinned(name: str, workflows: dict[str, dict[str, Any]]) -> None:
    workflow = workflows[name]
    assert set(workflow) == {"name", "on", "permissions", "concurrency", "jobs"}
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}
    assert len(workflow["on"]["schedule"][0]["cron"].split()) == 5
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert workflow["permissions"] == {"contents": "write" if name in ("harvest", "refresh") else "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180
        assert job["runs-on"] == "ubuntu-24.04"
    for step in steps_of(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
        else:
            # The key goes into the one step that needs it, and into no command line.
            assert "secrets." not in step["run"]
            assert ("env" in step) == (step["name"] in ("Harvest", "Refresh"))
    pinned = {step["run"].split("\n")[0] for step in steps_of(workflow) if "pip install" in step.get("run", "")}
    assert [line.endswith(f'>={__version__}"') for line in pinned] == [True]
    assert steps_of(workflow)[0]["with"]["lfs"] is True


def test_those_that_write_the_library_wait_for_each_other(workflows: dict[str, dict[str, Any]]) -> None:
    assert {workflows[name]["concurrency"]["group"] for name in ("harvest", "refresh")} == {"library"}
    assert len({workflow["on"]["schedule"][0]["cron"] for workflow in workflows.values()}) == len(NAMES)


def test_a_night_that_fails_shares_what_it_got_and_stays_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_forge(tmp_path, monkeypatch, "--fault", "401@from=12") as forge:
        done = forge.run("harvest")
    assert done.code == 10, done.steps
    assert "harvester: " in done.steps["Harvest"]
    assert "Share" in done.steps
    assert forge.processed() > 3
    assert f"{LIBRARY}   (sandbox:" in done.summary


@pytest.mark.chaos  # each line of a workflow starts Python: what is special here is the secret
def test_a_night_on_another_machine_goes_on_and_a_missing_secret_takes_no_real_sounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_forge(tmp_path, monkeypatch) as forge:
        done = forge.run("harvest", HARVESTER_HARVEST_MAX_REQUESTS="10")
    assert done.code == 0, done.steps
    assert forge.messages()[0].startswith("library: +")
    assert forge.processed() > 3
    # Without the secret the sandbox of the process answers, whose sounds are of another catalogue.
    forge.unserved()
    done = forge.run("harvest", key="")
    assert done.code == 23, done.steps
    assert "no FREESOUND_API_KEY set" in done.steps["Harvest"]


def test_sharing_keeps_what_a_killed_run_left_and_what_others_pushed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    forge = Forge(tmp_path)
    forge.begin()
    killed, faster = forge.machine(), forge.machine()
    for clone, first in ((killed, 1), (faster, 30)):
        assert call("git-setup", cwd=clone).code == 0
        with open_store(clone / LIBRARY) as store:
            store.set_source("sandbox:12ab")
            grow(store, make_events(3, first=first))  # in the journal only
        ended = forge.bash(clone, "bash .github/share.sh 'after a night'")
        assert ended.returncode == 0, ended.stdout
    assert forge.processed() == 6
    assert "library: after a night" in forge.messages()


@pytest.mark.chaos  # three more workflows with their start of Python for each line
def test_the_other_workflows_run_after_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_forge(tmp_path, monkeypatch) as forge:
        assert forge.run("harvest").code == 0
        done = forge.run("refresh")
        assert done.code == 0, done.steps
        assert "nothing was stale: 0 records and 0 lists refreshed" in done.steps["Refresh"]
        # Records of the same day are not stale. What the commit shares is the run's line of the history.
        assert forge.messages()[0] == "library: 0 records and 0 lists refreshed, 0 sounds deleted, 0 requests"
        assert forge.messages()[1].startswith("library: +40 processed (40)")
        assert f"{LIBRARY}   (sandbox:" in done.summary
    done = forge.run("verify")
    assert done.code == 0, done.steps
    assert "no problems found" in done.summary
    done = forge.run("publish")
    assert done.code == 0, done.steps
    site = forge.last / "site"
    assert {"index.html", "credits.html", "figures"} == {path.name for path in site.iterdir()}
    assert len(list((site / "figures").glob("*.svg"))) > 3
    # A corrupt library is noticed, and the workflow fails with the code of `harvester check`.
    clone = forge.machine()
    (clone / LIBRARY / CHECKPOINT).write_bytes(b"rubbish")
    forge.git(clone, "-c", "user.name=A", "-c", "user.email=a@example.invalid", "commit", "--quiet", "-am", "rubbish")
    forge.git(clone, "push", "--quiet")
    done = forge.run("verify")
    assert done.code == 1, done.steps


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_has_no_objection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert call("init", "sounds", cwd=tmp_path).code == 0
    ended = subprocess.run(["actionlint", "-no-color"], cwd=tmp_path / "sounds", capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
