"""The page `harvester guide python`, as a reader's script and as a notebook: in an empty folder, in a running loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode, from_dict
from traitlets.config import Config

from tests.support.guide_cells import as_script, read_cells, split_output
from tests.support.processes import ROOT, environment

CELLS = read_cells(ROOT / "harvester" / "guide" / "python.md")
MADE = {"sounds", "swept", "plots", "map.html", "short.graphml", "credits.html"}
"""What the page leaves in the folder."""

STRICT = """
import warnings

warnings.simplefilter("error")
# The kernel itself calls what it has deprecated.
warnings.filterwarnings("ignore", category=PendingDeprecationWarning, module="ipykernel")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The empty folder of the reader."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return empty


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder with a short name, as sockets need it; Jupyter writes nothing outside this one and `tmp_path`."""
    with TemporaryDirectory() as short:
        for name, value in {
            "HOME": str(tmp_path),
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
            "JUPYTER_DATA_DIR": str(tmp_path / "jupyter"),
            "JUPYTER_RUNTIME_DIR": short,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("MPLBACKEND", raising=False)
        yield Path(short)


def run_notebook(codes: list[str], folder: Path, sockets: Path) -> list[NotebookNode]:
    """Run cells in the kernel of a notebook in `folder`, and return them with what they show."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": str(number), "metadata": {}, "source": code, "outputs": [], "execution_count": None}
        for number, code in enumerate(codes)
    ]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    # Sockets in a folder: another test of this machine may take a port that was free.
    config = Config({"KernelManager": {"transport": "ipc", "ip": str(sockets / "kernel")}})
    resources = {"metadata": {"path": str(folder)}}
    notebook = from_dict(content)  # type: ignore[no-untyped-call]  # nbformat has few types
    client = NotebookClient(notebook, timeout=120, resources=resources, config=config)
    return list(client.execute().cells)


def shown(cell: NotebookNode) -> str:
    """Return what a cell printed on stdout."""
    return "".join(one.text for one in cell.outputs if one.get("name") == "stdout")


def test_a_script_of_the_page_prints_what_the_page_shows_and_warns_of_nothing(tmp_path: Path, folder: Path) -> None:
    program = tmp_path / "walk.py"
    program.write_text(as_script(CELLS), encoding="utf-8")
    environ = environment(tmp_path / "state", key=None) | {"HOME": str(tmp_path), "MPLBACKEND": "Agg"}
    ended = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    for cell, printed in zip(CELLS, split_output(ended.stdout), strict=True):
        cell.check(printed)
    assert {path.name for path in folder.iterdir()} == MADE


def test_a_notebook_of_the_page_shows_what_the_page_shows_and_warns_of_nothing(
    folder: Path, sockets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, *ran = run_notebook([STRICT, *(cell.code for cell in CELLS)], folder, sockets)
    for cell, one in zip(CELLS, ran, strict=True):
        cell.check(shown(one))
    outputs = [output for one in ran for output in one.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert capfd.readouterr() == ("", "")
    rich = [output.data for output in outputs if "data" in output]
    assert [html for data in rich if "1,285" in (html := data.get("text/html", ""))] != []
    assert [data for data in rich if "image/png" in data] != []
    assert {path.name for path in folder.iterdir()} == MADE
