"""The sandbox and the two libraries that the cases of the options share, made once in each process of pytest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.processes import KEY, SandboxProcess, sandbox_process

_CASES = [path.stem for path in Path(__file__).parent.glob("*.py") if path.stem.endswith(("_cases", "place"))]
pytest.register_assert_rewrite(*(f"tests.integration.options.{name}" for name in _CASES))

from tests.integration.options.place import Place, Stock, make_shelf  # noqa: E402 - after its rewriting is ordered


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox with 300 sounds and no limits."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), "--no-throttle", "--sounds", 300) as process:
        yield process


@pytest.fixture(scope="session")
def stock(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """Two libraries to copy: one made by hand, one grown from the sandbox."""
    folder = tmp_path_factory.mktemp("stock")
    stock = Stock(folder / "shelf", folder / "grown", folder / "swept")
    make_shelf(stock.shelf)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARVESTER_STATE", str(folder / "state"))
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        patch.setenv("FREESOUND_API_KEY", KEY)
        ended = call(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--library", "grown", "--samples", 6,
            "--neighbours", 8, "--concurrency", 1, "--backup-every", 2, cwd=folder,
        )  # fmt: skip
        assert ended.code == 0, ended.err
        # A quick machine writes two backups; a slow one has time for a third between them.
        ended = call("backups", "prune", "--keep-backups", 2, "--yes", "--library", "grown", cwd=folder)
        assert ended.code == 0, ended.err
        ended = call(
            "harvest", "--api-url", sandbox.url, "--level", 99, "--library", "swept", "--sweep",
            "--filter", "duration:[0 TO *]", "--vectors", "freesound_classic", cwd=folder,
        )  # fmt: skip
        assert ended.code == 0, ended.err
    return stock


@pytest.fixture
def place(tmp_path: Path, sandbox: SandboxProcess, stock: Stock, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A working folder with the key of the sandbox in the environment."""
    monkeypatch.setenv("FREESOUND_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "120")
    shutil.copytree(stock.shelf, tmp_path / "shelf")
    shutil.copytree(stock.grown, tmp_path / "grown")
    return Place(tmp_path, sandbox, monkeypatch, stock)
