"""Every reading command over a library whose records hold every odd value in every field."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harvester.checkpoint.format import encode_checkpoint
from harvester.clock import DAY_US, SystemClock
from harvester.errors import LibraryCorrupt
from harvester.extension_points import FORMATS
from harvester.graph import SoundGraph
from harvester.library.reader import load_view
from harvester.model import Deferral, Linked, Seeded, Seen, SimilarList
from harvester.pipeline.order import Ranking
from harvester.records import RULES, FieldKind, value_of
from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.samples import NOW_US, open_store
from tests.support.view_samples import make_record


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else "deep"


ODD: list[Any] = [
    None, True, False, 0, 1, -1, 12, 2**53 + 1, 2**63, 10**400, -(10**400), 10**600,
    3.7, -0.0, 5e-324, 1e308, math.nan, math.inf, -math.inf,
    "", " ", "12", "12.5", "nan", "inf", "1e999", "true", "a\ud800b", "\udfff", "long " * 600, "\x1b[31m\x00", "12 12",
    "2020-13-45T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2020-01-01 00:00:00", "https://[::1", "{",
    [], ["a"], [1, "a", None, ["x"], "\ud800"], ["tag1", "tag2"], [0.5] * 12,
    [{"a": math.nan}],
    {}, {"a": "b", "id": "x", "name": 1, "created": "c", "\ud800": "\udfff"}, {"processed": 10**400}, deep(90),
]  # fmt: skip
UNDECLARED = ("somewhat_new", "processed", "image_a", "=cmd", "\ud800")
FIELDS = [*sorted(RULES.keys() - {"id"}), *UNDECLARED]
STRIDES = (0, 7)
LONG = "".join(map(str, range(50_000)))
MANY = {"tags": [f"tag{number}" for number in range(1_100)], "analysis": [0.5] * 512}


def make_records() -> list[dict[str, Any]]:
    """Return records in which every field has every odd value: alike in one record, then mixed."""
    records = [make_record(1), make_record(2, description=LONG, somewhat_new=LONG) | MANY]
    for stride in STRIDES:
        for first in range(len(ODD)):
            odd = {name: ODD[(first + place * stride) % len(ODD)] for place, name in enumerate(FIELDS)}
            records.append(make_record(len(records) + 1) | odd)
    return records


def make_library(folder: Path, records: list[dict[str, Any]]) -> None:
    count = len(records)
    tomorrow_us = SystemClock().time_us() + DAY_US
    state = SoundGraph("https://freesound.org/apiv2/")
    state.apply(Seeded((1,)))
    for record in records:
        sound_id = record["id"]
        state.apply(Seen(sound_id, record, NOW_US))
        if sound_id % 4:
            near = tuple((1 + (sound_id + step) % count, 0.9 - step / 10) for step in range(min(count - 1, 3)))
            state.apply(Linked(sound_id, SimilarList(near, NOW_US, 25)))
    folder.mkdir()
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(state)))
    with open_store(folder) as store:
        store.append((), deferrals=[Deferral(one, "odd", 1, tomorrow_us) for one in range(4, count, 4)])
        store.checkpoint(backup=True)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd") / "lib"
    make_library(folder, make_records())
    return folder


READING: list[tuple[object, ...]] = [
    ("status",), ("status", "--json"), ("status", "--deferred"), ("status", "--deferred", "--json"),
    ("status", "--plot", "pictures"),
    ("find", "a", "--limit", 0), ("find", "1", "--limit", 0, "--json"), ("find", "user1"),
    *(("export", format, "-o", f"out.{format}") for format in FORMATS),
    *(("export", format) for format in ("graphml", "gexf", "jsonl", "node-link")),
    *(("export", "credits", "--format", format) for format in ("md", "txt", "csv", "html")),
    ("export", "jsonl", "--min-duration", "1s", "--max-duration", "10s"), ("export", "jsonl", "--tag", "a"),
    ("export", "jsonl", "--user", "12"), ("export", "jsonl", "--licence", "CC0", "--category", "music"),
    ("map", "-o", "map.html"), ("map", "-o", "ego.html", "--ego", 2),
    ("check",), ("check", "--json"), ("backups", "list"), ("plan", "--sandbox", "--samples", 1),
]  # fmt: skip


def culprit(command: tuple[object, ...], folder: Path) -> str:
    """Return a field and a value with which the command fails: first the value, then the field by halving."""
    trials = iter(range(10_000))

    def fails(fields: list[str], value: Any) -> bool:
        small = folder / f"trial{next(trials)}"
        try:
            make_library(small, [make_record(1), make_record(2) | dict.fromkeys(fields, value), make_record(3)])
        except LibraryCorrupt:
            # So many of these in one record are more than the loader takes.
            return False
        return call(*command, "--library", small, cwd=folder).code != 0

    for value in ODD:
        fields = FIELDS
        while len(fields) > 1 and fails(fields, value):
            half = fields[: len(fields) // 2]
            fields = half if fails(half, value) else fields[len(half) :]
        if fields is not FIELDS:
            return f"{fields[0]!a} = {ascii(value)[:80]}"
    return "only with several odd values"


@pytest.mark.parametrize("command", READING, ids=lambda command: " ".join(map(str, command)))
def test_every_reading_command_ends_well(library: Path, tmp_path: Path, command: tuple[object, ...]) -> None:
    ended = call(*command, "--library", library, cwd=tmp_path)
    assert ended.code == 0, f"{culprit(command, tmp_path)}\n{ended.err[-500:]!a}"
    assert "Traceback" not in ended.err


def test_every_sound_can_be_shown_and_has_its_place_in_every_order(library: Path, tmp_path: Path) -> None:
    state = load_view(library).state
    popular = Ranking("popular", state, 0, print)
    assert all(popular(sound_id)[1] <= 0 for sound_id in state.graph)
    for sound_id in range(1, len(state) + 1, 17):
        for arguments in ((sound_id,), (sound_id, "--json")):
            ended = call("show", *arguments, "--library", library, cwd=tmp_path)
            assert ended.code == 0, ended.err
            numbers = [line for line in ended.out.splitlines() if line.startswith(("  length", "  popularity"))]
            assert not {"nan", "None", "inf"} & set(" ".join(numbers).replace(",", " ").split()), ended.out
        assert orjson.loads(ended.out)["id"] == sound_id


def test_typed_tables_have_the_types_of_the_rules_and_lossless_ones_are_strict_json(
    library: Path, tmp_path: Path
) -> None:
    state = load_view(library).state
    for format in ("csv", "parquet", "jsonl", "node-link"):
        assert call("export", format, "-o", f"out.{format}", "--library", library, cwd=tmp_path).code == 0
    types = {
        "int": "int64",
        "float": "double",
        "bool": "bool",
        "text": "string",
        "list of texts": "list<element: string>",
    }
    schema = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "out.parquet")}
    for name, rule in RULES.items():
        some = any(value_of(state.attributes(sound_id), name) is not None for sound_id in state.graph)
        if name != "created" and rule.kind.value in types and some:
            assert schema[name] == types[rule.kind.value], name
    rows = {row["id"]: row for row in pq.read_table(tmp_path / "out.parquet").to_pylist()}
    table = pd.read_csv(tmp_path / "out.csv", low_memory=False).set_index("id")
    for sound_id in state.graph:
        attributes = state.attributes(sound_id)
        for name in ("num_downloads", "duration", "samplerate", "bpm"):
            wanted = value_of(attributes, name)
            assert rows[sound_id][name] == wanted
            found = table.loc[sound_id, name]
            assert found == wanted if wanted is not None else math.isnan(found)
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["id"] for line in lines] == sorted(state.graph)
    assert len(orjson.loads((tmp_path / "out.node-link").read_bytes())["nodes"]) == len(state)
    exact = {sound["id"]: sound["num_downloads"] for sound in map(json.loads, lines)}
    raw = {sound_id: state.attributes(sound_id)["num_downloads"] for sound_id in state.graph}
    assert all(exact[one] == raw[one] for one in raw if raw[one] in (True, "12", 12, 3.7, ["a"], None, 2**63))


def test_what_can_be_converted_is_read_and_the_rest_is_nothing(tmp_path: Path) -> None:
    records = [
        make_record(1, name="one rain", num_downloads="12", duration="3.5", tags="rain"),
        make_record(2, name="two rain", num_downloads=math.inf, duration="nan", tags={"a": 1}),
        make_record(3, name=["three"], num_downloads=10**400, duration=True, username=5, tags=["rain", 7]),
    ]
    make_library(tmp_path / "lib", records)
    found = call("find", "rain", "--json", "--library", "lib", cwd=tmp_path)
    sounds = {sound["id"]: sound for sound in orjson.loads(found.out)["sounds"]}
    assert [(one, sounds[one]["num_downloads"], sounds[one]["duration"]) for one in (1, 2, 3)] == [
        (1, 12, 3.5),
        (2, None, None),
        (3, None, None),
    ]
    assert (sounds[3]["name"], sounds[3]["username"], sounds[3]["tags"]) == (None, "5", ["rain"])
    shown = call("show", 3, "--library", "lib", cwd=tmp_path).out
    assert shown.startswith("(no name)   [3,")
    credits = call("export", "credits", "--format", "csv", "--library", "lib", cwd=tmp_path).out
    assert pd.read_csv(io.StringIO(credits))["title"].tolist() == ["one rain", "two rain", "sound 3"]
    assert FieldKind.INT is RULES["num_downloads"].kind
