"""A writer whose disk is full to the last blocks: `python -m tests.support.full_disk_writer FOLDER LEFT_BYTES…`.

For each `LEFT_BYTES` a child of its own opens a journal, fills the disk but for so much, and goes on until that fails.
Says a line for each: bytes left, how the child ended, the last number it had acknowledged, and how many were read back.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from harvester.errors import HarvesterError
from harvester.journal.reader import load_contents
from harvester.journal.writer import Journal
from harvester.model import Known

MOST_COMMITS = 2000


def write_until_full(folder: Path, left_bytes: int, acked: int) -> None:
    """Append to the journal in `folder` until the disk is full; acknowledge on the descriptor `acked`."""
    Journal(folder / "journal").close()
    journal = Journal(folder / "journal")
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
        fill(ballast.fileno(), folder, left_bytes)
    for number in range(1, MOST_COMMITS):
        journal.append([Known(number, 1)])
        os.write(acked, b"%d\n" % number)


def fill(ballast: int, folder: Path, left_bytes: int) -> None:
    """Take what is free but for so much: in ever smaller pieces, where the disk has less than it says."""
    piece_bytes = 1 << 30
    while piece_bytes >= 1024:
        disk = os.statvfs(folder)
        wanted_bytes = min(piece_bytes, disk.f_bavail * disk.f_frsize - left_bytes)
        if wanted_bytes <= 0:
            return
        try:
            os.posix_fallocate(ballast, os.fstat(ballast).st_size, wanted_bytes)
        except OSError:
            piece_bytes = min(piece_bytes, wanted_bytes) // 2


def live(folder: Path, left_bytes: int) -> str:
    """Run one child to its end and say how it went."""
    folder.mkdir()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            write_until_full(folder, left_bytes, writing)
        except HarvesterError as error:
            os._exit(error.exit_code)
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        acked = max((int(line) for line in lines), default=0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    (folder / "ballast").unlink(missing_ok=True)
    contents = load_contents(folder / "journal")
    assert contents is not None
    assert not contents.damage
    kept = len(list(contents.events))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    # What was freed can be given away again once this is on the disk.
    descriptor = os.open(folder.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return f"{left_bytes} {ended} {acked} {kept}"


if __name__ == "__main__":
    for left in sys.argv[2:]:
        print(live(Path(sys.argv[1]), int(left)))
