"""Files are opened for what they are: a FIFO never blocks, a device is never read, no link is followed for writing."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harvester.storage.opening import (
    NotRegular,
    copy_regular,
    open_for_writing,
    open_regular,
    read_bounded,
    read_pieces,
    read_start,
)

READERS: dict[str, Callable[[Path], object]] = {
    "open_regular": open_regular,
    "read_bounded": lambda path: read_bounded(path, 100),
    "read_start": lambda path: read_start(path, 100),
    "read_pieces": lambda path: list(read_pieces(path)),
    "copy_regular": lambda path: copy_regular(path, path.with_name("copy")),
    "open_for_writing": open_for_writing,
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_named_at_once(name: str, tmp_path: Path) -> None:
    fifo, device, folder, bound = (tmp_path / kind for kind in ("fifo", "device", "folder", "socket"))
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bound))
        kinds = {fifo: "a FIFO", bound: "a socket"}
        kinds[device] = "a symbolic link" if name == "open_for_writing" else "a character device"
        for path, what in kinds.items():
            (tmp_path / "copy").unlink(missing_ok=True)
            with pytest.raises(NotRegular, match=what):
                READERS[name](path)
        (tmp_path / "copy").unlink(missing_ok=True)
        with pytest.raises(IsADirectoryError):
            READERS[name](folder)


def test_a_link_is_followed_for_reading_and_never_for_writing(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"whole")
    link.symlink_to(target)
    assert read_bounded(link, 5) == b"whole"
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_APPEND):
        with pytest.raises(NotRegular, match="a symbolic link"):
            open_for_writing(link, flags)
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotRegular, match="a symbolic link"):
        open_for_writing(link, os.O_WRONLY | os.O_CREAT)
    assert target.read_bytes() == b"whole"
    assert not (tmp_path / "nowhere").exists()


def test_reading_ends_at_the_bound_and_at_the_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    assert read_start(path, 2) == b"12"
    with pytest.raises(OSError, match="more than 4") as refused:
        read_bounded(path, 4)
    assert refused.value.errno == errno.EFBIG
    pieces = read_pieces(path, 2)
    assert next(pieces) == b"12"
    with path.open("ab") as file:
        file.write(b"grown")
    assert b"".join(pieces) == b"345"


def test_a_copy_is_never_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    copy_regular(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"
    with pytest.raises(FileExistsError):
        copy_regular(tmp_path / "a", tmp_path / "b")


def _open_descriptors() -> set[str]:
    """Return the numbers in use; others may be closed meanwhile, with what earlier tests have left."""
    return set(os.listdir("/dev/fd"))  # noqa: PTH208 - names, not paths


def test_no_descriptor_stays_open_when_a_file_was_read_or_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"whole")
    before = _open_descriptors()
    for name, read in READERS.items():
        (tmp_path / "copy").unlink(missing_ok=True)
        with pytest.raises(NotRegular):
            read(tmp_path / "fifo")
        (tmp_path / "copy").unlink(missing_ok=True)
        if not name.startswith("open_"):
            read(tmp_path / "file")
    assert _open_descriptors() <= before


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize("kind", ["a FIFO", "a symbolic link"])
@pytest.mark.parametrize("name", READERS)
def test_what_takes_the_place_of_a_file_while_it_is_opened_is_refused_without_waiting(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    seen = path.stat()
    path.unlink()
    # Somebody has a FIFO open at its other end, so that it could be opened for writing.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    other_end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fifo.rename(path) if kind == "a FIFO" else path.symlink_to(fifo)
    monkeypatch.setattr(Path, "stat", lambda *_args, **_options: seen)
    monkeypatch.setattr(Path, "lstat", lambda *_args, **_options: seen)
    before = _open_descriptors()
    with pytest.raises(NotRegular, match=kind if name == "open_for_writing" else "a FIFO"):
        READERS[name](path)
    assert _open_descriptors() <= before
    os.close(other_end)


@pytest.fixture
def _no_waiting() -> Iterator[None]:
    """Let a test fail that waits for longer than any opening takes."""

    def fail(*_: object) -> None:
        raise TimeoutError("the opening waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
