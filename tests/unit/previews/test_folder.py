"""The folder of previews: what counts, what a crash leaves, and what is removed."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.errors import DiskFull, LibraryLocked, LibraryUnwritable
from harvester.model import Withdrawn
from harvester.previews import LostPreview, PreviewFolder, StoredPreview, opened_previews, read_previews
from harvester.previews.rows import read_rows
from harvester.storage import Files
from tests.support.samples import NOW_US
from tests.support.view_samples import make_record, make_state

ADDRESS = "https://cdn.freesound.org/previews/0/1_2-lq.ogg"


def row(sound_id: int, content: bytes, quality: str = "lq") -> StoredPreview:
    digest = sha256(content).hexdigest()
    return StoredPreview(sound_id, "ogg", quality, len(content), digest, ADDRESS, "http://license", NOW_US)


def put(folder: PreviewFolder, sound_id: int, content: bytes) -> None:
    arriving = folder.arriving(sound_id, "ogg")
    arriving.begin()
    arriving.write(content)
    assert arriving.sha256 == row(sound_id, content).sha256
    folder.store(arriving, row(sound_id, content))


class CrashingFiles(Files):
    """Files of a process that ends at its nth operation, as `kill -9` does: nothing of ours runs after that."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def create(self, path: Path) -> int:
        self._step()
        return super().create(path)

    def write(self, descriptor: int, chunk: bytes) -> int:
        self._step()
        return super().write(descriptor, chunk[: max(1, len(chunk) // 2)])

    def fsync(self, descriptor: int) -> None:
        self._step()

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._step()

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)


def test_a_crash_at_any_step_leaves_each_file_whole_with_its_row_or_absent(tmp_path: Path) -> None:
    content, ends = b"audio" * 20, 0
    for at in range(130):
        library = tmp_path / str(at)
        library.mkdir()
        stored = 0
        try:
            with opened_previews(library, NOW_US, CrashingFiles(at)) as folder:
                for sound_id in (1, 2, 3):
                    put(folder, sound_id, content)
                    stored = sound_id
                folder.settle()
                ends += 1
        except KeyboardInterrupt:
            pass
        files = {path.name: path.read_bytes() for path in (library / "previews").glob("[0-9]*")}
        assert set(files.values()) <= {content}
        assert len(files) >= stored
        again = read_previews(library)
        assert {one.file for one in again.stored.values()} == files.keys(), "a file has its row, a row its file"
        with opened_previews(library, NOW_US) as folder:
            assert {one.file for one in folder.stored.values()} == files.keys()
        if (library / "previews").exists():
            assert not list((library / "previews").glob(".*.tmp"))
    assert ends > 10, "the last runs came to their end"


def test_a_row_counts_only_while_its_file_is_as_it_was(tmp_path: Path) -> None:
    with opened_previews(tmp_path, NOW_US) as folder:
        for sound_id in (1, 2, 3, 4):
            put(folder, sound_id, b"audio")
        folder.settle()
    place = tmp_path / "previews"
    (place / "1.ogg").unlink()
    (place / "2.ogg").write_bytes(b"longer than before")
    (place / "3.ogg").unlink()
    (place / "3.ogg").symlink_to(place / "4.ogg")
    assert [key[0] for key in read_previews(tmp_path).stored] == [4]


def test_a_second_run_is_refused_by_name_and_a_link_is_not_followed(tmp_path: Path) -> None:
    with (
        opened_previews(tmp_path, NOW_US),
        pytest.raises(LibraryLocked, match=f"process {os.getpid()} .* is fetching"),
        opened_previews(tmp_path, NOW_US),
    ):
        pass
    assert not (tmp_path / "previews").exists(), "nothing came"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "previews").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LibraryUnwritable, match="symbolic link"), opened_previews(tmp_path, NOW_US):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_was_withdrawn_loses_file_row_and_credit(tmp_path: Path) -> None:
    state = make_state([make_record(1), make_record(2)])
    with opened_previews(tmp_path, NOW_US) as folder:
        for sound_id in (1, 2):
            put(folder, sound_id, b"audio")
        folder.note_lost(LostPreview(1, "mp3", "lq", ADDRESS, "HTTP 404", 1, NOW_US))
        folder.write_credits(state)
        state.apply(Withdrawn(1, NOW_US + 1))
        assert folder.drop_withdrawn(state) == 1
        folder.write_credits(state)
    left = read_previews(tmp_path)
    assert [*left.stored, *left.lost] == [(2, "ogg")]
    assert not (tmp_path / "previews" / "1.ogg").exists()
    credits = (tmp_path / "previews" / "CREDITS.md").read_text()
    assert "sound 2" in credits
    assert "sound 1" not in credits


def test_a_full_disk_is_told_and_leaves_nothing_of_the_file(tmp_path: Path) -> None:
    class Full(Files):
        def write(self, descriptor: int, chunk: bytes) -> int:
            if len(chunk) > 50:
                raise OSError(28, os.strerror(28))
            return super().write(descriptor, chunk)

    with opened_previews(tmp_path, NOW_US, Full()) as folder:
        arriving = folder.arriving(7, "ogg")
        arriving.begin()
        with pytest.raises(DiskFull, match="every preview in the folder is whole"):
            arriving.write(b"x" * 51)
        arriving.discard()
        assert [path.name for path in folder.path.iterdir() if "7" in path.name] == []


@given(st.binary(max_size=200), st.integers(0, 30))
def test_no_line_of_a_hostile_manifest_is_believed_or_fatal(junk: bytes, at: int) -> None:
    lines = [row(1, b"audio").line(), LostPreview(2, "mp3", "hq", ADDRESS, "HTTP 404", 3, NOW_US).line()]
    whole, wrong = read_rows(b"".join(lines))
    assert ([one.sound_id for one in whole], wrong) == ([1, 2], 0)
    spoilt = lines[0][:at] + junk + lines[0][at + 1 :]
    for one in read_rows(spoilt + b"\n" + lines[1])[0]:
        assert one.format in ("ogg", "mp3")
        assert one.quality in ("lq", "hq")
        if isinstance(one, StoredPreview):
            assert one.file == f"{one.sound_id}.{one.format}"
