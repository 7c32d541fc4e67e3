"""Plugins for tests: the packages of `tests/plugins`, installed by pip, and small ones with any metadata."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"


def install(name: str, folder: Path) -> Path:
    """Install the package `tests/plugins/NAME` into a fresh folder, with pip and without a network."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", folder, PLUGINS / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folder


def write_package(folder: Path, name: str, entry_points: str, *, code: str = "", metadata: str | None = None) -> None:
    """Write a package as an installer leaves it: one module of this name, and its metadata."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    told = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" if metadata is None else metadata
    if told:
        (info / "METADATA").write_text(told, encoding="utf-8")
    (folder / f"{name}.py").write_text(code, encoding="utf-8")


def write_metadata(name: str, folder: Path) -> Path:
    """Write the metadata that pip would write for `tests/plugins/NAME`; return the folder of its code."""
    with (PLUGINS / name / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    points = "".join(
        f"[{group}]\n" + "".join(f"{point} = {place}\n" for point, place in table.items())
        for group, table in project["entry-points"].items()
    )
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    write_package(folder, f"metadata_of_{name}", points, metadata=metadata)
    return PLUGINS / name
