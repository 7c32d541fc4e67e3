"""What `help()` and an editor show of `harvester`: each parameter and field is explained, with its unit."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Callable
from textwrap import dedent
from typing import Any, get_type_hints

import pytest

import harvester

PUBLIC = {name: getattr(harvester, name) for name in harvester.__all__}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isroutine(value)}
RECORDS = {name: value for name, value in CLASSES.items() if dataclasses.is_dataclass(value)}
ERRORS = {name: value for name, value in CLASSES.items() if issubclass(value, harvester.HarvesterError)}
METHODS = {
    f"{name}.{method}": value
    for name, one in CLASSES.items()
    for method, value in inspect.getmembers(one, inspect.isroutine)
    if not method.startswith("_") and (getattr(value, "__module__", None) or "").startswith("harvester.")
}
UNITS = {"_us": "microseconds", "_at": "microseconds", "_s": "seconds"}
"""The unit that the text must name for a number with such a name."""


def named(text: str) -> set[str]:
    """Return the words between backticks."""
    return {word for code in re.findall(r"`([^`]*)`", text) for word in re.findall(r"\w+", code)}


def explained(function: Callable[..., Any]) -> set[str]:
    """Return the parameters that a docstring names, also as those of another function."""
    text = " ".join((inspect.getdoc(function) or "").split())
    found = named(text)
    for other in re.findall(r"(?:are|is) those of `([a-z]\w+)`", text):
        found |= inspect.signature(FUNCTIONS[other]).parameters.keys() & explained(FUNCTIONS[other])
    for shared in re.findall(r"(?:are|is) those of `(\w+Keywords)`", text):
        found |= get_type_hints(CLASSES[shared]).keys() & named(CLASSES[shared].__doc__ or "")
    return found


def fields_explained(record: type) -> dict[str, str]:
    """Return the text about each field: that of the class where it names the field, else the one below the field."""
    (node,) = ast.parse(dedent(inspect.getsource(record))).body
    assert isinstance(node, ast.ClassDef)
    text = ast.get_docstring(node) or ""
    found = dict.fromkeys(named(text), text)
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = ast.unparse(below)
    return found


def test_something_is_compared() -> None:
    assert {"harvest", "run_harvest", "export"} <= FUNCTIONS.keys()
    assert {"RunResult", "Sound", "Snapshot"} <= RECORDS.keys()
    assert {"Library.find", "SoundSelection.export", "Stop.close"} <= METHODS.keys()


@pytest.mark.parametrize("name", sorted({**FUNCTIONS, **CLASSES, **METHODS}))
def test_each_function_class_and_method_has_a_docstring_of_its_own(name: str) -> None:
    value = {**FUNCTIONS, **CLASSES, **METHODS}[name]
    assert (value.__doc__ or "").strip()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_explains_each_parameter(name: str) -> None:
    assert inspect.signature(FUNCTIONS[name]).parameters.keys() - explained(FUNCTIONS[name]) == set()


@pytest.mark.parametrize("name", sorted(name for name in METHODS if name.startswith(("Library.", "SoundSelection."))))
def test_a_method_of_the_library_explains_each_parameter(name: str) -> None:
    parameters = inspect.signature(METHODS[name]).parameters.keys() - {"self", "cls"}
    assert parameters - explained(METHODS[name]) == set()


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_result_or_event_explains_each_field_with_its_unit(name: str) -> None:
    texts = fields_explained(RECORDS[name])
    fields = {field.name: field for field in dataclasses.fields(RECORDS[name]) if not field.name.startswith("_")}
    assert fields.keys() - texts.keys() == set()
    for field in fields.values():
        for ending, unit in UNITS.items():
            if field.name.endswith(ending) and "datetime" not in str(field.type):
                assert unit in texts[field.name], field.name


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_tells_its_exit_code(name: str) -> None:
    assert f"Exit code {ERRORS[name].exit_code}." in (ERRORS[name].__doc__ or "")
