"""Shell completion: the scripts run in the shells, and the commands, options and values that they offer exist."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harvester.actions import guide_topics
from harvester.exports import CREDIT_FORMATS, FORMATS
from harvester.freesound import LEVELS
from harvester.model import SPACES
from harvester.pipeline import ORDERS
from tests.support.command import call
from tests.support.processes import ROOT

COMMANDS = [
    "harvest", "plan", "refresh", "link", "relate", "status", "history", "show", "find", "analyse", "export", "map",
    "browse", "previews", "sql", "check", "restore", "merge", "import", "forget", "init", "git-setup", "service",
    "sandbox", "config", "plugins", "guide", "backups",
]  # fmt: skip
OFFERED: dict[str, list[str]] = {
    "": COMMANDS,
    "ha": ["harvest"],
    "backups ": ["list", "prune"],
    "find --l": ["--like", "--limit", "--library"],
    "check --": ["--library", "--repair", "--dry-run", "--yes", "--jobs", "--scheduler", "--json", "--help"],
    "harvest --s": ["--seed", "--sweep", "--samples", "--space", "--sandbox"],
    "harvest --order ": list(ORDERS),
    "harvest --order b": ["breadth"],
    "harvest --space ": list(SPACES),
    "harvest --vectors ": list(SPACES),
    "plan --level ": [str(level) for level in LEVELS],
    "harvest --type ": ["wav", "aiff", "flac", "mp3", "ogg", "m4a"],
    "export csv --license ": ["CC0", "BY", "BY-NC", "Sampling+"],
    "export csv --category ": [],
    "restore ": [],
    "--version ": COMMANDS,
    "export ": [*FORMATS, "credits", "dataset"],
    "export credits --format ": list(CREDIT_FORMATS),
    "service --print ": ["systemd", "launchd", "cron"],
    "guide s": [topic for topic in guide_topics() if topic.startswith("s")],
}
"""What follows `harvester`, with the words that complete it."""


def _asked_by(shell: str, line: str) -> dict[str, str]:
    """Return the environment by which the script of a shell asks for the words that complete a line."""
    words = line.split(" ")
    asked = {"_HARVESTER_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        return asked | {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return asked | {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


def _words(shell: str, told: str) -> list[str]:
    lines = told.splitlines()
    if shell == "zsh":
        # _arguments '*: :(("one":"its help"
        return [line.split('"')[1] for line in lines if '"' in line]
    return [line.split("\t")[0] for line in lines if line]


@pytest.mark.parametrize("line", OFFERED)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_line_is_completed_by_what_exists(
    shell: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _asked_by(shell, f"harvester {line}").items():
        monkeypatch.setenv(name, value)
    ended = call(cwd=tmp_path)
    assert ended.err == ""
    assert sorted(_words(shell, ended.out)) == sorted(OFFERED[line])


SCRIPTS = {
    "bash": 'source ./script; COMP_WORDS=(harvester harvest --or); COMP_CWORD=2; _harvester_completion harvester; '
    'echo "${COMPREPLY[@]}"',
    # Without a terminal there is no completion system: its two commands are stood in for.
    "zsh": "compdef() { }; _arguments() { print -r -- $@ }; source ./script; words=(harvester harvest --or); "
    "CURRENT=3; _harvester_completion",
    "fish": "source ./script; complete -C 'harvester harvest --or'",
}  # fmt: skip


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_runs_in_its_shell(shell: str, tmp_path: Path) -> None:
    command = tmp_path / "harvester"
    command.write_text(f"#!{sys.executable}\nfrom harvester.cli import main\nmain()\n", encoding="utf-8")
    command.chmod(0o755)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    made = subprocess.run(
        [command], env=environ | {"_HARVESTER_COMPLETE": f"source_{shell}"}, capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 0, made.stderr
    assert f"_HARVESTER_COMPLETE=complete_{shell}" in made.stdout
    if shutil.which(shell) is None:
        return  # nothing here could run it; what it asks for is tested above
    (tmp_path / "script").write_text(made.stdout, encoding="utf-8")
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    ended = subprocess.run(
        [shell, *plain, "-c", SCRIPTS[shell]], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )
    assert ended.stderr == ""
    assert "--order" in ended.stdout.replace("\t", " ").replace('"', " ").split()
