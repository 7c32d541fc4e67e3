"""A team rehearses nights of harvests with `harvester init --sandbox`: real processes, real git, a day between nights.

Ann begins the repository. Bob's machine dies in the middle of a run. Ann's key is refused for a night. Cy has no
git-lfs at first. In the end everyone has every sound that any run had processed. What people read is printed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from harvester.library.reader import load_view
from harvester.storage import CHECKPOINT
from tests.support.clones import environment, needs_git, needs_lfs
from tests.support.fork_server import Forked
from tests.support.processes import Ended, SandboxProcess, run, sandbox_process, wait_until

pytestmark = [needs_git, needs_lfs]
DAY_S = 86_400
DAILY = 12
"""Requests a night; the rest of the catalogue waits for the next one."""
QUERIES = {"ann": "rain", "bob": "drum", "cy": "wind"}
LIMITS = ("--limits", f"100000/{DAILY}")


@dataclass
class Member:
    """One person with a clone, a key and a ledger of their own."""

    name: str
    home: Path
    environ: dict[str, str]
    told: list[str] = field(default_factory=list)
    key: str = ""

    @property
    def clone(self) -> Path:
        return self.home / "sounds"

    @property
    def library(self) -> Path:
        return self.clone / "sandbox_library"

    def harvester(self, *arguments: object, night: int = 0, code: int = 0, cwd: Path | None = None) -> Ended:
        given = self.environ | {"FREESOUND_API_KEY": self.key}
        ended = run(*arguments, cwd=cwd or self.clone, environ=given, later_s=night * DAY_S)
        self._tell("harvester", arguments, ended.code, ended.err)
        assert ended.code == code, self.told
        if code:
            assert ended.err.splitlines()[-1].startswith("harvester: ")
        return ended

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        ended = subprocess.run(
            ["git", *arguments], cwd=cwd or self.clone, env=self.environ, capture_output=True, text=True
        )
        self._tell("git", arguments, ended.returncode, ended.stderr)
        assert ended.returncode == 0, self.told
        return ended.stdout

    def share(self) -> None:
        self.git("pull", "--quiet", "--no-edit")
        self.git("push", "--quiet")

    def processed(self) -> set[int]:
        return set(load_view(self.library).state.processed)

    def _tell(self, program: str, arguments: tuple[object, ...], code: int, err: str) -> None:
        self.told.append(f"{self.name}$ {program} {' '.join(map(str, arguments))}   ({code})")
        self.told += [f"    {line}" for line in err.splitlines()]


def without_lfs(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git is the only program."""
    folder.mkdir()
    git = shutil.which("git")
    assert git is not None
    (folder / "git").symlink_to(git)
    exec_path = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    return {**environ, "PATH": str(folder), "GIT_EXEC_PATH": exec_path}


def make_team(folder: Path) -> dict[str, Member]:
    team = {}
    for name in QUERIES:
        home = folder / name
        home.mkdir()
        own = environment(home) | {"HARVESTER_STATE": str(home / "state"), "NO_COLOR": "1"}
        team[name] = Member(name, home, own, key=name)
    ann, bob, cy = team.values()
    remote = str(folder / "remote.git")
    ann.harvester("init", "--sandbox", "--lfs", "sounds", cwd=ann.home)
    ann.git("init", "--quiet", "--bare", "--initial-branch=main", remote, cwd=ann.home)
    ann.git("remote", "add", "origin", remote)
    ann.git("push", "--quiet", "-u", "origin", "HEAD")
    for member in (bob, cy):
        member.environ |= without_lfs(folder / "only-git", cy.environ) if member is cy else {}
        member.git("clone", "--quiet", remote, "sounds", cwd=member.home)
    bob.harvester("git-setup")
    bob.git("lfs", "pull")
    return team


@contextmanager
def night_of(folder: Path, night: int, *options: object) -> Iterator[SandboxProcess]:
    """Serve the catalogue for a night: a new process grants each key its requests of the day."""
    limits = (
        "--burst",
        100_000,
        "--daily",
        DAILY,
        "--sounds",
        600,
        *(word for name in QUERIES for word in ("--token", name)),
    )
    with sandbox_process(folder, *limits, *options, later_s=night * DAY_S) as sandbox:
        yield sandbox


def harvest(member: Member, sandbox: SandboxProcess, night: int, *, code: int = 0) -> Ended:
    query = QUERIES[member.name]
    return member.harvester(
        "harvest", "--api-url", sandbox.url, *LIMITS, "--samples", 1000, "--query", query, night=night, code=code
    )


def die_in_a_run(member: Member, folder: Path, night: int) -> None:
    """Harvest until the server falls silent, and kill the process there."""
    folder.mkdir()
    with night_of(folder, night, "--fault", "no-answer@from=8") as sandbox, TemporaryFile() as said:
        words = ["harvest", "--api-url", sandbox.url, *LIMITS, "--samples", "1000", "--query", QUERIES[member.name]]
        environ = member.environ | {"FREESOUND_API_KEY": member.key}
        process = Forked(words, cwd=member.clone, environment=environ, streams=(said, said), later_s=night * DAY_S)
        wait_until(lambda: len(sandbox.requests()) >= 7, what="requests before the silence")
        wait_until(lambda: member.processed(), what="a processed sound on the disk")
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    member.told.append(f"{member.name}$ harvester harvest   (killed)")


@pytest.mark.parametrize("nights", [2, pytest.param(7, marks=pytest.mark.chaos)])
def test_a_team_loses_nothing_in_nights_with_a_death_a_refused_key_and_a_clone_without_lfs(
    tmp_path: Path, nights: int
) -> None:
    team = make_team(tmp_path)
    ann, bob, cy = team.values()
    reached: set[int] = set()
    for night in range(1, nights + 1):
        with night_of(tmp_path, night) as sandbox:
            for member in team.values():
                if member is bob and night == 1:
                    die_in_a_run(bob, tmp_path / "fatal", night)
                    reached |= bob.processed()
                    continue
                if member is cy and night == 1:
                    assert "git-lfs is not installed" in cy.harvester("git-setup", code=2).err
                    assert "git lfs pull" in harvest(cy, sandbox, night, code=27).err
                    continue
                if member is cy and night == 2:
                    cy.environ |= {"PATH": os.environ["PATH"]}
                    assert "run `git lfs pull`" in cy.harvester("git-setup").err
                    cy.git("lfs", "pull")
                ann.key = "refused" if night == 2 else "ann"
                ended = harvest(member, sandbox, night, code=10 if member is ann and night == 2 else 0)
                assert "\ncommitted " in ended.err, ended.err
                reached |= member.processed()
                member.share()
    for _ in range(2):
        for member in team.values():
            member.share()
    for member in team.values():
        assert member.processed() == reached, member.name
        assert (member.library / CHECKPOINT).read_bytes() == (ann.library / CHECKPOINT).read_bytes()
        assert member.git("status", "--porcelain") == ""
        assert "no problems found" in member.harvester("check", night=nights).err
        print(*member.told, "", sep="\n")
    assert len(reached) > 20
    pointer = ann.git("cat-file", "blob", f"HEAD:sandbox_library/{CHECKPOINT}")
    assert pointer.startswith("version https://git-lfs.github.com/spec/v1")
    for line in (line for member in team.values() for line in member.told):
        assert not re.search(r"Traceback|Exception|\bNone\b|Errno|0x[0-9a-f]{6}", line), line
