"""The house stays one of rooms: the contracts of `lint-imports` notice what they are for, and no room grows too big."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGEST_SHARE = 0.15
LONGEST_FIRST_LINE = 69

PLANTS = {
    "storage/atomic.py": "from harvester.graph import SoundGraph",
    "map/layout.py": "from harvester.exports import save_export",
    "graph/attributes.py": "from harvester.graph.state import SoundGraph",
    "cli/console.py": "from harvester.library.store import Store",
    "library/store.py": "import networkx",
    "pipeline/order.py": "import aiohttp",
    "cli/commands/find.py": "from harvester.reports import find_sounds",
}
"""Lines that break a contract, by the file they are planted in."""


def test_the_contracts_notice_what_they_are_for(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "harvester", tmp_path / "harvester", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    for name, line in PLANTS.items():
        path = tmp_path / "harvester" / name
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    program = (
        "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stderr
    assert set(re.findall(r"^(.+) BROKEN", ended.stdout, re.MULTILINE)) == {
        "Imports go downward, and rooms side by side do not know each other",
        "No imports in a circle, not even inside a room",
        "library is entered by its face",
        "The command line does with a library only what actions offers",
        "networkx is imported where it works",
        "aiohttp is imported where it works",
    }


def test_no_room_holds_more_than_its_share() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "harvester").rglob("*.py")}
    rooms: dict[str, int] = {}
    for path, count in lines.items():
        room = path.relative_to(ROOT / "harvester").parts[0]
        rooms[room] = rooms.get(room, 0) + count
    largest = max(rooms, key=lambda room: rooms[room])
    assert rooms[largest] <= LARGEST_SHARE * sum(rooms.values()), f"{largest} has {rooms[largest]} lines"


def test_no_module_is_called_after_nothing_in_particular() -> None:
    vague = {"utils", "helpers", "common", "manager", "base", "misc"}
    assert not {path for path in (ROOT / "harvester").rglob("*.py") if path.stem in vague}


def test_no_two_classes_share_a_name() -> None:
    homes: dict[str, list[str]] = {}
    for path in sorted((ROOT / "harvester").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(homes) > 100
    assert not {name: places for name, places in homes.items() if len(places) > 1}


def test_first_lines_of_docstrings_are_short() -> None:
    lines: dict[str, str] = {}
    for path in sorted((ROOT / "harvester").rglob("*.py")):
        name = path.relative_to(ROOT / "harvester").as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = (ast.get_docstring(node) or "").partition("\n")[0]
                lines[f"{name}:{getattr(node, 'lineno', 1)}: {first}"] = first
    assert sum(bool(first) for first in lines.values()) > 1000
    assert not [place for place, first in lines.items() if len(first) > LONGEST_FIRST_LINE]


def test_the_top_level_holds_what_its_readme_promises_and_nothing_else() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    tops = {name.split("/")[0] for name in listed if not name.startswith(".")}
    assert tops == {"LICENSE", "Makefile", "README.md", "data", "harvester", "pyproject.toml", "tests"}
