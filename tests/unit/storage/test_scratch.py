"""The file for what is too much for memory: everything is read back, and a full disk is an error and no more."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

import pytest

from harvester.storage import ScratchFile


def test_what_is_added_is_read_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file, contents = ScratchFile(), [bytes([number % 256]) * (number * 7) for number in range(1_000)]
    for content in contents:
        file.add(content)
    file.end()
    assert len(file) == 1_000
    assert [file[number] for number in reversed(range(1_000))] == contents[::-1]
    assert list(tmp_path.iterdir()) == [], "it has no name"


@pytest.mark.filterwarnings("error")
def test_on_a_full_disk_it_raises_once_and_closes_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.fdopen(os.open("/dev/full", os.O_RDWR), "r+b", buffering=0)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda buffering: full)
    file = ScratchFile()
    with pytest.raises(OSError, match="No space left"):
        file.add(b"x" * (2 << 20))
    del file
    gc.collect()
    assert full.closed
