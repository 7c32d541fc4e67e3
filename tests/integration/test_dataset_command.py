"""`harvester export dataset` as users run it, and its folder in the readers that they use."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harvester
from harvester.errors import SettingsError
from harvester.model import Linked, Related, Seen, SimilarList
from tests.support.command import call
from tests.support.samples import NOW_US, SOURCE, files_of, grow, open_store
from tests.support.view_samples import BY, CC0, make_record

SOUNDS = 120

READ = """
import json, socket, sys
def refused(*_): raise AssertionError("a reader went to the network")
socket.socket.connect = refused
import datasets, mlcroissant
folder = sys.argv[1]
found = {name: datasets.load_dataset(folder, name) for name in ("sounds", "edges")}
description = mlcroissant.Dataset(jsonld=f"{folder}/croissant.json")
issues = description.metadata.ctx.issues
print(json.dumps({
    "hub": {name: {part: table["id" if name == "sounds" else "target"] [:] for part, table in tables.items()}
            for name, tables in found.items()},
    "hub_row": found["sounds"]["train"][0],
    "hub_types": {name: str(kind) for name, kind in found["sounds"]["train"].features.items()},
    "croissant": {name: [row.get(f"{name}/id", row.get("edges/target")) for row in description.records(name)]
                  for name in [one.uuid for one in description.metadata.record_sets]},
    "issues": [*issues.errors, *issues.warnings],
}, default=str))
"""
"""A program that reads a dataset as the hub does and by its Croissant description, without a network."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library in `lib`: 24 authors, CC0 and BY, a kind of relation, nulls, and another license."""
    folder = tmp_path_factory.mktemp("dataset")
    with open_store(folder / "lib") as store:
        store.set_source(SOURCE)
        for one in range(1, SOUNDS + 1):
            previews = {"preview-hq-mp3": f"https://cdn.example/previews/0/{one}_{one % 24}-hq.mp3"}
            license = "http://creativecommons.org/licenses/by-nc/3.0/" if one == 7 else (CC0, BY)[one % 2]
            wish = None if one % 3 else "no-gen-ai"
            record = make_record(one, username=f"user{one % 24}", previews=previews, license=license, bitdepth=None)
            grow(
                store,
                [Seen(one, record | {"gen_ai_preference": wish, "name": "=1+1" if one == 5 else f"a, {one}"}, NOW_US)],
            )
        grow(
            store,
            [Linked(one, SimilarList(((one % SOUNDS + 1, 0.75),), NOW_US + 1, 25)) for one in range(1, SOUNDS + 1)],
        )
        grow(store, [Related(1, 3, "user", NOW_US, 2.5)])
        store.checkpoint(backup=True)
    return folder


def export(folder: Path, *arguments: object, code: int = 0) -> str:
    """Run `export dataset`, and return what it wrote to stderr."""
    ended = call("export", "dataset", "--library", "lib", *arguments, cwd=folder)
    assert (ended.code, ended.out) == (code, ""), ended.err
    return ended.err


def parts_of(folder: Path) -> dict[int, str]:
    """Return the part of each sound, read from the tables."""
    import duckdb

    found = duckdb.sql(f"SELECT id, filename FROM read_parquet('{folder}/data/*.parquet', filename = true)")
    assert found is not None
    return {sound_id: Path(name).name.split("-")[0] for sound_id, name in found.fetchall()}


def test_every_reader_gets_the_same_rows(folder: Path) -> None:
    told = export(folder, "-o", "out")
    assert told.splitlines() == [
        "out: 119 sounds by 24 authors (train 95, validation 14, test 10), 119 edges",
        "licenses: CC0 60, BY 4.0 59 (without --license, only CC0 and BY are taken; left out with others: 1)",
        "wishes about generative AI: no-gen-ai 40, unknown 79",
    ]
    out = folder / "out"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(out)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["issues"] == []
    # Here, and not in every process that collects this test.
    import pandas as pd
    import polars as pl

    files = {part: out / "data" / f"{part}-00000-of-00001.parquet" for part in ("train", "validation", "test")}
    edges = out / "edges" / "edges-00000-of-00001.parquet"
    ids = {part: [int(one) for one in pd.read_parquet(path)["id"]] for part, path in files.items()}
    assert found["hub"] == {"sounds": ids, "edges": {"edges": pl.read_parquet(edges)["target"].to_list()}}
    assert found["croissant"] == {
        **{f"sounds-{part}": ids[part] for part in files},
        "edges": pd.read_parquet(edges)["target"].tolist(),
    }
    assert sorted(parts_of(out)) == sorted(one for several in ids.values() for one in several)
    assert sorted(parts_of(out)) == [one for one in range(1, SOUNDS + 1) if one != 7]
    types = {"tags": "List(Value('string'))", "created": "Value('timestamp[us, tz=UTC]')", "bitdepth": "Value('int64')"}
    assert found["hub_types"].items() >= types.items()
    assert (found["hub_row"]["gen_ai_preference"], found["hub_row"]["license_spdx"]) == (None, "CC-BY-4.0")
    authors = [set(pl.read_parquet(path)["username"]) for path in files.values()]
    assert sum(map(len, authors)) == len(set.union(*authors)) == 24
    assert pl.read_parquet(edges).filter(pl.col("kind") == "relation:user").rows() == [(1, 3, "relation:user", 2.5)]


def test_the_earlier_assignment_is_kept_by_a_larger_library_in_its_own_folder_too(folder: Path) -> None:
    export(folder, "-o", "small", "--user", *_users(8), "--split", "50/50")
    small = parts_of(folder / "small")
    told = export(folder, "-o", "large", "--splits", "small")
    large = parts_of(folder / "large")
    assert len(small) == 39
    assert large.items() >= small.items()
    assert set(large.values()) == {"train", "test"}
    assert "train 59, test 60" in told or "train 60, test 59" in told
    before = files_of(folder / "large")["splits.json"][0]
    export(folder, "-o", "large", "--splits", "large", "--license", "CC0,BY,CC-BY-NC-3.0")
    assert parts_of(folder / "large").items() > large.items()
    assert files_of(folder / "large")["splits.json"][0] != before


def _users(most: int) -> list[str]:
    """Return options for so many users."""
    return " --user ".join(f"user{one}" for one in range(most)).split(" ")


def test_csv_needs_no_pyarrow_and_says_what_a_spreadsheet_would_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for module in ("harvester.exports.arrow", "harvester.exports.parquet"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert "parquet needs pyarrow" in export(folder, "-o", "none", code=2)
    assert not list(folder.glob("*none*"))
    assert not list(folder.glob(".none*"))
    names = []
    for more in ([], ["--faithful"]):
        export(folder, "-o", "csv", "--table", "csv", "--split", "100", *more)
        with (folder / "csv" / "data" / "train-00000-of-00001.csv").open(encoding="utf-8", newline="") as file:
            rows = {int(row["id"]): row for row in csv.DictReader(file)}
        names.append(rows[5]["name"])
    assert names == ["'=1+1", "=1+1"]
    assert (rows[1]["created"], rows[1]["tags"]) == ("2012-10-21T14:54:11Z", "rain|tag1")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "dataset writes a folder; name it with -o OUT"),
        (["-o", "lib"], "lib: it has no manifest.json of a dataset that harvester wrote; nothing was replaced"),
        (["-o", "no/out"], "no is not a folder; create it first"),
        (["-o", "x", "--fields", "nmae"], "--fields: no sound has a field 'nmae'; did you mean 'name'"),
        (["-o", "x", "--split", "80/30"], "--split '80/30' is no split; write percentages"),
        (["-o", "x", "--group-by", "planet"], "--group-by planet is not known; choose from user, pack"),
        (["-o", "x", "--split-method", "luck"], "--split-method luck is not known; choose from greedy, hash"),
        (["-o", "x", "--table", "xls"], "--table xls is not known; choose from parquet, csv"),
        (["-o", "x", "--faithful"], "--faithful works with --table csv only"),
        (["-o", "x", "--partition-rows", "5"], "--partition-rows works with parquet only, not with dataset"),
        (["-o", "x", "--splits", "lib"], "--splits lib: there is no splits.json; name the folder of a dataset"),
        (["-o", "x", "--user", "nobody"], "no sound matches: no sound has the user 'nobody'"),
        (["-o", "x", "--ids", "7.txt"], "no sound that matches has the license CC0 or BY; name others with --license"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line_and_leaves_nothing(
    folder: Path, arguments: list[str], says: str
) -> None:
    (folder / "7.txt").write_text("7\n")
    before = files_of(folder)
    told = export(folder, *arguments, code=2)
    assert says in told
    assert told.count("\n") == 1
    assert files_of(folder) == before


def test_an_earlier_assignment_must_fit_the_other_options(folder: Path) -> None:
    export(folder, "-o", "kept")
    for more, says in (
        (["--split-method", "hash"], "--splits works with --split-method greedy only"),
        (["--group-by", "pack"], "--group-by pack: the assignment in kept is by user; use that, or leave out --splits"),
        (["--split", "90/10"], "--split has no validation, and the assignment in kept has"),
    ):
        assert says in export(folder, "-o", "x", "--splits", "kept", *more, code=2)


def test_options_of_a_dataset_are_refused_for_other_formats_and_the_function_is_named(folder: Path) -> None:
    ended = call("export", "csv", "-o", "x.csv", "--group-by", "user", "--library", "lib", cwd=folder)
    assert (ended.code, ended.err) == (2, "harvester: --group-by works with dataset only, not with csv\n")
    with pytest.raises(SettingsError, match=r"call export_dataset"):
        harvester.export("dataset", folder / "x", library=folder / "lib")
    with pytest.raises(SettingsError, match=r"^split_method luck is not known"):
        harvester.export_dataset(folder / "x", library=folder / "lib", split_method="luck")
    report = harvester.export_dataset(folder / "y", library=folder / "lib", license="CC0", fields=["name", "tags"])
    assert (report.sounds, report.parts, report.only_free) == (60, {"train": 50, "validation": 5, "test": 5}, False)
