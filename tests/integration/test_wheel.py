"""The wheel, installed alone in a fresh environment and run from an empty folder, has all it needs and says what fits.

Only what the wheel declares can be imported there: its dependencies are links to the packages that run these tests, so
nothing is downloaded. `.ci/wheel` installs them from a package index instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
COMPLETE = (
    "source ../script; COMP_WORDS=(harvester {}); COMP_CWORD={}; _harvester_completion harvester; "
    'echo "${{COMPREPLY[@]}}"'
)


def _build(folder: Path) -> Path:
    """Build the wheel from the source tree into `folder`."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    ended = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = folder.glob("freesound_harvester-*-py3-none-any.whl")
    return wheel


def _required(requirements: Iterable[str], extras: frozenset[str]) -> Iterable[Distribution]:
    """Return the installed packages that these requirements name, and what those need."""
    found: dict[NormalizedName, Distribution] = {}
    waiting = [(Requirement(one), extras) for one in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one, wanted = waiting.pop()
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in {"", *wanted}):
            continue
        further = (one.name, frozenset(one.extras))
        if further not in seen:
            seen.add(further)
            package = found.setdefault(canonicalize_name(one.name), distribution(one.name))
            waiting += [(Requirement(text), frozenset(one.extras)) for text in package.requires or ()]
    return found.values()


class Installed:
    """A fresh environment with the wheel, and an empty folder to run it from."""

    def __init__(self, wheel: Path, top: Path) -> None:
        self.environment, self.folder = top / "environment", top / "folder"
        self.folder.mkdir(parents=True)
        venv.create(self.environment, symlinks=True)
        pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", self.environment / "bin" / "python"]
        pip += ["install", "--quiet", "--no-deps", "--no-index", wheel]
        ended = subprocess.run(pip, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        (packages,) = self.environment.glob("lib/python*/site-packages")
        (information,) = packages.glob("freesound_harvester-*.dist-info")
        self._declared = Distribution.at(information).requires or []
        self._link(packages)

    def _link(self, packages: Path, *extras: str) -> None:
        """Put what the wheel declares for these extras into a folder."""
        for package in _required(self._declared, frozenset(extras)):
            for name in {file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")}:
                (packages / name).symlink_to(Path(str(package.locate_file(name))))

    def with_extra(self, extra: str, packages: Path) -> Callable[..., tuple[str, str]]:
        """Put what an extra needs into a new folder; return `harvester` for processes that find it there too."""
        packages.mkdir()
        self._link(packages, extra)
        return partial(self.harvester, PYTHONPATH=str(packages))

    def run(self, *command: str, code: int = 0, **more: str) -> tuple[str, str]:
        """Run a command of the environment and return what it wrote to stdout and stderr."""
        environ = {
            "PATH": f"{self.environment}/bin:{os.environ['PATH']}", "HOME": str(self.folder.parent / "home"),
            "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "100",
            **more,
        }  # fmt: skip
        if command[0] == "_HARVESTER_COMPLETE=source_bash":
            environ["_HARVESTER_COMPLETE"], command = "source_bash", command[1:]
        ended = subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=120)
        assert ended.returncode == code, (command, ended.stdout, ended.stderr)
        return ended.stdout, ended.stderr

    def harvester(self, *arguments: str, code: int = 0, **more: str) -> tuple[str, str]:
        """Run `harvester ARGUMENTS`."""
        return self.run("harvester", *arguments, code=code, **more)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel without extras, after a harvest of five sounds."""
    installed = Installed(_build(tmp_path_factory.mktemp("dist")), tmp_path_factory.mktemp("plain"))
    _, told = installed.harvester("harvest", "--samples", "5")
    assert "no FREESOUND_API_KEY set: using the embedded sandbox" in told
    return installed


def test_a_harvest_makes_its_library_in_the_folder_where_it_runs(plain: Installed) -> None:
    assert [path.name for path in plain.folder.iterdir() if path.suffix not in (".csv", ".html")] == ["sandbox_library"]
    shown, _ = plain.harvester("status")
    assert shown.startswith("sandbox_library   (sandbox:")
    assert "processed   5 of " in shown
    plain.harvester("check")
    told, _ = plain.run("python", "-c", "import harvester; print(len(harvester.Library.open('sandbox_library')))")
    assert int(told) > 5


def test_it_exports_without_an_extra(plain: Installed) -> None:
    plain.harvester("export", "csv", "-o", "sounds.csv")
    assert len((plain.folder / "sounds.csv").read_text(encoding="utf-8").splitlines()) > 5
    assert (plain.folder / "sounds.edges.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("analyse",), "analyse needs igraph and numpy: pip install 'freesound-harvester[analyse]'"),
        (("map",), "the map needs numpy and scipy: pip install 'freesound-harvester[map]'"),
        (("link",), "link needs numpy: pip install 'freesound-harvester[link]'"),
        (("export", "parquet", "-o", "x"), "parquet needs pyarrow: pip install 'freesound-harvester[parquet]'"),
        (("sql", "SELECT 1"), "sql needs duckdb and pyarrow: pip install 'freesound-harvester[sql]'"),
        (("status", "--plot", "x"), "status --plot needs matplotlib: pip install 'freesound-harvester[plot]'"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(plain: Installed, arguments: tuple[str, ...], message: str) -> None:
    assert plain.harvester(*arguments, code=2)[1].splitlines()[-1] == f"harvester: {message}"


def test_with_the_extra_it_draws_the_map(plain: Installed, tmp_path: Path) -> None:
    harvester = plain.with_extra("map", tmp_path / "packages")
    harvester("map", "-o", str(tmp_path / "map.html"))
    assert (tmp_path / "map.html").stat().st_size > 10_000


def test_the_guide_is_in_the_wheel(plain: Installed) -> None:
    listed, _ = plain.harvester("guide")
    assert [line.split()[0] for line in listed.splitlines()] == sorted(
        path.stem for path in (ROOT / "harvester/guide").iterdir()
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_completion_offers_what_its_library_holds(plain: Installed) -> None:
    script, _ = plain.run("_HARVESTER_COMPLETE=source_bash", "harvester")
    (plain.folder.parent / "script").write_text(script, encoding="utf-8")
    words, told = plain.run("bash", "--norc", "-c", COMPLETE.format("map --license CC", 3))
    assert (words, told) == ("CC0\n", "")
    words, _ = plain.run("bash", "--norc", "-c", COMPLETE.format("harvest --order pop", 3))
    assert words == "popular\n"


def test_the_manual_page_is_where_man_looks(plain: Installed) -> None:
    page = plain.environment / "share" / "man" / "man1" / "harvester.1"
    assert page.read_bytes() == (ROOT / "harvester" / "man" / "harvester.1").read_bytes()
    if shutil.which("man") is not None:
        path, _ = plain.run("man", "--where", "harvester")
        assert Path(path.strip()) == page
