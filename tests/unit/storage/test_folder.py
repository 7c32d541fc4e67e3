"""A folder is replaced as a whole: whatever fails, the earlier one is there and nothing is left beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.storage import replace_folder
from tests.support.samples import files_of

NEW = [("a.txt", [b"new"]), ("below/b.txt", [b"1", b"2"])]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {name: data for name, (data, _) in files_of(folder).items()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with an earlier file."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_bytes(b"old")
    return tmp_path / "out"


def test_the_folder_is_made_or_replaced_and_a_link_to_it_stays(out: Path) -> None:
    replace_folder(out.with_name("fresh"), NEW)
    link = out.with_name("link")
    link.symlink_to(out)
    replace_folder(link, NEW)
    assert contents(out) == contents(out.with_name("fresh")) == {"a.txt": b"new", "below/b.txt": b"12"}
    assert {path.name for path in out.parent.iterdir()} == {"fresh", "link", "out"}
    assert link.is_symlink()


def failing() -> Iterator[tuple[str, list[bytes]]]:
    """Yield a file, then fail as a full disk does."""
    yield NEW[0]
    raise OSError(28, "full")


def test_a_failure_while_files_are_written_keeps_the_earlier_folder(out: Path) -> None:
    with pytest.raises(OSError, match="full"):
        replace_folder(out, failing())
    assert contents(out.parent) == {"out/old.txt": b"old"}


@pytest.mark.parametrize("failure", [OSError(5, "broken"), KeyboardInterrupt()])
def test_a_failure_between_the_two_renames_puts_the_earlier_folder_back(
    out: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    rename = Path.rename

    def failing_once(path: Path, target: Any) -> Path:
        if Path(target) == out and path.suffix == ".tmp":
            raise failure
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing_once)
    with pytest.raises(type(failure)):
        replace_folder(out, NEW)
    assert contents(out.parent) == {"out/old.txt": b"old"}
