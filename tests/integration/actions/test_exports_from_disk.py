"""Commands that leave the library on disk: their results are those of an opened library, in less memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harvester
from harvester.checkpoint.format import encode_checkpoint
from harvester.errors import HarvesterError
from harvester.extension_points import FORMATS
from harvester.library.reader import load_view
from harvester.model import Event
from harvester.storage.paths import CHECKPOINT
from tests.support.histories import histories
from tests.support.samples import make_events, make_state

EVERY_FORMAT = (*FORMATS.own, "credits")
SELECTIONS: tuple[dict[str, Any], ...] = (
    {}, {"license": "BY,cc0"}, {"category": "Music"}, {"tag": "rain"}, {"tag": ["tag1", "nothing"]}, {"user": "user1"},
    {"exclude_tag": "tag2"}, {"exclude_user": "USER0"}, {"query": "sound 1"}, {"query": "a"}, {"ids": [1, 3, 3, 99]},
    {"ids": []}, {"created": "2019..2021"}, {"min_duration": 0.3, "max_duration": "1s"}, {"min_downloads": 2_000},
    {"gen_ai": "unknown"}, {"processed_only": True}, {"min_score": 0.75}, {"edges": "similar"}, {"edges": "relation"},
    {"edges": "relation:same user"}, {"largest_component": True}, {"community": 1},
    {"tag": "rain", "processed_only": True, "ids": [1, 2]},
)  # fmt: skip


def exported(format: str, out: Path, library: Any, **options: Any) -> tuple[Any, ...]:
    """Return what an export says and every byte that it wrote."""
    out.mkdir()
    place: Path = out / f"lib.{format}"
    try:
        report = harvester.export(format, place, library=library, **options)
    except HarvesterError as error:
        return type(error), str(error), getattr(error, "__notes__", [])
    files = {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    return report.sounds, report.edges, report.without_record, report.notices, files


def compare(folder: Path, format: str, options: dict[str, Any]) -> None:
    with TemporaryDirectory() as scratch:
        opened = harvester.Library.open(folder)
        expected = exported(format, Path(scratch) / "opened", opened, **options)
        assert exported(format, Path(scratch) / "stored", folder, **options) == expected


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, st.sampled_from(EVERY_FORMAT), st.sampled_from(SELECTIONS), st.sampled_from([None, 2]), st.booleans())
def test_each_format_and_selection_gives_the_bytes_of_an_opened_library(
    history: list[Event], format: str, selection: dict[str, Any], partition_rows: int | None, faithful: bool
) -> None:
    options = selection | ({"faithful": faithful} if format == "csv" else {})
    options |= {"partition_rows": partition_rows} if format == "parquet" else {}
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "lib"
        folder.mkdir()
        (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(history))))
        assert type(load_view(folder, on_disk=True).state).__name__ == "OnDiskState"
        compare(folder, format, options)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of several blocks, whose analysis has been computed."""
    folder = tmp_path_factory.mktemp("library")
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(300)))))
    harvester.analyse(library=folder)
    return folder


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "sqlite"])
def test_measures_of_an_analysis_are_exported_alike(analysed: Path, format: str) -> None:
    for options in ({}, {"community": 1, "tag": "tag1"}, {"community": 99}):
        compare(analysed, format, options)


def test_a_text_is_whole_though_the_export_was_the_last_to_know_the_library(analysed: Path) -> None:
    expected = list(harvester.export("jsonl", library=harvester.Library.open(analysed)))
    assert list(harvester.export("jsonl", library=analysed)) == expected
    assert len(expected) == 300


_PEAKS = """
import re, sys
from pathlib import Path
import harvester

for folder in sys.argv[1:]:
    for format in ("csv", "jsonl"):
        harvester.export(format, f"{folder}.{format}", library=folder)
    print(int(re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]) * 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads the peak in /proc")
def test_a_larger_library_takes_a_few_hundred_bytes_of_memory_a_sound(tmp_path: Path) -> None:
    counts = (2_000, 8_000)
    for count in counts:
        (tmp_path / str(count)).mkdir()
        (tmp_path / str(count) / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(count)))))
    # The first exports are of the small library, so what a process needs in any case is not counted.
    command = [sys.executable, "-c", _PEAKS, *map(str, counts)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    small, large = map(int, ended.stdout.split())
    assert (large - small) / (counts[1] - counts[0]) < 1_800


STATEMENTS = ("SELECT * FROM sounds ORDER BY id", "SELECT * FROM edges", "SELECT * FROM tags", "")


@pytest.mark.parametrize("selection", [one for one in SELECTIONS if one != {"ids": []}], ids=str)
def test_sql_gives_the_rows_of_an_opened_library(analysed: Path, selection: dict[str, Any]) -> None:
    opened = harvester.Library.open(analysed)
    for statement in STATEMENTS:
        expected, found = (harvester.sql(statement, library=one, **selection) for one in (opened, analysed))
        assert (list(found), found.columns, found.types, found.notices) == (
            list(expected), expected.columns, expected.types, expected.notices,
        )  # fmt: skip


@pytest.mark.parametrize("selection", [{}, {"license": "BY", "tag": "tag1"}, {"min_score": 0.75}], ids=str)
def test_a_dataset_has_the_bytes_of_that_of_an_opened_library(
    analysed: Path, selection: dict[str, Any], tmp_path: Path
) -> None:
    written = []
    for name, library in (("opened", harvester.Library.open(analysed)), ("stored", analysed)):
        place = tmp_path / name / "set"
        place.parent.mkdir()
        harvester.export_dataset(place, library=library, **selection)
        written.append({one.relative_to(place): one.read_bytes() for one in place.rglob("*") if one.is_file()})
    assert written[0] == written[1]


@pytest.mark.parametrize(
    "reads",
    [
        lambda folder, _: harvester.sql("SELECT 1", library=folder),
        lambda folder, out: harvester.export_dataset(out / "set", library=folder),
    ],
)
def test_sql_and_datasets_leave_the_library_on_disk(
    analysed: Path, tmp_path: Path, reads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("it was loaded")

    monkeypatch.setattr("harvester.library.reader.load_state", refuse)
    reads(analysed, tmp_path)
