"""What older tools left, made by processes of their own with stand-ins for packages that are not installed here."""

from __future__ import annotations

import json
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx

KEY = "FaKeKey0123456789abcdefFaKeKey0123456789"

_FREESOUND = '''
"""A stand-in for the client that older tools used: it bends the dashes of what it is given, as that one did."""

class FreesoundClient:
    def __init__(self):
        self.session = Session()
        self.token = None

    def set_token(self, token):
        self.token = token
        self.header = "Token " + token


class Session:
    def __init__(self):
        self.headers = {}


class FreesoundObject:
    def __init__(self, json_dict, client):
        self.client = client
        self.json_dict = json_dict

        def bend(part):
            for name in list(part):
                if isinstance(part[name], dict):
                    bend(part[name])
                if "-" in name:
                    part[name.replace("-", "_")] = part.pop(name)

        bend(json_dict)
        self.__dict__.update(json_dict)
        for name, value in json_dict.items():
            if isinstance(value, dict):
                self.__dict__[name] = FreesoundObject(value, client)


class Sound(FreesoundObject):
    pass
'''

_MAKER = """
import datetime, json, sys
import joblib, networkx as nx
import freesound

key, target, records = sys.argv[1], sys.argv[2], json.loads(sys.stdin.read())
client = freesound.FreesoundClient()
client.set_token(key)
client.session.headers["Authorization"] = "Token " + key
graph = nx.DiGraph()
ids = [str(record["id"]) for record in records]
graph.add_nodes_from(ids)
for place, source in enumerate(ids):
    graph.add_edge(source, ids[(place + 1) % len(ids)])
    graph.add_edge(source, ids[(place + 2) % len(ids)], type="similar")
graph.add_edge(ids[0], "999999")
graph.add_edge(ids[0], "not a sound")
graph.nodes[ids[0]]["colour"] = "red"
graph.edges, graph.adj, graph.nodes  # their views are cached in the object, and pickled with it
half = len(records) // 2
cache = {record["id"]: freesound.Sound(record, client) for record in records[:half]}
cache.update({str(record["id"]): record for record in records[half:]})
joblib.dump(
    {
        "graph": graph,
        "processed_ids": set(ids[:half]),
        "sound_cache": cache,
        "metadata": {
            "timestamp": datetime.datetime(2024, 5, 6, 7, 8, 9).isoformat(),
            "nodes": len(graph), "edges": graph.number_of_edges(), "processed_ids": half,
            "pagination": {"page": 3, "query": "rain"},
        },
    },
    target, compress=3,
)
"""


def make_sqlite_cache(path: Path, records: dict[int, dict[str, Any]], last_updated: str) -> None:
    """Write an SQLite cache of records as an older tool kept it beside its graph."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE metadata (sample_id INTEGER PRIMARY KEY, data JSON NOT NULL, last_updated TEXT NOT NULL, "
            "priority_score REAL, is_dormant INTEGER DEFAULT 0, dormant_since TEXT)"
        )
        rows = [(sound_id, json.dumps(record), last_updated) for sound_id, record in records.items()]
        connection.executemany("INSERT INTO metadata (sample_id, data, last_updated) VALUES (?, ?, ?)", rows)
        connection.commit()


def make_old_folder(folder: Path, records: dict[int, dict[str, Any]], *, at: str, last_updated: str) -> None:
    """Write what an older tool left in its folder: a bare graph, a cache, the checkpoint's metadata, and more."""
    folder.mkdir()
    graph = nx.DiGraph()
    ids = [str(sound_id) for sound_id in records]
    for source, target in pairwise(ids):
        graph.add_edge(source, target, type="similar", weight=0.5)
    graph.add_node("999999", name="known by its node", user="anna", type="sample", collected_at=at)
    (folder / "graph_topology.gpickle").write_bytes(pickle.dumps(graph))
    make_sqlite_cache(folder / "metadata_cache.db", records, last_updated)
    facts = {
        "timestamp": at, "nodes": len(graph), "edges": graph.number_of_edges(), "processed_ids": ids,
        "pagination_state": {"page": 3},
    }  # fmt: skip
    (folder / "checkpoint_metadata.json").write_text(json.dumps(facts))
    (folder / "backup_manifest.json").write_text('{"backups": []}')
    (folder / "graph_topology_backup_5nodes.gpickle").write_bytes(pickle.dumps(graph))
    (folder / "README.md").write_text("what this is")
    (folder / "backups").mkdir()


def make_old_library(folder: Path, records: str, *, key: str = KEY) -> Path:
    """Return a joblib dictionary as an older tool with the `freesound` package wrote it.

    `records` is a JSON list of the API's own records. Half of them become objects of `freesound.Sound` with a client
    that knows `key`, the others plain dictionaries under text ids.
    """
    package = folder / "older_tool"
    package.mkdir()
    (package / "freesound.py").write_text(_FREESOUND)
    target = folder / "old_library.pkl"
    subprocess.run(
        [sys.executable, "-c", _MAKER, key, str(target)],
        input=records, text=True, cwd=package, check=True, timeout=60,
    )  # fmt: skip
    return target
