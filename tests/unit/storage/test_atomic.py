"""A file beside the one it may replace: the block decides, and no temporary stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.storage import REAL_FILES, written_beside


def chunks(closed: list[bool]) -> Iterator[bytes]:
    try:
        yield b"new "
        yield b"bytes"
    finally:
        closed.append(True)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def test_a_block_sees_the_whole_new_file_and_the_old_one_until_it_replaces_it(target: Path) -> None:
    closed: list[bool] = []
    with written_beside(target, chunks(closed), REAL_FILES) as new:
        assert (new.path.read_bytes(), target.read_bytes()) == (b"new bytes", b"old")
        assert new.path.parent == target.parent
        new.replace()
        assert target.read_bytes() == b"new bytes"
    assert (list(target.parent.iterdir()), closed) == ([target], [True])


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_a_block_that_does_not_replace_leaves_the_old_file_alone(
    target: Path, error: type[BaseException] | None
) -> None:
    closed: list[bool] = []

    def decide() -> None:
        with written_beside(target, chunks(closed), REAL_FILES):
            if error is not None:
                raise error

    if error is None:
        decide()
    else:
        with pytest.raises(error):
            decide()
    assert (list(target.parent.iterdir()), target.read_bytes(), closed) == ([target], b"old", [True])
