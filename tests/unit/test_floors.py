"""The house has floors, and imports go strictly downward (the one rule that keeps it a house)."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "harvester"

FLOORS = {
    "model": 0, "settings": 0, "errors": 0, "clock": 0, "filters": 0, "opening": 0, "settings_file": 0, "key_file": 0,
    "terminal_text": 0, "json_text": 0, "records": 0,
    "freesound": 1, "sandbox": 1, "graph": 1,
    "library": 2,
    "pipeline": 3, "views": 3, "linking": 3,
    "cli": 4,
}  # fmt: skip

# Third-party packages and who may import them: as few as can be.
IMPORTERS = {
    "networkx": {"graph.mirror"},
    "aiohttp": {"freesound.transport", "sandbox"},
    "aiolimiter": {"freesound.pacing"},
    "tenacity": {"freesound.retry"},
    "joblib": {"library.codec"},
    "typer": {"cli"},
    "rich": {"cli"},
    "numpy": {"linking", "views"},
    "msgspec": {"records.judge"},
}


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _violations(modules: dict[str, set[str]]) -> list[str]:
    bad = []
    for module, imports in modules.items():
        room = module.split(".")[0]
        if room in {"__init__", "__main__"}:
            continue
        for name in imports:
            if not name.startswith("harvester."):
                continue
            target = name.split(".")[1]
            if target not in FLOORS or target == room:
                continue
            if FLOORS[target] > FLOORS[room]:
                bad.append(f"{module} (floor {FLOORS[room]}) imports {name} (floor {FLOORS[target]})")
            elif FLOORS[target] == FLOORS[room] and FLOORS[room] > 0:
                bad.append(f"{module} imports its neighbour {name}")
    return bad


def _house() -> dict[str, set[str]]:
    return {module: _imports(path) for module, path in _modules().items()}


def test_imports_go_strictly_downward() -> None:
    assert _violations(_house()) == []


def test_an_upward_import_would_be_noticed() -> None:
    assert _violations({"freesound.client": {"harvester.journal.writer"}})
    assert _violations({"sandbox.server": {"harvester.freesound.fields"}})
    assert not _violations({"library.journal": {"harvester.graph", "harvester.model"}})


def test_freesound_and_library_never_meet() -> None:
    for module, imports in _house().items():
        if module.startswith("library"):
            assert not any(name.startswith("harvester.freesound") for name in imports), module
        if module.startswith("freesound"):
            assert not any(name.startswith("harvester.library") for name in imports), module


def test_each_third_party_package_has_few_importers() -> None:
    importers: dict[str, set[str]] = defaultdict(set)
    for module, imports in _house().items():
        for name in imports:
            importers[name.split(".")[0]].add(module)
    for package, allowed in IMPORTERS.items():
        strangers = {m for m in importers[package] if not any(m == a or m.startswith(a + ".") for a in allowed)}
        assert not strangers, f"{package} is imported by {strangers}"


def test_every_module_belongs_to_a_floor() -> None:
    rooms = {module.split(".")[0] for module in _modules()} - {"__init__", "__main__"}
    assert rooms <= set(FLOORS)


def test_no_module_is_called_after_nothing_in_particular() -> None:
    vague = {"utils", "helpers", "common", "manager", "base", "misc"}
    assert not {m for m in _modules() if m.split(".")[-1] in vague}
