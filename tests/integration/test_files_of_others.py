"""A file that is none of ours is called what it is: only files of ours can be corrupt."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
import zlib
from pathlib import Path

import joblib
import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint import begins_as_checkpoint, encode_checkpoint
from harvester.graph import SoundGraph
from harvester.storage import describe_content
from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.samples import SOURCE, files_of, grow, make_events, open_store


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "a")
    return packed.getvalue()


def _by_joblib(content: object) -> bytes:
    packed = io.BytesIO()
    joblib.dump(content, packed, compress=3)
    return packed.getvalue()


OLD = _by_joblib({"graph": nx.DiGraph([(1, 2)]), "processed_ids": {1}, "sound_cache": {}, "metadata": {}})
NOT_OURS: dict[str, tuple[bytes | None, str]] = {
    "README.md": (b"# A library\n\nSounds of `rain`.\n", "a text"),
    "umlauts.txt": ("Geräusche\n".encode(), "a text"),
    "latin.txt": ("Geräusche\n".encode("latin-1"), "a file of an unknown kind"),
    "sounds.json": (b'{"sounds": 1}\n', "a JSON text"),
    "map.html": (b"<!doctype html>\n<p>", "an HTML or XML text"),
    "a.zip": (_zipped(), "a ZIP archive"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "a PNG picture"),
    "a.wav": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(64), "a sound file"),
    "a.sqlite": (b"SQLite format 3\0" + bytes(84), "an SQLite database"),
    "a.gz": (b"\x1f\x8b\x08" + bytes(64), "a compressed file"),
    "list.pickle": (pickle.dumps([1, 2]), "a Python pickle"),
    "cut.pickle": (pickle.dumps(["a" * 99, 2])[:50], "a Python pickle"),
    "array.joblib": (_by_joblib([1, 2]), "a Python pickle"),
    "old.pkl": (OLD, "a Python pickle"),
    "random.pkl": (bytes(range(200, 256)) * 9, "a file of an unknown kind"),
    "empty.pkl": (b"", "an empty file"),
    "folder": (None, "a folder"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    with open_store(folder / "freesound_library") as store:
        store.set_source(SOURCE)
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    for name, (content, _) in NOT_OURS.items():
        (folder / name).mkdir() if content is None else (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", NOT_OURS)
@pytest.mark.parametrize("command", ["merge", "restore", "import"])
def test_a_file_of_another_kind_is_a_usage_error_that_says_what_it_is(command: str, name: str, place: Path) -> None:
    if command == "import" and name in ("old.pkl", "folder"):
        return  # it is what import is for
    before, what = files_of(place), NOT_OURS[name][1]
    ended = call(command, name, cwd=place)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert ended.err.count("\n") == 1
    assert ended.err.startswith(f"harvester: {name}: it is {what}")
    assert "corrupt" not in ended.err
    assert files_of(place) == before


def test_no_output_of_a_merge_replaces_such_a_file(place: Path) -> None:
    ended = call("merge", "freesound_library", "-o", "random.pkl", "--yes", cwd=place)
    assert ended.code == 2
    assert (place / "random.pkl").read_bytes() == NOT_OURS["random.pkl"][0]


@pytest.mark.parametrize("line", ["merge nosuch", "import nosuch", "restore nosuch", "restore there/nosuch.pkl"])
def test_a_name_of_nothing_is_a_usage_error(line: str, place: Path) -> None:
    ended = call(*line.split(), cwd=place)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert ended.err.startswith(f"harvester: {line.split()[1]}: ")


def test_a_mistyped_backup_is_told_the_one_that_was_meant(place: Path) -> None:
    [backup] = [path.name for path in (place / "freesound_library").glob("*_backup_*")]
    ended = call("restore", backup.replace("_backup_", "_bakcup_"), cwd=place)
    assert ended.code == 2
    assert f"did you mean {backup}?" in ended.err


@pytest.mark.parametrize("rename", [False, True], ids=["by its name", "by its beginning"])
@pytest.mark.parametrize("sounds", [0, 3])
def test_a_damaged_file_of_ours_is_corrupt(rename: bool, sounds: int, place: Path, tmp_path: Path) -> None:
    state = SoundGraph()
    for event in make_events(sounds):
        state.apply(event)
    whole = b"".join(encode_checkpoint(state))
    path = tmp_path / ("theirs.pkl" if rename else CHECKPOINT)
    path.write_bytes(whole[: len(whole) * 2 // 3] if rename else b"rubbish")
    shutil.copytree(place / "freesound_library", tmp_path / "freesound_library")
    for command in ("merge", "import"):
        ended = call(command, path.name, cwd=tmp_path)
        # Of a file's name, `import` knows nothing: its files have any.
        assert ended.code == (22 if rename or command == "merge" else 2), ended.err


def test_a_damaged_file_of_an_older_tool_is_corrupt(place: Path, tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(OLD[:-20])
    ended = call("import", "old.pkl", cwd=tmp_path)
    assert ended.code == 22, ended.err


@given(st.binary(max_size=300))
def test_no_other_bytes_begin_as_a_checkpoint(content: bytes) -> None:
    assert not begins_as_checkpoint(content)
    assert not begins_as_checkpoint(zlib.compress(content))
    assert describe_content(content)


_VALUES = st.none() | st.text() | st.integers()


@given(st.recursive(_VALUES, lambda inner: st.dictionaries(st.text(), inner), max_leaves=8))
def test_no_pickle_of_another_program_begins_as_a_checkpoint(content: object) -> None:
    for protocol in range(6):
        assert not begins_as_checkpoint(zlib.compress(pickle.dumps({"graph": content}, protocol)))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_text_is_described_as_one(text: str) -> None:
    told = describe_content(json.dumps([text], ensure_ascii=False).encode())
    assert told == "a JSON text"
