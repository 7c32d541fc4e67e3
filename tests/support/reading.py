"""A reader beside a running harvest: `python -m tests.support.reading FOLDER UNTIL` (seconds of the epoch).

Reads in the three ways that are promised (`Library.open`, the view of `status`, plain `joblib.load`), and looks at
each view as a whole.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import joblib

from harvester import Library
from harvester.library.reader import load_view
from harvester.model import CORE_FIELDS
from harvester.storage.paths import CHECKPOINT


def look_at_graph(graph: Any, processed: set[int] | frozenset[int]) -> int:
    """Assert that a graph holds together, and return how many sounds it has."""
    for sound_id in processed:
        assert sound_id in graph, "a sample without a node"
        assert all(name in graph.nodes[sound_id] for name in CORE_FIELDS), "a sample without its record"
        assert "linked_at" in graph.nodes[sound_id], "a sample without its list"
    # One sound in a hundred of the sandbox's has no neighbour: whoever harvests all of it meets them.
    empty = sum(not graph.out_degree(sound_id) for sound_id in processed)
    assert empty <= 1 + len(processed) // 50, "samples without the edges of their lists"
    assert all(0 <= score <= 1 for _, _, score in graph.edges(data="score"))
    for sound_id, attributes in graph.nodes.items():
        assert attributes["id"] == sound_id, "a node with the record of another"
    return len(graph)


def look_by_library(folder: Path) -> int:
    """Read as other programs do."""
    library = Library.open(folder)
    metadata = library.metadata
    assert metadata["nodes"] == len(library)
    assert metadata["edges"] == library.graph.number_of_edges()
    assert metadata["statistics"]["processed"] == len(library.processed_ids)
    assert library.notices == ()
    for sound_id in list(library.processed_ids)[:50]:
        assert all(neighbour_id in library.records for neighbour_id, _ in library.neighbours(sound_id))
    return look_at_graph(library.graph, library.processed_ids)


def look_by_view(folder: Path) -> int:
    """Read as `status` does."""
    view = load_view(folder)
    assert view.notices == []
    return look_at_graph(view.state.graph, view.state.processed)


def look_by_joblib(folder: Path) -> int:
    """Read the checkpoint alone, as anybody can who has joblib and networkx."""
    library = joblib.load(folder / CHECKPOINT)
    assert set(library["sound_cache"]) == set(library["graph"])
    assert library["metadata"]["nodes"] == len(library["graph"])
    assert library["metadata"]["edges"] == library["graph"].number_of_edges()
    return look_at_graph(library["graph"], library["processed_ids"])


WAYS = (look_by_library, look_by_view, look_by_joblib)


def read_until(folder: Path, until_s: float, way: int) -> tuple[int, int]:
    """Read again and again in one way; return how many views there were, and the sounds of the last."""
    views = nodes = 0
    while time.time() < until_s or not views:
        found = WAYS[way % len(WAYS)](folder)
        assert found >= nodes, f"{found} sounds after {nodes}"
        nodes, views = found, views + 1
    return views, nodes


if __name__ == "__main__":
    print(*read_until(Path(sys.argv[1]), float(sys.argv[2]), 0))
