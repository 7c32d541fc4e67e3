"""Datasette and sqlite-utils read an exported database as their own: search, facets, labels, full text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harvester.exports import save_export
from harvester.graph import select
from harvester.model import Related
from tests.support.view_samples import NOW_US, make_library

_PROGRAM = """
import asyncio, json, sys
from datasette.app import Datasette
from sqlite_utils import Database

async def ask():
    datasette = Datasette([], immutables=[sys.argv[1]])
    answers = {}
    for address in sys.argv[2:]:
        answer = await datasette.client.get(address)
        answers[address] = [answer.status_code, answer.json() if ".json" in address else answer.text]
    return answers

database = Database(sys.argv[1])
print(json.dumps({
    "pages": asyncio.run(ask()),
    "full text": database["sounds"].detect_fts(),
    "found": [row["id"] for row in database["sounds"].search("rains", order_by="id")],
    "foreign keys": [[key.column, key.other_table] for key in database["edges"].foreign_keys],
    "primary key": database["edges"].pks,
}))
"""


def test_they_search_facet_label_and_follow(tmp_path: Path) -> None:
    state = make_library()
    state.apply(Related(1, 8, "same user", NOW_US, 0.5))
    out = tmp_path / "lib.sqlite"
    save_export(select(state), "sqlite", out)
    addresses = (
        "/lib/sounds.json?_search=rains&_facet=username&_facet=license&_size=3&_shape=objects",
        "/lib/edges.json?source=1&_facet=kind&_labels=on&_shape=objects",
        "/lib/sounds_tags.json?_facet=tag_id&_shape=objects",
        "/lib/sounds/1",
        "/lib/sounds/4",
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(out), *addresses],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert {address: status for address, (status, _) in told["pages"].items()} == dict.fromkeys(addresses, 200)
    found, edges, tags, page, _ = (told["pages"][address][1] for address in addresses)
    assert found["filtered_table_rows_count"] == 9
    facets = {
        name: {one["value"]: one["count"] for one in facet["results"]} for name, facet in found["facet_results"].items()
    }
    assert facets["username"] == {"user0": 3, "user1": 3, "user2": 3}
    assert len(facets["license"]) == 4
    assert [(row["target"]["label"], row["kind"], row["score"], row["weight"]) for row in edges["rows"]] == [
        ("sound 2", "similar", 0.9, None),
        ("sound 3", "similar", 0.51, None),
        ("sound 8", "relation:same user", None, 0.5),
    ]
    assert [one["count"] for one in edges["facet_results"]["kind"]["results"]] == [2, 1]
    assert next((one["label"], one["count"]) for one in tags["facet_results"]["tag_id"]["results"]) == ("rain", 9)
    assert "/lib/edges?source=1" in page
    assert "/lib/sounds_tags?sound_id=1" in page
    assert told["full text"] == "sounds_fts"
    assert told["found"] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert sorted(told["foreign keys"]) == [["source", "sounds"], ["target", "sounds"]]
    assert told["primary key"] == ["source", "target", "kind"]
