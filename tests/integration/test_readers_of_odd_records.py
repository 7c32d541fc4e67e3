"""Whatever checkpoint is accepted, every reading command ends with 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.format import encode_checkpoint
from harvester.model import Event, Gone, Known, Linked, Related, Seen, SimilarList, Withdrawn
from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.samples import NOW_US, make_events, make_record, make_state

ODD_VALUES: dict[str, dict[str, Any]] = {
    "null": {"name": None, "username": None, "tags": None, "duration": None, "license": None, "num_downloads": None},
    "numbers as texts": {"num_downloads": "12", "duration": "1.5", "avg_rating": "4", "num_ratings": "3"},
    "texts as numbers": {"name": 5, "username": 7, "license": 1, "description": 2.5, "created": 0, "type": 4},
    "numbers without end": {"avg_rating": float("inf"), "duration": float("nan"), "samplerate": float("-inf")},
    "large numbers": {"avg_rating": 1e308, "num_downloads": 2**64 - 1, "filesize": -(2**63), "duration": 1e300},
    "lists for all": {name: [1, None] for name in ("name", "username", "license", "duration", "num_downloads")},
    "dicts for all": {name: {"a": [1]} for name in ("name", "tags", "license", "duration", "category")},
    "odd tags": {"tags": ["rain", None, 5, ["x"], {"y": 1}, True]},
    "a tag alone": {"tags": "rain"},
    "lone surrogates": {"name": "\ud800", "tags": ["\udfff"], "username": "a\ud83d", "description": "\udc00"},
    "controls": {"name": "\x00\x1b[2J\r\n\u202e", "tags": ["\x07"], "username": "\x9b"},
    "deep": {"previews": {"a": {"b": [{"c": [[]]}]}}, "images": [[[]]], "geotag": {"x": None}},
    "booleans": dict.fromkeys(("name", "duration", "num_downloads", "bitdepth", "channels"), True),
}
"""Fields of a record that the journal accepts, by what is odd about them."""

COMMANDS = [
    ["status"], ["status", "--json"], ["status", "--deferred"], ["show", "3"], ["show", "3", "--json"],
    ["find", "rain"], ["find", "", "--json", "--limit", "0"], ["export", "jsonl"], ["export", "node-link"],
    ["export", "graphml"], ["export", "gexf"], ["export", "csv", "-o", "out.csv"], ["export", "credits"],
    ["export", "jsonl", "--min-duration", "1s", "--tag", "rain"], ["map", "-o", "map.html"], ["check"],
    ["backups", "list"],
]  # fmt: skip


def _library(odd: dict[str, Any]) -> list[Event]:
    similar = SimilarList(((1, 0.9), (20, 0.0)), NOW_US - 5_000_000, 25)
    return [
        *make_events(8),
        Seen(3, make_record(3) | odd, NOW_US - 5_000_000),
        Seen(20, {"id": 20} | odd, NOW_US - 5_000_000),
        Seen(21, {}, NOW_US - 5_000_000),
        Linked(3, similar),
        Known(2**53 - 1, 0),
        Gone(4, NOW_US - 1_000_000),
        Withdrawn(5, NOW_US - 1_000_000),
        Related(6, 2**53 - 1, "pack", NOW_US - 1_000_000, 0.25),
    ]


@pytest.mark.parametrize("kind", ODD_VALUES)
def test_every_reading_command_ends_with_0(tmp_path: Path, kind: str) -> None:
    (tmp_path / "library").mkdir()
    content = b"".join(encode_checkpoint(make_state(_library(ODD_VALUES[kind]))))
    (tmp_path / "library" / CHECKPOINT).write_bytes(content)
    for command in COMMANDS:
        ended = call(*command, "--library", "library", cwd=tmp_path)
        assert ended.code == 0, (command, ended.err[-2000:])
