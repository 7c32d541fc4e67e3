"""Run a workflow of GitHub here, as far as its shell steps go: in order, each by `bash -eo pipefail`, in a fresh clone.

What GitHub puts in is put in here: secrets, the file of the summary, and the outcome of earlier steps in `if:`. Steps
that use an action are only listed; that of actions/checkout is the clone. `pip install` of the harvester does nothing,
and `harvester` on the path is the one that is tested. An expression that this does not know is an error.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_SECRET = re.compile(r"\$\{\{ secrets\.(\w+) \}\}")
_AFTER_FAILURE = re.compile(r"always\(\) && steps\.(\w+)\.outcome == 'success'")


@dataclass
class WorkflowRun:
    """How the steps ended: the exit code of the first that failed, or 0, and what each wrote."""

    code: int = 0
    steps: dict[str, str] = field(default_factory=dict)
    summary: str = ""


def load_workflow(path: Path) -> dict[str, Any]:
    """Return a workflow as data; the key `on` is a truth value to YAML 1.1, and is renamed back."""
    content: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["on"] = content.pop(True)
    return content


def make_tools(folder: Path, *, without: str = "") -> Path:
    """Write the `harvester` and `pip` that a workflow finds on its path."""
    folder.mkdir(exist_ok=True)
    tools = {
        "harvester": f'exec {shlex.quote(sys.executable)} -m harvester "$@"',
        "pip": f'[ "$1" = install ] && echo "$@" >> {shlex.quote(str(folder / "installed"))}',
    }
    for name, line in tools.items():
        if name != without:
            (folder / name).write_text(f"#!/bin/sh\n{line}\n")
            (folder / name).chmod(0o755)
    return folder


def run_workflow(
    path: Path, clone: Path, *, tools: Path, secrets: Mapping[str, str], environ: Mapping[str, str]
) -> WorkflowRun:
    """Run the first job of a workflow in `clone`."""
    done, outcomes = WorkflowRun(), dict[str, str]()
    summary = tools / "summary.md"
    summary.write_text("")
    job = next(iter(load_workflow(path)["jobs"].values()))
    for step in job["steps"]:
        if "run" not in step or not _wanted(step.get("if", ""), failed=bool(done.code), outcomes=outcomes):
            continue
        own = {
            name: _SECRET.sub(lambda found: secrets.get(found[1], ""), text)
            for name, text in step.get("env", {}).items()
        }
        assert not [text for text in (*own.values(), step["run"]) if "${{" in text]
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=clone,
            env={
                **environ, **own, "PATH": f"{tools}{os.pathsep}{environ['PATH']}", "CI": "true",
                "GITHUB_STEP_SUMMARY": str(summary),
            },
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
        )  # fmt: skip
        done.steps[step["name"]] = ended.stdout
        done.code = done.code or ended.returncode
        outcomes[step.get("id", step["name"])] = "failure" if ended.returncode else "success"
    done.summary = summary.read_text()
    return done


def _with_secrets(text: str, secrets: Mapping[str, str]) -> str:
    return _SECRET.sub(lambda found: secrets.get(found[1], ""), text)


def _wanted(condition: str, *, failed: bool, outcomes: Mapping[str, str]) -> bool:
    if not condition:
        return not failed
    found = _AFTER_FAILURE.fullmatch(condition)
    assert found, condition
    return outcomes.get(found[1]) == "success"
