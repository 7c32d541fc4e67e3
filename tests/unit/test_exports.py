"""What `import harvester` gives a program: all names, each when it is first used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import harvester
from harvester import actions, errors


def typed_imports(module: ModuleType) -> dict[str, str]:
    """The names that a type checker sees, with the module that each is imported from."""
    (block,) = (
        node
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    return {
        alias.name: str(node.module) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_list_imports_for_types_and_first_use_name_the_same_exports() -> None:
    homes = {name: f"harvester.{home}" for name, home in harvester._HOMES.items()}
    assert typed_imports(harvester) | {"__version__": "harvester.actions"} == homes
    assert sorted(homes) == harvester.__all__
    assert typed_imports(actions) == {name: f"harvester.{home}" for name, home in actions._HOMES.items()}


@pytest.mark.parametrize("name", harvester.__all__)
def test_each_export_exists_and_dir_shows_it(name: str) -> None:
    assert getattr(harvester, name) is not None
    assert name in dir(harvester)


def test_every_error_that_a_person_may_see_is_exported() -> None:
    kinds: list[type] = [errors.HarvesterError, *errors.HarvesterError.__subclasses__()]
    named = {kind.__name__ for kind in kinds if kind.__module__ == "harvester.errors"}
    assert named - {"EventRefused"} <= set(harvester.__all__)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'harvester' has no attribute 'harvets'"):
        harvester.harvets  # type: ignore[attr-defined]  # noqa: B018 - the access is the case


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    program = (
        "import sys, harvester; dir(harvester); print(*sorted(n for n in sys.modules if n.startswith('harvester.')))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["harvester.version"]
