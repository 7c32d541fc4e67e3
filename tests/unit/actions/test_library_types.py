"""A type checker outside the package, in strict mode, knows the types of the API and reports what is misspelt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.guide_cells import as_script, read_cells
from tests.support.processes import ROOT

PROGRAM = """
from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_type

import harvester
from harvester import ArrowTable, ExportReport, Library, LibraryNotFound, Sound, SoundSelection

try:
    library = Library.open("shelf")
except LibraryNotFound as error:
    assert_type(error.exit_code, int)
    library = Library.open("shelf", create=True)

sound = library[1234]
assert_type(sound, Sound)
assert_type(sound.id, int)
assert_type(sound.name, str | None)
assert_type(sound.tags, tuple[str, ...])
assert_type(sound.duration, float | None)
assert_type(sound.num_downloads, int | None)
assert_type(sound.created, datetime | None)
assert_type(sound.previews, Mapping[str, str])
assert_type(sound.license_name, str)
assert_type(sound.raw, Mapping[str, Any])
assert_type(library.get(5), Sound | None)
assert_type([sound_id for sound_id in library], list[int])
assert_type(library.find("rain tent", limit=5), list[Sound])
assert_type(library.neighbours(1234), tuple[tuple[int, float], ...])
assert_type(library.records[1234], dict[str, Any])
assert_type(library.processed_ids, frozenset[int])
found = library.select(license=["CC0", "BY"], tag="rain", max_duration="10s").select(min_score=0.8)
assert_type(found, SoundSelection)
assert_type(found.ids, tuple[int, ...])
assert_type(found.sounds(), ArrowTable)
assert_type(found.edges(), ArrowTable)
assert_type(found.export("csv", "cc0.csv"), ExportReport)
frame = library.sounds().to_pandas()
degrees = dict(library.graph.degree())
harvester.Library.open("shelf").select()
"""

WRONG = """
import harvester; from harvester import Library
library = Library.open("shelf")
library[1234].nmae
library[1234].name = "new"
library.select(tags="rain")
library.select(max_duration=[1])
library["1234"]
library[1] = library[2]
harvester.run_harvest("shelf", sample=5)
"""


UNTYPED = """
[mypy]
[mypy-networkx.*]
ignore_missing_imports = True
[mypy-numpy.*,pandas.*,polars.*,pyarrow.*,duckdb.*,matplotlib.*,plotly.*,IPython.*,traitlets.*,prompt_toolkit.*]
follow_imports = skip
follow_imports_for_stubs = True
[mypy-aiohttp.*,aiohttp_socks.*,python_socks.*,yarl.*,multidict.*,tenacity.*,msgspec.*,orjson.*,typer.*,rich.*]
follow_imports = skip
follow_imports_for_stubs = True
"""
"""The settings of mypy: the page uses networkx, whose types are a package of their own. Other packages are not read,
nor are stubs for them: their types are not ours, and reading them took two thirds of the time."""


def check(folder: Path, **programs: str) -> dict[str, list[str]]:
    """Return what mypy in strict mode says of each of these programs, which are not in the repository, in one run."""
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program, encoding="utf-8")
    (folder / "mypy.ini").write_text(UNTYPED, encoding="utf-8")
    options = ("--strict", "--cache-dir", os.devnull, "--no-error-summary")
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *(f"{name}.py" for name in programs)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    found: dict[str, list[str]] = {name: [] for name in programs}
    for line in ended.stdout.splitlines():
        found[line.split(".py:")[0]].append(line)
    return found


def test_the_api_is_typed_for_programs_outside_the_package(tmp_path: Path) -> None:
    guide = as_script(read_cells(ROOT / "harvester" / "guide" / "python.md"))
    found = check(tmp_path, program=PROGRAM, guide=guide, wrong=WRONG)
    assert found["program"] == []
    assert found["guide"] == []
    assert [line.split(":")[1] for line in found["wrong"] if "error:" in line] == ["4", "5", "6", "7", "8", "9", "10"]
