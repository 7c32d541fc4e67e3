"""Run mutmut over the groups and print the table: `python -m tests.mutants [--again] [GROUP ...]`.

Each group has a folder of its own below `mutants/`, with a copy of the tree and mutmut's settings for it. `--again`
keeps what was killed there and runs the rest once more: for writing tests. Ends with 1 where too few are killed, or
where `judgements.toml` is outdated.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.groups import GROUPS, Group
from tests.mutants.judgements import Judgement, outdated, read_judgements
from tests.mutants.results import Mutant, read_mutants

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "mutants"
COPIED = ("harvester", "tests")
LEAST_PERCENT = 90.0
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, and what its reader has to look at."""

    group: Group
    mutants: list[Mutant]
    judgements: list[Judgement]

    def _judged(self, mutant: Mutant) -> str:
        return next((one.kind for one in self.judgements if one.concerns(self.group.name, mutant)), "")

    @property
    def survivors(self) -> list[Mutant]:
        """Return the mutants that no test notices and no judgement names."""
        return [mutant for mutant in self.mutants if not mutant.killed and not self._judged(mutant)]

    def _count(self, kind: str) -> int:
        return sum(not mutant.killed and self._judged(mutant) == kind for mutant in self.mutants)

    @property
    def percent(self) -> float:
        """Return the share of the killed among those that are not equivalent."""
        different = len(self.mutants) - self._count("equivalent")
        return 100 * sum(mutant.killed for mutant in self.mutants) / different if different else 100.0

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line."""
        counted = (
            len(self.mutants),
            sum(mutant.killed for mutant in self.mutants),
            sum(mutant.timed_out for mutant in self.mutants),
            self._count("equivalent"),
            self._count("accepted"),
            len(self.survivors),
            sum(mutant.unreached for mutant in self.survivors),
        )
        return (self.group.name, ", ".join(self.group.modules), *map(str, counted), f"{self.percent:.1f}")


HEAD = ("group", "modules", "mutants", "killed", "timeouts", "equivalent", "accepted", "survivors", "unreached", "%")


def settings_of(group: Group) -> str:
    """Return mutmut's settings for a group, as a section of pyproject.toml."""
    values = {
        "source_paths": ["harvester"],
        "only_mutate": [f"harvester/{module}" for module in group.modules],
        "pytest_add_cli_args_test_selection": [f"tests/unit/{test}" for test in group.tests],
        # Workers remove old folders of tests at the same time: what is gone already is no failure of a test.
        "pytest_add_cli_args": [
            "-Wignore::pytest.PytestWarning",
            "--hypothesis-profile=thorough",
            *(f"--deselect=tests/unit/{test}" for test in group.without),
        ],
        "timeout_multiplier": 10.0,
        "use_git_change_detection": False,
    }
    # A JSON text of these is a TOML text.
    return "\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def prepare(group: Group, *, again: bool) -> Path:
    """Copy the tree into the group's folder; with `again` only forget which mutants survived."""
    folder = FOLDER / group.name
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored, dirs_exist_ok=True)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + settings_of(group)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for module in group.modules:
        results = folder / "mutants" / "harvester" / f"{module}.meta"
        if results.exists():
            meta = json.loads(results.read_text(encoding="utf-8"))
            ends = meta["exit_code_by_key"]
            meta["exit_code_by_key"] = {key: end if end in (1, 3) else None for key, end in ends.items()}
            results.write_text(json.dumps(meta), encoding="utf-8")
    return folder


def run(group: Group, *, again: bool) -> list[Mutant]:
    """Run mutmut for one group and return its mutants."""
    folder = prepare(group, again=again)
    command = [f"{sysconfig.get_path('scripts')}/mutmut", "run", "--max-children", str(WORKERS)]
    places = folder / "places"
    places.mkdir(exist_ok=True)
    with (folder / "output.txt").open("wb") as output:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PYTEST_DEBUG_TEMPROOT": str(places)},
            stdout=output,
            stderr=output,
            check=False,
        )
    if ended.returncode:
        tail = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-3000:]
        raise SystemExit(f"{tail}\nmutants: mutmut stopped for the group {group.name}; all it said is in {folder}")
    return mutants_of(group)


def mutants_of(group: Group) -> list[Mutant]:
    """Return the mutants of a group's last run."""
    folder = FOLDER / group.name / "mutants" / "harvester"
    return [mutant for module in group.modules for mutant in read_mutants(folder / module)]


def main() -> int:
    """Run the groups that are named, or all."""
    named = {group.name: group for group in GROUPS}
    parser = argparse.ArgumentParser(prog="make mutants", description="Change the code and see what no test notices.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one of {', '.join(named)}; all without")
    parser.add_argument("--again", action="store_true", help="run only what survived the last run")
    parser.add_argument("--show", action="store_true", help="show the last run's table and survivors, run nothing")
    asked = parser.parse_args()
    if unknown := set(asked.groups) - set(named):
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(named)}")
    judgements, rows = read_judgements(), []
    for name in asked.groups or named:
        group = named[name]
        if asked.show and not (FOLDER / name).exists():
            continue
        mutants = mutants_of(group) if asked.show else run(group, again=asked.again)
        rows.append(Row(group, mutants, judgements))
        print(" | ".join(rows[-1].cells()), flush=True)
    print_survivors(rows)
    lines = [line for row in rows for line in outdated(judgements, row.group.name, row.mutants)]
    print_table(rows)
    for line in lines:
        print(f"judgements.toml: {line}")
    return 1 if lines or any(row.percent < LEAST_PERCENT for row in rows) else 0


def print_survivors(rows: list[Row]) -> None:
    """Print what no test notices, by group and function."""
    for row in rows:
        for mutant in row.survivors:
            reach = " (no near test calls it)" if mutant.unreached else ""
            print(f"\n{row.group.name} {mutant.function}{reach}")
            print("\n".join(f"  - {line}" for line in mutant.was.splitlines()))
            print("\n".join(f"  + {line}" for line in mutant.now.splitlines()))


def print_table(rows: list[Row]) -> None:
    """Print the table by group."""
    table = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(HEAD))]
    print()
    for line in table:
        texts = (
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(texts).rstrip())


if __name__ == "__main__":
    sys.exit(main())
