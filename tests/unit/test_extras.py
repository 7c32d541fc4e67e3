"""What the program says fits every way to install it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from harvester import extras
from harvester.actions import guide_topics
from harvester.extras import missing

ROOT = Path(__file__).resolve().parents[2]
ABOUT_A_CHECKOUT = {"figures", "installation"}
"""Topics that tell developers what to run in the source tree."""


def test_an_installed_program_says_which_extra_has_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert (
        missing("the map", "numpy and scipy", "map")
        == "the map needs numpy and scipy: pip install 'freesound-harvester[map]'"
    )


def test_in_the_environment_that_make_set_up_make_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tree = tmp_path / "the tree"
    (tree / ".venv").mkdir(parents=True)
    (tree / "Makefile").write_text("extras:\n")
    monkeypatch.setattr(extras, "_SOURCE", tree)
    monkeypatch.setattr(sys, "prefix", str(tree / ".venv"))
    assert missing("link", "numpy", "link") == f"link needs numpy: make -C '{tree}' extras"
    monkeypatch.chdir(tree)
    assert missing("link", "numpy", "link") == "link needs numpy: make extras"


def test_an_environment_that_make_did_not_set_up_gets_the_extra_from_pip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The source tree on the path of another environment, which `make extras` would not change.
    monkeypatch.setattr(extras, "_SOURCE", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "other"))
    (tmp_path / "Makefile").write_text("")
    assert "pip install" in missing("link", "numpy", "link")


def test_every_extra_that_a_message_names_exists() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {
        call.args[2].value: call.args[1].value
        for path in (ROOT / "harvester").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "missing"
        if isinstance(call.args[1], ast.Constant) and isinstance(call.args[2], ast.Constant)
    }
    assert named.keys() == {"analyse", "dask", "link", "map", "parquet", "plot", "socks", "sql", "vectors-layout"}
    for extra, packages in named.items():
        assert {re.split("[>=]", one)[0] for one in declared[extra]} == set(str(packages).split(" and "))


def _targets() -> str:
    return "|".join(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_no_message_names_make_or_the_environment_of_a_checkout() -> None:
    of_a_checkout = re.compile(rf"\bmake ({_targets()})\b|\.venv")
    found = []
    for path in (ROOT / "harvester").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text in ast.walk(tree):
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and of_a_checkout.search(text.value):
                found.append(f"{path.relative_to(ROOT)}:{text.lineno}")
    assert {place.split(":")[0] for place in found} == {"harvester/extras.py"}, found
    topics = {name for name, text in guide_topics().items() if re.search(rf"`make ({_targets()})|\.venv", text)}
    assert topics == ABOUT_A_CHECKOUT
