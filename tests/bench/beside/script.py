"""The straightforward script: details, then the similar list, then the whole library dumped, sound after sound."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import joblib
import networkx as nx
import orjson

from tests.support.processes import KEY


def grow(url: str, path: Path) -> Iterator[tuple[int, int, float]]:
    """Give samples, nodes and the size of the dump after each sample."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port)

    def ask(target: str) -> Any:
        connection.request("GET", address.path + target, headers={"Authorization": f"Token {KEY}"})
        return orjson.loads(connection.getresponse().read())

    graph: nx.DiGraph = nx.DiGraph()
    processed: set[int] = set()
    cache: dict[int, Any] = {}
    queue = deque(hit["id"] for hit in ask("search/?sort=downloads_desc")["results"])
    while queue:
        sound_id = queue.popleft()
        if sound_id in processed:
            continue
        record = cache[sound_id] = ask(f"sounds/{sound_id}/")
        graph.add_node(sound_id, **record)
        for hit in ask(f"sounds/{sound_id}/similar/?page_size=25")["results"]:
            graph.add_edge(sound_id, hit["id"], score=hit.get("distance_to_target", hit.get("score")))
            queue.append(hit["id"])
        processed.add(sound_id)
        joblib.dump(
            {"graph": graph, "processed_ids": processed, "sound_cache": cache, "metadata": {"at": time.time()}},
            path,
            compress=3,
        )
        yield len(processed), len(graph), path.stat().st_size
